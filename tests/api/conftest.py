"""The API over small databases, which most of these tests begin with. A file that needs other users has its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.api_world import Api, api_over
from tests.support.plain_sql import every_row


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        yield api


@pytest.fixture(scope="module")
def shared_api(shared_engine: Engine) -> Iterator[Api]:
    """The same for all tests of a file, for `unchanged`."""
    world.add(shared_engine, "ada", 10_000, key="fund-ada")
    with api_over(shared_engine) as api:
        yield api


@pytest.fixture(scope="module")
def rows_of_shared(shared_api: Api) -> dict[str, list[tuple[object, ...]]]:
    """Every row of that database, before the first test."""
    return every_row(shared_api.engine)


@pytest.fixture
def unchanged(shared_api: Api, rows_of_shared: dict[str, list[tuple[object, ...]]]) -> Iterator[Api]:
    """The API over the database of `shared_api`, in which the test may not change a row."""
    yield shared_api
    assert every_row(shared_api.engine) == rows_of_shared
