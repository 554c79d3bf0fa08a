"""The screen Compare: what is edited shows at once, lives in the link, and is kept as a draft."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.pricing.plan_link import from_line
from credits_core.pricing.plan_toml import parse_price_plan
from tests.support import page_driver, world
from tests.support.page_driver import (
    captions,
    charts,
    choose,
    click,
    links,
    metrics,
    open_page,
    run,
    small_tables,
    table,
)
from tests.support.plain_sql import rows, scalar
from tests.support.plans import SPECIFICATION

CAPPED = replace(SPECIFICATION, id="capped", cap_down=True)
GRADUATED = "8000;graduated;10000:2000bps;100000:1000bps;500"
COUNTS = "How many findings of each kind each plan has"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        yield engine


def query(page: AppTest) -> dict[str, str]:
    return dict(page.query_params)


def run_of(page: AppTest, model: str) -> Any:
    (row,) = (row for row in table(page, -1) if row["Model"] == model)
    return row


def markups(page: AppTest) -> tuple[dict[int, int], dict[int, int]]:
    """The markup of both plans over all costs."""
    return curves(choose(page, measure="Markup", axis="Linear"))


def curves(page: AppTest) -> tuple[dict[int, int], dict[int, int]]:
    a, b = charts(page)[0]["data"][:2]
    return dict(zip(a["x"], a["y"], strict=True)), dict(zip(b["x"], b["y"], strict=True))


def stored(ledger: Engine, plan_id: str) -> Any:
    return parse_price_plan(str(scalar(ledger, f"SELECT toml FROM price_plans WHERE id = '{plan_id}'")))


def chosen(page: AppTest) -> tuple[str, str]:
    return page.get_by_key("a").value, page.get_by_key("b").value


def test_the_links_to_what_if_hold_the_edit_that_nobody_saved(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/compare_plans.py", a="plan-1", b="capped")
    names = ["Replay all history under this plan", "Try this plan in a scenario", "Set a fee under this plan"]
    assert [links(page)[name] for name in names] == [
        ("replay-history", "to_plan=capped&anew="),
        ("scenario", "to_plan=capped&anew="),
        ("fee-designer", "to_plan=capped&anew="),
    ]
    page = open_page("plans/compare_plans.py", a="plan-1", b="capped", edit=GRADUATED)
    assert {parse_qs(links(page)[name][1])["to_edit"][0] for name in names} == {GRADUATED}
    replay = open_page("replay/replay_history.py", to_plan="capped", to_edit=GRADUATED, anew="")
    assert (replay.get_by_key("plan:box").value, query(replay)["edit"]) == ("capped (edited)", GRADUATED)


def test_it_opens_on_the_newest_draft_beside_the_live_plan(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED, now=world.LATER)
    world.save_draft(ledger, replace(CAPPED, id="a-earlier"), now=world.NOW)
    world.save_draft(ledger, replace(CAPPED, id="z-earlier"), now=world.NOW)
    page = open_page("plans/compare_plans.py")
    assert chosen(page) == ("plan-1", "capped")
    assert query(page) == {"a": "plan-1", "b": "capped"}  # so that the link stays true when another plan is in force


def test_without_a_draft_it_opens_on_the_plan_that_was_live_before(ledger: Engine) -> None:
    world.put_in_force(ledger, CAPPED)
    world.put_in_force(ledger, replace(CAPPED, id="newest"))
    assert chosen(open_page("plans/compare_plans.py")) == ("newest", "capped")


def test_with_one_plan_alone_it_opens_on_the_first_fix_of_it(tmp_path: Path) -> None:
    with page_driver.dashboard(tmp_path, demo=False):
        page = open_page("plans/compare_plans.py")
        assert chosen(page) == ("promptflow-v1", "promptflow-v1")
        assert query(page)["edit"] == "8000;cap;10000:2000bps;100000:1000bps;500"
        assert [info.proto.title for info in page.info][:1] == ["Plan B has the fix Cap down"]
        edited = open_page(
            "plans/compare_plans.py", **query(page) | {"edit": "8000;cap;10000:2000bps;100000:1200bps;500"}
        )
        assert [info.proto.title for info in edited.info][:1] == ["Plan B has the fix Cap down"]
        edited = open_page("plans/compare_plans.py", **query(page) | {"edit": "8000;10000:2000bps;100000:1200bps;500"})
        assert "Plan B has the fix Cap down" not in [info.proto.title for info in edited.info]
        assert "Both plans have the same rules" not in [info.proto.title for info in page.info]


def test_a_plan_beside_itself_asks_for_an_edit(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1")
    assert [info.value for info in page.info] == ["Change a number on the left, or choose another plan."]


def test_a_draft_stands_beside_the_plan_in_force(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/compare_plans.py")
    a, b = markups(page)
    assert (a[9_999], b[9_999], b[10_000]) == (1_999, 1_001, 1_000)
    assert small_tables(page)[COUNTS] == [
        ("Cliff", "2", "0", "-2"),
        ("Fee inversion", "1", "1", "0"),
        ("Loss", "2", "2", "different costs"),
        ("No markup", "1", "1", "0"),
        ("Below half a cent", "1", "1", "0"),
    ]


def test_a_link_brings_an_edited_plan_and_typical_runs_show_who_pays_more(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit=GRADUATED)
    # gpt-4 costs 30,000. A: 10 % of it. B: 20 % of the first 10,000 and 10 % of the other 20,000.
    a, b = markups(page)
    assert (a[99_999], b[99_999]) == (9_999, 10_999)
    assert run_of(page, "gpt-4") == {  # seven columns, and one sign: minus is worse off
        "Model": "gpt-4",
        "Inference": 30_000,
        "Plan A": 33_000,
        "Plan B": 34_000,
        "User gains": -1_000,
        "Creator gains": 0,
        "Platform gains": 1_000,
    }
    # 1,020 × 2.5 + 129 × 10 = 3,840 for the medians of the conversations; 20 % under both.
    assert run_of(page, "openai/gpt-4o")["Plan B"] == 4_608
    assert query(page)["edit"] == GRADUATED


def test_with_a_creator_fee_the_creators_part_shows(ledger: Engine) -> None:
    page = open_page(
        "plans/compare_plans.py", a="plan-1", b="plan-1", edit="7000;minimum=500;10000:2000bps;500", fee="1000"
    )
    row = run_of(page, "gpt-4")
    # A: 31,000, of which 800 and 200. B: 700 and 300, and 200 more for the platform's least of 500.
    assert (row["Plan A"], row["Plan B"]) == (31_000, 31_200)
    assert (row["User gains"], row["Creator gains"], row["Platform gains"]) == (-200, -100, 300)


def test_what_is_changed_shows_at_once_and_goes_into_the_link(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1")
    assert "edit" not in query(page)
    page = choose(page, **{"editor:graduated:0": True, "editor:share:0": "75"})
    assert query(page)["edit"] == "7500;graduated;10000:2000bps;100000:1000bps;500"
    page = click(page, "Undo edits")
    assert "edit" not in query(page)
    assert curves(page)[0] == curves(page)[1]


def test_another_plan_b_forgets_the_edits(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = choose(open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit=GRADUATED), b="capped")
    assert "edit" not in query(page)
    assert markups(page)[1][9_999] == 1_001


def test_an_edited_plan_is_kept_as_a_draft_under_another_id(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit=GRADUATED)
    assert page.get_by_key("editor:id:plan-1").value == "plan-1-edited"
    page = run(click(page, "Save draft"))
    assert rows(ledger, "SELECT id, revision FROM price_plans ORDER BY id") == [
        ("plan-1", 1),
        ("plan-1-edited", 1),
        ("promptflow-v1", 1),
    ]
    assert stored(ledger, "plan-1-edited").markup(30_000) == 4_000
    assert page.get_by_key("b").value == "plan-1-edited"
    assert "edit" not in query(page)


def test_a_draft_is_saved_again_as_its_next_revision(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = choose(open_page("plans/compare_plans.py"), **{"editor:share:0": "70"})
    page = run(click(page, "Save draft"))
    assert rows(ledger, "SELECT id, revision FROM price_plans WHERE id = 'capped'") == [("capped", 2)]
    assert stored(ledger, "capped").creator_share_bps == 7_000
    page = choose(page, **{"editor:share:1": "60"})
    run(click(page, "Save draft"))
    assert stored(ledger, "capped").creator_share_bps == 6_000


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = choose(open_page("plans/compare_plans.py"), **{"editor:share:0": "70"})
    world.save_draft(ledger, replace(CAPPED, creator_share_bps=1), revision=1)
    page = click(page, "Save draft")
    assert "was saved by somebody else meanwhile" in page.error[0].proto.title
    assert stored(ledger, "capped").creator_share_bps == 1


@pytest.mark.parametrize("plan_id", ["plan-1", "promptflow-v1", "No such id", ""])
def test_an_id_that_is_taken_or_cannot_be_is_refused(ledger: Engine, plan_id: str) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit=GRADUATED)
    page.get_by_key("editor:id:plan-1").set_value(plan_id)
    page = click(page, "Save draft")
    assert len(page.error) == 1
    assert len(rows(ledger, "SELECT id FROM price_plans")) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("8000;10:1bps;5:1bps;500", "must be above 10"),
        ("nonsense", "copy the link again"),
        ("8000;x", "the link is damaged at 'x'"),
    ],
)
def test_a_link_that_holds_no_plan_says_so_and_shows_the_stored_one(ledger: Engine, line: str, said: str) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit=line)
    assert said in page.warning[0].value.replace("\\", "")
    assert curves(page)[0] == curves(page)[1]


TIERS = "editor:tiers:0"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            {"markup:0": ""},
            "Tier 1 needs a markup such as 12 % or 500 credits; a percentage has at most two decimals.",
        ),
        ({"markup:1": "20.005"}, "Tier 2 needs a markup such as 12 % or 500 credits;"),
        ({"markup:1": "-1"}, "Tier 2 needs a markup such as 12 % or 500 credits;"),
        ({"markup:2": "5.5"}, "Tier 3 needs a markup such as 12 % or 500 credits;"),
        ({"markup:2": "5 euros"}, "Tier 3 needs a markup such as 12 % or 500 credits;"),
        ({"below:0": ""}, "Tier 1 needs a whole number of credits, such as 10,000, as its bound."),
        ({"below:0": "1.5"}, "Tier 1 needs a whole number of credits, such as 10,000, as its bound."),
        ({"below:1": "10000"}, "Tier 2: its bound must be above 10,000, the bound before it."),
    ],
)
def test_tiers_that_are_no_plan_are_refused_in_words(ledger: Engine, typed: dict[str, str], said: str) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1")
    page = choose(page, **{f"{TIERS}:{box}": text for box, text in typed.items()})
    assert [error.value.replace("\\", "")[: len(said)] for error in page.error] == [said]
    assert (charts(page), metrics(page)) == ([], {})


def test_what_stands_in_the_other_boxes_stays_while_one_is_wrong(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1")
    page = choose(page, **{"editor:share:0": "75", "editor:cap:0": True, f"{TIERS}:markup:1": "x"})
    page = choose(page, **{f"{TIERS}:markup:1": "11"})
    assert query(page)["edit"] == "7500;cap;10000:2000bps;100000:1100bps;500"


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ({"markup:0": "19.99"}, "8000;10000:1999bps;100000:1000bps;500"),
        ({"markup:1": "12 %"}, "8000;10000:2000bps;100000:1200bps;500"),
        ({"markup:1": "12%"}, "8000;10000:2000bps;100000:1200bps;500"),
        ({"markup:1": "700 credits"}, "8000;10000:2000bps;100000:700;500"),
        ({"markup:1": "1 credit"}, "8000;10000:2000bps;100000:1;500"),
        ({"markup:2": "700"}, "8000;10000:2000bps;100000:1000bps;700"),
        ({"markup:2": "1,700"}, "8000;10000:2000bps;100000:1000bps;1700"),
        ({"markup:2": "0.5 %"}, "8000;10000:2000bps;100000:1000bps;50bps"),
        ({"below:0": "20,000"}, "8000;20000:2000bps;100000:1000bps;500"),
    ],
)
def test_a_markup_is_read_with_its_unit_and_a_number_alone_keeps_it(
    ledger: Engine, typed: dict[str, str], line: str
) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1")
    page = choose(page, **{f"{TIERS}:{box}": text for box, text in typed.items()})
    assert query(page)["edit"] == line


def press(page: AppTest, key: str) -> AppTest:
    page.get_by_key(f"{TIERS}:{key}").click()
    return run(page)


def test_tiers_are_added_and_removed(ledger: Engine) -> None:
    page = choose(open_page("plans/compare_plans.py", a="plan-1", b="plan-1"), **{f"{TIERS}:below:1": "300000"})
    page = press(page, "add")  # twice the bound before it, with the markup of the last tier
    assert query(page)["edit"] == "8000;10000:2000bps;300000:1000bps;600000:500;500"
    page = choose(page, **{f"{TIERS}:markup:3": "5 %"})
    page = press(page, "remove:0")
    assert query(page)["edit"] == "8000;300000:1000bps;600000:500bps;500"
    page = press(page, "remove:2")  # the last one: the tier before it goes on without a bound
    assert query(page)["edit"] == "8000;300000:1000bps;500bps"
    page = press(press(page, "remove:1"), "add")
    assert query(page)["edit"] == "8000;10000:500;500bps"


def test_one_tier_cannot_be_removed(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", a="plan-1", b="plan-1", edit="8000;2000bps")
    assert page.get_by_key(f"{TIERS}:remove:0").disabled


def test_the_card_fee_is_the_readers_own(ledger: Engine) -> None:
    beside_itself = {"a": "plan-1", "b": "plan-1"}
    page = open_page("plans/compare_plans.py", **beside_itself)
    counted = {row[0]: row[1:] for row in small_tables(page)[COUNTS]}
    assert counted["Loss"] == ("2", "2", "0")
    page = open_page("plans/compare_plans.py", **beside_itself, card="0")
    without = {row[0]: row[1:] for row in small_tables(page)[COUNTS]}
    assert without["Loss"] == ("0", "0", "0")


def test_how_much_more_than_its_hold_a_run_may_cost_is_edited(ledger: Engine) -> None:
    page = choose(open_page("plans/compare_plans.py"), **{"editor:overrun:0": "10"})
    assert from_line("".join(page.query_params["edit"]), "plan-1").hold_overrun_bps == 1_000
    assert [one.label for one in page.expander if "differ" in one.label] == ["Read the rules that differ (1)"]
    assert [text.value for text in page.markdown if "overrun" in text.value] == [r"- hold\_overrun\_bps\: 0 \-\> 1000"]
    assert "10 % more than was set aside" in captions(page)
