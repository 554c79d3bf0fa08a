"""Reads payouts for people: cycles with their sums, what a cycle says of each creator, and a creator's own payouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from credits_core.ledger import payouts as ledger
from credits_core.ledger.payout_news import has_move, is_reported
from credits_core.payments import destinations, netted
from credits_core.payments.payout_rules import Standing
from credits_core.payments.payouts import Explained, State
from credits_core.store.kinds import PayoutNews, PayoutStep, Verdict
from credits_core.store.tables import Payout, PayoutApproval, PayoutCycle, PayoutMove, PayoutReport
from credits_core.values.days import day_of, from_microseconds


@dataclass(frozen=True, slots=True)
class CycleLine:
    """A cycle: who proposed it and who approved it, how many creators it pays, and how much, in credits. Of that
    `paid_credits` have arrived. `is_replaced` is true of one that a newer one took the place of before it was approved.

    `approved` (and not carried out), `on_the_way`, `paid`, `failed` and `not_paid` count its payouts by what became of
    them; those that were not paid were not covered any more or stopped, before anything was moved.
    """

    id: int
    proposed_at: datetime
    proposed_by: str
    approved_at: datetime | None
    approved_by: str | None
    creators: int
    payouts: int
    total_credits: int
    paid_credits: int
    approved: int
    on_the_way: int
    paid: int
    failed: int
    not_paid: int
    is_replaced: bool

    @property
    def state(self) -> str:
        """Where it stands, in a word or two."""
        if self.approved_at is None:
            return "replaced" if self.is_replaced else "proposed"
        return "done" if self.paid + self.failed + self.not_paid == self.payouts else "going on"


@dataclass(frozen=True, slots=True)
class CreatorSums:
    """What one creator was paid in all, and what is on the way, in credits; net of what the bank sent back."""

    paid_credits: int
    on_the_way_credits: int


def cycles(connection: Connection, *, limit: int) -> list[CycleLine]:
    """The newest cycles, newest first."""
    newest = select(PayoutCycle.id).order_by(PayoutCycle.id.desc()).limit(limit)
    return _lines(connection, newest)


def cycle_line(connection: Connection, cycle_id: int) -> CycleLine:
    """One cycle.

    Raises:
        UnknownCycle: there is none with this number.
    """
    ledger.require_cycle(connection, cycle_id)
    (line,) = _lines(connection, select(PayoutCycle.id).where(PayoutCycle.id == cycle_id))
    return line


def _lines(connection: Connection, wanted: Select[Any]) -> list[CycleLine]:
    found = connection.execute(
        select(PayoutCycle, PayoutApproval.approved_at_us, PayoutApproval.actor.label("approved_by"))
        .outerjoin(PayoutApproval, PayoutApproval.id == PayoutCycle.id)
        .where(PayoutCycle.id.in_(wanted))
        .order_by(PayoutCycle.id.desc())
    ).all()
    ids = [row.id for row in found]
    lines = {cycle_id: dict[str, int]() for cycle_id in ids}
    paying = func.coalesce(func.sum(Payout.amount_credits), 0)
    for cycle_id, verdict, count, credits in connection.execute(
        select(Payout.cycle_id, Payout.verdict, func.count(), paying)
        .where(Payout.cycle_id.in_(ids))
        .group_by(Payout.cycle_id, Payout.verdict)
    ):
        of = lines[cycle_id]
        of["creators"] = of.get("creators", 0) + count
        if verdict == Verdict.PAID_OUT.value:
            of["payouts"], of["total_credits"] = count, int(credits)
    for cycle_id, state, count, credits in connection.execute(
        select(_STATE.c.cycle_id, _STATE.c.state, func.count(), func.sum(_STATE.c.amount_credits))
        .where(_STATE.c.cycle_id.in_(ids))
        .group_by(_STATE.c.cycle_id, _STATE.c.state)
    ):
        lines[cycle_id][state] = count
        if state == "paid":
            lines[cycle_id]["paid_credits"] = int(credits)
    newest = connection.execute(select(func.max(PayoutCycle.id))).scalar()
    return [
        CycleLine(
            row.id,
            from_microseconds(row.proposed_at_us),
            row.actor,
            None if row.approved_at_us is None else from_microseconds(row.approved_at_us),
            row.approved_by,
            creators=lines[row.id].get("creators", 0),
            payouts=lines[row.id].get("payouts", 0),
            total_credits=lines[row.id].get("total_credits", 0),
            paid_credits=lines[row.id].get("paid_credits", 0),
            approved=lines[row.id].get("approved", 0),
            on_the_way=lines[row.id].get("on the way", 0),
            paid=lines[row.id].get("paid", 0),
            failed=lines[row.id].get("failed", 0),
            not_paid=lines[row.id].get("not covered", 0) + lines[row.id].get("stopped", 0),
            is_replaced=row.approved_at_us is None and row.id != newest,
        )
        for row in found
    ]


def of_cycle(
    connection: Connection, cycle_id: int, *, verdict: Verdict | None = None, after: int = 0, limit: int = 100
) -> list[Explained]:
    """What a cycle says of creators, in the order of their ids; a page of it.

    Raises:
        UnknownCycle: there is none with this number.
    """
    ledger.require_cycle(connection, cycle_id)
    wanted = _SAID.where(Payout.cycle_id == cycle_id, Payout.id > after).order_by(Payout.id).limit(limit)
    if verdict is not None:
        wanted = wanted.where(Payout.verdict == verdict.value)
    return list(_explained(connection, wanted))


def of_creator(connection: Connection, creator_id: str, *, limit: int = 12) -> list[Explained]:
    """What the newest cycles say of one creator, newest first."""
    wanted = _SAID.where(Payout.creator_id == creator_id).order_by(Payout.id.desc()).limit(limit)
    return list(_explained(connection, wanted))


def sums_of_creator(connection: Connection, creator_id: str) -> CreatorSums:
    """What one creator was paid and what is on the way."""
    found = (
        select(PayoutMove.step, func.sum(Payout.amount_credits))
        .join(Payout, Payout.id == PayoutMove.payout_id)
        .where(Payout.creator_id == creator_id)
        .group_by(PayoutMove.step)
    )
    of = {PayoutStep(step): int(credits) for step, credits in connection.execute(found)}
    paid = of.get(PayoutStep.PAID, 0) - of.get(PayoutStep.UNPAID, 0)
    return CreatorSums(paid, of.get(PayoutStep.SET_ASIDE, 0) - of.get(PayoutStep.RETURNED, 0) - paid)


def _explained(connection: Connection, wanted: Select[Any]) -> Iterator[Explained]:
    rows = connection.execute(wanted).all()
    terms = destinations.by_id(connection, [row.terms_id for row in rows if row.terms_id is not None])
    creators = sorted({row.creator_id for row in rows})
    paid_of_debts = {
        cycle_id: netted.netted(connection, cycle_id, creators) for cycle_id in {row.cycle_id for row in rows}
    }
    for row in rows:
        of = terms.get(row.terms_id or 0)
        paused = of is not None and of.paused_because is not None
        standing = Standing(
            row.left_credits,
            row.waiting_credits,
            row.reserved_credits,
            row.owed_credits,
            paused,
            of is not None and of.kind is not None,
        )
        yield Explained(
            row.id,
            row.cycle_id,
            row.creator_id,
            standing,
            Verdict(row.verdict),
            row.amount_credits,
            row.threshold_credits,
            row.waiting_days,
            day_of(row.first_waiting_day),
            of,
            bool(row.is_first_time),
            State(row.state, row.reason or ""),
            paid_of_debts[row.cycle_id].get(row.creator_id, 0),
        )


_STATE_NOW = case(
    (Payout.amount_credits == 0, "nothing"),
    (is_reported(PayoutNews.FAILED), "failed"),
    (is_reported(PayoutNews.PAID), "paid"),
    (is_reported(PayoutNews.SHORT), "not covered"),
    (is_reported(PayoutNews.STOPPED), "stopped"),
    (has_move(PayoutStep.SET_ASIDE), "on the way"),
    (PayoutApproval.id.is_not(None), "approved"),
    else_="proposed",
).label("state")
_STATE = (
    select(Payout.id, Payout.cycle_id, Payout.amount_credits, _STATE_NOW)
    .outerjoin(PayoutApproval, PayoutApproval.id == Payout.cycle_id)
    .subquery()
)
_REASON = (
    select(PayoutReport.reason)
    .where(
        PayoutReport.payout_id == Payout.id,
        PayoutReport.kind.in_([PayoutNews.FAILED.value, PayoutNews.STOPPED.value]),
    )
    .scalar_subquery()
)
_SAID: Select[Any] = (
    select(
        *Payout.__table__.c,
        PayoutCycle.threshold_credits,
        PayoutCycle.waiting_days,
        PayoutCycle.first_waiting_day,
        _STATE_NOW,
        _REASON.label("reason"),
        ((Payout.amount_credits > 0) & ledger.is_first_time()).label("is_first_time"),
    )
    .join(PayoutCycle, PayoutCycle.id == Payout.cycle_id)
    .outerjoin(PayoutApproval, PayoutApproval.id == Payout.cycle_id)
)
