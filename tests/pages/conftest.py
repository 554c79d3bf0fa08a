"""The small dashboard with which runs are tried. Tests that need other users or prices have a ledger of their own."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import app_test

from tests.support import page_driver, plain_sql, world


@pytest.fixture(scope="session", autouse=True)
def prepared_once() -> Iterator[None]:
    """What Streamlit's test driver would do again for each page that it opens, as no server does.

    It reads about all installed packages, and compiles the screen.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        patch.setattr(app_test, "ScriptCache", cache(app_test.ScriptCache))
        yield


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """The dashboard's ledger, in which ada holds 1,000,000 credits and cleo 1,000. No test may leave it wrong."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        world.add(engine, "cleo", 1_000, key="c")
        yield engine
        assert plain_sql.contradictions(engine) == []
