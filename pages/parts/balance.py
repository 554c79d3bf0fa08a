"""Shows a user's balance. It is read each time it is drawn: draw it after an action that may change it."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import UnknownUser
from credits_core.values.fields import is_id
from pages.parts import resources, show, words

_MOVEMENTS = 60


def metric(user_id: str, *, with_course: bool = False) -> None:
    """The balance, with the course of its latest movements, or that the user does not exist yet."""
    try:
        with resources.reading() as connection:
            balance_credits = accounts.user(connection, user_id).balance_credits
            wanted = TransactionFilter(account_id=user_id)
            latest = accounts.transactions(connection, wanted, limit=_MOVEMENTS) if with_course else []
    except UnknownUser:
        _no_account(user_id)
        return
    course = [movement.balance_after_credits or 0 for movement in reversed(latest)] or None
    show.metric(f"Balance of {words.plain(user_id)}", balance_credits, chart=course, colour="blue")


def enough(user_id: str, required_credits: int, runs: int) -> None:
    """The balance in one line, and whether it is enough for the runs."""
    try:
        with resources.reading() as connection:
            balance_credits = accounts.user(connection, user_id).balance_credits
    except UnknownUser:
        _no_account(user_id)
        show.link_to_add_credits(user_id)
        return
    holds = f"{words.plain(user_id)} holds {words.both(balance_credits)}"
    if balance_credits >= required_credits:
        st.caption(f":material/check: {holds}, which is enough.")
    elif runs == 1:
        st.caption(f":material/block: {holds}, which is not enough: the run will be refused.")
    else:
        st.caption(f":material/block: {holds}, which is not enough for all runs: some will be refused.")


def _no_account(user_id: str) -> None:
    if not is_id(user_id):
        st.warning(
            "Use 1 to 128 characters: a letter or digit first, then letters, digits or . _ @ / | + -",
            title="This user id is not valid",
            icon=":material/edit:",
        )
        return
    st.info(
        f"{words.plain(user_id)} does not exist yet. Adding credits creates the user.", icon=":material/person_add:"
    )
