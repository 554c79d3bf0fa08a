"""The migrations make exactly the database that `tables.py` describes, with every named rule and trigger in it."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from credits_core.audit import invariants
from credits_core.audit.schema import ledger_is_append_only
from credits_core.pricing.quote import PriceBook
from credits_core.store import database, deadline
from credits_core.store.refusals import DatabaseNotReady
from credits_core.store.tables import Base
from tests.support import racers, world
from tests.support.plain_sql import every_row, rows, scalar
from tests.support.schema_names import CHECKS, FOREIGN_KEYS, INDEXES, TABLES, TRIGGERS, UNIQUE_KEYS

pytestmark = pytest.mark.as_owner

# On SQLite neither SQLAlchemy nor Alembic reads them. The test of all names below does.
_without_indexes_of_expressions = pytest.mark.filterwarnings(
    "ignore:Skipped unsupported reflection of expression-based index",
    "ignore:autogenerate skipping metadata-specified expression-based index",
)


def _names(engine: Engine, sql: str) -> set[str]:
    return {str(name) for (name,) in rows(engine, sql)}


def _sqlite_constraints(engine: Engine, kind: str) -> set[str]:
    made = " ".join(_names(engine, "SELECT sql FROM sqlite_master WHERE type = 'table'"))
    return set(re.findall(rf"CONSTRAINT (\w+) {kind}", made))


def _postgres_constraints(engine: Engine, kind: str) -> set[str]:
    return _names(engine, f"SELECT conname FROM pg_constraint WHERE contype = '{kind}' AND connamespace = 2200")


def _schema(connection: Connection) -> list[tuple[object, ...]]:
    """Everything that the database knows of its own shape, in its own words."""
    if connection.dialect.name == "sqlite":
        sql = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
    else:
        sql = (
            "SELECT 'column', table_name, column_name, data_type, is_nullable, character_maximum_length,"
            " concat_ws(' ', column_default, collation_name)"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', 0, ''"
            " FROM pg_constraint WHERE connamespace = 2200"
            " UNION ALL SELECT 'index', tablename, indexname, indexdef, '', 0, '' FROM pg_indexes"
            " WHERE schemaname = 'public'"
            " UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', 0, ''"
            " FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2, 3"
        )
    return [tuple(row) for row in connection.execute(text(sql))]


@_without_indexes_of_expressions
def test_a_fresh_database_at_head_is_the_one_that_tables_describes(empty_engine: Engine) -> None:
    database.migrate(empty_engine)
    with empty_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "render_as_batch": True}
        )
        assert compare_metadata(context, Base.metadata) == []


@_without_indexes_of_expressions
def test_alembics_comparison_would_see_a_missing_column(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("ALTER TABLE journal_entries DROP COLUMN description"))
        (difference,) = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        assert difference[0] == "add_column"
        connection.rollback()


def test_a_migrated_database_has_every_table_rule_and_trigger(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        kinds: dict[str, Callable[[], set[str]]] = {
            "tables": lambda: _names(engine, "SELECT name FROM sqlite_master WHERE type = 'table'"),
            "checks": lambda: _sqlite_constraints(engine, "CHECK"),
            "unique keys": lambda: _sqlite_constraints(engine, "UNIQUE"),
            "foreign keys": lambda: _sqlite_constraints(engine, "FOREIGN KEY"),
            "indexes": lambda: _names(
                engine, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            ),
            "triggers": lambda: _names(engine, "SELECT name FROM sqlite_master WHERE type = 'trigger'"),
        }
    else:
        kinds = {
            "tables": lambda: _names(engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"),
            "checks": lambda: _postgres_constraints(engine, "c"),
            "unique keys": lambda: _postgres_constraints(engine, "u"),
            "foreign keys": lambda: _postgres_constraints(engine, "f"),
            "indexes": lambda: _names(
                engine,
                "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT IN"
                " (SELECT conname FROM pg_constraint)",
            ),
            "triggers": lambda: _names(engine, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"),
        }
    assert {kind: found() for kind, found in kinds.items()} == {
        "tables": TABLES,
        "checks": CHECKS,
        "unique keys": UNIQUE_KEYS,
        "foreign keys": FOREIGN_KEYS,
        "indexes": INDEXES,
        "triggers": TRIGGERS[engine.dialect.name],
    }


def test_the_rules_in_a_migrated_database_are_word_for_word_those_of_tables(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        Base.metadata.create_all(connection)
        described = set(map(_normalised, _schema(connection)))
        Base.metadata.drop_all(connection)
    database.migrate(empty_engine)
    with empty_engine.connect() as connection:
        migrated = set(map(_normalised, _schema(connection)))

    assert {row for row in migrated if row[0] != "trigger" and "alembic_version" not in str(row)} == described


def _normalised(row: tuple[object, ...]) -> tuple[object, ...]:
    # The order of a table's constraints may differ, and SQLite adds a column in the line of the one before.
    return tuple(
        "\n".join(sorted(line.strip() for line in re.split(r",?\s*\n|, ", part)))
        if isinstance(part, str) and part.startswith("CREATE TABLE")
        else part
        for part in row
    )


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    world.charge(engine, world.HAIKU, key="k-2")
    with engine.connect() as connection:
        schema = _schema(connection)
    before = every_row(engine)

    database.migrate(engine)

    assert every_row(engine) == before
    with engine.connect() as connection:
        assert _schema(connection) == schema


def test_a_database_that_needs_no_migration_opens_while_somebody_else_writes(engine: Engine) -> None:
    with database.opened(engine.url.render_as_string(hide_password=False)) as writing, writing.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("UPDATE rollup_watermark SET entry_id = entry_id"))
        else:  # as whoever migrates
            connection.execute(text(f"SELECT pg_advisory_xact_lock({database._MIGRATION_LOCK})"))
        with deadline.within(2):
            database.migrate(engine)


def test_no_connection_that_has_changed_the_schema_of_sqlite_is_used_again(tmp_path: Path) -> None:
    with database.opened(f"sqlite:///{tmp_path / 'credits.db'}") as engine:
        database.migrate(engine)
        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedin() == 0


def test_a_migration_that_breaks_off_leaves_nothing(empty_engine: Engine) -> None:
    # The first migration makes this table after others of its own.
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE unlocked_flows (x INTEGER)"))
    with empty_engine.connect() as connection:
        before = _schema(connection)

    with pytest.raises(Exception, match="unlocked_flows"):
        database.migrate(empty_engine)

    with empty_engine.connect() as connection:
        assert _schema(connection) == before


def test_a_database_that_was_never_migrated_is_refused_with_what_to_do(empty_engine: Engine) -> None:
    with pytest.raises(DatabaseNotReady) as caught:
        database.require_migrated(empty_engine)
    assert str(caught.value) == (
        "The database is not up to date: it is at migration none, this version needs 0027. "
        "Run: python -m credits_core migrate"
    )


@pytest.mark.parametrize("found", ["0000", "9999"])
def test_a_database_at_another_migration_is_refused_with_what_to_do(engine: Engine, found: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    with pytest.raises(DatabaseNotReady) as caught:
        database.require_migrated(engine)
    assert caught.value.found == found
    assert "python -m credits_core migrate" in str(caught.value)


def test_a_migrated_database_is_ready_empty_and_clean(empty_engine: Engine, book: PriceBook) -> None:
    database.migrate(empty_engine)
    database.require_migrated(empty_engine)
    assert rows(empty_engine, "SELECT id, entry_id, time_zone, circulating_credits FROM rollup_watermark") == [
        (1, 0, "UTC", 0)
    ]
    assert scalar(empty_engine, "SELECT COUNT(*) FROM journal_entries") == 0
    assert [finding for finding in invariants.check(empty_engine, book.plans) if not finding.ok] == []


def test_the_audit_misses_each_trigger_that_is_gone(engine: Engine, book: PriceBook, full: bool) -> None:
    with engine.connect() as connection:
        assert _violations(connection, book) == []
    for number, trigger in enumerate(sorted(TRIGGERS[engine.dialect.name])):
        every = invariants.INVARIANTS if full or number % 16 == 0 else (ledger_is_append_only,)
        with engine.connect() as connection:
            on_table = "" if engine.dialect.name == "sqlite" else f" ON {re.sub('_no_.*', '', trigger)}"
            connection.execute(text(f"DROP TRIGGER {trigger}{on_table}"))
            (violation,) = _violations(connection, book, every)
            assert trigger in violation
            connection.rollback()


def test_the_audit_sees_a_trigger_that_is_switched_off(postgres_engine: Engine, book: PriceBook) -> None:
    with postgres_engine.connect() as connection:
        connection.execute(text("ALTER TABLE prompt_runs DISABLE TRIGGER prompt_runs_no_change"))
        (violation,) = _violations(connection, book)
        assert "prompt_runs_no_change" in violation
        connection.rollback()


def _violations(
    connection: Connection, book: PriceBook, every: Sequence[invariants.Invariant] = invariants.INVARIANTS
) -> list[str]:
    findings = [invariant(connection, book.plans) for invariant in every]
    return [violation for finding in findings for violation in finding.violations]


def test_migrations_at_once_make_one_schema(empty_engine: Engine) -> None:
    racers.at_once([partial(database.migrate, empty_engine)] * 4)
    database.require_migrated(empty_engine)


def test_runs_from_before_the_plans_were_stored_are_kept_as_they_were(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        database.upgrade(connection, "0002")
        for sql in (
            "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', 700, 0)",
            "INSERT INTO journal_entries VALUES (1, 'prompt_run', 'k', 'h', 'tester', NULL, NULL, 5)",
            "INSERT INTO prompt_runs VALUES (1, 'ada', 'p', 'claude-3-haiku', NULL, 'promptflow-v1', NULL, NULL, 250,"
            " NULL, NULL, NULL, 250, 0, 50, 300, 0, 5)",
        ):
            connection.execute(text(sql))
        before = connection.execute(text("SELECT * FROM prompt_runs")).one()
    database.migrate(empty_engine)
    with empty_engine.connect() as connection:
        # The usage, its prices, the service tier, the asked model, the time of use and the price list came
        # later.
        assert tuple(connection.execute(text("SELECT * FROM prompt_runs")).one()) == (*before, *[None] * 6)
        with pytest.raises(DBAPIError, match="append-only"):
            connection.execute(text("UPDATE prompt_runs SET total_credits = 1"))


def test_plans_and_lists_from_before_know_their_last_activation_afterwards(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        database.upgrade(connection, "0006")
        for sql in (
            "INSERT INTO price_plans VALUES ('plan-2', 'x', 3, 'ada', 7)",
            "INSERT INTO plan_activations VALUES (2, 'promptflow-v1', 'again', 'ada', 7, 'seal')",
            "INSERT INTO price_lists VALUES (1, 'x', 'x', 'ada', 7), (2, 'x', 'x', 'ada', 7), (3, 'x', 'x', 'ada', 7)",
            "INSERT INTO price_list_activations VALUES (1, 1, 'x', 'ada', 7, ''), (2, 2, 'x', 'ada', 7, ''),"
            " (3, 1, 'x', 'ada', 7, '')",
        ):
            connection.execute(text(sql))
    database.migrate(empty_engine)
    plans = rows(empty_engine, "SELECT id, revision, last_activation_id, discarded_at_us FROM price_plans ORDER BY 1")
    assert plans == [("plan-2", 3, None, None), ("promptflow-v1", 1, 2, None)]
    assert rows(empty_engine, "SELECT id, saved_at_us, last_activation_id FROM price_lists ORDER BY 1") == [
        (1, 7, 3),
        (2, 7, 2),
        (3, 7, None),
    ]
    with empty_engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text("UPDATE price_lists SET source = 'y' WHERE id = 3"))
