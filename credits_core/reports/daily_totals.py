"""Adds new entries to the daily tables, outside of charges. The only writer of those tables.

They are derived: they can be emptied and built again at any time, and the audit compares them with the ledger. Reports
are correct even when the tables are behind, or have the days of another time zone; they only get slower.
"""

from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.ledger.locks import writers_under_way
from credits_core.reports import daily_rows
from credits_core.reports.daily_rows import After, Rows
from credits_core.store import database
from credits_core.store.database import outlasts
from credits_core.store.tables import Base, CreditTransaction, JournalEntry, RollupWatermark
from credits_core.values.time_zones import UTC_ZONE, TimeZone

_ENTRIES_PER_UNIT_OF_WORK = 2_000
_ROWS_DELETED_AT_ONCE = 5_000
_BEING_EMPTIED = ""
# How an upsert joins these columns with what is there; the others are added up. SQLite's names, then PostgreSQL's.
_JOINED = {"first_entry_id": ("min", "least"), "last_entry_id": ("max", "greatest")}


def catch_up(engine: Engine, zone: TimeZone = UTC_ZONE) -> int:
    """Add the entries after the watermark to the tables, and return how many entry numbers that covered.

    Does nothing while the tables are those of another time zone. Works in units of work of 2,000 entries each, so that
    charges never wait long.
    """
    last = last_settled_entry(engine)
    if last is None:
        return 0
    covered = 0
    while True:
        step = database.write(engine, lambda connection: _roll_up(connection, *last, zone))
        if step == 0:
            return covered
        covered += step


def build_for(engine: Engine, zone: TimeZone) -> int:
    """Catch up by the days of this time zone; if the tables have other days, empty them before.

    Only for the start of a process: of two processes with different time zones, the one that started last has the
    tables, and the other one adds up the entries themselves.
    """
    while database.write(engine, lambda connection: _empty(connection, zone)):
        pass
    return catch_up(engine, zone)


def last_settled_entry(engine: Engine) -> tuple[int, str] | None:
    """The newest entry before which no other can still appear; None in an empty ledger.

    On PostgreSQL an entry can become visible after a later one. So this waits for those who were writing when the
    newest entry was read, but keeps nobody from writing meanwhile. Who writes for very long is left for the next time.
    """
    newest = select(JournalEntry.id, JournalEntry.idempotency_key).order_by(JournalEntry.id.desc()).limit(1)
    with database.read(engine) as connection:
        found = connection.execute(newest).one_or_none()
        if not outlasts(lambda: writers_under_way(connection)):
            return None
    return None if found is None else (found.id, found.idempotency_key)


def _empty(connection: Connection, zone: TimeZone) -> bool:
    """Delete some of the rows of another time zone; false when there are none, and the tables are this zone's."""
    stamp = connection.execute(select(RollupWatermark.time_zone).with_for_update()).scalar_one()
    if stamp == zone.stamp:
        return False
    have_more = [_delete_some(connection, table) for table, _ in daily_rows.TABLES]
    are_empty = not any(have_more)
    connection.execute(
        update(RollupWatermark).values(
            entry_id=0, circulating_credits=0, time_zone=zone.stamp if are_empty else _BEING_EMPTIED
        )
    )
    return not are_empty


def _delete_some(connection: Connection, of: type[Base]) -> bool:
    """Delete the first rows of a table, and say whether there are more."""
    key = tuple(_table(of).primary_key)
    last = connection.execute(select(*key).order_by(*key).offset(_ROWS_DELETED_AT_ONCE - 1).limit(1)).one_or_none()
    some = delete(of) if last is None else delete(of).where(tuple_(*key) <= tuple_(*map(literal, last)))
    connection.execute(some)
    return last is not None


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
    after = After(watermark, new_watermark)
    for table, rows in daily_rows.TABLES:
        _add(connection, _table(table), rows(connection, after, zone))
    # Only users' transactions have a balance.
    moved_credits = select(func.coalesce(func.sum(CreditTransaction.amount_credits), 0)).where(
        after.has(CreditTransaction.entry_id), CreditTransaction.balance_after_credits.is_not(None)
    )
    connection.execute(
        update(RollupWatermark).values(
            entry_id=new_watermark,
            circulating_credits=RollupWatermark.circulating_credits + moved_credits.scalar_subquery(),
        )
    )
    return int(new_watermark - watermark)


def _add(connection: Connection, table: Table, new_rows: Rows) -> None:
    is_postgres = connection.dialect.name == "postgresql"
    insert_ = postgresql.insert if is_postgres else sqlite.insert
    rows: Any = insert_(table).from_select([column.name for column in table.c], new_rows)
    joined = {
        column.name: getattr(func, _JOINED[column.name][is_postgres])(column, rows.excluded[column.name])
        if column.name in _JOINED
        else column + rows.excluded[column.name]
        for column in table.c
        if not column.primary_key
    }
    connection.execute(rows.on_conflict_do_update(index_elements=[key.name for key in table.primary_key], set_=joined))


def _table(of: type[Base]) -> Table:
    table = of.__table__
    assert isinstance(table, Table)
    return table
