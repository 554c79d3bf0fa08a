"""What the inspector says of the specification's plan, sentence by sentence, and the commands that print it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from credits_core.cli import main as cli
from credits_core.errors import DataFileInvalid
from credits_core.lab.inspector.findings import findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.plans.refusals import UnknownPlan
from credits_core.pricing.plan import MarkupTier, PricePlan
from tests.support.plans import SPECIFICATION

CARD = CardFee(share_bps=290, fixed_credits=0)
SENTENCES = [
    "A run that costs us 9,999 is billed 11,998; one that costs 10,000 is billed 11,000. Runs costing 9,168-9,999 pay"
    " more than dearer ones.",
    "A run that costs us 99,999 is billed 109,998; one that costs 100,000 is billed 100,500. Runs costing"
    " 91,365-99,999 pay more than dearer ones.",
    "Adding a creator fee can make a run cheaper, because a fee replaces our markup. Example: model cost 99,999, no"
    " fee: 109,998; fee 1: 100,000. We only break even at a fee of 49,991. This affects runs that cost 10 or more.",
    "Card fees (2.9 %) exceed our markup on every run that costs 1 to 4.",
    "Card fees (2.9 %) exceed our markup on every run that costs 100,000 or more.",
    "We earn no markup on runs that cost 1 to 4.",
    "Runs costing up to 4,166 credits round to $0.00 when shown in cents.",
]


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, ["plan", *arguments], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_each_property_of_the_specification_is_one_sentence() -> None:
    assert [finding.sentence for finding in findings(SPECIFICATION, CARD)] == SENTENCES


def test_a_plan_without_surprises_has_nothing_to_tell_but_its_smallest_runs() -> None:
    plan = PricePlan("fair", 8_000, (MarkupTier(None, 2_000, None),), minimum_platform_income_is_markup=True)
    assert [finding.kind for finding in findings(plan, CARD)] == ["loss", "unmarked", "unseen"]


def test_a_fixed_card_fee_and_a_plan_that_gives_creators_everything_are_said_so() -> None:
    plan = PricePlan("p", 10_000, (MarkupTier(None, 1_000, None),))
    said = [finding.sentence for finding in findings(plan, CardFee(150, 300_000))]
    assert "We never break even with a fee." in said[0]
    assert said[1].startswith("Card fees (1.5 % + $0.30) exceed our markup on every run that costs 0 to")


def test_nothing_is_said_of_more_when_a_tier_begins_beyond_what_is_looked_at() -> None:
    far = PricePlan("far", 8_000, (MarkupTier(2 * 10**9, 100, None), MarkupTier(None, None, 5)))
    said = [finding.sentence for finding in findings(far, CARD)]
    assert said[0].endswith("This affects runs that cost 200 to 1,000,000,000.")
    assert said[1] == "Card fees (2.9 %) exceed our markup on every run that costs 1 to 1,000,000,000."


def test_a_fee_inversion_is_shown_on_a_run_that_somebody_might_make() -> None:
    # 20 % below 10,000 and 10 % of whatever is above: the largest markup is that of a run for $1,000.
    plan = PricePlan("p", 8_000, (MarkupTier(10_000, 2_000, None), MarkupTier(None, 1_000, None)))
    (said,) = (finding.sentence for finding in findings(plan, CARD) if finding.kind == "inversion")
    assert said == (
        "Adding a creator fee can make a run cheaper, because a fee replaces our markup. Example: model cost 50,000, no"
        " fee: 55,000; fee 1: 50,001. We only break even at a fee of 24,996. This affects runs that cost 10 or more."
    )


def test_a_loss_zone_of_large_costs_ends_where_it_ends() -> None:
    # 1 % up to five million and 50 % from there on: 2.9 % of the total is more than the one and less than the other.
    plan = PricePlan("p", 8_000, (MarkupTier(5_000_000, 100, None), MarkupTier(None, 5_000, None)))
    assert [finding.sentence for finding in findings(plan, CARD) if finding.kind == "loss"] == [
        "Card fees (2.9 %) exceed our markup on every run that costs 1 to 4,999,999."
    ]


def test_the_inspector_prints_the_sentences() -> None:
    printed = _run("inspect", "promptflow-v1").splitlines()
    assert [line[11:] for line in printed] == SENTENCES
    assert printed[0].startswith("cliff      A run that costs us")


def test_the_inspector_prints_the_cliffs_as_json() -> None:
    printed = json.loads(_run("inspect", "promptflow-v1", "--json"))
    assert printed["plan"] == "promptflow-v1"
    assert printed["cliffs"] == [
        {
            "at_credits": 10_000,
            "total_below_credits": 11_998,
            "total_at_credits": 11_000,
            "drop_credits": 998,
            "overcharged_from_credits": 9_168,
        },
        {
            "at_credits": 100_000,
            "total_below_credits": 109_998,
            "total_at_credits": 100_500,
            "drop_credits": 9_498,
            "overcharged_from_credits": 91_365,
        },
    ]


def test_a_plan_is_shown_as_it_can_be_read_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(_run("show", "promptflow-v1"), encoding="utf-8")
    assert _run("show", str(mine)) == mine.read_text(encoding="utf-8")
    assert json.loads(_run("show", str(mine), "--json"))["tiers"][2] == {
        "below_credits": None,
        "markup_bps": None,
        "markup_credits": 500,
    }


def test_an_unknown_plan_and_a_bad_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlan, match="Choose one of promptflow-v1"):
        _run("inspect", "promptflow-v9")
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        _run("inspect", str(tmp_path / "none.toml"))
