"""What a clean audit leaves for the next one to begin with, and what was moved since then.

Nothing here is taken from the code that writes: the sums were compared with the ledger by the audit that leaves them.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, case, func, select

from credits_core.audit.finding import Since
from credits_core.store.kinds import PLATFORM_PREFIX
from credits_core.store.tables import CreditTransaction, DailySum, JournalEntry, RollupWatermark, Seal
from credits_core.values import time_zones

Sums = Mapping[tuple[str, str, str], tuple[int, int, int]]
"""By party, type of entry and type of transaction: the credits received and given, and the number of transactions."""

is_users: ColumnElement[bool] = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX
is_own: ColumnElement[bool] = ~CreditTransaction.account_id.contains(":")
"""Whether the account is what a user can spend. The names of all other accounts have a colon."""
is_of_part: ColumnElement[bool] = is_users & CreditTransaction.account_id.contains(":")
_moved = CreditTransaction.amount_credits


def after(connection: Connection, entry_id: int, key: str) -> Since | None:
    """What an audit leaves that found everything clean in this snapshot, up to the entry with this idempotency key.

    None when it is not there, because a demo was started over meanwhile, and when the audit compared no daily sums.
    """
    entry = select(JournalEntry.id).where(JournalEntry.id == entry_id, JournalEntry.idempotency_key == key)
    if connection.execute(entry).first() is None:
        return None
    watermark, circulating_credits, stamp = connection.execute(
        select(RollupWatermark.entry_id, RollupWatermark.circulating_credits, RollupWatermark.time_zone)
    ).one()
    if not is_current(stamp):
        return None
    circulating_credits += held_by_users(connection, watermark, entry_id)
    seal_number = int(connection.execute(select(func.coalesce(func.max(Seal.number), 0))).scalar_one())
    return Since(entry_id, watermark, circulating_credits, daily_sums(connection), seal_number)


def is_current(stamp: str) -> bool:
    """Whether the daily tables with this stamp can be compared: their time zone is known and has these rules.

    >>> is_current("UTC"), is_current(""), is_current("Europe/Berlin of-old")
    (True, False, False)
    """
    name, rules = stamp.partition(" ")[::2]
    return name in time_zones.names() and rules == time_zones.zone_named(name).rules


def held_by_users(connection: Connection, after_entry_id: int, until_entry_id: int) -> int:
    """What users held after one entry more than after the other, in credits; less when it is the earlier one."""
    first, last = sorted((after_entry_id, until_entry_id))
    statement = select(func.coalesce(func.sum(_moved), 0)).where(
        CreditTransaction.entry_id > first, CreditTransaction.entry_id <= last, is_users
    )
    credits = int(connection.execute(statement).scalar_one())
    return credits if after_entry_id <= until_entry_id else -credits


def daily_sums(connection: Connection) -> Sums:
    """What the daily sums of all days come to."""
    key = (DailySum.party, DailySum.entry_type, DailySum.type)
    received, given = func.sum(DailySum.received_credits), func.sum(DailySum.given_credits)
    rows = connection.execute(select(*key, received, given, func.sum(DailySum.transaction_count)).group_by(*key))
    return {(party, entry, type_): (int(got), int(gave), int(count)) for party, entry, type_, got, gave, count in rows}


def moved_sums(connection: Connection, after_entry_id: int, until_entry_id: int) -> Sums:
    """What `daily_sums` says, of the transactions after one entry and up to the other."""
    party = case((is_users, "users"), else_=CreditTransaction.account_id)
    received, given = (case((amount > 0, amount), else_=0) for amount in (_moved, -_moved))
    rows = connection.execute(
        select(party, JournalEntry.type, CreditTransaction.type, func.sum(received), func.sum(given), func.count())
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id > after_entry_id, CreditTransaction.entry_id <= until_entry_id)
        .group_by(party, JournalEntry.type, CreditTransaction.type)
    )
    return {(party, entry, type_): (int(got), int(gave), int(count)) for party, entry, type_, got, gave, count in rows}


def added(sums: Sums, more: Sums) -> Sums:
    """Both together.

    >>> added({("users", "grant", "grant"): (5, 0, 1)}, {("users", "grant", "grant"): (2, 0, 1)})
    {('users', 'grant', 'grant'): (7, 0, 2)}
    """
    none = (0, 0, 0)
    together = {}
    for key in {**sums, **more}:
        (got, gave, count), (got_more, gave_more, count_more) = sums.get(key, none), more.get(key, none)
        together[key] = (got + got_more, gave + gave_more, count + count_more)
    return together
