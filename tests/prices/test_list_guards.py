"""What the database itself refuses about price lists and their journal, whoever asks."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from credits_core.prices import lists
from credits_core.store import database
from tests.support import world
from tests.support.actors import named
from tests.support.plain_sql import every_row

pytestmark = pytest.mark.as_owner

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def two_lists(engine: Engine) -> None:
    """List 1 is live, list 2 is saved and was never live."""

    def action(connection: Connection) -> None:
        lists.begin_with(connection, world.PRICE_LIST)
        lists.save(connection, world.USAGE_PRICES, source="a test", now=NOW, actor=named("ben"))

    database.write(engine, action)


CHANGES = [
    "UPDATE price_lists SET toml = toml || ' '",
    "UPDATE price_lists SET source = 'elsewhere' WHERE id = 2",
    "UPDATE price_lists SET saved_at_us = saved_at_us",
    "UPDATE price_lists SET last_activation_id = last_activation_id",
    "UPDATE price_lists SET last_activation_id = NULL WHERE id = 1",
    "UPDATE price_lists SET last_activation_id = 0 WHERE id = 1",
    "UPDATE price_lists SET last_activation_id = 2 WHERE id = 1",
    "UPDATE price_lists SET last_activation_id = 1 WHERE id = 2",
    "UPDATE price_lists SET last_activation_id = 2 WHERE id = 2",
    "DELETE FROM price_lists WHERE id = 2",
    "UPDATE price_list_activations SET price_list_id = 2",
    "UPDATE price_list_activations SET reason = 'Another'",
    "DELETE FROM price_list_activations",
    "INSERT INTO price_lists VALUES (2, 'x', 'x', 'x', 0, NULL) ON CONFLICT (id) DO UPDATE SET toml = 'x'",
]
REPLACES = [
    "INSERT OR REPLACE INTO price_lists VALUES (2, 'x', 'x', 'x', 0, NULL)",
    "REPLACE INTO price_list_activations VALUES (1, 2, 'x', 'x', 0, '')",
]
WRONG = {
    "INSERT INTO price_lists VALUES (9, '', 'x', 'x', 0, NULL)": "toml_given",
    "INSERT INTO price_list_activations VALUES (9, 1, '', 'x', 0, '')": "reason_given",
    "INSERT INTO price_list_activations VALUES (9, 3, 'x', 'x', 0, '')": "(?i)foreign key",
}


def _fails(engine: Engine, sql: str, *, because: str) -> None:
    two_lists(engine)
    before = every_row(engine)
    with engine.connect() as connection:
        with pytest.raises(DBAPIError, match=because):
            connection.execute(text(sql))
        connection.rollback()
    assert every_row(engine) == before


@pytest.mark.parametrize("change", CHANGES)
def test_lists_and_their_journal_cannot_be_changed_or_deleted(engine: Engine, change: str) -> None:
    _fails(engine, change, because="append-only")


@pytest.mark.parametrize("column", ["", "id", "toml", "source", "actor", "saved_at_us"])
def test_nothing_of_a_list_changes_with_its_last_activation(engine: Engine, column: str) -> None:
    two_lists(engine)
    also = f", {column} = '9'" if column else ""
    change = f"UPDATE price_lists SET last_activation_id = 2{also} WHERE id = 2"
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO price_list_activations VALUES (2, 2, 'x', 'x', 0, '')"))
        if also:
            with pytest.raises(DBAPIError, match="append-only"):
                connection.execute(text(change))
        else:
            connection.execute(text(change))
        connection.rollback()


@pytest.mark.parametrize("change", REPLACES)
def test_lists_and_their_journal_cannot_be_replaced_from_a_plain_connection(sqlite_engine: Engine, change: str) -> None:
    two_lists(sqlite_engine)
    before = every_row(sqlite_engine)
    driver = database.sqlite_driver()
    with closing(driver.connect(sqlite_engine.url.database, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        with pytest.raises(driver.IntegrityError, match="append-only"):
            connection.execute(change)
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("table", ["price_lists", "price_list_activations"])
def test_lists_and_their_journal_cannot_be_emptied(postgres_engine: Engine, table: str) -> None:
    _fails(postgres_engine, f"TRUNCATE {table} CASCADE", because="append-only")


@pytest.mark.parametrize("statement", WRONG)
def test_a_row_that_makes_no_sense_is_refused(engine: Engine, statement: str) -> None:
    _fails(engine, statement, because=WRONG[statement])
