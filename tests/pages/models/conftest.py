"""A dashboard for the tests of the screen Models that only look."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import page_driver


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The ledger of a dashboard with the shipped price list, live."""
    with page_driver.dashboard(tmp_path_factory.mktemp("models"), demo=False) as engine:
        yield engine
