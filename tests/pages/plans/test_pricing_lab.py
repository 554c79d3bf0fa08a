"""The screen Pricing lab: findings, curves and cures of a plan, and its way from a draft into force."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.pricing.plan_toml import parse_price_plan
from tests.support import page_driver, world
from tests.support.page_driver import button_labels, charts, choose, click, links, metrics, open_page, run, small_tables
from tests.support.plain_sql import rows
from tests.support.plans import SPECIFICATION

CAPPED = replace(SPECIFICATION, id="promptflow-v1-capped", cap_down=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """For tests that only look."""
    with page_driver.dashboard(tmp_path_factory.mktemp("lab"), demo=False) as engine:
        yield engine


def counts(page: AppTest) -> dict[str, str]:
    return {label: value for label, (value, _) in metrics(page).items()}


def sentences(page: AppTest) -> list[str]:
    """The findings as they are read, without their badges."""
    found = [line.value for line in page.markdown if "-badge[" in line.value and "material" in line.value]
    return [line.split("] ", 1)[1].replace("\\", "") for line in found if "Test environment" not in line]


def curve(page: AppTest) -> dict[str, Any]:
    return charts(page)[0]["data"][0]


def test_the_cliffs_of_the_specification_are_seen_first(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    assert counts(page) == {"Cliffs": "2", "Fee inversions": "1", "Loss zones": "2", "Without markup": "1"}
    assert sentences(page)[:3] == [
        "A run that costs us 9,999 is billed 11,998; one that costs 10,000 is billed 11,000. Runs costing 9,168-9,999"
        " pay more than dearer ones.",
        "A run that costs us 99,999 is billed 109,998; one that costs 100,000 is billed 100,500. Runs costing"
        " 91,365-99,999 pay more than dearer ones.",
        "Adding a creator fee can make a run cheaper, because a fee replaces our markup. Example: model cost 99,999, no"
        " fee: 109,998; fee 1: 100,000. We only break even at a fee of 49,991. This affects runs that cost 10 or more.",
    ]


@pytest.mark.parametrize(
    ("measure", "at"),
    [
        # 20 % of 9,999 is 1,999.8 and 10 % of 10,000 is 1,000; the flat 500 is 0.5 % of 100,000.
        ("Markup", {9_999: 1_999, 10_000: 1_000, 99_999: 9_999, 100_000: 500}),
        ("Total", {9_999: 11_998, 10_000: 11_000, 99_999: 109_998, 100_000: 100_500}),
        ("Effective markup", {9_999: 19.99, 10_000: 10.0, 99_999: 9.99, 100_000: 0.5}),
    ],
)
@pytest.mark.parametrize("axis", ["Logarithmic", "Linear"])
def test_the_curve_has_both_sides_of_every_cliff(
    untouched: Engine, measure: str, at: dict[int, float], axis: str
) -> None:
    page = open_page("plans/pricing_lab.py", measure=measure, axis=axis)
    drawn = dict(zip(curve(page)["x"], curve(page)["y"], strict=True))
    assert {cost: drawn[cost] for cost in at} == at
    figure = charts(page)[0]
    assert figure["layout"]["xaxis"]["type"] == ("log" if axis == "Logarithmic" else "linear")
    marked = figure["data"][1]
    assert dict(zip(marked["x"], marked["y"], strict=True)) == at
    assert marked["text"][0].startswith("A run that costs us 9,999 is billed 11,998; one that costs 10,000")


def test_hovering_tells_the_whole_breakdown(untouched: Engine) -> None:
    drawn = curve(open_page("plans/pricing_lab.py"))
    texts = dict(zip(drawn["x"], drawn["text"], strict=True))
    assert texts[9_999] == (
        "Inference cost 9,999<br>Markup 1,999 (cost below 10,000: 20 %, rounded down)<br>"
        "Total 11,998 ($0.011998)<br>Effective markup 19.99 %"
    )


def test_each_finding_is_marked_over_the_costs_it_holds_for(untouched: Engine) -> None:
    bars = [(bar["y"][0], bar["x"]) for bar in charts(open_page("plans/pricing_lab.py"))[0]["data"][2:]]
    assert bars == [
        ("Cliff", [9_168, 10_000]),
        ("Cliff", [91_365, 100_000]),
        ("Fee inversion", [10, 500_000]),
        ("Loss", [1, 4]),
        ("Loss", [100_000, 500_000]),
        ("No markup", [1, 4]),
        ("Below half a cent", [1, 4_166]),
    ]


def test_another_card_fee_moves_the_loss_zones(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py", card="0", card_fixed="0")
    assert counts(page)["Loss zones"] == "0"
    page = choose(page, card="2.9", card_fixed="300000")
    assert "Card fees (2.9 % + $0.30) exceed our markup on every run" in " ".join(sentences(page))
    page = choose(page, card="2.905")
    assert [one.value for one in page.caption if ":red[" in one.value] == [
        ":red[Enter a percentage from 0 to 99.99 %, with at most two decimals.]"
    ]
    assert metrics(page) == {}


def test_a_cure_becomes_a_draft_by_one_click(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    offered = [line.value for line in page.caption if line.value.startswith("Fixes")]
    assert offered == [
        "Fixes both cliffs. Remaining: 1 fee inversion, 2 loss zones.",
        "Fixes both cliffs. Remaining: 1 fee inversion, 2 loss zones.",
        "Fixes the fee inversion. Remaining: 2 cliffs, 2 loss zones.",
    ]
    page.get_by_key("cure:promptflow-v1-capped:button").click()
    page = run(run(page))
    assert page.get_by_key("plan").value == "promptflow-v1-capped"
    assert counts(page)["Cliffs"] == "0"
    # Capped, 9,999 costs what 10,000 does: 11,000.
    drawn = dict(zip(curve(page)["x"], curve(page)["y"], strict=True))
    assert drawn[9_999] == 1_001
    assert rows(ledger, "SELECT id, revision, actor FROM price_plans ORDER BY id") == [
        ("promptflow-v1", 1, "migration"),
        ("promptflow-v1-capped", 1, "dashboard"),
    ]
    # The same cure is not offered twice: there is a link to it instead.
    first = open_page("plans/pricing_lab.py")
    assert links(first)["Open promptflow-v1-capped"][1] == "plan=promptflow-v1-capped&anew="


def test_a_draft_is_put_in_force_with_a_reason(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/pricing_lab.py", plan="promptflow-v1-capped")
    assert {"Make live", "Discard draft"} <= set(button_labels(page))
    page = click(page, "Make live")
    confirm = next(button for button in page.button if button.form_id == "activate")
    confirm.click()
    page = run(page)
    assert [warning.value for warning in page.warning] == ["Enter a reason, at most 500 printable characters."]
    page.get_by_key("activate:reason").set_value("No cliffs")
    next(button for button in page.button if button.form_id == "activate").click()
    page = run(run(page))
    assert rows(ledger, "SELECT id, plan_id, reason, actor FROM plan_activations ORDER BY id")[1:] == [
        (2, "promptflow-v1-capped", "No cliffs", "dashboard")
    ]
    assert "Make live" not in button_labels(page)
    assert "live plan promptflow-v1-capped" in " ".join(one.value for one in page.sidebar.caption)
    journal = small_tables(page)["Every time a price plan was made live, newest first"]
    assert [row[1:2] + row[3:] for row in journal] == [
        ("promptflow-v1-capped", "dashboard", "No cliffs"),
        ("promptflow-v1", "migration", "The specification's plan"),
    ]
    assert journal[1][2] == "the start"


def test_a_draft_that_changed_meanwhile_is_not_put_in_force(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "Make live")
    page.get_by_key("activate:reason").set_value("No cliffs")
    world.save_draft(ledger, replace(CAPPED, creator_share_bps=1), revision=1)
    next(button for button in page.button if button.form_id == "activate").click()
    page = run(page)
    assert rows(ledger, "SELECT COUNT(*) FROM plan_activations") == [(1,)]


def test_a_draft_is_discarded(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "Discard draft")
    page.get_by_key("discard:confirm").click()
    page = run(run(page))
    assert rows(ledger, "SELECT id FROM price_plans WHERE discarded_at_us IS NULL") == [("promptflow-v1",)]
    assert page.get_by_key("plan").options == ["promptflow-v1"]


def test_a_plan_without_cliffs_and_inversions_offers_no_cure(ledger: Engine) -> None:
    fair = replace(SPECIFICATION, id="fair", cap_down=True, minimum_platform_income_is_markup=True)
    world.save_draft(ledger, fair)
    page = open_page("plans/pricing_lab.py", plan="fair")
    assert "Fix the findings" not in [heading.value for heading in page.subheader]
    assert links(page)["Compare with the live plan, or edit"][1] == "a=promptflow-v1&b=fair&anew="
    assert (
        links(page)["Replay history under this plan"][1]
        == links(page)["Try this plan in a scenario"][1]
        == "to_plan=fair&anew="
    )


def test_the_assumed_card_fee_goes_along_to_the_comparison(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py", card="15", card_fixed="300")
    assert links(page)["Edit this plan"][1] == "a=promptflow-v1&b=promptflow-v1&anew=&to_card=15&to_card_fixed=300"
    compared = open_page("plans/compare_plans.py", a="promptflow-v1", b="promptflow-v1", anew="", to_card="15")
    assert (compared.get_by_key("card").value, compared.get_by_key("card_fixed").value) == ("15", "")


@pytest.mark.parametrize("file", ["replay/replay_history.py", "scenario/scenario.py"])
def test_a_link_from_the_lab_brings_the_plan_along(ledger: Engine, file: str) -> None:
    world.save_draft(ledger, CAPPED)
    assert open_page(file, to_plan=CAPPED.id, anew="").get_by_key("plan").value == CAPPED.id


# --- a plan from a file ---------------------------------------------------------------------------------------------

MINE = 'id = "mine"\ncreator_share_bps = 7000\n[[tiers]]\nmarkup_bps = 2500\n'


def bring_in(text: str) -> AppTest:
    page = open_page("plans/pricing_lab.py")
    page.file_uploader[0].set_value(("mine.toml", text.encode(), "application/toml"))
    return run(page)


def test_a_plan_from_a_file_becomes_a_draft_and_then_its_next_revision(ledger: Engine) -> None:
    page = run(click(bring_in(MINE), "Save mine as draft"))
    assert page.get_by_key("plan").value == "mine"
    click(bring_in(MINE.replace("7000", "6000")), "Replace draft mine")
    (stored,) = rows(ledger, "SELECT toml, revision FROM price_plans WHERE id = 'mine'")
    assert (parse_price_plan(str(stored[0])).creator_share_bps, stored[1]) == (6_000, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINE.replace("2500", "-1"), "line 4\\: tier 1\\: markup\\_bps must be a whole number from 0 to 1,000,000"),
        (MINE.replace("creator_share_bps = 7000", ""), "creator\\_share\\_bps is missing; it must be"),
        ("id = ", "is not TOML"),
        (MINE.replace("mine", "promptflow-v1"), "was made live, so it can never be changed"),
    ],
)
def test_a_file_that_cannot_become_a_draft_says_why_and_offers_no_button(ledger: Engine, text: str, told: str) -> None:
    page = bring_in(text)
    assert told in f"{page.error[0].proto.title} {page.error[0].value}"
    assert not [label for label in button_labels(page) if "draft" in label and label != "Save as draft"]
    assert rows(ledger, "SELECT id FROM price_plans") == [("promptflow-v1",)]


def test_a_link_to_a_plan_that_is_not_there_says_so(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py", plan="nowhere")
    assert [box.value for box in page.warning] == ["There is no price plan nowhere. Showing promptflow\\-v1 instead."]
    assert page.get_by_key("plan").value == "promptflow-v1"
