"""Invariants of the accounts: balances are sums and follow each other, and daily totals are sums."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Integer, Select, cast, func, select

from credits_core.audit.finding import Finding, Plans
from credits_core.store.day_columns import day_number
from credits_core.store.kinds import PLATFORM_PREFIX
from credits_core.store.tables import CreditTransaction, DailyTotal, JournalEntry, RollupWatermark, UserCredits
from credits_core.values import time_zones
from credits_core.values.time_zones import TimeZone

_DAILY_TOTALS = "the daily totals are sums of the transactions"
_is_user = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX


def balances_are_sums(connection: Connection, _: Plans) -> Finding:
    """Every user's balance is the sum of the user's transactions, and not negative."""
    sums = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits).label("sum_credits"))
        .where(_is_user)
        .group_by(CreditTransaction.account_id)
        .subquery()
    )
    summed = func.coalesce(sums.c.sum_credits, 0)
    bad = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits, summed)
        .outerjoin(sums, sums.c.account_id == UserCredits.user_id)
        .where((UserCredits.balance_credits != summed) | (UserCredits.balance_credits < 0))
        .order_by(UserCredits.user_id)
    )
    violations = [
        f"{user} has {balance} " + (f"but the transactions sum to {sum_}" if balance != sum_ else "and is negative")
        for user, balance, sum_ in bad
    ]
    without_row = connection.execute(
        select(sums.c.account_id)
        .outerjoin(UserCredits, UserCredits.user_id == sums.c.account_id)
        .where(UserCredits.user_id.is_(None))
        .order_by(sums.c.account_id)
    ).scalars()
    violations += [f"{user} has transactions but no account" for user in without_row]
    checked = connection.execute(select(func.count()).select_from(UserCredits)).scalar_one()
    return Finding("every balance is the sum of its transactions", checked, tuple(violations))


def balances_follow_each_other(connection: Connection, _: Plans) -> Finding:
    """In the ledger's order, each balance is the previous balance plus the transaction's amount, and never negative."""
    order = (CreditTransaction.entry_id, CreditTransaction.position)
    before = func.lag(CreditTransaction.balance_after_credits).over(
        partition_by=CreditTransaction.account_id, order_by=order
    )
    chain = (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.account_id,
            CreditTransaction.balance_after_credits.label("after_credits"),
            (func.coalesce(before, 0) + CreditTransaction.amount_credits).label("due_credits"),
        )
        .where(_is_user)
        .subquery()
    )
    bad = connection.execute(
        select(chain.c.account_id, chain.c.entry_id, chain.c.after_credits, chain.c.due_credits)
        .where(chain.c.after_credits.is_distinct_from(chain.c.due_credits) | (chain.c.after_credits < 0))
        .order_by(chain.c.account_id, chain.c.entry_id)
    )
    return Finding(
        "every balance follows from the one before",
        connection.execute(select(func.count()).select_from(CreditTransaction).where(_is_user)).scalar_one(),
        tuple(
            f"{user} has {after} after entry {entry_id}, "
            + (f"where {due} follow from the balance before" if after != due else "which is negative")
            for user, entry_id, after, due in bad
        ),
    )


def daily_totals_are_sums(connection: Connection, _: Plans) -> Finding:
    """The daily totals are the sums of the transactions up to their watermark, which is an entry's number or 0.

    Their days are those of the time zone that the watermark names, whatever this process is set to. Totals that are
    being emptied, or whose time zone had other rules, are not checked: nobody reads them, and the next start builds
    them anew.
    """
    watermark, stamp = connection.execute(
        select(RollupWatermark.entry_id, RollupWatermark.time_zone).where(RollupWatermark.id == 1)
    ).one_or_none() or (None, time_zones.UTC_ZONE.stamp)
    last = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one()
    violations = []
    if watermark is None:
        violations.append("the watermark is missing")
    elif not 0 <= watermark <= last:
        violations.append(f"the watermark is {watermark} but the last entry is {last}")
    name, rules = stamp.partition(" ")[::2]
    if name not in time_zones.names():
        if name or watermark:
            violations.append(f"the time zone of the totals is {stamp!r}, which is none")
        return Finding(_DAILY_TOTALS, 0, tuple(violations))
    zone = time_zones.zone_named(name)
    if rules != zone.rules:
        return Finding(_DAILY_TOTALS, 0, tuple(violations))
    summed = _totals(connection.execute(_sums_by_day(connection, zone, watermark or 0)))
    kept = _totals(connection.execute(select(DailyTotal.__table__)))
    violations += [
        f"daily total {key} is {kept.get(key)} but the transactions give {summed.get(key)}"
        for key in sorted(summed.keys() | kept.keys())
        if summed.get(key) != kept.get(key)
    ]
    return Finding(_DAILY_TOTALS, len(kept), tuple(violations))


def _sums_by_day(connection: Connection, zone: TimeZone, last_entry_id: int) -> Select[*tuple[Any, ...]]:
    """The sums of the transactions up to this entry (inclusive), in the columns of `daily_totals`."""
    first_us, last_us = connection.execute(
        select(func.min(CreditTransaction.created_at_us), func.max(CreditTransaction.created_at_us))
    ).one()
    offsets = zone.offsets(first_us or 0, last_us or 0)
    day = cast(day_number(CreditTransaction.created_at_us, offsets), Integer)
    return (
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type,
            CreditTransaction.type,
            func.sum(CreditTransaction.amount_credits),
            func.count(),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id <= last_entry_id)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )


def _totals(rows: Iterable[Any]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """The credits and the number of transactions of each day, account, kind of entry and of transaction."""
    return {tuple(row[:4]): (int(row[4]), int(row[5])) for row in rows}
