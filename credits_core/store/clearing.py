"""Empties a database: the only code that deletes history. Whether it may is for the caller to decide.

Rows are deleted, not tables: other connections keep the snapshot that they read from, and find the new rows after the
commit. On PostgreSQL a dropped or truncated table would be empty for them, beside others that are not.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Delete, Table, delete, func, select, text, update

from credits_core.errors import InvalidRequest
from credits_core.store.activity import Change
from credits_core.store.tables import ActivityRecord, Base, PlanActivation, RollupWatermark, StoredPlan

_FIRST_ACTIVATION = 1
# Who may sign in stays, and the record of it: otherwise nobody could after a demo was started over. Jobs go on
# meanwhile, and so do faults.
_OF_PEOPLE = (Change.PERSON_ADDED, Change.ROLES_CHANGED, Change.PERSON_REMOVED)
_KEPT = {"rollup_watermark", "people", "sign_in_sessions", "job_leases", "job_runs", "alerts"}
_TABLES = [table for table in Base.metadata.sorted_tables if table.name not in _KEPT]
_ACTIVITY = ActivityRecord.__table__
_SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
_POSTGRES_PROTECTED = (
    "SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
    " WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace ORDER BY relname"
)
_POSTGRES_OWNED = (
    "SELECT pg_has_role(tableowner, 'USAGE') FROM pg_tables"
    " WHERE tablename = 'journal_entries' AND schemaname = current_schema()"
)


def clear(connection: Connection) -> None:
    """Delete every row but people, the record of their roles, and what the migrations bring: the first plan, live.

    Entries, API keys and audits are numbered from 1 again. The triggers that refuse to delete history are off until
    this is done, within the caller's unit of work; on PostgreSQL other writers of these tables wait until its end.

    Raises:
        InvalidRequest: on PostgreSQL, the tables belong to another role, so their triggers cannot be switched off.
    """
    if connection.dialect.name == "postgresql":
        _clear_postgres(connection)
    else:
        triggers = connection.execute(text(_SQLITE_TRIGGERS)).all()
        _run(connection, (f'DROP TRIGGER "{trigger.name}"' for trigger in triggers))
        _delete_rows(connection)
        _run(connection, (trigger.sql for trigger in triggers))


def _clear_postgres(connection: Connection) -> None:
    if not connection.execute(text(_POSTGRES_OWNED)).scalar_one():
        raise InvalidRequest(
            "CREDITS_DATABASE_URL", "must name the role that owns the tables to delete history; nothing was deleted"
        )
    names = {table.name for table in _TABLES}
    protected = [name for name in connection.execute(text(_POSTGRES_PROTECTED)).scalars() if name in names]
    # A key for a user, made meanwhile, would keep that user from being deleted.
    _run(connection, ["LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE"])
    _run(connection, (f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in protected))
    _delete_rows(connection)
    _run(connection, (f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in protected))
    _run(connection, (f"ALTER SEQUENCE {name} RESTART" for name in filter(None, map(connection.scalar, _sequences()))))


def _sequences() -> Iterable[Any]:
    return [
        select(func.pg_get_serial_sequence(table.name, "id"))
        for table in _TABLES
        if "id" in table.c and table is not _ACTIVITY
    ]


def _delete_rows(connection: Connection) -> None:
    # Before the daily totals, in the order of `reports.daily_totals`: who rolls up now is waited for.
    connection.execute(update(RollupWatermark).values(entry_id=0, circulating_credits=0))
    for table in reversed(_TABLES):
        connection.execute(_delete(table))
    # Only the first plan is left. It may have been live again later, on a line that is gone now.
    connection.execute(update(StoredPlan).values(last_activation_id=_FIRST_ACTIVATION))


def _delete(table: Table) -> Delete:
    if table is PlanActivation.__table__:
        return delete(table).where(PlanActivation.id > _FIRST_ACTIVATION)
    if table is StoredPlan.__table__:
        return delete(table).where(StoredPlan.id.not_in(select(PlanActivation.plan_id)))
    if table is _ACTIVITY:
        return delete(table).where(ActivityRecord.kind.not_in([kind.value for kind in _OF_PEOPLE]))
    return delete(table)


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
