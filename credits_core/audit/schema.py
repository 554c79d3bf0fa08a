"""Invariants of the database's own guards: foreign keys, constraints, and triggers that protect history.

The guards refuse a wrong write before it happens. A database tool, a restored copy or a careless migration can work
without them, so the audit checks that they are there and that the stored rows meet them.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, Table, func, inspect, select, text, true

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.tables import Base

_APPEND_ONLY = (
    "activity",
    "journal_entries",
    "credit_transactions",
    "prompt_runs",
    "plan_activations",
    "price_plans",
    "price_lists",
    "price_list_activations",
    "refunds",
    "proposals",
    "seals",
    "unlock_answers",
)
_SQLITE_TRIGGERS = (
    *(f"{table}_{suffix}" for table in _APPEND_ONLY for suffix in ("no_update", "no_delete", "no_replace")),
    "journal_entries_no_replace_by_key",
    "journal_entries_no_replace_by_refund",
)
_POSTGRES_TRIGGERS = tuple(f"{table}_{suffix}" for table in _APPEND_ONLY for suffix in ("no_change", "no_truncate"))
# The triggers' code is checked as well: a trigger that refuses nothing is as good as missing.
_SQLITE_TRIGGERS_IN_FORCE = (
    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE tbl_name || '%' AND sql LIKE '%RAISE(%'"
)
_POSTGRES_TRIGGERS_IN_FORCE = (
    "SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_class ON pg_class.oid = tgrelid"
    " WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgname LIKE relname || '%'"
    " AND prosrc LIKE '%RAISE EXCEPTION%'"
)
_POSTGRES_NOT_VALID = (
    "SELECT conname || ' was never validated' FROM pg_constraint WHERE NOT convalidated"
    " UNION ALL SELECT indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid"
)


def references_exist(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every entry, user and plan that a row refers to exists."""
    checked, violations = 0, []
    for table in Base.metadata.sorted_tables:
        entry_id = table.c.id if table.name == "journal_entries" else table.c.get("entry_id")
        is_new = true() if entry_id is None else entry_id > since.entry_id
        for foreign_key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            column, named = foreign_key.parent, foreign_key.column.table.alias()
            found = named.c[foreign_key.column.name]
            checked += connection.execute(select(func.count(column)).where(is_new)).scalar_one()
            bad = connection.execute(
                select(*table.primary_key, column.label("missing"))
                .outerjoin(named, found == column)
                .where(is_new, column.is_not(None), found.is_(None))
                .order_by(*table.primary_key)
            )
            violations += [
                f"{table.name} {'/'.join(map(str, row[:-1]))}: {column.name} {row.missing} does not exist"
                for row in bad
            ]
    return Finding("everything that is referred to exists", checked, tuple(violations))


def constraints_hold(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every constraint and index of the schema is in place, and the stored rows meet them.

    SQLite reads the whole file for that (`integrity_check`), which also finds an index that disagrees with its table;
    not after an earlier audit. PostgreSQL says which constraints it never validated.
    """
    wanted = {name for table in Base.metadata.sorted_tables for name in _declared(table)}
    found = {name for table in Base.metadata.sorted_tables for name in _in_place(connection, table.name)}
    violations = [f"{name} is missing" for name in sorted(wanted - found)]
    if connection.dialect.name == "postgresql":
        violations += connection.execute(text(_POSTGRES_NOT_VALID)).scalars()
    elif since.is_beginning:
        said = connection.execute(text("PRAGMA integrity_check")).scalars()
        violations += [sentence for sentence in said if sentence != "ok"]
    return Finding("every constraint is in place and holds", len(wanted), tuple(violations))


def ledger_is_append_only(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """The triggers that refuse to change or delete history are in place."""
    if connection.dialect.name == "postgresql":
        names, in_force = _POSTGRES_TRIGGERS, _POSTGRES_TRIGGERS_IN_FORCE
    else:
        names, in_force = _SQLITE_TRIGGERS, _SQLITE_TRIGGERS_IN_FORCE
    found = set(connection.execute(text(in_force)).scalars())
    missing = tuple(f"the trigger {name} is missing" for name in names if name not in found)
    return Finding("history cannot be changed", len(names), missing)


def _declared(table: Table) -> Iterator[str]:
    yield from (str(constraint.name) for constraint in table.constraints)
    yield from (str(index.name) for index in table.indexes)


def _in_place(connection: Connection, table: str) -> Iterator[str | None]:
    if connection.dialect.name == "sqlite":
        # In its own words: SQLAlchemy's inspector warns of an index of an expression and leaves it out.
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :table"), {"table": table}).scalar()
        yield from re.findall(r"CONSTRAINT (\w+) ", made or "")
        yield from connection.execute(text("SELECT name FROM pragma_index_list(:table)"), {"table": table}).scalars()
        return
    inspector = inspect(connection)
    yield inspector.get_pk_constraint(table)["name"]
    for found in (
        inspector.get_check_constraints(table),
        inspector.get_foreign_keys(table),
        inspector.get_indexes(table),
        inspector.get_unique_constraints(table),
    ):
        yield from (row["name"] for row in found)
