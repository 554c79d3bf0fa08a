"""The cycles of payouts as a table, and the button that proposes one."""

from datetime import UTC, datetime
from functools import partial
from typing import Literal

import streamlit as st
from sqlalchemy import Connection

from credits_core.access import proposals
from credits_core.access.proposed_payouts import PayOut
from credits_core.payments import payout_lists, payouts
from credits_core.payments.payout_lists import CycleLine
from credits_core.payments.payout_rules import PayoutRules
from credits_core.payments.payouts import Draft
from credits_core.values.roles import Actor, May
from pages.parts import action, clock, done, links, resources, show, tables, who

_PROPOSE = "payouts:propose"
_CYCLES = 24
STATES = {"proposed": "Proposed", "replaced": "Replaced", "going on": "Being paid", "done": "Done"}


def draw() -> None:
    """Draw the table."""
    with resources.reading() as connection:
        found = payout_lists.cycles(connection, limit=_CYCLES)
    if not found:
        st.info(
            "Look at the preview, then propose the first cycle. Nothing is paid before it is approved.",
            title="No cycle yet",
            icon=":material/calendar_month:",
        )
        return
    tables.draw(
        [_row(one) for one in found],
        {"To pay": "Dollars"},
        alt="Payout cycles, newest first",
        key="cycles",
        opens={"Cycle": lambda row: show_one(found[row].id)},
        if_wide=["On the way", "Not paid", "Approved by"],
    )


def _row(one: CycleLine) -> dict[str, object]:
    return {
        "Cycle": one.id,
        "State": STATES[one.state],
        "To pay": one.total_credits,
        "Creators": f"{one.payouts:,} of {one.creators:,}",
        "Paid": one.paid or None,
        "On the way": one.on_the_way or None,
        "Failed": one.failed or None,
        "Not paid": one.not_paid or None,
        clock.label("Proposed"): one.proposed_at,
        "Approved by": one.approved_by,
    }


def show_one(cycle_id: int | None) -> None:
    """Open one cycle, or none. Meant for a callback."""
    st.query_params.pop("cycle", None)
    if cycle_id is not None:
        st.query_params["cycle"] = str(cycle_id)


def _propose(connection: Connection, _key: str, now: datetime, actor: Actor, *, draft: Draft) -> tuple[int, int | None]:
    """The cycle, and the proposal that waits for a second person where one is needed."""
    cycle_id = payouts.propose(connection, draft, now=now, actor=actor)
    if not actor.needs_second():
        return cycle_id, None
    change = PayOut(cycle_id)
    number = proposals.propose(connection, change, reason=f"Payouts of {now:%B %Y}", actor=actor, now=now).number
    return cycle_id, number


def propose_button(rules: PayoutRules) -> None:
    """The button that proposes a cycle of today; not the first thing to do while one waits for its approval."""
    if not who.may_or_told(May.PROPOSE_PAYOUTS):
        return
    with resources.reading() as connection:
        waits = any(one.state == "proposed" and one.payouts for one in payout_lists.cycles(connection, limit=1))
    kind: Literal["primary", "secondary"] = "secondary" if waits else "primary"
    if st.button("Propose a cycle", type=kind, icon=":material/send_money:"):
        with resources.reading() as connection:
            draft = payouts.draft(connection, rules, now=datetime.now(UTC), zone=resources.zone())
        outcome = action.perform(_PROPOSE, rules, partial(_propose, draft=draft), seconds=action.LONG_SECONDS)
        if outcome.refusal is None and outcome.result is not None and not outcome.repeated:
            cycle_id, number = outcome.result
            then = "Another person must approve it." if number is not None else "Look at it, then approve it."
            query = links.carry_to(cycle=str(cycle_id))
            done.add(
                "Payouts",
                f"Proposed cycle {cycle_id}. {then} Nothing is paid yet.",
                link=done.Link("money/payouts.py", f"Cycle {cycle_id}", query),
            )
            action.start_over(_PROPOSE)
            st.rerun()
    before = action.performed(_PROPOSE)
    if before is not None and before.refusal is not None:
        show.refusal(before.refusal, undone="Nothing was proposed.")
