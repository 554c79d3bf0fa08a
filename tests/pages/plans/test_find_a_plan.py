"""The screen Find a plan: the question, the search with its stop, the chart, one plan, its draft and its paper."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.lab.finder.search import Search
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan_link import from_line
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.progress import Work
from tests.support import cliff_month, page_driver
from tests.support.page_driver import as_read, button_labels, captions, charts, choose, click, links, open_page, run
from tests.support.plain_sql import rows

SCREEN = "plans/find_a_plan.py"
FEW = {"plans_tried": "150"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        cliff_month.charge_all(engine)
        yield engine


def answered(**query: str) -> AppTest:
    """The page with an answer, which another test of the file may have asked for."""
    page = open_page(SCREEN, **FEW, **query)
    return click(page, "Find plans") if "Find plans" in button_labels(page) else page


def points(page: AppTest) -> list[dict[str, Any]]:
    """The best plans in the chart, each with its rules."""
    (best,) = [trace for chart in charts(page) for trace in chart["data"] if trace.get("name") == "Best plans"]
    return [{"x": x, "y": y, "line": line} for x, y, line in zip(best["x"], best["y"], best["customdata"], strict=True)]


def listed(page: AppTest) -> list[dict[str, Any]]:
    frames = [frame.value for frame in page.dataframe if frame.value.columns[0] == "Plan"]
    found: list[dict[str, Any]] = frames[0].to_dict("records") if frames else []
    return found


def test_the_screen_says_what_it_looks_for_and_waits(ids: dict[str, int]) -> None:
    page = open_page(SCREEN)
    assert "Find plans" in button_labels(page)
    said = as_read(captions(page))
    assert "Last month is 2026-01-31 to 2026-03-01, UTC: 10 runs." in said
    assert "Counts: platform income, highest increase. Limits: no cliff, every markup above the card fee" in said
    assert not listed(page)


def test_every_figure_of_the_chart_and_the_table_is_that_of_a_replay(ids: dict[str, int]) -> None:
    page = answered()
    found, (live,) = points(page), [one for one in charts(page)[0]["data"] if one["name"].startswith("Live: ")]
    assert (live["x"], live["y"]) == ([0.0], [0])
    assert len(found) >= 2
    with database.read(page_driver.resources.engine()) as connection:
        history = recorded_history(connection, DayRange(date(2026, 1, 31), date(2026, 3, 1)))
    today = compare(history, page_driver.resources.book().plan, {})
    before = {one.name: one.users.plan_credits for one in today.by_user.page()}
    for point in found:
        again = compare(history, from_line(point["line"], "found"), {})
        assert point["y"] == again.sums.platform.plan_credits - today.sums.platform.plan_credits
        assert again.refused_runs == 0
        assert round(point["x"] * 100) == max(
            round((one.users.plan_credits - before[one.name]) * 10_000 / before[one.name])
            for one in again.by_user.page()
        )
    rows_of = listed(page)
    assert rows_of[0]["We earn"] == max(point["y"] for point in found)
    assert rows_of[0]["Plan"] == "plan-1-found"


def test_a_plan_says_why_in_three_sentences_and_shows_who_gains_and_loses(ids: dict[str, int]) -> None:
    page = answered()
    (why,) = [as_read(one.value) for one in page.markdown if as_read(one.value).startswith("- We earn")]
    first, second, third = why.splitlines()
    assert re.fullmatch(r"- We earn .* than under plan-1\.|- We earn as much as under plan-1\.", first)
    assert re.fullmatch(r"- (No user pays more|.* of 3 users pays? more, at most .*)\.", second)
    assert third.startswith("- It has no cliff and ")
    assert "none is better in platform income and highest increase together." in third
    assert {"Who gains, who loses", "plan-1-found"} <= {as_read(one.value) for one in page.header}
    assert any(label.startswith("Users pay") for label in page_driver.metrics(page))


def test_a_click_on_another_point_shows_that_plan(ids: dict[str, int]) -> None:
    page = answered()
    second = listed(page)[1]
    line = next(one["line"] for one in points(page) if one["y"] == second["We earn"])
    page.session_state["finder:chosen"] = line  # a click in the chart has a browser's event, which no test page has
    page = run(page)
    assert second["Plan"] in {as_read(one.value) for one in page.header}


def test_one_click_makes_it_a_draft_and_undo_takes_it_back(ledger: Engine) -> None:
    page = click(answered(), "Save as draft")
    kept = "SELECT id FROM price_plans WHERE id = 'plan-1-found' AND discarded_at_us IS NULL"
    assert rows(ledger, kept) == [("plan-1-found",)]
    assert {as_read(label): to for label, (to, _) in links(page).items()}["Open plan-1-found"] == "pricing-lab"
    assert "Save as draft" not in button_labels(page)
    assert listed(page)[0]["Plan"] == "plan-1-found"
    (undo,) = (button for button in page.button if (button.key or "").startswith("undo:head:"))
    undo.click()
    run(page)
    assert rows(ledger, kept) == []


def test_what_was_stopped_shows_the_best_so_far(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Search.steps

    def stopped_half_way(search: Search) -> Work[Any]:
        for progress in whole(search):
            yield progress
            if progress.done == 100:
                key = st.session_state.pop("finder:running")  # what the button does
                st.session_state["finder:partial"] = (key, search.answer())
                st.stop()
        return search.answer()

    monkeypatch.setattr(Search, "steps", stopped_half_way)
    page = run(click(open_page(SCREEN, **FEW), "Find plans"))
    assert [one.value for one in page.warning] == ["These are the best plans so far."]
    assert "Find plans" in button_labels(page)
    assert listed(page)
    assert "100 plans tried" in captions(page)


def test_when_no_plan_holds_all_rules_the_screen_says_which_is_in_the_way(ids: dict[str, int]) -> None:
    page = choose(open_page(SCREEN, **FEW), move_bounds=False, move_mode=False, move_cap=False, move_rounding=False)
    page = click(choose(page, card="99"), "Find plans")
    (said,) = [one.value for one in page.info]
    assert as_read(said).startswith("What was in the way, and in how many plans: ")
    assert "a markup below the card fee (" in as_read(said)


def test_what_is_typed_wrong_is_marked_and_nothing_is_looked_for(ids: dict[str, int]) -> None:
    page = choose(open_page(SCREEN), most_more="a lot")
    assert "Find plans" not in button_labels(page)
    assert "Correct what is marked in red under The question." in [one.value for one in page.warning]
    page = choose(open_page(SCREEN), rates_from="40")
    page = choose(page, rates_to="30")
    assert "From must not be above to." in captions(page)


def test_the_chosen_plans_come_as_a_page_to_print(ids: dict[str, int]) -> None:
    with page_driver.downloads() as files:
        answered()
    assert files.files["price-plans.pdf"]().startswith(b"%PDF-")


def test_without_a_run_there_is_nothing_to_try_plans_on(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path):
        page = open_page(SCREEN)
        assert [one.value for one in page.info] == ["Run a prompt first. Then plans can be tried on it."]
        assert links(page)["Run a prompt"][0] == "test-credits"
