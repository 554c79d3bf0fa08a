"""Adds new entries to the table `daily_totals`, outside of charges. The only writer of that table.

The totals are derived: they can be emptied and built again at any time, and the audit compares them with the
transactions. Reports are correct even when the table is behind; they only get slower.
"""

from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.store import database
from credits_core.store.tables import CreditTransaction, DailyTotal, JournalEntry, RollupWatermark
from credits_core.values.days import MICROSECONDS_PER_DAY

_ENTRIES_PER_UNIT_OF_WORK = 5_000


def catch_up(engine: Engine) -> int:
    """Add the entries after the watermark to the totals, and return how many entry numbers that covered.

    Works in units of work of 5,000 entries each, about 25 ms on SQLite, so that charges never wait long.
    """
    last = database.write(engine, _last_settled_entry)
    if last is None:
        return 0
    covered = 0
    while True:
        step = database.write(engine, lambda connection: _roll_up(connection, *last))
        if step == 0:
            return covered
        covered += step


def totals_after(entry_id: int) -> Select[*tuple[Any, ...]]:
    """The transactions of the entries after this one (exclusive), summed in the columns of `daily_totals`."""
    day = (CreditTransaction.created_at_us // MICROSECONDS_PER_DAY).label("day")
    return (
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type.label("entry_type"),
            CreditTransaction.type,
            func.sum(CreditTransaction.amount_credits).label("amount_credits"),
            func.count().label("transaction_count"),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id > entry_id)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )


def _last_settled_entry(connection: Connection) -> tuple[int, str] | None:
    # On PostgreSQL an entry can become visible after a later one. The lock waits until no writer is under way, so no
    # entry up to the one found here can still appear.
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE journal_entries IN SHARE MODE"))
    newest = select(JournalEntry.id, JournalEntry.idempotency_key).order_by(JournalEntry.id.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    return None if found is None else (found.id, found.idempotency_key)


def _roll_up(connection: Connection, last_entry_id: int, last_key: str) -> int:
    watermark = connection.execute(select(RollupWatermark.entry_id).with_for_update()).scalar_one()
    last = select(JournalEntry.id).where(JournalEntry.id == last_entry_id, JournalEntry.idempotency_key == last_key)
    if connection.execute(last).first() is None:
        return 0  # a demo was started over meanwhile, and who did that catches up with it
    new_watermark = min(watermark + _ENTRIES_PER_UNIT_OF_WORK, last_entry_id)
    if new_watermark <= watermark:
        return 0
    table = DailyTotal.__table__
    assert isinstance(table, Table)
    new_totals = totals_after(watermark).where(CreditTransaction.entry_id <= new_watermark)
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = insert_(table).from_select([column.name for column in table.c], new_totals)
    connection.execute(
        rows.on_conflict_do_update(
            index_elements=["day", "account_id", "entry_type", "type"],
            set_={
                "amount_credits": table.c.amount_credits + rows.excluded.amount_credits,
                "transaction_count": table.c.transaction_count + rows.excluded.transaction_count,
            },
        )
    )
    connection.execute(update(RollupWatermark).values(entry_id=new_watermark))
    return int(new_watermark - watermark)
