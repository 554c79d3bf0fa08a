"""Who acts on the dashboard, and what they may do: somebody who signed in, or the operator of this machine."""

from collections.abc import Callable

import streamlit as st

from credits_core.ledger.trial_users import are_test_users
from credits_core.values.roles import Actor, May, PersonRole, who_may
from pages.parts import resources, visitor


def actor() -> Actor:
    """Who acts now: everything that a screen does or shows for somebody asks this, at each run of the screen.

    Whoever is not let in any more may do nothing. Asks the database when the last look is too old, so call it outside
    a unit of work.
    """
    return visitor.lately_at(resources.engine()).actor


def later() -> Callable[[], Actor]:
    """What says who acts, asked of the database each time, for when no screen is run: a file that is sent."""
    engine = resources.engine()
    there = visitor.lately_at(engine)
    return lambda: visitor.looked_up_again(engine, there).actor


def may(*any_of: May) -> bool:
    """Whether the one who acts may do one of these. What they may not do is left out of the screen."""
    return not actor().may.isdisjoint(any_of)


def may_or_told(*any_of: May) -> bool:
    """As `may`; if not, one sentence says whom to ask. The last one is named in it."""
    if may(*any_of):
        return True
    _told(f"You may not {any_of[-1]}.", *any_of)
    return False


def more_than_viewer_or_told(what: str) -> bool:
    """Whether the one who acts may do more than see; if not, one sentence says whom to ask. `what` ends "may not …"."""
    more = [one for one in May if one is not May.SEE]
    if may(*more):
        return True
    _told(f"A viewer may not {what}.", *more)
    return False


def _told(said: str, *any_of: May) -> None:
    roles = [role for role in PersonRole if any(role in who_may(one) for one in any_of)]
    ask = f" Ask somebody with the role {' or '.join(roles)}." if roles else ""
    st.caption(f":material/lock: {said}{ask}")


def may_for(user_id: str, otherwise: May) -> bool:
    """Whether the one who acts may do this for anybody, or for this user, who is a test user."""
    one = actor()
    if otherwise in one.may:
        return True
    if May.TRY not in one.may:
        return False
    with resources.reading() as connection:
        return are_test_users(connection, [user_id], one.test_prefix)


def may_for_or_told(user_id: str, otherwise: May) -> bool:
    """As `may_for`; if not, one sentence says whom to ask. Without a user it is asked for any test user."""
    if not may_or_told(otherwise, May.TRY):
        return False
    if not user_id or may_for(user_id, otherwise):
        return True
    if otherwise is May.CHARGE:
        _told("This user is no test user. Only API keys charge them.")
    else:
        _told(f"This user is no test user, and you may not {otherwise}.", otherwise)
    return False
