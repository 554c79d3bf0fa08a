"""The journeys for which the screens are made, from the first screen on, each in at most so many clicks."""

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api
from tests.support.live_dashboard import LiveDashboard, click_first_cell, live_dashboard, tab

pytestmark = pytest.mark.long
COUNT_CLICKS = """
window.addEventListener("click", event => {
    if (event.isTrusted && event.detail) sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0);
}, true);
"""
MILLION = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)"
    " INSERT INTO user_credits (user_id, balance_credits, created_at_us) SELECT 'visitor-' || n, 0, 0 FROM numbers"
)


@dataclass(frozen=True, slots=True)
class Walk:
    """A person in front of the first screen, whose clicks are counted."""

    page: Page
    live: LiveDashboard

    def go(self, name: str) -> None:
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
        expect(self.page.get_by_role("heading", name=name, level=1)).to_be_visible()

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_test_id("stMain").get_by_role("button", name=name).first

    def type(self, label: str, text: str, *, nth: int = 0) -> None:
        box = self.page.get_by_label(label, exact=True).nth(nth)
        box.fill(text)
        box.press("Enter")

    def find(self, text: str) -> None:
        self.page.get_by_test_id("stSidebar").get_by_role("searchbox").fill(text)

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    @property
    def clicks(self) -> int:
        return int(self.page.evaluate("Number(sessionStorage.clicks || 0)"))


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    """The demo month that ends today, with a million users more who have never had a credit."""
    with live_dashboard(tmp_path_factory.mktemp("clicks"), CREDITS_DEMO="1", CREDITS_DEMO_END="") as live:
        with tab(browser, live) as page:  # the first visit builds the demo
            page.goto(live.address)
            expect(page.get_by_test_id("stMetric").first).to_be_visible()
        with closing(sqlite3.connect(live.database)) as connection, connection:
            connection.execute(MILLION)
        yield live


@pytest.fixture
def walk(browser: Browser, live: LiveDashboard) -> Iterator[Walk]:
    with tab(browser, live) as page:
        page.add_init_script(COUNT_CLICKS)
        page.goto(live.address)
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        yield Walk(page, live)


@pytest.fixture
def nothing(browser: Browser, tmp_path: Path) -> Iterator[Walk]:
    """A person in front of an empty database, who has just started it as the README says."""
    with live_dashboard(tmp_path, CREDITS_DEMO="", CREDITS_DEMO_END="") as live, tab(browser, live) as page:
        page.add_init_script(COUNT_CLICKS)
        page.goto(live.address)
        expect(page.get_by_role("heading", name="Start", level=1)).to_be_visible()
        yield Walk(page, live)


def test_from_nothing_to_the_overview_of_the_demo(nothing: Walk) -> None:
    nothing.button("Build the demo world").click()
    expect(nothing.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    nothing.sees(re.compile("^Users spent "))
    assert nothing.clicks == 1


def test_from_nothing_to_ones_own_first_charged_run(nothing: Walk) -> None:
    nothing.button("Start clean").click()
    nothing.page.get_by_test_id("stMain").get_by_role("link", name="Run a prompt").click()
    nothing.sees("No users yet. Type an id here, then add credits.")
    nothing.type("User", "ada")
    nothing.button("Add credits").click()
    amount = nothing.page.get_by_role("textbox", name="Credits", exact=True)
    amount.fill("1,000,000")
    amount.press("Enter")
    nothing.page.get_by_test_id("stPopoverBody").get_by_role("button", name="Add credits").click()
    nothing.sees("Added")
    nothing.page.keyboard.press("Escape")
    nothing.button("Run").click()
    nothing.sees("What happened")
    expect(nothing.page.get_by_role("button", name="New run")).to_be_visible()
    assert nothing.clicks == 5
    assert nothing.live.rows("SELECT user_id, prompt_id, creator_id FROM prompt_runs") == [("ada", "free-form", None)]


def test_what_was_looked_at_is_kept_by_name_and_opened_by_somebody_else(walk: Walk, browser: Browser) -> None:
    walk.page.get_by_text("7 days", exact=True).click()
    expect(walk.page).to_have_url(re.compile("period=7d"))
    walk.button("Views").click()
    walk.type("Save this view as", "Our *week*")
    walk.sees("Saved the view")
    assert walk.clicks == 2
    with tab(browser, walk.live) as other:
        other.goto(walk.live.address)
        other.get_by_role("button", name="Views").click()
        other.get_by_role("button", name="Our *week*").click()
        expect(other).to_have_url(re.compile("period=7d"))


def test_who_loses_when_the_second_tier_becomes_twelve_per_cent(walk: Walk) -> None:
    walk.go("Compare")
    walk.sees("Plan B has the fix Cap down")
    walk.button("Undo edits").click()
    walk.sees("Both plans have the same rules")
    walk.type("Tier 2: markup", "12 %")
    walk.sees(re.compile(r"^Users pay [0-9.]+ % more$"))
    # 2 % more of each cost from 10,000 to 99,999, rounded down as 10 % and as 12 % of it.
    (users,) = walk.live.rows(
        "SELECT COUNT(DISTINCT user_id) FROM prompt_runs WHERE creator_fee_credits = 0"
        " AND inference_cost_credits BETWEEN 10000 AND 99999",
    )
    walk.sees(f"{users[0]} users pay more")
    assert walk.clicks == 2


def test_the_cliff_is_found_and_cured(walk: Walk) -> None:
    walk.go("Plans")
    walk.sees("A run that costs us 9,999 is billed 11,998; one that costs 10,000 is billed 11,000.")
    walk.button("Save as draft").click()
    walk.sees("Saved the draft promptflow-v1-capped")
    assert walk.clicks == 2
    walk.button("Undo").click()
    expect(walk.page.get_by_text("Saved the draft promptflow-v1-capped")).to_have_count(0)


def test_a_run_is_refunded_and_the_screen_says_who_bears_it(walk: Walk) -> None:
    walk.go("Test bench")
    walk.button("Run").click()
    walk.sees("What happened")
    # All of the receipt fits into its column.
    table = walk.page.get_by_test_id("stTable").first
    widest = "box => Math.max(...[...box.querySelectorAll('*')].map(one => one.scrollWidth - one.clientWidth))"
    expect(table.get_by_text("After")).to_be_visible()
    assert table.evaluate(widest) <= 1
    walk.button("Refund").click()
    dialog = walk.page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile("gives? back .*, PromptFlow bears "))).to_be_visible()
    dialog.get_by_label("Reason").fill("The answer was empty")
    dialog.get_by_role("button", name="Refund", exact=True).click()
    walk.sees(re.compile("gave back .*, PromptFlow bore "))
    assert walk.clicks == 4


def test_the_same_prompt_runs_again_with_another_model(walk: Walk) -> None:
    walk.go("Test bench")
    walk.button("Run").click()
    walk.sees("earned")
    walk.button("Again").click()
    walk.sees("Nothing yet. Choose what to run, then press the button.")  # all inputs are filled in by then
    walk.type("Model", "openai/gpt-4o-mini")
    walk.sees(re.compile(r"^\$0.15 per million input tokens"))
    walk.button("Run").click()
    walk.sees(re.compile("on openai/gpt-4o-mini"))
    assert walk.clicks == 4
    last = "SELECT prompt_id, model_id FROM prompt_runs ORDER BY entry_id DESC LIMIT 2"
    (newest, one_before) = walk.live.rows(last)
    assert newest[0] == one_before[0]
    assert (newest[1], one_before[1]) == ("openai/gpt-4o-mini", "openai/gpt-4o")


def test_the_revenue_by_creator_of_a_month_comes_as_a_file(walk: Walk) -> None:
    # On the last days of a month the demo month has nothing in the one before.
    month = "Last month" if datetime.now(UTC).day < 25 else "This month"
    walk.go("Creators")
    walk.page.get_by_text(month, exact=True).click()
    expect(walk.page).to_have_url(re.compile("period="))
    # A click while the screen is drawn for the other month would meet a button that is gone.
    expect(walk.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    with walk.page.expect_download() as downloading:
        walk.button("CSV").click()
    assert walk.clicks == 3
    listed = [*csv.DictReader(downloading.value.path().read_text(encoding="utf-8-sig").splitlines())]
    assert len(listed) > 5
    assert all(line["creator"] for line in listed)


def test_one_creators_statement_comes_as_a_file(walk: Walk) -> None:
    walk.go("Creators")
    click_first_cell(walk.page, row=1)
    expect(walk.page).to_have_url(re.compile("creator="))
    with walk.page.expect_download() as downloading:
        walk.button("PDF").click()
    assert walk.clicks == 3
    assert downloading.value.path().read_bytes().startswith(b"%PDF")


def test_why_something_was_charged(walk: Walk) -> None:
    ((entry_id, total),) = walk.live.rows(
        "SELECT entry_id, total_credits FROM prompt_runs WHERE creator_fee_credits > 0 LIMIT 1"
    )
    walk.find(str(entry_id))
    walk.page.get_by_role("link", name=f"Entry {entry_id}").click()
    walk.page.get_by_role("link", name="Explain this charge").click()
    walk.sees("Recalculated from the stored inputs: matches the charge exactly.")
    walk.sees(re.compile(f"{total:,}"))
    assert walk.clicks == 2


def test_a_link_to_the_screen_that_one_is_on_opens(walk: Walk) -> None:
    for entry_id in ("17", "18"):  # from the overview to the history, and from there to the history
        walk.find(entry_id)
        walk.page.get_by_role("link", name=f"Entry {entry_id}").click()
        expect(walk.page.get_by_role("heading", name=re.compile(f"^Entry {entry_id}:"))).to_be_visible()
        expect(walk.page).to_have_url(re.compile(f"entry={entry_id}$"))
    assert walk.clicks == 2


def test_one_of_a_million_users_is_found(walk: Walk) -> None:
    walk.find("visitor-777777")
    walk.page.get_by_role("link", name="visitor-777777").click()
    expect(walk.page.get_by_role("heading", name="visitor-777777")).to_be_visible()
    expect(walk.page).to_have_url(re.compile("user=visitor-777777"))
    assert walk.clicks == 1


def test_why_an_api_call_was_refused(walk: Walk) -> None:
    with database.opened(f"sqlite:///{walk.live.database}") as engine:
        key = live_api.make_key(engine, Role.SERVICE)
    body = {"user_id": "visitor-1", "prompt_id": "summarise", "model_id": "gpt-4"}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "order-1"}
    refused = requests.post(f"{walk.live.root}/api/credits/charge-prompt", json=body, headers=headers, timeout=60)
    assert refused.status_code == 402
    walk.go("API")
    walk.sees("1 of 1 calls. Updates every two seconds.")
    click_first_cell(walk.page, row=1)
    walk.sees("visitor-1 has 0 credits, but this takes 33,000")
    expect(walk.page).to_have_url(re.compile(f"call={refused.headers['X-Request-Id']}"))
    walk.page.get_by_role("link", name="Balance of visitor-1").click()
    expect(walk.page.get_by_role("heading", name="visitor-1")).to_be_visible()
    assert walk.clicks == 3
