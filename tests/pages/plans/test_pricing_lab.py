"""The screen Plans: findings, curve and fixes of a plan, and its way from a draft to the live plan and back."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.pricing.plan_toml import parse_price_plan
from tests.support import page_driver, world
from tests.support.page_driver import button_labels, charts, choose, click, links, open_page, run, table
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


def kinds(page: AppTest) -> Counter[str]:
    """How many findings of each kind are shown, by their badges."""
    badges = (re.fullmatch(r":[a-z]+-badge\[:material/[a-z_]+: (.*)\]", button.label) for button in page.button)
    return Counter(badge[1] for badge in badges if badge)


def sentences(page: AppTest) -> list[str]:
    """The findings as they are read, without their badges."""
    begin = ("A run that", "Adding a creator fee", "Card fees", "We earn no", "Runs costing")
    return [line.value.replace("\\", "") for line in page.caption if line.value.startswith(begin)]


def headline(page: AppTest) -> str:
    return str(page.header[0].value).replace("\\", "")


def said(page: AppTest) -> list[str]:
    """What the screen says was done."""
    shown = [
        line.value for line in page.markdown if line.value.startswith((":material/check_circle:", ":material/undo:"))
    ]
    return [line.split(": ", 1)[1].replace("\\", "") for line in shown]


def curve(page: AppTest) -> dict[str, Any]:
    """The curve of the plan itself; the live plan's may be drawn before it."""
    lines = [trace for trace in charts(page)[0]["data"] if trace.get("mode") == "lines"]
    found: dict[str, Any] = lines[-1]
    return found


def bars(page: AppTest) -> list[dict[str, Any]]:
    return [trace for trace in charts(page)[0]["data"] if trace["type"] == "bar"]


def test_the_cliffs_of_the_specification_are_seen_first(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    assert kinds(page) == {"Cliff": 2, "Fee inversion": 1, "Loss": 2, "No markup": 1, "Below half a cent": 1}
    assert headline(page) == "This plan has 2 cliffs: dearer runs that cost less."
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
        ("Rate", {9_999: 19.99, 10_000: 10.0, 99_999: 9.99, 100_000: 0.5}),
    ],
)
@pytest.mark.parametrize("axis", ["Log", "Linear"])
def test_the_curve_has_both_sides_of_every_cliff(
    untouched: Engine, measure: str, at: dict[int, float], axis: str
) -> None:
    page = open_page("plans/pricing_lab.py", measure=measure, axis=axis)
    drawn = dict(zip(curve(page)["x"], curve(page)["y"], strict=True))
    assert {cost: drawn[cost] for cost in at} == at
    figure = charts(page)[0]
    assert figure["layout"]["xaxis"]["type"] == ("log" if axis == "Log" else "linear")
    (marked,) = (trace for trace in figure["data"] if trace.get("mode") == "markers")
    assert dict(zip(marked["x"], marked["y"], strict=True)) == at
    assert marked["text"][0].startswith("A run that costs us 9,999 is billed 11,998; one that costs 10,000")


def test_hovering_tells_the_whole_breakdown(untouched: Engine) -> None:
    drawn = curve(open_page("plans/pricing_lab.py", axis="Linear"))
    texts = dict(zip(drawn["x"], drawn["text"], strict=True))
    assert texts[9_999] == (
        "Inference cost 9,999<br>Markup 1,999 (cost below 10,000: 20 %, rounded down)<br>"
        "Total 11,998 ($0.011998)<br>Markup rate 19.99 %"
    )


def test_each_finding_is_marked_over_the_costs_it_holds_for(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py", axis="Linear")
    assert [(bar["y"][0], [bar["base"][0], bar["base"][0] + bar["x"][0]]) for bar in bars(page)] == [
        ("Cliff", [9_168, 10_000]),
        ("Cliff", [91_365, 100_000]),
        ("Inversion", [10, 500_000]),
        ("Loss", [1, 4]),
        ("Loss", [100_000, 500_000]),
        ("No markup", [1, 4]),
        ("Below ½ ¢", [1, 4_166]),
    ]


def test_the_chart_opens_on_the_total_around_the_first_cliff(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    figure = charts(page)[0]
    # The cliff is from 9,168 to 10,000: 832 before it, and half as much again after it.
    assert figure["layout"]["xaxis"]["range"] == [9_168 - 832, 10_000 + 1_248]
    assert figure["layout"]["xaxis"]["type"] == figure["layout"]["yaxis"]["type"] == "linear"
    drawn = dict(zip(curve(page)["x"], curve(page)["y"], strict=True))
    assert (min(drawn), drawn[9_999], drawn[10_000], max(drawn)) == (8_336, 11_998, 11_000, 11_248)
    # 8,336 costs 10,003 and 11,248 costs 12,372; so the cliff is nearly half of what is seen.
    low, high = figure["layout"]["yaxis"]["range"]
    assert 9_700 < low < 10_003
    assert 12_372 < high < 12_700
    assert [bar["y"][0] for bar in bars(page)] == ["Cliff", "Inversion"]


def test_a_cured_plan_is_seen_without_its_cliff_beside_the_live_plan(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/pricing_lab.py", plan=CAPPED.id)
    assert headline(page) == "This plan has no cliffs."
    live, cured = (trace for trace in charts(page)[0]["data"] if trace.get("mode") == "lines")
    assert (live["name"], live["line"]["dash"], cured["name"]) == ("Live plan", "dot", "This plan")
    totals = dict(zip(cured["x"], cured["y"], strict=True))
    # The same costs as for the live plan; from 9,167 on every run costs what 10,000 costs, 11,000.
    assert charts(page)[0]["layout"]["xaxis"]["range"] == [8_336, 11_248]
    assert totals[9_999] == totals[10_000] == 11_000
    assert sorted(totals.values()) == list(totals.values())


def test_a_finding_that_is_chosen_is_shown_in_the_chart(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    page.get_by_key("finding:1:show").click()
    # From 91,365 to 100,000: 8,635 before it, 12,952 after it.
    assert charts(run(page))[0]["layout"]["xaxis"]["range"] == [82_730, 112_952]


def test_another_card_fee_moves_the_loss_zones(untouched: Engine) -> None:
    page = open_page("plans/pricing_lab.py", card="0", card_fixed="0")
    assert kinds(page)["Loss"] == 0
    page = choose(page, card="2.9", card_fixed="300000")
    assert "Card fees (2.9 % + $0.30) exceed our markup on every run" in " ".join(sentences(page))
    page = choose(page, card="2.905")
    assert [one.value for one in page.caption if ":red[" in one.value] == [
        ":red[Enter a percentage from 0 to 99.99 %, with at most two decimals.]"
    ]
    assert [box.value for box in page.warning] == ["Correct the card fee first."]
    assert (sentences(page), charts(page)) == ([], [])


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
    assert page.get_by_key("plan").value == "promptflow-v1"  # one stays where one was
    assert said(page) == ["Saved the draft **promptflow-v1-capped**. It charges nobody."]
    assert rows(ledger, "SELECT id, revision, actor FROM price_plans ORDER BY id") == [
        ("promptflow-v1", 1, "migration"),
        ("promptflow-v1-capped", 1, "dashboard"),
    ]
    # The same cure is not offered twice: there is a button that opens it instead.
    assert "cure:promptflow-v1-capped:button" not in [button.key for button in page.button]
    page.get_by_key("open:promptflow-v1-capped").click()
    page = run(run(page))
    assert page.get_by_key("plan").value == "promptflow-v1-capped"
    assert kinds(page)["Cliff"] == 0
    page = choose(page, measure="Markup")
    # Capped, 9,999 costs what 10,000 does: 11,000.
    assert dict(zip(curve(page)["x"], curve(page)["y"], strict=True))[9_999] == 1_001


def test_a_draft_that_was_saved_by_mistake_is_undone(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    page.get_by_key("cure:promptflow-v1-capped:button").click()
    page = undo(run(run(page)))
    assert said(page) == ["Discarded again."]
    assert rows(ledger, "SELECT id FROM price_plans WHERE discarded_at_us IS NULL") == [("promptflow-v1",)]
    assert "cure:promptflow-v1-capped:button" in [button.key for button in page.button]
    page.get_by_key("cure:promptflow-v1-capped:button").click()
    run(run(page))
    assert rows(ledger, "SELECT COUNT(*) FROM price_plans") == [(2,)]


def test_a_draft_that_somebody_changed_since_is_not_discarded_by_undo(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py")
    page.get_by_key("cure:promptflow-v1-capped:button").click()
    page = run(run(page))
    world.save_draft(ledger, replace(CAPPED, creator_share_bps=1), revision=1)
    page = undo(page)
    assert said(page)[0].startswith("Not undone: The draft 'promptflow-v1-capped' was saved by somebody else meanwhile")
    assert rows(ledger, "SELECT revision FROM price_plans WHERE id = 'promptflow-v1-capped'") == [(2,)]


def undo(page: AppTest) -> AppTest:
    """The page after a click on the way back in its head."""
    (button,) = (button for button in page.button if (button.key or "").startswith("undo:head:"))
    button.click()
    return run(page)


def make_live(page: AppTest, reason: str) -> AppTest:
    """The page after somebody has made the plan live, from the button in the head on."""
    page = click(page, "Make live")
    page = choose(page, **{"activate:reason": reason})
    page.get_by_key("activate:confirm").click()
    return run(run(page))


def test_a_draft_is_made_live_with_a_reason_that_is_asked_for_before(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = open_page("plans/pricing_lab.py", plan="promptflow-v1-capped")
    assert {"Make live", "Discard draft"} <= set(button_labels(page))
    page = click(page, "Make live")
    assert page.get_by_key("activate:confirm").disabled
    page = choose(page, **{"activate:reason": " "})
    assert page.get_by_key("activate:confirm").disabled
    page = choose(page, **{"activate:reason": "No cliffs"})
    assert not page.get_by_key("activate:confirm").disabled
    page.get_by_key("activate:confirm").click()
    page = run(run(page))
    assert rows(ledger, "SELECT id, plan_id, reason, actor FROM plan_activations ORDER BY id")[1:] == [
        (2, "promptflow-v1-capped", "No cliffs", "dashboard")
    ]
    assert "Make live" not in button_labels(page)
    assert [link.proto.query_string for link in page.sidebar.get("page_link")] == [
        "to_plan=promptflow-v1-capped&anew=",
        "to_plan=promptflow-v1-capped&anew=",  # in the list of what was done
    ]
    assert said(page) == ["**promptflow-v1-capped** is live. It prices every new run and unlock."]
    journal = table(page, -1)
    assert [(line["Plan"], line["By"], line["Reason"]) for line in journal] == [
        ("promptflow-v1-capped", "dashboard", "No cliffs"),
        ("promptflow-v1", "migration", "The specification's plan"),
    ]
    assert journal[1]["Live since (UTC)"] == "the start"


def test_an_activation_is_undone_by_making_the_plan_before_live_again(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = make_live(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "No cliffs")
    assert "Make promptflow-v1 live again" in button_labels(page)
    page = undo(page)
    assert said(page) == ["promptflow-v1 is live again."]
    assert rows(ledger, "SELECT plan_id, reason FROM plan_activations ORDER BY id")[2:] == [
        ("promptflow-v1", "Undone: promptflow-v1-capped was made live by mistake")
    ]


def test_an_activation_is_not_undone_when_somebody_made_another_plan_live_since(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = make_live(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "No cliffs")
    world.put_in_force(ledger, replace(CAPPED, id="other"))
    page = undo(page)
    assert said(page)[0].startswith("Not undone: The price plan 'other' was made live meanwhile")
    assert rows(ledger, "SELECT plan_id FROM plan_activations ORDER BY id DESC LIMIT 1") == [("other",)]


def test_a_plan_does_not_take_the_place_of_another_one_than_the_question_named(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "Make live")
    page = choose(page, **{"activate:reason": "No cliffs"})
    assert "in place of **promptflow-v1**" in " ".join(line.value for line in page.markdown).replace("\\", "")
    world.put_in_force(ledger, replace(CAPPED, id="other"))
    page.get_by_key("activate:confirm").click()
    page = run(page)
    assert rows(ledger, "SELECT plan_id FROM plan_activations ORDER BY id DESC LIMIT 1") == [("other",)]
    assert [box.value for box in page.warning] == ["Now other is live. Nothing was changed."]


def test_a_draft_that_changed_meanwhile_is_not_put_in_force(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "Make live")
    page = choose(page, **{"activate:reason": "No cliffs"})
    world.save_draft(ledger, replace(CAPPED, creator_share_bps=1), revision=1)
    page.get_by_key("activate:confirm").click()
    page = run(page)
    assert rows(ledger, "SELECT COUNT(*) FROM plan_activations") == [(1,)]


def test_a_draft_is_discarded_and_saved_again(ledger: Engine) -> None:
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="promptflow-v1-capped"), "Discard draft")
    page.get_by_key("discard:confirm").click()
    page = run(run(page))
    assert rows(ledger, "SELECT id FROM price_plans WHERE discarded_at_us IS NULL") == [("promptflow-v1",)]
    assert page.get_by_key("plan").value == "promptflow-v1"
    assert said(page) == ["Discarded the draft **promptflow-v1-capped**."]
    page = undo(page)
    assert said(page) == ["promptflow-v1-capped is a draft again."]
    assert rows(ledger, "SELECT id, revision FROM price_plans ORDER BY id")[1:] == [("promptflow-v1-capped", 2)]


def test_a_plan_without_cliffs_and_inversions_offers_no_cure(ledger: Engine) -> None:
    fair = replace(SPECIFICATION, id="fair", cap_down=True, minimum_platform_income_is_markup=True)
    world.save_draft(ledger, fair)
    page = open_page("plans/pricing_lab.py", plan="fair")
    assert "Fix it" not in [heading.value for heading in page.header]
    assert links(page)["Compare and edit"][1] == "a=promptflow-v1&b=fair&anew="
    assert (
        links(page)["Replay all history under this plan"][1]
        == links(page)["Try this plan in a scenario"][1]
        == links(page)["Set a fee under this plan"][1]
        == "to_plan=fair&anew="
    )


def test_the_assumed_card_fee_goes_along_to_the_comparison(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py", card="15", card_fixed="300")
    assert links(page)["Compare and edit"][1] == "anew=&to_card=15&to_card_fixed=300"
    compared = open_page("plans/compare_plans.py", a="promptflow-v1", b="promptflow-v1", anew="", to_card="15")
    assert (compared.get_by_key("card").value, compared.get_by_key("card_fixed").value) == ("15", "")


@pytest.mark.parametrize("file", ["replay/replay_history.py", "scenario/scenario.py"])
def test_a_link_from_the_lab_brings_the_plan_along(ledger: Engine, file: str) -> None:
    world.save_draft(ledger, CAPPED)
    assert open_page(file, to_plan=CAPPED.id, anew="").get_by_key("plan:box").value == CAPPED.id


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
    assert rows(ledger, "SELECT id FROM price_plans WHERE discarded_at_us IS NULL") == [("promptflow-v1",)]


def test_a_link_to_a_plan_that_is_not_there_says_so(ledger: Engine) -> None:
    page = open_page("plans/pricing_lab.py", plan="nowhere")
    assert [box.value for box in page.warning] == ["There is no price plan nowhere. Showing promptflow\\-v1 instead."]
    assert page.get_by_key("plan").value == "promptflow-v1"
