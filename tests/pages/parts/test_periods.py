"""The period of a screen: presets and dates, in the address, and kept from screen to screen."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.values.periods import Preset
from pages.parts import links as page_links
from pages.parts import periods
from tests.support import page_driver
from tests.support.page_driver import choose, click, links, metrics, open_page, run, table
from tests.support.plain_sql import rows, scalar

PRESET, DATES = "period:preset", "period:dates"
DAY = "date(created_at_us / 1000000, 'unixepoch')"
RUNS = f"SELECT COUNT(*) FROM prompt_runs WHERE {DAY} BETWEEN :first AND :last"
SOME_DAYS = ["2026-11-03", "2026-11-09"]
OVERVIEW, HISTORY = "explore/overview.py", "explore/history.py"
SCREENS = (OVERVIEW, HISTORY, "explore/creator_earnings.py", "replay/replay_history.py")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo month, on its last day, 2026-11-22."""
    with page_driver.dashboard(tmp_path_factory.mktemp("periods"), demo=True) as engine:
        yield engine


def shown(page: AppTest) -> tuple[str, list[str]]:
    """The preset that is marked, and the days in the calendar."""
    preset = page.get_by_key(PRESET).value
    return preset.value if preset else "", [day.isoformat() for day in page.get_by_key(DATES).value]


def address(page: AppTest) -> dict[str, Any]:
    """The period in the address."""
    return {name: page.query_params[name] for name in ("period", "days") if page.query_params.get(name)}


def from_sidebar(page: AppTest, file: str) -> AppTest:
    """Another screen as the sidebar opens it, with nothing in the address."""
    page.query_params.clear()
    return run(page.switch_page(file))


def days_of_history(page: AppTest) -> tuple[str, str]:
    """The first and the last day on the page of the history."""
    days = [row["Posted (UTC)"].date().isoformat() for row in table(page)]
    return days[-1], days[0]


LAST_WEEK, THIRTY_DAYS = ["2026-11-16", "2026-11-22"], ["2026-10-24", "2026-11-22"]
OCTOBER = ["2026-10-01", "2026-10-31"]


@pytest.mark.parametrize(
    ("preset", "days"),
    [("7d", LAST_WEEK), ("30d", THIRTY_DAYS), ("this-month", ["2026-11-01", "2026-11-22"]), ("last-month", OCTOBER)],
)
def test_a_preset_in_the_address_shows_its_days(ledger: Engine, preset: str, days: list[str]) -> None:
    page = open_page(OVERVIEW, period=preset)
    assert shown(page) == (preset, days)
    assert metrics(page)["Prompt runs"][0] == f"{scalar(ledger, RUNS, first=days[0], last=days[1]):,}"


@pytest.mark.parametrize("file", SCREENS)
def test_what_a_person_chooses_is_in_the_address_on_every_screen(ledger: Engine, file: str) -> None:
    page = choose(open_page(file), **{PRESET: Preset.LAST_MONTH})
    assert (address(page), shown(page)) == ({"period": "last-month"}, ("last-month", OCTOBER))
    choose(page, **{DATES: tuple(map(date.fromisoformat, SOME_DAYS))})
    assert (address(page), shown(page)) == ({"days": SOME_DAYS}, ("", SOME_DAYS))
    choose(page, **{DATES: (date(2026, 11, 3),)})
    assert (address(page), shown(page)) == ({"days": ["2026-11-03"] * 2}, ("", ["2026-11-03"]))
    choose(page, **{DATES: ()})
    assert shown(page) == ("all", [])


def test_a_mark_cannot_be_taken_away(ledger: Engine) -> None:
    page = choose(open_page(OVERVIEW, period="7d"), **{PRESET: None})
    assert (address(page), shown(page)) == ({"period": "7d"}, ("7d", LAST_WEEK))


def test_the_overview_shows_30_days_and_the_others_all_until_somebody_chooses(ledger: Engine) -> None:
    page = open_page(OVERVIEW)
    assert (address(page), shown(page)) == ({}, ("30d", THIRTY_DAYS))
    for file in SCREENS[1:]:
        from_sidebar(page, file)
        assert (address(page), shown(page)) == ({}, ("all", []))
    assert shown(from_sidebar(page, OVERVIEW)) == ("30d", THIRTY_DAYS)


def test_a_period_is_kept_from_screen_to_screen(ledger: Engine) -> None:
    page = choose(open_page(OVERVIEW), **{PRESET: Preset.WEEK})
    for file in (*SCREENS[1:], OVERVIEW):
        from_sidebar(page, "explore/balances.py")
        from_sidebar(page, file)
        assert (address(page), shown(page)) == ({"period": "7d"}, ("7d", LAST_WEEK))
    assert days_of_history(from_sidebar(page, HISTORY))[0] >= "2026-11-16"
    choose(page, **{PRESET: Preset.ALL})
    assert address(page) == {}
    assert (shown(from_sidebar(page, OVERVIEW)), address(page)) == (("all", []), {"period": "all"})


def test_dates_are_kept_from_screen_to_screen(ledger: Engine) -> None:
    page = from_sidebar(open_page(HISTORY, days=SOME_DAYS), OVERVIEW)
    assert (address(page), shown(page)) == ({"days": SOME_DAYS}, ("", SOME_DAYS))
    assert metrics(page)["Prompt runs"][0] == f"{scalar(ledger, RUNS, first=SOME_DAYS[0], last=SOME_DAYS[1]):,}"


def test_a_link_carries_the_period_and_decides_it(ledger: Engine) -> None:
    page = open_page(OVERVIEW, days=SOME_DAYS)
    assert links(page)["History of these days"] == ("history", "days=2026-11-03&days=2026-11-09&anew=")
    page.query_params.clear()
    page.switch_page(HISTORY)
    page.query_params.update(page_links.link_to(period="7d"))
    assert (shown(run(page)), address(page)) == (("7d", LAST_WEEK), {"period": "7d"})
    assert days_of_history(page)[0] >= "2026-11-16"


def test_a_link_without_a_period_leaves_it_as_it_is(ledger: Engine) -> None:
    page = choose(open_page(OVERVIEW), **{PRESET: Preset.LAST_MONTH})
    page.query_params.clear()
    page.switch_page(HISTORY)
    page.query_params.update(page_links.link_to(entry="19"))
    assert shown(run(page)) == ("last-month", OCTOBER)
    (newest,) = rows(ledger, f"SELECT MAX(entry_id) FROM credit_transactions WHERE {DAY} <= '2026-10-31'")
    assert table(click(page, "Back to the list"))[0]["Entry"] == str(newest[0])


def test_going_back_shows_what_the_address_says(ledger: Engine) -> None:
    page = choose(open_page(HISTORY), **{PRESET: Preset.WEEK})
    choose(page, **{PRESET: Preset.LAST_MONTH})
    page.query_params["period"] = "7d"  # as the browser does it
    assert shown(run(page)) == ("7d", LAST_WEEK)
    page.query_params.clear()
    assert (shown(run(page)), address(page)) == (("all", []), {})
    assert shown(from_sidebar(page, OVERVIEW)) == ("30d", THIRTY_DAYS)


def test_another_period_leads_back_from_an_entry_to_the_list(ledger: Engine) -> None:
    page = choose(open_page(HISTORY, entry="19"), **{PRESET: Preset.WEEK})
    assert "Back to the list" not in page_driver.button_labels(page)
    choose(page, entry="19")
    choose(page, **{DATES: tuple(map(date.fromisoformat, SOME_DAYS))})
    assert "Back to the list" not in page_driver.button_labels(page)


@pytest.mark.parametrize(
    "query",
    [
        *({"period": "soon"}, {"period": ""}, {"period": "7 days"}, {"period": "x", "days": SOME_DAYS}),
        *({"days": SOME_DAYS[::-1]}, {"days": ["1999-12-31", "2026-11-03"]}, {"days": ["2026-11-03"] * 3}),
    ],
)
def test_a_period_that_makes_no_sense_is_none(ledger: Engine, query: dict[str, Any]) -> None:
    page = open_page(OVERVIEW, **query)
    assert (shown(page), address(page)) == (("30d", THIRTY_DAYS), {})


def test_every_preset_has_a_name() -> None:
    assert list(periods.NAMES) == list(Preset)
