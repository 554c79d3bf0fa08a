"""The month in which runs fell off a cliff, made once for the tests of a file."""

from collections.abc import Iterator

import pytest

from tests.support import cliff_month, page_driver


@pytest.fixture(scope="module")
def ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The entries of the month by name, in a dashboard that is only looked at."""
    with page_driver.small_dashboard(tmp_path_factory.mktemp("month")) as engine:
        yield cliff_month.charge_all(engine)
