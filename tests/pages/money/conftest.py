"""The small dashboard on which packs are sold: ada holds 1,000,000 credits, of which nothing expires."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import page_driver, plain_sql, world


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """The dashboard's ledger. No test may leave it wrong."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []
