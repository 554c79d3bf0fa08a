"""Replay, Scenario and Fees in a browser: what a click on a bar or a line opens, links that hold a plan, and Stop."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.live_dashboard import LiveDashboard, live_dashboard, tab

pytestmark = pytest.mark.long
EDIT = "7000;graduated;10000:9000bps;1000bps"
MILLIONS = "3000000"


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    with live_dashboard(tmp_path_factory.mktemp("what-if"), CREDITS_DEMO="1") as live:
        yield live


@pytest.fixture
def page(browser: Browser, live: LiveDashboard) -> Iterator[Page]:
    with tab(browser, live) as page:
        yield page


def chart(page: Page, alt: str) -> Locator:
    return page.get_by_role("figure", name=alt)


def click_bar(page: Page, alt: str, number: int = 0) -> None:
    bar = chart(page, alt).locator(".barlayer .point path").nth(number)
    bar.click(force=True)


def click_middle(page: Page, alt: str) -> None:
    drawing = chart(page, alt).locator(".nsewdrag").first
    drawing.hover()
    drawing.click(force=True)


def settled(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def from_sidebar(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_a_bar_of_an_unsaved_edit_opens_its_charges_and_a_charge_its_entry(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/replay-history?plan=promptflow-v1&edit={EDIT}")
    expect(page.get_by_role("combobox", name="Plan B: unsaved edit")).to_have_value("promptflow-v1 (edited)")
    expect(page.get_by_test_id("stMetric").filter(has_text="Users pay")).to_contain_text(re.compile("more.*−"))

    winners_and_losers = "The users and creators who gain or lose most, in credits"
    for _ in range(2):  # the second click on the same bar opens it again
        click_bar(page, winners_and_losers)
        opened = page.get_by_role("dialog")
        expect(opened).to_contain_text("charges under promptflow-v1 (edited)")
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)

    click_bar(page, "What platform paid or received by day, as recorded and under plan B", 3)
    opened = page.get_by_role("dialog")
    expect(opened).to_contain_text(re.compile("20[0-9]{2}-"))
    first = opened.get_by_test_id("stDataFrame").bounding_box()
    assert first is not None
    page.mouse.click(first["x"] + 25, first["y"] + 52)
    expect(page).to_have_url(re.compile("/history.*entry=[0-9]+"))


def test_the_tabs_of_a_replay_are_in_its_link(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/replay-history")
    expect(page).to_have_url(re.compile("plan=promptflow-v1"))
    page.get_by_role("tab", name="Users").click()
    expect(page).to_have_url(re.compile("show=Users"))
    settled(page)
    page.get_by_role("button", name="Copy link").click()
    copied = page.get_by_test_id("stCode").inner_text()
    page.goto(copied)
    expect(page.get_by_role("tab", name="Users")).to_have_attribute("aria-selected", "true")


def test_the_plan_goes_along_from_the_lab_to_what_if_and_back(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/pricing-lab")
    from_sidebar(page, "Fees")
    expect(page).to_have_url(re.compile("plan=promptflow-v1"))
    page.goto(f"{live.address}/fee-designer?plan=promptflow-v1&edit={EDIT}")
    expect(page.get_by_role("combobox", name="Price plan")).to_have_value("promptflow-v1 (edited)")
    from_sidebar(page, "Scenario")
    expect(page.get_by_role("combobox", name="Price plan")).to_have_value("promptflow-v1 (edited)")
    from_sidebar(page, "Plans")
    expect(page.get_by_role("combobox", name="Price plan")).to_have_value("promptflow-v1")
    page.go_back()
    expect(page.get_by_role("heading", name="Scenario", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(r"plan=promptflow-v1\+%28edited%29"))


def test_a_click_on_a_line_takes_its_fee_and_its_number_of_runs(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/fee-designer?model=gpt-4")
    fee, runs = page.get_by_role("textbox", name="Fee per run"), page.get_by_role("textbox", name="Runs per user")
    expect(fee).to_have_value("")
    click_middle(page, "What the user pays and the others get in one run, at each creator fee")
    expect(fee).to_have_value(re.compile("[0-9]{4,5}"))
    settled(page)
    for _ in range(5):  # a click while a busy machine still draws the chart anew is no click on a line
        click_middle(page, "Extra cost for the user and income of the creator, at each number of runs")
        settled(page)
        if runs.input_value():
            break
    expect(runs).to_have_value(re.compile("[0-9]{1,3}"), timeout=10_000)
    expect(page.get_by_role("heading", name=f"You ask {int(fee.input_value()):,}: you get")).to_be_visible()


def test_a_scenario_of_millions_can_be_stopped_and_gone_on_with(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/scenario?scenario_runs={MILLIONS}")
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text(re.compile("Pricing and charging: [0-9]+% of 3,000,000 runs · about [0-9]+ s left"))
    stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop")
    stop.click()
    expect(page.get_by_text("There is no result yet. Choose fewer runs, or go on.")).to_be_visible()
    expect(bar).to_have_count(0)

    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_test_id("stMetric").filter(has_text="Users paid")).to_be_visible()
    # The first result is there while the other seeds are still drawn; they can be stopped too.
    expect(bar).to_contain_text("Drawing 5 seeds")
    stop.click()
    expect(page.get_by_text("Fewer seeds than usual are shown.")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("[1-4] of 5 seeds"))).to_be_visible()

    runs = page.get_by_role("textbox", name="Runs")
    runs.fill("10000")
    runs.press("Enter")
    expect(page.get_by_role("heading", name="5 seeds: low, middle, high")).to_be_visible()
    expect(page.get_by_text("You stopped this")).to_have_count(0)


def test_a_day_of_a_scenario_opens_its_runs(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}/scenario?preset=Large+users+leave")
    click_middle(page, "Credits paid each day, by who got them")
    opened = page.get_by_role("dialog")
    expect(opened).to_contain_text(re.compile("Day [0-9]+"))
    expect(opened).to_contain_text("made-up runs")
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    click_bar(page, "Charged runs by their total", 2)
    expect(opened).to_contain_text(re.compile("Runs from [0-9,]+ credits"))
