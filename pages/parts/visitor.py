"""Who is in front of the dashboard: the operator of this machine, or somebody who signed in, if still let in.

What Streamlit says of the person comes from the browser's cookie, which lasts 30 days. So it is compared with our own
row (`access.sessions`) at each run of the screen, and again for each action when the last look is older than
`CREDITS_SIGN_IN_CHECK_SECONDS`. A run of the whole screen counts as use; a part that draws itself anew does not, or an
open tab would never end.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy import Engine
from streamlit.runtime.scriptrunner import get_script_run_ctx

from credits_core import settings
from credits_core.access import sessions
from credits_core.access.refusals import NotSignedIn
from credits_core.access.sessions import SignedIn, State, Visit
from credits_core.settings import SignIn
from credits_core.store import database, deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting
from credits_core.values.roles import Actor, PersonRole, Way, operator, person
from pages.parts import reach

_KEY = "visitor"
_NOTE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is there. `who` and `visit` are those of somebody who signed in; `problem` is why they cannot be let in.

    `is_local` is true for the operator of this machine, who is let in without signing in.
    """

    is_local: bool = False
    who: SignedIn | None = None
    visit: Visit | None = None
    problem: str | None = None

    @property
    def is_let_in(self) -> bool:
        """Whether this visitor may see the screens."""
        return self.is_local or (self.visit is not None and self.visit.is_let_in)

    @property
    def state(self) -> State | None:
        """What became of the sign-in; None without one."""
        return None if self.visit is None else self.visit.state

    @property
    def roles(self) -> frozenset[PersonRole]:
        """The roles of somebody who signed in; none without a sign-in."""
        return frozenset() if self.visit is None else self.visit.roles

    @property
    def actor(self) -> Actor:
        """Who acts. Somebody who is not let in may do nothing."""
        if self.is_local:
            return operator(Way.DASHBOARD)
        if self.who is None or not self.is_let_in:
            return Actor(Way.DASHBOARD.value, frozenset(), is_person=True)
        return person(
            self.who.email,
            self.roles,
            test_prefix=settings.test_user_prefix(),
            alone_up_to_credits=settings.four_eyes_above_credits(),
        )


def now_at(engine: Engine) -> Visitor:
    """Who is there at this moment, asked of the database; a run of the whole screen is written down as use."""
    if settings.sign_in() is not SignIn.OIDC:
        return Visitor(is_local=True)
    visitor = _looked_up(engine, st.user.to_dict())
    st.session_state[_KEY] = (time.monotonic(), visitor)
    return visitor


def lately_at(engine: Engine) -> Visitor:
    """Who is there, as it was known at most `CREDITS_SIGN_IN_CHECK_SECONDS` ago."""
    if settings.sign_in() is not SignIn.OIDC:
        return Visitor(is_local=True)
    looked: tuple[float, Visitor] | None = st.session_state.get(_KEY)
    if looked is None or time.monotonic() - looked[0] > settings.sign_in_check().total_seconds():
        return now_at(engine)
    return looked[1]


def looked_up_again(engine: Engine, visitor: Visitor) -> Visitor:
    """The same visitor, asked of the database at this moment, outside of a run of a screen."""
    if visitor.who is None:
        return visitor
    return Visitor(who=visitor.who, visit=_visit(engine, visitor.who, datetime.now(UTC)))


def forget() -> None:
    """Ask the database again the next time."""
    st.session_state.pop(_KEY, None)


def is_part_of_a_screen() -> bool:
    """Whether a part of the screen is drawn anew by itself, without the main script and what it checks."""
    context = get_script_run_ctx(suppress_warning=True)  # none in the thread that makes a file for a browser
    return context is not None and bool(context.fragment_ids_this_run)


def _looked_up(engine: Engine, claims: Mapping[str, object]) -> Visitor:
    if claims.get("is_logged_in") is not True:
        return Visitor()
    try:
        who = sessions.signed_in(claims, client_id=reach.provider_section().get("client_id", ""))
    except NotSignedIn as refusal:
        return Visitor(problem=str(refusal))
    now = datetime.now(UTC)
    visit = _visit(engine, who, now)
    if visit.is_let_in and visit.is_to_be_noted and not is_part_of_a_screen():
        domains = settings.sign_in_domains()
        # The next run of the screen notes it, when this one would have to wait for those who write.
        with deadline.within(_NOTE_SECONDS), suppress(DeadlinePassed, TooManyWaiting):
            visit = database.write(
                engine, lambda connection: sessions.note_use(connection, who, domains=domains, now=now)
            )
    return Visitor(who=who, visit=visit)


def _visit(engine: Engine, who: SignedIn, now: datetime) -> Visit:
    with deadline.within(settings.deadline_seconds()), database.read(engine) as connection:
        return sessions.look(connection, who, domains=settings.sign_in_domains(), now=now)
