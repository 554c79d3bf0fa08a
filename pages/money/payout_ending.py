"""Says of a payout that it arrived or failed, as the bank reports; a failure waits for a second person."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from credits_core.access import proposals
from credits_core.access.proposed_payouts import FailPayout
from credits_core.ledger import payout_news
from credits_core.payments.payouts import Explained
from credits_core.store.kinds import DestinationKind, PayoutNews
from credits_core.values.roles import Actor, May
from credits_core.values.text import both
from pages.parts import action, done, links, proposing, show, who

_ACTION = "payouts:report"
_PAID, _FAILED, _BACK = "Arrived", "Failed", "Came back"


def draw(listed: Sequence[Explained]) -> None:
    """A form for one payout of these, for who may move credits; nothing where nobody has anything to report."""
    told = sorted((one for one in listed if _can_be_told(one)), key=lambda one: one.state.word == "paid")
    by_number = {one.payout_id: one for one in told}
    if not by_number or not who.may(May.MOVE_CREDITS):
        return
    with st.expander("Say what became of a transfer", icon=":material/account_balance:"):
        number = st.selectbox("Payout", list(by_number), format_func=lambda number: _named(by_number[number]))
        if number is None:
            return
        is_paid = by_number[number].state.word == "paid"
        endings = (_BACK,) if is_paid else (_PAID, _FAILED)
        ending = st.radio("What became of it", endings, horizontal=True, key=f"payouts:ending:{number}")
        reason = ""
        if ending != _PAID:
            one = by_number[number]
            said = f"{both(one.amount_credits)} goes back to {one.creator_id}, and the next cycle pays it again."
            st.caption(said.replace("$", r"\$"))
            reason = st.text_input("Why", key=f"payouts:why:{number}", placeholder="What the bank or the gateway says")
            if who.actor().needs_second():
                proposing.note()
        if st.button("Save", type="primary"):
            _report(by_number[number], number, PayoutNews.PAID if ending == _PAID else PayoutNews.FAILED, reason)


def _can_be_told(one: Explained) -> bool:
    is_bank = one.terms is not None and one.terms.kind is DestinationKind.BANK
    return one.state.word == "paid" or (is_bank and one.state.word == "on the way")


def _named(one: Explained) -> str:
    return f"{one.payout_id}: {one.creator_id}, {both(one.amount_credits)}, {one.state.word}"


def _report(one: Explained, number: int, news: PayoutNews, reason: str) -> None:
    def carry_out(connection: Connection, _key: str, now: datetime, actor: Actor) -> int | None:
        is_failure = news is PayoutNews.FAILED
        if is_failure and actor.needs_second() and payout_news.was_handed_over(connection, number):
            return proposals.propose(connection, FailPayout(number), reason=reason, actor=actor, now=now).number
        payout_news.report(connection, number, news, reason=reason, now=now, actor=actor)
        return None

    outcome = action.perform(_ACTION, (number, news, reason), carry_out)
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was saved.")
        return
    if outcome.result is not None:
        proposing.say("Payouts", outcome.result, f"to say that payout {number} failed")
    else:
        said = "arrived" if news is PayoutNews.PAID else f"failed; its credits are {one.creator_id}'s again"
        query = links.carry_to(cycle=str(one.cycle_id))
        link = done.Link("money/payouts.py", f"Cycle {one.cycle_id}", query)
        done.add("Payouts", f"Payout {number} {said}.", link=link)
    action.start_over(_ACTION)
    st.rerun()
