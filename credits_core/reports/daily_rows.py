"""What happened in some entries, summed up by day: the rows that the three daily tables are made of. Reads only.

Each statement has the columns of its table. `After` says which entries: the tables take those between two watermarks,
and reports those after the last one.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    SQLColumnExpression,
    case,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from credits_core.store.day_columns import day_number, within
from credits_core.store.kinds import PLATFORM_PREFIX, EntryType
from credits_core.store.tables import (
    CreditTransaction,
    DailySum,
    DailyTotal,
    DailyWork,
    JournalEntry,
    PartialRefund,
    PromptRun,
    UnlockedFlow,
)
from credits_core.values.days import ALL_DAYS, DayRange
from credits_core.values.time_zones import UTC_ZONE, Offset, TimeZone

LAST_ENTRY_ID = 2**63 - 1
"""No entry has a larger number."""
USERS = "users"
"""The party of a daily sum that all users are together."""
Rows = Select[*tuple[Any, ...]]
_Columns = tuple[SQLColumnExpression[Any], ...]


@dataclass(frozen=True, slots=True)
class After:
    """The entries after one (exclusive) up to another (inclusive), as far as what they say is about these days."""

    entry_id: int
    up_to: int = LAST_ENTRY_ID
    days: DayRange = ALL_DAYS

    def has(self, entry_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """The condition that an entry is one of these."""
        return (entry_id > self.entry_id) & (entry_id <= self.up_to)


def totals(connection: Connection, after: After, zone: TimeZone) -> Rows:
    """As `daily_totals`: by account."""
    day = day_number(CreditTransaction.created_at_us, _offsets(connection, after, zone)).label("day")
    by: _Columns = (day, CreditTransaction.account_id, JournalEntry.type.label("entry_type"), CreditTransaction.type)
    amount_credits = func.sum(CreditTransaction.amount_credits).label("amount_credits")
    return _of_transactions(after, *by, amount_credits, _COUNT).group_by(*by)


def sums(connection: Connection, after: After, zone: TimeZone) -> Rows:
    """As `daily_sums`: by party."""
    day = day_number(CreditTransaction.created_at_us, _offsets(connection, after, zone)).label("day")
    by: _Columns = (
        day,
        party(CreditTransaction.account_id),
        JournalEntry.type.label("entry_type"),
        CreditTransaction.type,
    )
    return _of_transactions(after, *by, _RECEIVED, _GIVEN, _COUNT, _FIRST, _LAST).group_by(*by)


def works(connection: Connection, after: After, zone: TimeZone) -> Rows:
    """As `daily_works`: the uses of prompts and flows, and those that a refund among these entries took back.

    A refund in parts takes back its part of the fee, and the use with its last part.
    """
    offsets = _offsets(connection, after, zone)
    used = union_all(
        *(_uses(of, offsets, after.days).where(after.has(of.entry_id)) for of in (PromptRun, UnlockedFlow)),
        *(
            _uses(of, offsets, after.days, back=_whole(of))
            .join(JournalEntry, JournalEntry.refunds_entry_id == of.entry_id)
            .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
            .where(after.has(JournalEntry.id))
            for of in (PromptRun, UnlockedFlow)
        ),
        *(
            _uses(of, offsets, after.days, back=(_NOTHING, PartialRefund.fee_credits, PartialRefund.share_credits))
            .join(PartialRefund, PartialRefund.original_id == of.entry_id)
            .where(after.has(PartialRefund.id))
            for of in (PromptRun, UnlockedFlow)
        ),
    ).subquery()
    by = (used.c.day, used.c.entry_type, used.c.work_id, used.c.creator_id, used.c.plan_id)
    return select(*by, *(func.sum(used.c[name]).label(name) for name in _WORK_SUMS)).group_by(*by)


def party(account_id: SQLColumnExpression[str]) -> ColumnElement[str]:
    """The party of a daily sum that an account belongs to."""
    is_platform = func.substr(account_id, 1, len(PLATFORM_PREFIX)) == PLATFORM_PREFIX
    return case((is_platform, account_id), else_=literal_column(f"'{USERS}'")).label("party")


_amount = CreditTransaction.amount_credits
_RECEIVED = func.sum(case((_amount > 0, _amount), else_=0)).label("received_credits")
_GIVEN = func.sum(case((_amount < 0, -_amount), else_=0)).label("given_credits")
_COUNT = func.count().label("transaction_count")
_FIRST = func.min(CreditTransaction.entry_id).label("first_entry_id")
_LAST = func.max(CreditTransaction.entry_id).label("last_entry_id")
_NOTHING, _ONE = literal_column("0", Integer), literal_column("1", Integer)
_WORK_SUMS = (
    "uses",
    "fees_credits",
    "creator_share_credits",
    "refunded_uses",
    "refunded_fees_credits",
    "refunded_share_credits",
)


def _of_transactions(after: After, *columns: SQLColumnExpression[Any]) -> Rows:
    return (
        select(*columns)
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(after.has(CreditTransaction.entry_id), *within(CreditTransaction.created_at_us, after.days))
    )


def _fee(of: type[PromptRun] | type[UnlockedFlow]) -> SQLColumnExpression[int]:
    return PromptRun.creator_fee_credits if of is PromptRun else UnlockedFlow.unlock_fee_credits


def _whole(of: type[PromptRun] | type[UnlockedFlow]) -> _Columns:
    """What a refund takes back that ends its entry: with parts before it, the fee is among the parts."""
    is_at_once = PartialRefund.id.is_(None)
    return (
        _ONE,
        case((is_at_once, _fee(of)), else_=_NOTHING),
        case((is_at_once, of.creator_share_credits), else_=_NOTHING),
    )


def _uses(
    of: type[PromptRun] | type[UnlockedFlow],
    offsets: tuple[Offset, ...],
    days: DayRange,
    *,
    back: _Columns = (),
) -> Rows:
    is_run = of is PromptRun
    kind = EntryType.PROMPT_RUN if is_run else EntryType.FLOW_UNLOCK
    nothing = [_NOTHING] * 3
    columns = [*nothing, *back] if back else [_ONE, _fee(of), of.creator_share_credits, *nothing]
    return select(
        day_number(of.created_at_us, offsets).label("day"),
        literal_column(f"'{kind.value}'").label("entry_type"),
        (PromptRun.prompt_id if is_run else UnlockedFlow.flow_id).label("work_id"),
        func.coalesce(of.creator_id, literal_column("''")).label("creator_id"),
        of.plan_id.label("plan_id"),
        *(column.label(name) for column, name in zip(columns, _WORK_SUMS, strict=True)),
    ).where(*within(of.created_at_us, days))


def _offsets(connection: Connection, after: After, zone: TimeZone) -> tuple[Offset, ...]:
    """The offsets of the zone for the times of these entries and of those that they refund."""
    if zone == UTC_ZONE:
        return zone.offsets(0, 0)
    refunded: CompoundSelect[*tuple[Any, ...]] = union_all(
        select(JournalEntry.refunds_entry_id).where(after.has(JournalEntry.id)),
        select(PartialRefund.original_id).where(after.has(PartialRefund.id)),
    )
    earliest_and_latest = select(func.min(JournalEntry.created_at_us), func.max(JournalEntry.created_at_us))
    first_us, last_us = connection.execute(
        earliest_and_latest.where(after.has(JournalEntry.id) | JournalEntry.id.in_(refunded))
    ).one()
    return zone.offsets(first_us or 0, last_us or 0)


TABLES = ((DailyTotal, totals), (DailySum, sums), (DailyWork, works))
"""The daily tables, each with the statement of its rows."""
