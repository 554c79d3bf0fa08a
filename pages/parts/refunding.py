"""Refunds one entry: a button, and a dialog that says what will happen, asks for the reason and does it."""

import streamlit as st

from credits_core.ledger import actions
from pages.parts import action, resources, show, words

_ACTION = "refund"
_ASKED = "refund:asked"


def button(
    entry_id: int, account_id: str, amount_credits: int, *, label: str = "Refund this entry", key: str | None = None
) -> None:
    """A button that asks before it refunds. `amount_credits` is the entry's first movement, that of `account_id`.

    The dialog is shown as long as the session says so, so that it outlives reruns; the key of the refund is made when
    the dialog is asked for, so that two clicks on its button refund once.
    """
    st.button(label, icon=":material/undo:", key=key, on_click=_ask, args=(entry_id,))
    if st.session_state.get(_ASKED) == entry_id:
        _dialog(entry_id, account_id, amount_credits)


def _ask(entry_id: int) -> None:
    action.start_over(_ACTION)
    st.session_state[_ASKED] = entry_id


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Refund this entry?", icon=":material/undo:", on_dismiss=_stop_asking)
def _dialog(entry_id: int, account_id: str, amount_credits: int) -> None:
    st.markdown(
        f"{words.plain(account_id)} {'gets' if amount_credits < 0 else 'gives'} back "
        f"{words.both(abs(amount_credits))}. A new entry reverses every movement of entry {entry_id}; nothing is "
        "deleted. An entry can be refunded only once."
    )
    with st.form("refund", border=False):
        reason = st.text_input("Reason", max_chars=500, placeholder="Kept in the history", key="refund:reason")
        confirmed = st.form_submit_button("Refund", type="primary", icon=":material/undo:")
    if confirmed:
        outcome = action.perform(
            _ACTION,
            (entry_id, reason),
            lambda connection, key, now: actions.refund(
                connection,
                entry_id,
                reason=reason,
                book=resources.book_at(connection),
                key=key,
                now=now,
                actor=action.ACTOR,
            ),
        )
        if outcome.refusal is None:
            _stop_asking()
            st.rerun()
        show.refusal(outcome.refusal, undone="Nothing was refunded.")
