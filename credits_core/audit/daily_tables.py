"""Invariant of the daily tables: they are sums of what the ledger has up to their watermark."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    Table,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from credits_core.audit import carried, said
from credits_core.audit.day_arrays import compare_days
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.day_columns import day_number
from credits_core.store.kinds import PLATFORM_PREFIX, EntryType
from credits_core.store.tables import (
    CreditTransaction,
    DailySum,
    DailyTotal,
    DailyWork,
    JournalEntry,
    PartialRefund,
    PromptRun,
    RollupWatermark,
    UnlockedFlow,
)
from credits_core.values import time_zones
from credits_core.values.time_zones import Offset, TimeZone

_NAME = "the daily totals are sums of the transactions"
_Rows = Select[*tuple[Any, ...]]
_moved = CreditTransaction.amount_credits


def daily_totals_are_sums(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """The daily tables are the sums of the ledger up to their watermark, which is an entry's number or 0.

    Their days are those of the time zone that the watermark names, whatever this process is set to. Tables that are
    being emptied, or whose time zone had other rules, are not checked: nobody reads them, and the next start builds
    them anew. So do the credits in circulation that the watermark names.

    After an earlier audit: what the sums of all days come to, and all that was added for each user since. If that is
    not as it follows from that audit, everything is checked.
    """
    if not since.is_beginning and (follow := _follow_from(connection, since)) is not None:
        return Finding(_NAME, follow, ())
    watermark, stamp, circulating_credits = connection.execute(
        select(RollupWatermark.entry_id, RollupWatermark.time_zone, RollupWatermark.circulating_credits).where(
            RollupWatermark.id == 1
        )
    ).one_or_none() or (None, time_zones.UTC_ZONE.stamp, 0)
    last = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one()
    violations = []
    if watermark is None:
        violations.append("the watermark is missing")
    elif not 0 <= watermark <= last:
        violations.append(f"the watermark is {watermark} but the last entry is {last}")
    held_credits = carried.held_by_users(connection, 0, watermark or 0)
    if circulating_credits != held_credits:
        named, held = said.credits(circulating_credits), said.grouped(held_credits)
        violations.append(f"the watermark names {named} in circulation where users held {held}")
    name = stamp.partition(" ")[0]
    if name not in time_zones.names() and (name or watermark):
        violations.append(f"the time zone of the totals is {stamp!r}, which is none")
    if not carried.is_current(stamp):
        return Finding(_NAME, 0, tuple(violations))
    offsets = _offsets(connection, time_zones.zone_named(name))
    day = cast(day_number(CreditTransaction.created_at_us, offsets), Integer)
    # Arrays find the days on which something may be wrong, and the database says what is wrong on those.
    compared = compare_days(connection, day, watermark or 0)
    checked, days = (0, None) if compared is None else (compared.rows, compared.days)
    for table, words, due, which in (
        (DailyTotal.__table__, said.daily_total, _totals(offsets, watermark or 0), days),
        (DailySum.__table__, said.daily_sum, _sums(offsets, watermark or 0), days),
        (DailyWork.__table__, said.daily_use, _works(offsets, watermark or 0), None),
    ):
        assert isinstance(table, Table)
        summed, kept = _of_days(connection, due, table, which), _of_days(connection, select(table), table, which)
        checked += len(kept) if which is None else 0
        violations += [
            _difference(words(key, kept.get(key)), words(key, summed.get(key)))
            for key in sorted(summed.keys() | kept.keys())
            if summed.get(key) != kept.get(key)
        ]
    return Finding(_NAME, checked, tuple(violations))


def _follow_from(connection: Connection, since: Since) -> int | None:
    """How many sums were compared; None when one does not follow from the earlier audit."""
    watermark = connection.execute(
        select(RollupWatermark.entry_id, RollupWatermark.circulating_credits, RollupWatermark.time_zone)
    ).one_or_none()
    last = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one()
    if watermark is None or not since.summed_entry_id <= watermark.entry_id <= last:
        return None
    if not carried.is_current(watermark.time_zone):
        return None
    held = since.circulating_credits + carried.held_by_users(connection, since.entry_id, watermark.entry_id)
    sums = carried.daily_sums(connection)
    due = carried.added(since.sums, carried.moved_sums(connection, since.summed_entry_id, watermark.entry_id))
    if watermark.circulating_credits != held or sums != due:
        return None
    added = CreditTransaction.entry_id > since.summed_entry_id, CreditTransaction.entry_id <= watermark.entry_id
    users = select(CreditTransaction.account_id).where(*added, carried.is_users).distinct().subquery()
    total = select(func.sum(DailyTotal.amount_credits)).where(DailyTotal.account_id == users.c.account_id)
    balance = _balance_at(users.c.account_id, watermark.entry_id)
    is_wrong = total.scalar_subquery().is_distinct_from(balance)
    compared = select(func.count(), func.count(case((is_wrong, 1)))).select_from(users)
    count, wrong = connection.execute(compared).one()
    return None if wrong else int(count) + len(sums)


def _balance_at(account_id: ColumnElement[str], entry_id: int) -> ScalarSelect[int]:
    """What the account held after its last transaction up to this entry."""
    return (
        select(CreditTransaction.balance_after_credits)
        .where(CreditTransaction.account_id == account_id, CreditTransaction.entry_id <= entry_id)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(1)
        .scalar_subquery()
    )


def _offsets(connection: Connection, zone: TimeZone) -> tuple[Offset, ...]:
    first_us, last_us = connection.execute(
        select(func.min(CreditTransaction.created_at_us), func.max(CreditTransaction.created_at_us))
    ).one()
    return zone.offsets(first_us or 0, last_us or 0)


def _totals(offsets: tuple[Offset, ...], last_entry_id: int) -> _Rows:
    day = cast(day_number(CreditTransaction.created_at_us, offsets), Integer)
    by = (day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    return (
        select(*by, func.sum(_moved), func.count())
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id <= last_entry_id)
        .group_by(*by)
    )


def _sums(offsets: tuple[Offset, ...], last_entry_id: int) -> _Rows:
    day = cast(day_number(CreditTransaction.created_at_us, offsets), Integer)
    is_platform = CreditTransaction.account_id.startswith(PLATFORM_PREFIX)
    party = case((is_platform, CreditTransaction.account_id), else_="users").label("party")
    moved = (
        select(
            day.label("day"),
            party,
            JournalEntry.type.label("entry_type"),
            CreditTransaction.type,
            _moved.label("moved"),
            CreditTransaction.entry_id,
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id <= last_entry_id)
        .subquery()
    )
    by = (moved.c.day, moved.c.party, moved.c.entry_type, moved.c.type)
    return select(
        *by,
        func.sum(case((moved.c.moved > 0, moved.c.moved), else_=0)),
        func.sum(case((moved.c.moved < 0, -moved.c.moved), else_=0)),
        func.count(),
        func.min(moved.c.entry_id),
        func.max(moved.c.entry_id),
    ).group_by(*by)


def _works(offsets: tuple[Offset, ...], last_entry_id: int) -> _Rows:
    refunded = select(JournalEntry.refunds_entry_id).where(
        JournalEntry.refunds_entry_id.is_not(None), JournalEntry.id <= last_entry_id
    )
    parts = (
        select(
            PartialRefund.original_id.label("id"),
            func.sum(PartialRefund.fee_credits).label("fee"),
            func.sum(PartialRefund.share_credits).label("share"),
        )
        .where(PartialRefund.id <= last_entry_id)
        .group_by(PartialRefund.original_id)
        .subquery()
    )
    uses = union_all(
        *(
            select(
                cast(day_number(of.created_at_us, offsets), Integer).label("day"),
                literal(kind.value).label("entry_type"),
                work.label("work_id"),
                func.coalesce(of.creator_id, "").label("creator_id"),
                of.plan_id.label("plan_id"),
                fee.label("fee"),
                of.creator_share_credits.label("share"),
                case((of.entry_id.in_(refunded), 1), else_=0).label("back"),
                func.coalesce(parts.c.fee, case((of.entry_id.in_(refunded), fee), else_=0)).label("fee_back"),
                func.coalesce(
                    parts.c.share, case((of.entry_id.in_(refunded), of.creator_share_credits), else_=0)
                ).label("share_back"),
            )
            .outerjoin(parts, parts.c.id == of.entry_id)
            .where(of.entry_id <= last_entry_id)
            for of, kind, work, fee in (
                (PromptRun, EntryType.PROMPT_RUN, PromptRun.prompt_id, PromptRun.creator_fee_credits),
                (UnlockedFlow, EntryType.FLOW_UNLOCK, UnlockedFlow.flow_id, UnlockedFlow.unlock_fee_credits),
            )
        )
    ).subquery()
    by = (uses.c.day, uses.c.entry_type, uses.c.work_id, uses.c.creator_id, uses.c.plan_id)
    return select(
        *by,
        func.count(),
        func.sum(uses.c.fee),
        func.sum(uses.c.share),
        func.sum(uses.c.back),
        func.sum(uses.c.fee_back),
        func.sum(uses.c.share_back),
    ).group_by(*by)


def _difference(kept: tuple[str, str], summed: tuple[str, str]) -> str:
    of, says = kept
    return f"{of} says {says}, but the transactions give {summed[1]}"


def _of_days(
    connection: Connection, rows: _Rows, table: Table, days: frozenset[int] | None
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """The rows of these days, or of all, by the key that the table has for them."""
    keys, day = len(table.primary_key), rows.selected_columns[0]
    if days is not None:
        if not days:
            return {}
        rows = rows.where(day.in_(sorted(days)))
    return {tuple(row[:keys]): tuple(map(int, row[keys:])) for row in connection.execute(rows)}
