"""Usage data in a browser: a log with faults is brought in, mended and replayed, and a stop leaves nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from credits_core.datasets.folder import Folder
from scripts import sample_usage
from tests.support.live_dashboard import LiveDashboard, live_dashboard, tab
from tests.support.usage_files import lines, litellm

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("usage-files")


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[LiveDashboard]:
    own = {"CREDITS_DEMO": "1", "CREDITS_USAGE_FOLDER": str(folder)}
    with live_dashboard(tmp_path_factory.mktemp("usage"), **own) as live:
        yield live


@pytest.fixture
def page(browser: Browser, live: LiveDashboard) -> Iterator[Page]:
    with tab(browser, live) as page:
        yield page


def choose_file(page: Page, live: LiveDashboard, content: bytes) -> None:
    page.goto(f"{live.address}/usage-data")
    expect(page.get_by_role("heading", name="Usage data", level=1)).to_be_visible()
    file = {"name": "log.jsonl", "mimeType": "application/jsonl", "buffer": content}
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files([file])  # type: ignore[list-item]


def test_a_log_with_faults_is_matched_brought_in_and_replayed(page: Page, live: LiveDashboard, folder: Path) -> None:
    choose_file(page, live, sample_usage.log())
    expect(page.get_by_text("will be refused and listed")).to_be_visible()
    page.get_by_role("combobox", name="Unknown model 1").fill("openai/gpt-4o")
    page.get_by_role("option", name="openai/gpt-4o", exact=True).click()
    expect(page.get_by_text("3 models matched by name")).to_be_visible()
    page.get_by_role("button", name="Bring in 2,009 rows").click()
    expect(page.get_by_role("heading", name="What it cost")).to_be_visible()
    (found,) = Folder(folder).data_sets()
    assert (found.rows, found.used, found.refused) == (2_009, 2_000, 9)
    assert (found.runs, found.unused) == (1_950, 50)

    page.get_by_role("main").get_by_role("link", name="Replay").click()
    expect(page.get_by_text("1,950 runs of data set log, compared with")).to_be_visible()
    assert page.get_by_role("combobox", name="Runs of").input_value() == "data set log"


def test_a_long_file_that_is_stopped_leaves_nothing_behind(page: Page, live: LiveDashboard, folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    choose_file(page, live, lines(*(litellm(request_id=f"r{number}") for number in range(60_000))).encode())
    page.get_by_role("button", name="Bring in 60,000 rows").click()
    page.get_by_test_id("stBaseButton-secondary").filter(has_text="Stop").click()
    expect(page.get_by_text("Nothing was kept of this file.")).to_be_visible()
    assert sorted(path.name for path in folder.iterdir()) == before
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_text("Bring in a file")).to_be_visible()
