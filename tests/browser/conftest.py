"""The browser that the tests of a file share, and a second try for each of them.

On a busy machine, a click can hit what is being drawn anew, and Streamlit's page has failed on its own. A test that
fails once and then passes is listed as RERUN at the end: look at it. One that fails twice has failed, and with more
than two second tries the whole run has (`tests/support/second_tries.py`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.live_dashboard import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
