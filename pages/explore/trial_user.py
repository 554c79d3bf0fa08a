"""Whether a user is a test user: a switch for whoever manages people, a mark for everybody else."""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.access import trial_users
from credits_core.errors import CreditsError
from credits_core.ledger.trial_users import are_test_users, began_as_demo
from credits_core.values.roles import May
from pages.parts import done, resources, who, words

_HELP = "Testers may add, charge and refund credits of test users."


def switch(user_id: str) -> None:
    """The switch or the mark, where the database did not begin as a demo: there everybody is a test user."""
    with resources.reading() as connection:
        if began_as_demo(connection):
            return
        was_made_one = trial_users.named(connection, user_id) is not None
        is_one = are_test_users(connection, [user_id], settings.test_user_prefix())
    if is_one and not (was_made_one and who.may(May.MANAGE)):
        st.badge("Test user", icon=":material/science:", color="orange", help=_HELP)
    elif who.may(May.MANAGE):
        slot = f"test-user:{user_id}"
        st.session_state[slot] = was_made_one
        st.toggle("Test user", key=slot, help=_HELP, on_change=_change, args=(user_id, slot))


def _change(user_id: str, slot: str) -> None:
    change = trial_users.add if st.session_state[slot] else trial_users.remove
    now, actor = datetime.now(UTC), who.actor()
    try:
        resources.writing(lambda connection: change(connection, user_id, now=now, actor=actor))
    except CreditsError as refusal:
        done.add("Balances", f"Nothing was changed. {words.refusal_text(refusal)}")
        return
    said = "is a test user" if st.session_state[slot] else "is a test user no more"
    done.add("Balances", f"**{words.plain(user_id)}** {said}.")
