"""Keeps `daily_totals` caught up with the ledger, outside the charge. The only writer of that table.

The totals are derived: they can be emptied and built again at any time, and the audit compares them with the
transactions. Reading does not depend on them being caught up, only its speed does.
"""

from sqlalchemy import Connection, Engine, Table, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core import database
from credits_core.tables import MICROSECONDS_PER_DAY, CreditTransaction, DailyTotal, JournalEntry, RollupWatermark

_ENTRIES_PER_UNIT_OF_WORK = 50_000


def catch_up(engine: Engine) -> int:
    """Add the entries after the watermark to the totals and return how many entry numbers were covered.

    Runs in units of work of 50,000 entries each, so that charges wait for none of them long.
    """
    last_entry_id = database.write(engine, _last_settled_entry_id)
    covered = 0
    while True:
        step = database.write(engine, lambda connection: _roll_up(connection, last_entry_id))
        if step == 0:
            return covered
        covered += step


def _last_settled_entry_id(connection: Connection) -> int:
    # On PostgreSQL an entry can become visible after a later one. The lock waits until no writer is under way, so no
    # entry up to the one found here can still appear.
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE journal_entries IN SHARE MODE"))
    return int(connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one())


def _roll_up(connection: Connection, last_entry_id: int) -> int:
    watermark = connection.execute(select(RollupWatermark.entry_id).with_for_update()).scalar_one()
    upto = min(watermark + _ENTRIES_PER_UNIT_OF_WORK, last_entry_id)
    if upto <= watermark:
        return 0
    table = DailyTotal.__table__
    assert isinstance(table, Table)
    day = CreditTransaction.created_at_us // MICROSECONDS_PER_DAY
    new_totals = (
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type,
            CreditTransaction.type,
            func.sum(CreditTransaction.amount_credits),
            func.count(),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id > watermark, CreditTransaction.entry_id <= upto)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )
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
    connection.execute(update(RollupWatermark).values(entry_id=upto))
    return int(upto - watermark)
