"""History in the database itself: what was written stays, whoever writes. Proved by SQL that must fail."""

import sqlite3
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from credits_core.store import database
from tests.support import rows
from tests.support.plain_sql import every_row

pytestmark = pytest.mark.as_owner

APPEND_ONLY = ("journal_entries", "credit_transactions", "prompt_runs", "refunds")
CHANGES = [
    "UPDATE journal_entries SET actor = 'someone'",
    "UPDATE journal_entries SET id = 999 WHERE id = 1",
    "UPDATE credit_transactions SET amount_credits = amount_credits + 1",
    "UPDATE credit_transactions SET created_at_us = 0 WHERE entry_id = 2 AND position = 0",
    "UPDATE prompt_runs SET total_credits = total_credits",
    "UPDATE refunds SET rule = 'cost_booked_back'",
    "DELETE FROM refunds",
    "DELETE FROM journal_entries WHERE id = 4",
    "DELETE FROM credit_transactions WHERE entry_id = 1 AND position = 1",
    "DELETE FROM prompt_runs",
    f"INSERT INTO journal_entries ({rows.ENTRY}) VALUES (2, 'grant', 'other', '', 'someone', NULL, 0)"
    " ON CONFLICT (id) DO UPDATE SET actor = 'someone'",
]
REPLACES = [
    f"INSERT OR REPLACE INTO journal_entries ({rows.ENTRY}) VALUES (1, 'grant', 'other', '', 'someone', NULL, 0)",
    f"INSERT OR REPLACE INTO journal_entries ({rows.ENTRY}) VALUES (99, 'refund', 'other', '', 'someone', 4, 0)",
    f"REPLACE INTO credit_transactions ({rows.TRANSACTION}) VALUES (1, 0, 'ada', 'grant', 1, 1, 0)",
    f"INSERT OR REPLACE INTO prompt_runs ({rows.RUN})"
    f" SELECT {rows.RUN.replace('prompt_id,', chr(39) + 'x' + chr(39) + ',')} FROM prompt_runs",
    "INSERT OR REPLACE INTO refunds VALUES (5, 'platform_bears_cost', TRUE)",
    "UPDATE OR REPLACE journal_entries SET idempotency_key = 'fund' WHERE id = 2",
    "UPDATE OR REPLACE credit_transactions SET position = 0 WHERE entry_id = 1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_history_cannot_be_changed_or_deleted(engine: Engine, change: str) -> None:
    rows.small_world(engine)
    rows.refused(engine, change, because="append-only: post a new entry instead")


@pytest.mark.parametrize("change", CHANGES + REPLACES)
def test_history_cannot_be_changed_from_a_plain_sqlite_connection(sqlite_engine: Engine, change: str) -> None:
    rows.small_world(sqlite_engine)
    before = every_row(sqlite_engine)
    with closing(_plain_connection(sqlite_engine, database.sqlite_driver())) as connection:
        assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        with pytest.raises(database.sqlite_driver().IntegrityError, match="append-only"):
            connection.execute(change)
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("change", REPLACES)
def test_history_cannot_be_replaced_on_sqlite(sqlite_engine: Engine, change: str) -> None:
    rows.small_world(sqlite_engine)
    rows.refused(sqlite_engine, change, because="append-only")


def test_an_activated_plan_cannot_be_replaced_from_a_plain_sqlite_connection(sqlite_engine: Engine) -> None:
    driver = database.sqlite_driver()
    with closing(_plain_connection(sqlite_engine, driver)) as connection:
        connection.execute(rows.DRAFT)
        before = every_row(sqlite_engine)
        for change in (
            "UPDATE OR REPLACE price_plans SET id = 'promptflow-v1' WHERE id = 'plan-2'",
            "INSERT OR REPLACE INTO price_plans VALUES ('promptflow-v1', '', 1, 'ada', 0, NULL, 1)",
        ):
            with pytest.raises(driver.IntegrityError, match="stays as it is"):
                connection.execute(change)
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"])
@pytest.mark.parametrize("id_", ["99", "NULL", "2"])
def test_an_entry_with_a_taken_key_changes_nothing_on_sqlite(sqlite_engine: Engine, verb: str, id_: str) -> None:
    rows.small_world(sqlite_engine)
    before = every_row(sqlite_engine)
    insert = f"{verb} INTO journal_entries ({rows.ENTRY}) VALUES ({id_}, 'grant', 'fund', '', 'someone', NULL, 0)"
    driver = database.sqlite_driver()
    with closing(_plain_connection(sqlite_engine, driver)) as connection, suppress(driver.IntegrityError):
        assert connection.execute(insert).rowcount == 0
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_history_cannot_be_truncated_on_postgres(postgres_engine: Engine, table: str) -> None:
    rows.small_world(postgres_engine)
    rows.refused(postgres_engine, f"TRUNCATE {table} CASCADE", because="append-only")


def test_a_key_is_unique_on_postgres(postgres_engine: Engine) -> None:
    rows.small_world(postgres_engine)
    rows.refused(postgres_engine, rows.entry(key="'fund'"), because="uq_journal_entries_idempotency_key")


def test_history_cannot_be_truncated_by_way_of_the_users_on_postgres(postgres_engine: Engine) -> None:
    rows.small_world(postgres_engine)
    rows.refused(postgres_engine, "TRUNCATE user_credits CASCADE", because="append-only")


def test_history_cannot_be_changed_from_a_plain_postgres_connection(postgres_engine: Engine) -> None:
    rows.small_world(postgres_engine)
    before = every_row(postgres_engine)
    url = postgres_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for change in CHANGES:
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(change.encode())
    assert every_row(postgres_engine) == before


def _plain_connection(engine: Engine, driver: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = driver.connect(engine.url.database, isolation_level=None)
    return connection
