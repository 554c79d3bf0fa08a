"""Says of a payout that it arrived or failed, for transfers that the bank reports."""

from collections.abc import Sequence

import streamlit as st

from credits_core.payments import payouts
from credits_core.payments.payouts import Explained
from credits_core.store.kinds import PayoutNews
from credits_core.values.roles import May
from credits_core.values.text import both
from pages.parts import action, done, links, show, who

_ACTION = "payouts:report"
_PAID, _FAILED = "Arrived", "Failed"


def draw(listed: Sequence[Explained]) -> None:
    """A form for one payout of these, for who may move credits."""
    if not listed or not who.may(May.MOVE_CREDITS):
        return
    by_number = {one.payout_id: one for one in listed}
    with (
        st.expander("Say what became of a transfer", icon=":material/account_balance:"),
        st.form("report", border=False),
    ):
        number = st.selectbox(
            "Payout",
            list(by_number),
            format_func=lambda number: _named(by_number[number]),
        )
        ending = st.radio("The bank says", (_PAID, _FAILED), horizontal=True)
        reason = st.text_input("Why it failed", placeholder="Only when it failed")
        sent = st.form_submit_button("Save", type="primary")
    if sent and number is not None:
        news = PayoutNews.PAID if ending == _PAID else PayoutNews.FAILED
        _report(by_number[number], number, news, reason)


def _named(one: Explained) -> str:
    return f"{one.payout_id}: {one.creator_id}, {both(one.amount_credits)}"


def _report(one: Explained, number: int, news: PayoutNews, reason: str) -> None:
    outcome = action.perform(
        _ACTION,
        (number, news, reason),
        lambda connection, _key, now, actor: payouts.report(
            connection, number, news, reason=reason if news is PayoutNews.FAILED else "", now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was saved.")
        return
    said = "arrived" if news is PayoutNews.PAID else f"failed; its credits are {one.creator_id}'s again"
    query = links.carry_to(cycle=str(one.cycle_id))
    done.add("Payouts", f"Payout {number} {said}.", link=done.Link("money/payouts.py", f"Cycle {one.cycle_id}", query))
    action.start_over(_ACTION)
    st.rerun()
