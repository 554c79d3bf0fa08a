"""Price plans: the specification's tiers at their bounds, and what a plan file may not say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import DataFileInvalid
from credits_core.price_plan import MarkupTier, PricePlan, load_price_plans, parse_price_plan

PLANS = Path(__file__).resolve().parent.parent / "data" / "price_plans"
LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1
SPECIFICATION = PricePlan(
    id="promptflow-v1",
    creator_share_bps=8_000,
    tiers=(
        MarkupTier(below_credits=10_000, markup_bps=2_000, markup_credits=None),
        MarkupTier(below_credits=100_000, markup_bps=1_000, markup_credits=None),
        MarkupTier(below_credits=None, markup_bps=None, markup_credits=500),
    ),
)


def plan_with(*, id: str = '"p"', share: str = "8000", tiers: str = "[{markup_credits = 500}]", more: str = "") -> str:
    return f"id = {id}\ncreator_share_bps = {share}\ntiers = {tiers}\n{more}"


def problems_of(text: str) -> list[str]:
    with pytest.raises(DataFileInvalid) as caught:
        parse_price_plan(text)
    return caught.value.problems


def test_the_plan_in_the_repository_is_the_specifications() -> None:
    assert load_price_plans(PLANS)["promptflow-v1"] == SPECIFICATION


@pytest.mark.parametrize(
    ("inference_cost_credits", "markup_credits"),
    [
        (1, 0),  # 20 % is 0.2
        (4, 0),  # 0.8
        (5, 1),
        (9, 1),  # 1.8
        (10, 2),
        (250, 50),
        (9_999, 1_999),  # 20 % is 1,999.8
        (10_000, 1_000),  # 10 % from here
        (10_009, 1_000),  # 1,000.9
        (99_999, 9_999),  # 9,999.9
        (100_000, 500),  # flat from here
        (100_001, 500),
        (LARGEST_CREDITS, 500),
    ],
)
def test_the_markup_follows_the_tier_of_the_cost_and_a_percentage_rounds_down(
    inference_cost_credits: int, markup_credits: int
) -> None:
    tier = SPECIFICATION.tier_for(inference_cost_credits)
    assert tier.markup(inference_cost_credits) == markup_credits


@given(st.integers(min_value=0, max_value=LARGEST_CREDITS), st.integers(min_value=0, max_value=10_000))
def test_a_percentage_never_takes_more_than_its_share_nor_a_whole_credit_less(cost: int, bps: int) -> None:
    markup = MarkupTier(below_credits=None, markup_bps=bps, markup_credits=None).markup(cost)
    assert markup * 10_000 <= cost * bps < (markup + 1) * 10_000


def test_a_plan_may_have_a_single_tier_and_give_a_creator_nothing_or_everything() -> None:
    assert parse_price_plan(plan_with(share="0")).creator_share_bps == 0
    assert parse_price_plan(plan_with(share="10000")).creator_share_bps == 10_000
    assert parse_price_plan(plan_with(tiers="[{markup_bps = 0}]")).tiers == (MarkupTier(None, 0, None),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            plan_with(more="creator_share = 80"),
            "has an unknown key 'creator_share'; known are id, creator_share_bps, tiers",
        ),
        (plan_with(id="7"), "id must be 1 to 64 lower-case letters, digits or . _ -, not 7"),
        (plan_with(id='"Plan"'), "id must be 1 to 64 lower-case letters, digits or . _ -, not 'Plan'"),
        (plan_with(id='"../p"'), "id must be 1 to 64 lower-case letters, digits or . _ -, not '../p'"),
        (plan_with(share="-1"), "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not -1"),
        (plan_with(share="10001"), "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not 10001"),
        (plan_with(share="80.0"), "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not 80.0"),
        (plan_with(share="true"), "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not True"),
        (plan_with(tiers="[]"), "needs at least one [[tiers]]"),
        (plan_with(tiers="3"), "needs at least one [[tiers]]"),
        (plan_with(tiers="[3]"), "tier 1 must be a table, not 3"),
        (
            plan_with(tiers="[{markup_credits = 5, markup = 1}]"),
            "tier 1 has an unknown key 'markup'; known are below_credits, markup_bps, markup_credits",
        ),
        (plan_with(tiers="[{}]"), "tier 1 needs exactly one of markup_bps and markup_credits"),
        (
            plan_with(tiers="[{markup_bps = 1, markup_credits = 1}]"),
            "tier 1 needs exactly one of markup_bps and markup_credits",
        ),
        (
            plan_with(tiers="[{markup_bps = -1}]"),
            "tier 1: the markup must be a whole number, 0 or more, not {'markup_bps': -1}",
        ),
        (
            plan_with(tiers="[{markup_credits = 0.5}]"),
            "tier 1: the markup must be a whole number, 0 or more, not {'markup_credits': 0.5}",
        ),
        (
            plan_with(tiers="[{below_credits = 0, markup_bps = 1}, {markup_bps = 1}]"),
            "tier 1: below_credits must be a positive whole number, not 0",
        ),
        (
            plan_with(tiers='[{below_credits = "9", markup_bps = 1}, {markup_bps = 1}]'),
            "tier 1: below_credits must be a positive whole number, not '9'",
        ),
        (
            plan_with(tiers="[{markup_bps = 1}, {markup_bps = 1}]"),
            "tier 1 has no below_credits, which only the last tier may leave out",
        ),
        (
            plan_with(tiers="[{below_credits = 9, markup_bps = 1}]"),
            "tier 1 is the last and must have no below_credits, so that every cost has a tier",
        ),
        (
            plan_with(
                tiers="[{below_credits = 9, markup_bps = 1}, {below_credits = 9, markup_bps = 1}, {markup_bps = 1}]"
            ),
            "tier 2: below_credits must be above 9, the bound before it",
        ),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_with_its_problem_named(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


def test_text_that_is_not_toml_is_refused() -> None:
    with pytest.raises(DataFileInvalid, match=r"^my\.toml: is not TOML: "):
        parse_price_plan("id =", "my.toml")


def test_every_problem_of_a_plan_is_listed() -> None:
    assert problems_of(
        plan_with(id="1", share="-1", tiers="[{}, {below_credits = -1, markup_bps = 1}]", more="x = 1")
    ) == [
        "has an unknown key 'x'; known are id, creator_share_bps, tiers",
        "id must be 1 to 64 lower-case letters, digits or . _ -, not 1",
        "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not -1",
        "tier 1 needs exactly one of markup_bps and markup_credits",
        "tier 2: below_credits must be a positive whole number, not -1",
    ]


def test_a_plan_without_a_share_is_refused_and_not_given_one() -> None:
    assert problems_of('id = "p"\ntiers = [{markup_credits = 5}]') == [
        "creator_share_bps must be a whole number from 0 to 10,000 (100 %), not None"
    ]


def test_the_plans_of_a_folder_are_found_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(plan_with(id='"a"'), encoding="utf-8")
    (tmp_path / "b.toml").write_text(plan_with(id='"b"', share="7000"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a plan", encoding="utf-8")
    assert {name: plan.creator_share_bps for name, plan in load_price_plans(tmp_path).items()} == {
        "a": 8_000,
        "b": 7_000,
    }


def test_a_file_that_is_not_named_after_its_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(plan_with(id='"b"'), encoding="utf-8")
    with pytest.raises(DataFileInvalid, match=r"a\.toml: holds the plan 'b'; name the file b\.toml"):
        load_price_plans(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'id = "\xe9"')
    with pytest.raises(DataFileInvalid, match=r"a\.toml: cannot be read: 'utf-8' codec"):
        load_price_plans(tmp_path)
