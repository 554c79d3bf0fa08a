"""Reads what creators earn, by day, prompt and flow, how fees are split, and which flows were unlocked.

Earnings come from `reports.sums.totals_of`, so they are net of refunds on the day of the refund. The sums of prompts
and flows come from the runs and unlocks themselves, without refunded ones. Amounts are whole credits, days are those of
a time zone. Writes nothing.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, func, select, union_all

from credits_core.reports.sums import sum_where, totals_of
from credits_core.store.day_columns import within
from credits_core.store.kinds import EntryType, TransactionType
from credits_core.store.tables import JournalEntry, PromptRun, UnlockedFlow
from credits_core.values.days import DayRange, day_of, from_microseconds
from credits_core.values.time_zones import UTC_ZONE, TimeZone

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


def total_earned(connection: Connection, days: DayRange, *, creator_id: str | None = None) -> Earned:
    """What one creator, or all of them together, earned in these days."""
    totals = _payments(connection, days)
    statement = select(*_earned_columns(totals))
    if creator_id is not None:
        statement = statement.where(totals.c.account_id == creator_id)
    return _earned(connection.execute(statement).one())


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
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 50
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


def months(connection: Connection, creator_id: str, zone: TimeZone = UTC_ZONE) -> list[DayRange]:
    """The months in which the creator had payments, newest first, each from its first day to its last."""
    by_day = earned_by_day(connection, DayRange(zone=zone), creator_id=creator_id)
    firsts = {day.replace(day=1) for day, _ in by_day}
    return [
        DayRange(first, first.replace(day=monthrange(first.year, first.month)[1]), zone)
        for first in sorted(firsts, reverse=True)
    ]


def _payments(connection: Connection, days: DayRange) -> Subquery:
    return totals_of(connection, days, type_=TransactionType.CREATOR_PAYMENT)


def _earned_columns(totals: Subquery) -> list[ColumnElement[int]]:
    kinds = {kind: totals.c.entry_type == kind.value for kind in EntryType}
    paying = (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK)
    counts = [func.sum(case((kinds[kind], totals.c.transaction_count), else_=0)) for kind in paying]
    return [
        *(sum_where(totals, kinds[kind]) for kind in (*paying, EntryType.REFUND)),
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
    return _top(connection, _fees_of_runs(days, creator_id), limit=limit)


def top_flows(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[WorkTotals]:
    """The flows with the highest unlock fees in these days, of one creator or of all."""
    return _top(connection, _fees_of_unlocks(days, creator_id), limit=limit)


@dataclass(frozen=True, slots=True)
class FeeSplit:
    """One creator's fees, in credits, without refunded ones, and their two parts, which add up to the fees."""

    creator_id: str
    fees_credits: int
    creator_credits: int
    platform_credits: int


def fee_splits(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[FeeSplit]:
    """How these days' fees were split between creator and platform, creators with the highest fees first."""
    fees = union_all(_fees_of_runs(days, creator_id), _fees_of_unlocks(days, creator_id)).subquery()
    all_fees_credits = func.sum(fees.c.fee_credits)
    rows = connection.execute(
        select(fees.c.creator_id, all_fees_credits, func.sum(fees.c.creator_share_credits))
        .group_by(fees.c.creator_id)
        .order_by(all_fees_credits.desc(), fees.c.creator_id)
        .limit(limit)
    )
    return [
        FeeSplit(
            creator_id,
            fees_credits=int(fees_credits),
            creator_credits=int(creator_credits),
            platform_credits=int(fees_credits) - int(creator_credits),
        )
        for creator_id, fees_credits, creator_credits in rows
    ]


def _fees_of_runs(days: DayRange, creator_id: str | None) -> Select[*tuple[Any, ...]]:
    refunded = select(JournalEntry.refunds_entry_id).where(JournalEntry.refunds_entry_id.is_not(None))
    statement = select(
        PromptRun.prompt_id.label("work_id"),
        PromptRun.creator_id,
        PromptRun.creator_fee_credits.label("fee_credits"),
        PromptRun.creator_share_credits,
    ).where(PromptRun.creator_id.is_not(None), PromptRun.entry_id.not_in(refunded))
    return _narrowed(statement, PromptRun, days=days, creator_id=creator_id)


def _fees_of_unlocks(days: DayRange, creator_id: str | None) -> Select[*tuple[Any, ...]]:
    statement = select(
        UnlockedFlow.flow_id.label("work_id"),
        UnlockedFlow.creator_id,
        UnlockedFlow.unlock_fee_credits.label("fee_credits"),
        UnlockedFlow.creator_share_credits,
    ).where(UnlockedFlow.refunded_by_entry_id.is_(None))
    return _narrowed(statement, UnlockedFlow, days=days, creator_id=creator_id)


def _top(connection: Connection, fees_of_works: Select[*tuple[Any, ...]], *, limit: int) -> list[WorkTotals]:
    fees = fees_of_works.subquery()
    all_fees_credits = func.sum(fees.c.fee_credits)
    shares_credits = func.sum(fees.c.creator_share_credits)
    rows = connection.execute(
        select(fees.c.work_id, fees.c.creator_id, func.count(), all_fees_credits, shares_credits)
        .group_by(fees.c.work_id, fees.c.creator_id)
        .order_by(all_fees_credits.desc(), fees.c.work_id, fees.c.creator_id)
        .limit(limit)
    )
    return [
        WorkTotals(work_id, creator_id, int(uses), int(fees_credits), int(creator_share_credits))
        for work_id, creator_id, uses, fees_credits, creator_share_credits in rows
    ]


def _narrowed(
    statement: Select[*tuple[Any, ...]],
    table: type[PromptRun] | type[UnlockedFlow],
    *,
    days: DayRange,
    creator_id: str | None,
) -> Select[*tuple[Any, ...]]:
    if creator_id is not None:
        statement = statement.where(table.creator_id == creator_id)
    return statement.where(*within(table.created_at_us, days))


# --- unlocks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedUnlock:
    """A paid unlock of a flow. `refunded_by_entry_id` is None unless it was refunded."""

    entry_id: int
    created_at: datetime
    flow_id: str
    user_id: str
    creator_id: str
    unlock_fee_credits: int
    creator_share_credits: int
    refunded_by_entry_id: int | None


def unlocks(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[ListedUnlock]:
    """The latest unlocks of these days, including refunded ones, of one creator's flows or of all."""
    columns = select(
        UnlockedFlow.entry_id,
        UnlockedFlow.created_at_us,
        UnlockedFlow.flow_id,
        UnlockedFlow.user_id,
        UnlockedFlow.creator_id,
        UnlockedFlow.unlock_fee_credits,
        UnlockedFlow.creator_share_credits,
        UnlockedFlow.refunded_by_entry_id,
    )
    wanted = _narrowed(columns, UnlockedFlow, days=days, creator_id=creator_id)
    newest = connection.execute(wanted.order_by(UnlockedFlow.entry_id.desc()).limit(limit))
    return [
        ListedUnlock(entry_id, from_microseconds(created_at_us), *rest) for entry_id, created_at_us, *rest in newest
    ]
