"""The button that starts the demo over. It asks first, and is there only where there is a demo."""

import streamlit as st

from credits_core.bulk import starting_over
from credits_core.errors import CreditsError
from credits_core.reports import daily_totals
from credits_core.values.roles import May
from pages.parts import action, done, resources, show, who

_START_OVER, _ASKED = "demo:start-over", "demo:asked"
_UNDONE = "Nothing was deleted."


def button() -> None:
    """The button, where the database began as a demo. What was deleted stands in the head of the overview."""
    if not resources.is_demo() or not who.may(May.MANAGE):
        return
    st.button(
        "Start the demo over",
        icon=":material/restart_alt:",
        help="Bring the demo's month back, up to this hour.",
        on_click=_ask,
    )
    if st.session_state.get(_ASKED):
        _dialog()


def _ask() -> None:
    action.start_over(_START_OVER)
    st.session_state[_ASKED] = True


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Start the demo over?", icon=":material/restart_alt:", on_dismiss=_stop_asking)
def _dialog() -> None:
    try:
        with resources.reading() as connection:
            held = starting_over.holdings(connection)
    except CreditsError as error:
        show.refusal(error, undone=_UNDONE)
        return
    st.markdown(
        f"This deletes **{held}**, for everyone who uses this database. Then the demo's month is built anew. "
        "You cannot undo this."
    )
    action.performed(_START_OVER)  # makes the key before the button is shown
    if st.button("Start over", type="primary", icon=":material/restart_alt:", key="start-over:confirm"):
        with st.spinner("Building the demo world…"):
            outcome = action.perform(
                _START_OVER,
                None,
                lambda connection, _key, now, actor: resources.start_demo_over(connection, now, actor),
                seconds=action.LONG_SECONDS,
            )
            if outcome.refusal is None:
                daily_totals.catch_up(resources.engine(), resources.zone())
        if outcome.refusal is None:
            st.session_state.clear()  # choices and receipts are about what is gone
            done.add("Overview", f"Started the demo over. Deleted: {outcome.result}.")
            st.rerun()
        show.refusal(outcome.refusal, undone=_UNDONE)
