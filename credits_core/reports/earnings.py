"""Reads what creators earn, by day, prompt and flow, and which flows were unlocked.

Earnings come from `reports.sums.totals_of`, so they are net of refunds on the day of the refund. The sums of prompts
and flows are those of the runs and unlocks, without refunded ones. Amounts are whole credits, days are those of a time
zone. Writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select

from credits_core.reports.daily_rows import Rows
from credits_core.reports.sums import sum_where, totals_of, works_of
from credits_core.store.day_columns import within
from credits_core.store.kinds import EntryType, TransactionType
from credits_core.store.tables import PartialRefund, UnlockedFlow
from credits_core.values.days import DayRange, day_of, from_microseconds

# --- earnings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Earned:
    """What creators earned from runs and unlocks, in credits, what was refunded of it, and how many of each paid."""

    runs_credits: int
    unlocks_credits: int
    taken_back_credits: int
    runs: int
    unlocks: int

    @property
    def earned_credits(self) -> int:
        """Earned from runs and unlocks, less what was refunded, in credits."""
        return self.runs_credits + self.unlocks_credits - self.taken_back_credits


def earned_by_day(
    connection: Connection, days: DayRange, *, creator_id: str | None = None
) -> list[tuple[date, Earned]]:
    """What one creator, or all of them together, earned on each day with any payment, in order."""
    totals = _payments(connection, days)
    statement = select(totals.c.day, *_earned_columns(totals)).group_by(totals.c.day).order_by(totals.c.day)
    if creator_id is not None:
        statement = statement.where(totals.c.account_id == creator_id)
    return [(day_of(int(day)), _earned(sums)) for day, *sums in connection.execute(statement)]


def creator_totals(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int | None = 50
) -> list[tuple[str, Earned]]:
    """The creators who earned most in these days, highest first; or only this creator, if they had payments."""
    totals = _payments(connection, days)
    statement = (
        select(totals.c.account_id, *_earned_columns(totals))
        .group_by(totals.c.account_id)
        .order_by(func.sum(totals.c.amount_credits).desc(), totals.c.account_id)
        .limit(limit)
    )
    if creator_id is not None:
        statement = statement.where(totals.c.account_id == creator_id)
    return [(creator, _earned(sums)) for creator, *sums in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class CreatorDay:
    """What one creator earned on one day, in credits, net of refunds. `creator_id` None: all others together."""

    day: date
    creator_id: str | None
    earned_credits: int


def earned_by_day_and_creator(
    connection: Connection, days: DayRange, *, creator_ids: Sequence[str], with_others: bool
) -> list[CreatorDay]:
    """One row per day and creator with payments, for these creators, and if wanted for all others together."""
    totals = _payments(connection, days)
    is_named = totals.c.account_id.in_(creator_ids)
    named = select(totals.c.day, case((is_named, totals.c.account_id)).label("creator"), totals.c.amount_credits)
    rows = (named if with_others else named.where(is_named)).subquery()
    statement = (
        select(rows.c.day, rows.c.creator, func.sum(rows.c.amount_credits))
        .group_by(rows.c.day, rows.c.creator)
        .order_by(rows.c.day, rows.c.creator)
    )
    return [
        CreatorDay(day_of(int(day)), creator_id, int(earned_credits))
        for day, creator_id, earned_credits in connection.execute(statement)
    ]


def _payments(connection: Connection, days: DayRange) -> Subquery:
    return totals_of(connection, days, type_=TransactionType.CREATOR_PAYMENT)


def _earned_columns(totals: Subquery) -> list[ColumnElement[int]]:
    kinds = {kind: totals.c.entry_type == kind.value for kind in EntryType}
    paying = (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK)
    counts = [func.sum(case((kinds[kind], totals.c.transaction_count), else_=0)) for kind in paying]
    return [
        *(sum_where(totals, kinds[kind]) for kind in paying),
        sum_where(totals, kinds[EntryType.REFUND] | kinds[EntryType.PARTIAL_REFUND]),
        *(func.coalesce(count, 0) for count in counts),
    ]


def _earned(sums: Sequence[Any]) -> Earned:
    runs_credits, unlocks_credits, refunds_credits, runs, unlocks = map(int, sums)
    return Earned(runs_credits, unlocks_credits, -refunds_credits, runs, unlocks)


# --- prompts, flows and their fees ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkTotals:
    """The fees of one prompt or flow and the creator's share, in credits, without refunded runs and unlocks."""

    work_id: str
    creator_id: str
    uses: int
    fees_credits: int
    creator_share_credits: int


def top_prompts(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[WorkTotals]:
    """The prompts with the highest creator fees in these days, of one creator or of all."""
    return _top(connection, days, EntryType.PROMPT_RUN, creator_id=creator_id, limit=limit)


def top_flows(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[WorkTotals]:
    """The flows with the highest unlock fees in these days, of one creator or of all."""
    return _top(connection, days, EntryType.FLOW_UNLOCK, creator_id=creator_id, limit=limit)


def _top(
    connection: Connection, days: DayRange, kind: EntryType, *, creator_id: str | None, limit: int
) -> list[WorkTotals]:
    works = works_of(connection, days, kind)
    uses = func.sum(works.c.uses - works.c.refunded_uses)
    fees_credits = func.sum(works.c.fees_credits - works.c.refunded_fees_credits)
    shares_credits = func.sum(works.c.creator_share_credits - works.c.refunded_share_credits)
    is_creator = works.c.creator_id != "" if creator_id is None else works.c.creator_id == creator_id
    rows = connection.execute(
        select(works.c.work_id, works.c.creator_id, uses, fees_credits, shares_credits)
        .where(is_creator)
        .group_by(works.c.work_id, works.c.creator_id)
        .having(uses > 0)
        .order_by(fees_credits.desc(), works.c.work_id, works.c.creator_id)
        .limit(limit)
    )
    return [WorkTotals(work_id, creator, *map(int, sums)) for work_id, creator, *sums in rows]


# --- unlocks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedUnlock:
    """A paid unlock of a flow. `refunded_by_entry_id` is None unless all of it was refunded.

    `parts_credits` were refunded of its fee in parts, the last one included.
    """

    entry_id: int
    created_at: datetime
    flow_id: str
    user_id: str
    creator_id: str
    unlock_fee_credits: int
    creator_share_credits: int
    refunded_by_entry_id: int | None
    parts_credits: int


def unlocks(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[ListedUnlock]:
    """The latest unlocks of these days, including refunded ones, of one creator's flows or of all."""
    through = select(func.max(PartialRefund.through_credits)).where(PartialRefund.original_id == UnlockedFlow.entry_id)
    columns: Rows = select(
        UnlockedFlow.entry_id,
        UnlockedFlow.created_at_us,
        UnlockedFlow.flow_id,
        UnlockedFlow.user_id,
        UnlockedFlow.creator_id,
        UnlockedFlow.unlock_fee_credits,
        UnlockedFlow.creator_share_credits,
        UnlockedFlow.refunded_by_entry_id,
        func.coalesce(through.scalar_subquery(), 0),
    )
    wanted = columns.where(*within(UnlockedFlow.created_at_us, days))
    if creator_id is not None:
        wanted = wanted.where(UnlockedFlow.creator_id == creator_id)
    newest = connection.execute(wanted.order_by(UnlockedFlow.entry_id.desc()).limit(limit))
    return [
        ListedUnlock(entry_id, from_microseconds(created_at_us), *rest) for entry_id, created_at_us, *rest in newest
    ]
