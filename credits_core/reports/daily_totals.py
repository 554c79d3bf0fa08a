"""Adds new entries to the table `daily_totals`, outside of charges. The only writer of that table.

The totals are derived: they can be emptied and built again at any time, and the audit compares them with the
transactions. Reports are correct even when the table is behind, or has the days of another time zone; they only get
slower.
"""

import time
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.ledger.writer import writers_under_way
from credits_core.store import database
from credits_core.store.day_columns import day_number
from credits_core.store.tables import CreditTransaction, DailyTotal, JournalEntry, RollupWatermark
from credits_core.values.time_zones import UTC_ZONE, Offset, TimeZone

LAST_ENTRY_ID = 2**63 - 1
"""No entry has a larger number."""
_ENTRIES_PER_UNIT_OF_WORK = 5_000
_ROWS_DELETED_AT_ONCE = 5_000
_LONGEST_WAIT_SECONDS, _BETWEEN_LOOKS_SECONDS = 5, 0.005
_BEING_EMPTIED = ""
_KEY = (DailyTotal.day, DailyTotal.account_id, DailyTotal.entry_type, DailyTotal.type)


def catch_up(engine: Engine, zone: TimeZone = UTC_ZONE) -> int:
    """Add the entries after the watermark to the totals, and return how many entry numbers that covered.

    Does nothing while the totals are those of another time zone. Works in units of work of 5,000 entries each, about
    25 ms on SQLite, so that charges never wait long.
    """
    last = _last_settled_entry(engine)
    if last is None:
        return 0
    covered = 0
    while True:
        step = database.write(engine, lambda connection: _roll_up(connection, *last, zone))
        if step == 0:
            return covered
        covered += step


def build_for(engine: Engine, zone: TimeZone) -> int:
    """Catch up by the days of this time zone; if the totals have other days, empty them before.

    Only for the start of a process: of two processes with different time zones, the one that started last has the
    totals, and the other one adds up the entries themselves.
    """
    while database.write(engine, lambda connection: _empty(connection, zone)):
        pass
    return catch_up(engine, zone)


def totals_after(
    connection: Connection, entry_id: int, zone: TimeZone, *, up_to: int = LAST_ENTRY_ID
) -> Select[*tuple[Any, ...]]:
    """The transactions of the entries after this one (exclusive) up to another (inclusive), summed up by day.

    The columns are those of `daily_totals`.
    """
    offsets = _offsets(connection, zone, JournalEntry.id > entry_id, JournalEntry.id <= up_to)
    day = day_number(CreditTransaction.created_at_us, offsets).label("day")
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
        .where(CreditTransaction.entry_id > entry_id, CreditTransaction.entry_id <= up_to)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )


def _last_settled_entry(engine: Engine) -> tuple[int, str] | None:
    """The newest entry before which no other can still appear; None in an empty ledger.

    On PostgreSQL an entry can become visible after a later one. So this waits for those who were writing when the
    newest entry was read, but keeps nobody from writing meanwhile. Who writes for very long is left for the next time.
    """
    newest = select(JournalEntry.id, JournalEntry.idempotency_key).order_by(JournalEntry.id.desc()).limit(1)
    with database.read(engine) as connection:
        found = connection.execute(newest).one_or_none()
        writing = writers_under_way(connection)
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        while writing := writing & writers_under_way(connection):
            if time.monotonic() > until:
                return None
            time.sleep(_BETWEEN_LOOKS_SECONDS)
    return None if found is None else (found.id, found.idempotency_key)


def _offsets(connection: Connection, zone: TimeZone, *which: ColumnElement[bool]) -> tuple[Offset, ...]:
    """The offsets of the zone for the times of these entries."""
    if zone == UTC_ZONE:
        return zone.offsets(0, 0)
    earliest_and_latest = select(func.min(JournalEntry.created_at_us), func.max(JournalEntry.created_at_us))
    first_us, last_us = connection.execute(earliest_and_latest.where(*which)).one()
    return zone.offsets(first_us or 0, last_us or 0)


def _empty(connection: Connection, zone: TimeZone) -> bool:
    """Delete some of the totals of another time zone; false when there are none, and the table is this zone's."""
    stamp = connection.execute(select(RollupWatermark.time_zone).with_for_update()).scalar_one()
    if stamp == zone.stamp:
        return False
    last_key = connection.execute(
        select(*_KEY).order_by(*_KEY).offset(_ROWS_DELETED_AT_ONCE - 1).limit(1)
    ).one_or_none()
    if last_key is None:
        connection.execute(delete(DailyTotal))
    else:
        connection.execute(delete(DailyTotal).where(tuple_(*_KEY) <= tuple_(*map(literal, last_key))))
    is_empty = last_key is None
    connection.execute(update(RollupWatermark).values(entry_id=0, time_zone=zone.stamp if is_empty else _BEING_EMPTIED))
    return not is_empty


def _roll_up(connection: Connection, last_entry_id: int, last_key: str, zone: TimeZone) -> int:
    watermark, stamp = connection.execute(
        select(RollupWatermark.entry_id, RollupWatermark.time_zone).with_for_update()
    ).one()
    last = select(JournalEntry.id).where(JournalEntry.id == last_entry_id, JournalEntry.idempotency_key == last_key)
    if connection.execute(last).first() is None:
        return 0  # a demo was started over meanwhile, and who did that catches up with it
    new_watermark = min(watermark + _ENTRIES_PER_UNIT_OF_WORK, last_entry_id)
    if stamp != zone.stamp or new_watermark <= watermark:
        return 0
    table = DailyTotal.__table__
    assert isinstance(table, Table)
    new_totals = totals_after(connection, watermark, zone, up_to=new_watermark)
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
