"""The small dashboard with which runs are tried. Tests that need other users or prices have a ledger of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import page_driver, plain_sql, world


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """The dashboard's ledger, in which ada holds 1,000,000 credits and cleo 1,000. No test may leave it wrong."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        world.add(engine, "cleo", 1_000, key="c")
        yield engine
        assert plain_sql.contradictions(engine) == []
