"""The screen Compare plans: what is edited shows at once, lives in the link, and is kept as a draft."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.pricing.plan_toml import parse_price_plan
from tests.support import page_driver, world
from tests.support.page_driver import charts, choose, click, open_page, run, small_tables, table
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
    (row,) = (row for row in table(page, -1) if row["", "Model"] == model)
    return row


def curves(page: AppTest) -> tuple[dict[int, int], dict[int, int]]:
    a, b = charts(page)[0]["data"][:2]
    return dict(zip(a["x"], a["y"], strict=True)), dict(zip(b["x"], b["y"], strict=True))


def stored(ledger: Engine, plan_id: str) -> Any:
    return parse_price_plan(str(scalar(ledger, f"SELECT toml FROM price_plans WHERE id = '{plan_id}'")))


def test_without_a_draft_the_plan_in_force_stands_beside_itself(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py")
    assert (page.get_by_key("a").value, page.get_by_key("b").value) == ("plan-1", "plan-1")
    assert [info.value for info in page.info] == ["Choose another plan B, or edit it above."]


def test_a_draft_stands_beside_the_plan_in_force(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/compare_plans.py")
    assert (page.get_by_key("a").value, page.get_by_key("b").value) == ("plan-1", "capped")
    assert query(page) == {"a": "plan-1", "b": "capped"}  # so that the link stays true when another plan is in force
    a, b = curves(page)
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
    a, b = curves(page)
    assert (a[99_999], b[99_999]) == (9_999, 10_999)
    assert run_of(page, "gpt-4") == {
        ("", "Model"): "gpt-4",
        ("", "Inference"): 30_000,
        ("User", "A"): 33_000,
        ("User", "B"): 34_000,
        ("User", "±"): 1_000,
        ("User", "%"): "+3.03 %",
        ("Creator", "A"): 0,
        ("Creator", "±"): 0,
        ("Creator", "%"): "0 %",
        ("Platform", "A"): 3_000,
        ("Platform", "±"): 1_000,
        ("Platform", "%"): "+33.33 %",
    }
    # 1,020 × 2.5 + 129 × 10 = 3,840 for the medians of the conversations; 20 % under both.
    assert run_of(page, "openai/gpt-4o")["User", "B"] == 4_608
    assert query(page)["edit"] == GRADUATED


def test_with_a_creator_fee_the_creators_part_shows(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", b="plan-1", edit="7000;minimum=500;10000:2000bps;500", fee="1000")
    row = run_of(page, "gpt-4")
    # A: 31,000, of which 800 and 200. B: 700 and 300, and 200 more for the platform's least of 500.
    assert (row["User", "A"], row["User", "B"], row["Creator", "A"], row["Creator", "±"]) == (
        31_000,
        31_200,
        800,
        -100,
    )
    assert (row["Creator", "%"], row["Platform", "A"], row["Platform", "±"]) == ("-12.5 %", 200, 300)


def test_what_is_changed_shows_at_once_and_goes_into_the_link(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py")
    assert "edit" not in query(page)
    page = choose(page, **{"editor:graduated:0": True, "editor:share:0": "75"})
    assert query(page)["edit"] == "7500;graduated;10000:2000bps;100000:1000bps;500"
    page = click(page, "Undo all edits")
    assert "edit" not in query(page)
    assert curves(page)[0] == curves(page)[1]


def test_another_plan_b_forgets_the_edits(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = choose(open_page("plans/compare_plans.py", b="plan-1", edit=GRADUATED), b="capped")
    assert "edit" not in query(page)
    assert curves(page)[1][9_999] == 1_001


def test_an_edited_plan_is_kept_as_a_draft_under_another_id(ledger: Engine) -> None:
    page = open_page("plans/compare_plans.py", b="plan-1", edit=GRADUATED)
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
    page = open_page("plans/compare_plans.py", b="plan-1", edit=GRADUATED)
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
    page = open_page("plans/compare_plans.py", b="plan-1", edit=line)
    assert said in page.warning[0].value.replace("\\", "")
    assert curves(page)[0] == curves(page)[1]


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([], "A plan needs at least one tier: add a row with a markup."),
        ([(10, 20.0, None)], "Tier 1 is the last and must have no Cost below, so that every cost has a tier."),
        ([(None, 20.0, 5)], "Tier 1 needs exactly one of Markup and flat markup."),
        ([(None, 20.005, None)], "A markup has at most two decimals, not 20.005."),
        (
            [(20, 1.0, None), (10, 1.0, None), (None, 1.0, None)],
            "Tier 2: Cost below must be above 20, the bound before it.",
        ),
    ],
)
def test_tiers_that_are_no_plan_are_refused_in_words(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, tiers: list[tuple[Any, ...]], said: str
) -> None:
    # The driver of these tests has no table editor, so what a person would leave in it is put in its place.
    def edited(frame: pd.DataFrame, **_: Any) -> pd.DataFrame:
        return pd.DataFrame(tiers, columns=frame.columns).astype(frame.dtypes.to_dict())

    monkeypatch.setattr("streamlit.data_editor", edited)
    page = open_page("plans/compare_plans.py")
    assert [error.value.replace("\\", "") for error in page.error] == [said]
    assert charts(page) == []


def test_edited_tiers_are_read_to_the_hundredth_of_a_per_cent(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def edited(frame: pd.DataFrame, **_: Any) -> pd.DataFrame:
        tiers = [(10_000, 19.99, None), (None, None, 700)]
        return pd.DataFrame(tiers, columns=frame.columns).astype(frame.dtypes.to_dict())

    monkeypatch.setattr("streamlit.data_editor", edited)
    page = open_page("plans/compare_plans.py")
    assert query(page)["edit"] == "8000;10000:1999bps;700"


def test_the_card_fee_is_the_readers_own(ledger: Engine) -> None:
    counted = {row[0]: row[1:] for row in small_tables(open_page("plans/compare_plans.py"))[COUNTS]}
    assert counted["Loss"] == ("2", "2", "0")
    without = {row[0]: row[1:] for row in small_tables(open_page("plans/compare_plans.py", card="0"))[COUNTS]}
    assert without["Loss"] == ("0", "0", "0")
