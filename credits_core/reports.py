"""The read side of sums: totals by day, by party and by creator, and the best-earning prompts and flows.

Sums come from `daily_totals` plus the entries after its watermark, so they are exact at any moment; keeping the table
caught up (`rollup.catch_up`) only makes them quick. Amounts are whole credits, days are UTC. Writes nothing.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, func, select, union_all

from credits_core.postings import (
    PLATFORM_INFERENCE,
    PLATFORM_PREFIX,
    PLATFORM_REVENUE,
    EntryType,
    TransactionType,
)
from credits_core.tables import (
    MICROSECONDS_PER_DAY,
    CreditTransaction,
    DailyTotal,
    JournalEntry,
    PromptRun,
    RollupWatermark,
    UnlockedFlow,
    start_of_day,
)

_EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class DayRange:
    """UTC days, both inclusive; None is open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What happened on one UTC day, in credits, net of refunds posted that day; `runs` counts the runs charged."""

    day: date
    inference_credits: int
    creators_credits: int
    platform_credits: int
    issued_credits: int
    circulation_change_credits: int
    runs: int


def totals_by_day(connection: Connection, days: DayRange) -> list[DayTotals]:
    """One row for every UTC day that has entries, in order.

    `platform_credits` is the platform's revenue: markups, its shares of fees, less what it bore in refunds.
    """
    totals = _totals(connection, days)
    is_user = func.substr(totals.c.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX
    rows = connection.execute(
        select(
            totals.c.day,
            _sum_where(totals, totals.c.account_id == PLATFORM_INFERENCE).label("inference"),
            _sum_where(totals, is_user & (totals.c.type == TransactionType.CREATOR_PAYMENT.value)).label("creators"),
            _sum_where(totals, totals.c.account_id == PLATFORM_REVENUE).label("platform"),
            _sum_where(totals, is_user & totals.c.type.in_(_ADDING_TYPES)).label("issued"),
            _sum_where(totals, is_user).label("circulation"),
            func.sum(
                case((totals.c.type == TransactionType.PROMPT_RUN.value, totals.c.transaction_count), else_=0)
            ).label("runs"),
        )
        .group_by(totals.c.day)
        .order_by(totals.c.day)
    )
    return [
        DayTotals(
            _EPOCH_DAY + timedelta(days=int(row.day)),
            int(row.inference),
            int(row.creators),
            int(row.platform),
            int(row.issued),
            int(row.circulation),
            int(row.runs),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Spending:
    """Where what users paid went, in credits, before refunds; the parts add up to what was paid.

    `refunded_credits` is what refunds paid back to users in the same days.
    """

    runs_inference_credits: int
    runs_creators_credits: int
    runs_platform_credits: int
    unlocks_creators_credits: int
    unlocks_platform_credits: int
    refunded_credits: int

    @property
    def runs_credits(self) -> int:
        """Paid for prompt runs."""
        return self.runs_inference_credits + self.runs_creators_credits + self.runs_platform_credits

    @property
    def unlocks_credits(self) -> int:
        """Paid for flow unlocks."""
        return self.unlocks_creators_credits + self.unlocks_platform_credits


def spending(connection: Connection, days: DayRange) -> Spending:
    """How the credits that users paid in these days were split between inference, creators and platform."""
    totals = _totals(connection, days)
    rows = connection.execute(
        select(totals.c.entry_type, totals.c.type, func.sum(totals.c.amount_credits)).group_by(
            totals.c.entry_type, totals.c.type
        )
    )
    sums = {(entry_type, type_): int(sum_credits) for entry_type, type_, sum_credits in rows}
    run, unlock = EntryType.PROMPT_RUN.value, EntryType.FLOW_UNLOCK.value
    creators, platform = TransactionType.CREATOR_PAYMENT.value, TransactionType.PLATFORM_REVENUE.value
    refund_entry = EntryType.REFUND.value
    taken_back = sum(sums.get((refund_entry, type_), 0) for type_ in (creators, platform, "inference_cost"))
    borne = _refund_losses(connection, totals)
    return Spending(
        runs_inference_credits=sums.get((run, TransactionType.INFERENCE_COST.value), 0),
        runs_creators_credits=sums.get((run, creators), 0),
        runs_platform_credits=sums.get((run, platform), 0),
        unlocks_creators_credits=sums.get((unlock, creators), 0),
        unlocks_platform_credits=sums.get((unlock, platform), 0),
        refunded_credits=-(taken_back + borne),
    )


def _refund_losses(connection: Connection, totals: Subquery) -> int:
    borne = (totals.c.account_id == PLATFORM_REVENUE) & (totals.c.type == TransactionType.REFUND.value)
    return int(connection.execute(select(_sum_where(totals, borne))).scalar_one())


@dataclass(frozen=True, slots=True)
class CreatorDay:
    """What one creator earned on one UTC day, in credits, less what refunds took back that day."""

    day: date
    creator_id: str
    earned_credits: int


def creator_earnings_by_day(connection: Connection, days: DayRange) -> list[CreatorDay]:
    """Creators' earnings, a row for every creator and day with any, by day and creator."""
    totals = _totals(connection, days, TransactionType.CREATOR_PAYMENT)
    rows = connection.execute(
        select(totals.c.day, totals.c.account_id, func.sum(totals.c.amount_credits))
        .group_by(totals.c.day, totals.c.account_id)
        .order_by(totals.c.day, totals.c.account_id)
    )
    return [CreatorDay(_EPOCH_DAY + timedelta(days=int(day)), creator, int(earned)) for day, creator, earned in rows]


@dataclass(frozen=True, slots=True)
class CreatorTotals:
    """One creator's earnings, in credits, net of refunds, with the platform's part of the same fees before refunds."""

    creator_id: str
    runs_credits: int
    unlocks_credits: int
    taken_back_credits: int
    runs: int
    unlocks: int

    @property
    def earned_credits(self) -> int:
        """From runs and unlocks, less what refunds took back."""
        return self.runs_credits + self.unlocks_credits - self.taken_back_credits


def creator_totals(connection: Connection, days: DayRange) -> list[CreatorTotals]:
    """Every creator with earnings in these days, the highest first."""
    totals = _totals(connection, days, TransactionType.CREATOR_PAYMENT)
    kinds = {kind: totals.c.entry_type == kind.value for kind in EntryType}
    count = {kind: func.sum(case((is_kind, totals.c.transaction_count), else_=0)) for kind, is_kind in kinds.items()}
    rows = connection.execute(
        select(
            totals.c.account_id,
            _sum_where(totals, kinds[EntryType.PROMPT_RUN]),
            _sum_where(totals, kinds[EntryType.FLOW_UNLOCK]),
            _sum_where(totals, kinds[EntryType.REFUND]),
            count[EntryType.PROMPT_RUN],
            count[EntryType.FLOW_UNLOCK],
        ).group_by(totals.c.account_id)
    )
    found = [
        CreatorTotals(creator, int(runs), int(unlocks), -int(back), int(run_count), int(unlock_count))
        for creator, runs, unlocks, back, run_count, unlock_count in rows
    ]
    return sorted(found, key=lambda row: (-row.earned_credits, row.creator_id))


@dataclass(frozen=True, slots=True)
class WorkTotals:
    """What one prompt or flow brought in, in credits, without refunded runs and unlocks."""

    work_id: str
    creator_id: str
    uses: int
    fees_credits: int
    creator_share_credits: int


def top_prompts(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[WorkTotals]:
    """The prompts with the highest creator fees in these days, of one creator or of all."""
    refunded = select(JournalEntry.refunds_entry_id).where(JournalEntry.refunds_entry_id.is_not(None))
    statement = (
        select(
            PromptRun.prompt_id,
            PromptRun.creator_id,
            func.count(),
            func.sum(PromptRun.creator_fee_credits).label("fees"),
            func.sum(PromptRun.creator_share_credits),
        )
        .where(PromptRun.creator_id.is_not(None), PromptRun.entry_id.not_in(refunded))
        .group_by(PromptRun.prompt_id, PromptRun.creator_id)
        .order_by(func.sum(PromptRun.creator_fee_credits).desc(), PromptRun.prompt_id)
        .limit(limit)
    )
    if creator_id is not None:
        statement = statement.where(PromptRun.creator_id == creator_id)
    return _work_totals(connection, _within(statement, PromptRun, days))


def top_flows(
    connection: Connection, days: DayRange, *, creator_id: str | None = None, limit: int = 10
) -> list[WorkTotals]:
    """The flows with the highest unlock fees in these days, of one creator or of all."""
    statement = (
        select(
            UnlockedFlow.flow_id,
            UnlockedFlow.creator_id,
            func.count(),
            func.sum(UnlockedFlow.unlock_fee_credits).label("fees"),
            func.sum(UnlockedFlow.creator_share_credits),
        )
        .where(UnlockedFlow.refunded_by_entry_id.is_(None))
        .group_by(UnlockedFlow.flow_id, UnlockedFlow.creator_id)
        .order_by(func.sum(UnlockedFlow.unlock_fee_credits).desc(), UnlockedFlow.flow_id)
        .limit(limit)
    )
    if creator_id is not None:
        statement = statement.where(UnlockedFlow.creator_id == creator_id)
    return _work_totals(connection, _within(statement, UnlockedFlow, days))


def entry_days(connection: Connection) -> DayRange:
    """The UTC days of the earliest and the latest entry by the clock; both None in an empty ledger."""
    totals = _totals(connection, DayRange())
    first, last = connection.execute(select(func.min(totals.c.day), func.max(totals.c.day))).one()
    if first is None:
        return DayRange()
    return DayRange(_EPOCH_DAY + timedelta(days=int(first)), _EPOCH_DAY + timedelta(days=int(last)))


def entries_after_rollup(connection: Connection) -> int:
    """How many entry numbers the daily totals do not cover yet."""
    last = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one()
    return int(last - connection.execute(select(RollupWatermark.entry_id)).scalar_one())


_ADDING_TYPES = [
    TransactionType.CREDIT_PURCHASE.value,
    TransactionType.GRANT.value,
    TransactionType.ADJUSTMENT.value,
]


def _sum_where(totals: Subquery, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, totals.c.amount_credits), else_=0)), 0)


def _totals(connection: Connection, days: DayRange, type_: TransactionType | None = None) -> Subquery:
    # The daily totals and, in the same shape, what has been posted after their watermark.
    watermark = connection.execute(select(RollupWatermark.entry_id)).scalar_one()
    day = (CreditTransaction.created_at_us // MICROSECONDS_PER_DAY).label("day")
    kept = select(
        DailyTotal.day,
        DailyTotal.account_id,
        DailyTotal.entry_type,
        DailyTotal.type,
        DailyTotal.amount_credits,
        DailyTotal.transaction_count,
    )
    live = (
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type.label("entry_type"),
            CreditTransaction.type,
            func.sum(CreditTransaction.amount_credits).label("amount_credits"),
            func.count().label("transaction_count"),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id > watermark)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )
    if type_ is not None:
        kept, live = kept.where(DailyTotal.type == type_.value), live.where(CreditTransaction.type == type_.value)
    if days.first is not None:
        kept = kept.where(DailyTotal.day >= (days.first - _EPOCH_DAY).days)
        live = live.where(CreditTransaction.created_at_us >= start_of_day(days.first))
    if days.last is not None:
        kept = kept.where(DailyTotal.day <= (days.last - _EPOCH_DAY).days)
        live = live.where(CreditTransaction.created_at_us < start_of_day(days.last + timedelta(days=1)))
    return union_all(kept, live).subquery()


def _within(
    statement: Select[*tuple[Any, ...]], table: type[PromptRun] | type[UnlockedFlow], days: DayRange
) -> Select[*tuple[Any, ...]]:
    if days.first is not None:
        statement = statement.where(table.created_at_us >= start_of_day(days.first))
    if days.last is not None:
        statement = statement.where(table.created_at_us < start_of_day(days.last + timedelta(days=1)))
    return statement


def _work_totals(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[WorkTotals]:
    return [
        WorkTotals(work_id, str(creator_id), int(uses), int(fees), int(share))
        for work_id, creator_id, uses, fees, share in connection.execute(statement)
    ]
