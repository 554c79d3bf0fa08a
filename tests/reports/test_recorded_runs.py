"""Recorded runs are read in blocks, on both databases."""

import pytest
from sqlalchemy import Engine, text

from credits_core.reports import recorded_runs
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import world
from tests.support.world import HAIKU


@pytest.fixture
def ledger(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Ten runs, read two at a time."""
    monkeypatch.setattr(recorded_runs, "_ROWS", 2)
    monkeypatch.setattr(recorded_runs, "_POSTGRES_ROWS", 2)
    world.add(engine, "ada", 10_000, key="fund")
    for number in range(10):
        world.charge(engine, HAIKU, key=f"k-{number}")
    return engine


def test_every_run_is_read_in_its_order(ledger: Engine) -> None:
    with database.read(ledger) as connection:
        found = recorded_runs.recorded_history(connection, DayRange())
    assert found.charges.entry_id.tolist() == list(range(2, 12))
    assert found.additions.amount_credits.tolist() == [10_000]


def test_the_database_keeps_the_rows_that_were_not_read_yet(ledger: Engine) -> None:
    with database.read(ledger) as connection:
        reading = recorded_runs.reading_history(connection, DayRange())
        assert next(reading).done == 2
        if connection.dialect.name == "postgresql":
            of_the_server = connection.execute(
                text("SELECT count(*) FROM pg_cursors WHERE statement LIKE '%prompt_runs%'")
            )
            assert of_the_server.scalar_one() == 1
        assert next(reading).done == 4
        reading.close()
        if connection.dialect.name == "postgresql":
            assert connection.execute(text("SELECT count(*) FROM pg_cursors")).scalar_one() == 0
