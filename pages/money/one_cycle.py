"""One cycle of payouts: its sums, its approval, what it says of each creator, and the file for the bank."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.ledger import payouts as ledger
from credits_core.ledger.payouts import Cycle
from credits_core.payments import payout_files, payout_lists
from credits_core.payments.payout_lists import CycleLine
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.money import bank_files, payout_cycles, payout_ending, payout_preview
from pages.parts import action, clock, done, filters, links, resources, show, who

_APPROVE = "payouts:approve"
_PAGE = 100


def draw(cycle_id: int) -> None:
    """Draw it, or say that there is none."""
    st.button("Back to the cycles", icon=":material/arrow_back:", on_click=payout_cycles.show_one, args=(None,))
    after = filters.page_start("payouts:page", str(cycle_id), None)
    try:
        with resources.reading() as connection:
            found = ledger.cycle(connection, cycle_id)
            line = payout_lists.cycle_line(connection, cycle_id)
            ready = payout_files.ready_transfers(connection, cycle_id)
            listed = payout_lists.of_cycle(connection, cycle_id, after=after or 0, limit=_PAGE + 1)
    except CreditsError as refusal:
        show.refusal(refusal, undone="")
        return
    st.header(f"Cycle {cycle_id}", anchor=False)
    by = f"Proposed by {line.proposed_by}, {clock.text(line.proposed_at)}."
    approved = f" Approved by {line.approved_by}, {clock.text(line.approved_at)}." if line.approved_at else ""
    st.caption(f"{by}{approved}".replace("$", r"\$"))
    _sums(line)
    _approval(found, line)
    if not listed:
        st.info("Nobody had earnings left.", title="No creators in this cycle", icon=":material/group_off:")
        return
    if ready:
        st.info(
            f"{counted(ready, 'transfer')} {'waits' if ready == 1 else 'wait'} for a file for the bank: see below.",
            icon=":material/account_balance:",
        )
    payout_preview.table(listed[:_PAGE], key="said")
    filters.page_buttons("payouts:page", listed[_PAGE - 1].payout_id if len(listed) > _PAGE else None)
    bank_files.draw(cycle_id)
    payout_ending.draw(listed)


def _sums(line: CycleLine) -> None:
    with show.metric_grid(line.total_credits, columns=3):
        show.metric("To pay", line.total_credits, help_text="All that this cycle pays, whole cents.")
        if line.approved_at is None:
            st.metric("Creators to pay", f"{line.payouts:,} of {line.creators:,}", border=True, height="stretch")
        else:
            show.metric("Paid", line.paid_credits, help_text="What has arrived of it.")
        ended = f"{line.paid:,} paid · {line.on_the_way:,} on the way · {line.failed:,} failed"
        if line.not_paid:
            ended += f" · {line.not_paid:,} not paid"
        st.metric(
            "State",
            payout_cycles.STATES[line.state],
            delta=ended,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )


def _approval(found: Cycle, line: CycleLine) -> None:
    if found.is_approved:
        if line.state == "going on" and line.approved > 0:
            st.caption("The job *Payouts* carries this out within a minute.")
            st.button("Look again", icon=":material/refresh:")
        return
    if not found.payouts:
        st.info("This cycle pays nobody. The table says why of each creator.", icon=":material/info:")
        return
    if not found.is_newest:
        st.caption("A newer cycle took the place of this one, so it cannot be approved any more.")
        return
    if not who.may_or_told(May.APPROVE_MONEY):
        return
    if found.first_time:
        st.warning(
            f"{counted(found.first_time, 'payout')} to an account that was never paid before. They say *for the first "
            "time* in the table.",
            icon=":material/new_releases:",
        )
    if who.actor().needs_second() and found.is_proposed_by_person:
        st.page_link("people/approvals.py", label="Another person approves it", icon=":material/how_to_reg:")
        return
    if st.button(f"Approve and pay {counted(found.payouts, 'creator')}", type="primary", icon=":material/check:"):
        outcome = action.perform(
            _APPROVE,
            found.id,
            lambda connection, _key, now, actor: ledger.approve(connection, found.id, now=now, actor=actor),
        )
        if outcome.refusal is None:
            said = f"Approved cycle {found.id}. The job for payouts pays it within a minute."
            query = links.carry_to(cycle=str(found.id))
            done.add("Payouts", said, link=done.Link("money/payouts.py", f"Cycle {found.id}", query))
            action.start_over(_APPROVE)
            st.rerun()
        show.refusal(outcome.refusal, undone="Nothing was approved.")
