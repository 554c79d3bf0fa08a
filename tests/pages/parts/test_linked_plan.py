"""Every link of a what-if screen holds its plan: a stored one by its id, an edit that nobody saved by its rules."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.store import database
from tests.support import page_driver, world
from tests.support.actors import TESTER
from tests.support.page_driver import open_page, run, small_tables

HALF = PricePlan("half", 8_000, (MarkupTier(None, 5_000, None),))
WHAT_IF = ("fees/fee_designer.py", "scenario/scenario.py", "replay/replay_history.py")
HAIKU = {"model": "claude-3-haiku", "fee": "0"}  # 250 and the markup
HAIKU_ALONE = {"models": "claude-3-haiku", "scenario_runs": "10"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.save_draft(engine, HALF)
        yield engine


def fees(**query: str) -> AppTest:
    return open_page("fees/fee_designer.py", **HAIKU | query)


def user_pays(page: AppTest) -> str:
    return small_tables(page)["Who gets what"][-1][1].partition(" ")[0]


def address(page: AppTest) -> dict[str, object]:
    return {name: page.query_params[name] for name in ("plan", "edit", "revision") if name in page.query_params}


def chosen(page: AppTest) -> tuple[str, str]:
    box = page.get_by_key("plan:box")
    return box.label, box.value


def warnings(page: AppTest) -> list[str]:
    return [box.value.replace("\\", "") for box in page.warning]


def choose(page: AppTest, plan_id: str) -> AppTest:
    page.get_by_key("plan:box").set_value(plan_id)
    return run(page)


def another_page(page: AppTest, file: str, **query: str) -> AppTest:
    """Another page of the same visit, opened from the sidebar or by a link."""
    for name in ("plan", "edit", "revision"):
        if name in page.query_params:
            del page.query_params[name]
    page.switch_page(file)
    for name, text in query.items():
        page.query_params[name] = text
    return run(page)


@pytest.mark.parametrize("file", WHAT_IF)
def test_a_link_without_a_plan_is_about_the_live_one_and_names_it(ledger: Engine, file: str) -> None:
    page = open_page(file, **HAIKU_ALONE)
    assert chosen(page) == (
        "Plan B: live" if file == "replay/replay_history.py" else "Price plan: live",
        "plan-1",
    )
    assert address(page) == {"plan": "plan-1"}
    assert "plan=plan-1" in page.code[0].value


def test_a_link_shows_the_same_after_another_plan_was_made_live(ledger: Engine) -> None:
    before = fees()
    link = {name: values[0] for name, values in parse_qs(before.code[0].value.partition("?")[2]).items()}
    assert user_pays(before) == "300"
    world.put_in_force(ledger, replace(HALF, id="later"))
    after = open_page("fees/fee_designer.py", **link)
    assert (user_pays(after), chosen(after)) == ("300", ("Price plan: previously live", "plan-1"))
    assert user_pays(fees()) == "375"


def test_a_plan_that_is_no_longer_there_is_said(ledger: Engine) -> None:
    page = fees(plan="gone")
    assert warnings(page) == ["There is no price plan gone. Showing plan-1 instead."]
    assert (address(page), user_pays(page)) == ({"plan": "plan-1"}, "300")
    assert warnings(run(page)) == []


def test_a_draft_is_named_with_its_revision_and_a_later_one_is_said(ledger: Engine) -> None:
    page = fees(plan="half")
    assert (chosen(page), user_pays(page)) == (("Price plan: draft, revision 1", "half"), "375")
    assert address(page) == {"plan": "half", "revision": "1"}
    world.save_draft(ledger, replace(HALF, tiers=(MarkupTier(None, 0, None),)), revision=1)
    later = fees(plan="half", revision="1")
    assert warnings(later) == ["The draft half was saved again since this link was made. Showing revision 2."]
    assert (user_pays(later), address(later)) == ("250", {"plan": "half", "revision": "2"})
    assert warnings(fees(plan="half", revision="2")) == []


def test_an_edit_that_nobody_saved_is_shown_by_its_rules(ledger: Engine) -> None:
    edited = replace(HALF, tiers=(MarkupTier(None, 10_000, None),))
    page = fees(plan="half", edit=to_line(edited))
    assert (chosen(page), user_pays(page)) == (("Price plan: unsaved edit", "half (edited)"), "500")
    assert address(page) == {"plan": "half (edited)", "edit": "8000;10000bps"}
    assert warnings(page) == []
    again = fees(**{name: str(text) for name, text in address(page).items()})
    assert (chosen(again), user_pays(again)) == (chosen(page), "500")


@pytest.mark.parametrize("file", WHAT_IF)
def test_every_what_if_screen_takes_an_edit(ledger: Engine, file: str) -> None:
    world.add(ledger, "ada", 1_000, key="add")
    world.charge(ledger, world.HAIKU, key="run")
    page = open_page(file, **HAIKU_ALONE, plan="plan-1", edit="8000;10000bps")
    assert chosen(page)[1] == "plan-1 (edited)"


def test_an_edit_stays_when_its_plan_is_discarded_and_goes_when_it_says_the_same(ledger: Engine) -> None:
    link = {"plan": "half", "edit": "8000;10000bps"}
    with database.read(ledger) as connection:
        record = plan_records.plans(connection)["half"]
    same = fees(plan="half", edit=to_line(HALF))
    assert (chosen(same), address(same)) == (
        ("Price plan: draft, revision 1", "half"),
        {"plan": "half", "revision": "1"},
    )
    database.write(
        ledger, lambda connection: plan_actions.discard_draft(connection, record, now=world.LATER, actor=TESTER)
    )
    page = fees(**link)
    assert (chosen(page)[1], user_pays(page), warnings(page)) == ("half (edited)", "500", [])


def test_an_edit_can_be_left_for_another_plan_and_taken_again(ledger: Engine) -> None:
    page = choose(fees(plan="plan-1", edit="8000;10000bps"), "half")
    assert (user_pays(page), address(page)) == ("375", {"plan": "half", "revision": "1"})
    page = choose(page, "plan-1 (edited)")
    assert (user_pays(page), address(page)) == ("500", {"plan": "plan-1 (edited)", "edit": "8000;10000bps"})
    page = choose(page, "plan-1")
    assert (user_pays(page), address(page)) == ("300", {"plan": "plan-1"})


def test_the_plan_and_the_edit_go_along_from_screen_to_screen(ledger: Engine) -> None:
    page = another_page(fees(plan="plan-1", edit="8000;10000bps"), "scenario/scenario.py")
    assert chosen(page)[1] == "plan-1 (edited)"
    # Where nothing can be edited the stored plan is shown; another one that is chosen there goes along too.
    assert page.session_state["plan"] == "plan-1"
    page.session_state["plan"] = "half"
    assert chosen(another_page(page, "fees/fee_designer.py"))[1] == "half"


def test_a_link_within_the_dashboard_leaves_nothing_of_an_earlier_edit(ledger: Engine) -> None:
    page = another_page(fees(plan="plan-1", edit="8000;10000bps"), "scenario/scenario.py", plan="half", anew="")
    assert (chosen(page)[1], address(page)) == ("half", {"plan": "half", "revision": "1"})
    assert page.get_by_key("plan:box").options == ["plan-1", "half", "promptflow-v1"]


def test_a_link_between_screens_that_have_a_plan_carries_the_edit(ledger: Engine) -> None:
    page = open_page("fees/fee_designer.py", **HAIKU, to_plan="half", to_edit="8000;10000bps", anew="")
    assert (chosen(page)[1], user_pays(page)) == ("half (edited)", "500")


@pytest.mark.parametrize("line", ["nonsense", "8000", "8000;5:3", ""])
def test_a_damaged_edit_is_said_and_the_stored_plan_shown(ledger: Engine, line: str) -> None:
    page = fees(plan="half", edit=line)
    assert chosen(page)[1] == "half"
    (warning,) = warnings(page)
    assert warning.startswith("The link holds no valid plan: ")
    assert warning.endswith(". Showing the plan as it is saved.")
    assert user_pays(page) == "375"
