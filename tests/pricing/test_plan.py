"""A plan's rules at their bounds: the specification's tiers, slices, the cap, fees and the platform's minimum."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode, explain_markup
from credits_core.pricing.quote import Quote, quote
from tests.support import plans
from tests.support.plans import SPECIFICATION

LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1
GRADUATED = replace(SPECIFICATION, tier_mode=TierMode.GRADUATED)
CAPPED = replace(SPECIFICATION, cap_down=True)


def run_of(cost_credits: int, plan: PricePlan, fee_credits: int = 0) -> Quote:
    model = Model("m", "M", "openai", "text", RunPrice(cost_credits), "hand-written", date(2026, 1, 1))
    return quote(model, plan, creator_fee_credits=fee_credits)


@pytest.mark.parametrize(
    ("inference_cost_credits", "markup_credits"),
    [
        (0, 0),
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
    assert SPECIFICATION.markup(inference_cost_credits) == markup_credits


@pytest.mark.parametrize(
    ("inference_cost_credits", "markup_credits"),
    [
        (9_999, 1_999),
        (10_000, 2_000),  # 20 % of 10,000 and nothing yet of the next slice
        (10_009, 2_000),  # 2,000.9
        (10_010, 2_001),
        (15_000, 2_500),
        (99_999, 10_999),  # 2,000 + 8,999.9
        (100_000, 11_500),  # 2,000 + 9,000 + 500 flat, once the last tier is reached
        (1_000_000, 11_500),
    ],
)
def test_graduated_tiers_rate_each_slice_and_round_once(inference_cost_credits: int, markup_credits: int) -> None:
    assert GRADUATED.markup(inference_cost_credits) == markup_credits


@pytest.mark.parametrize(
    ("inference_cost_credits", "total_credits"),
    [
        (9_167, 11_000),  # 9,167 + 1,833, as without a cap
        (9_168, 11_000),  # 11,001 without one
        (9_999, 11_000),
        (10_000, 11_000),
        (91_364, 100_500),
        (91_365, 100_500),
        (99_999, 100_500),
        (100_000, 100_500),
        (100_001, 100_501),
    ],
)
def test_with_a_cap_no_run_costs_more_than_a_larger_one(inference_cost_credits: int, total_credits: int) -> None:
    assert inference_cost_credits + CAPPED.markup(inference_cost_credits) == total_credits


@given(plans.price_plans(largest_bound=2_000))
def test_every_total_is_that_of_the_slow_way(plan: PricePlan) -> None:
    assert [cost + plan.markup(cost) for cost in range(2_001)] == plans.totals_up_to(plan, 2_000)


@given(st.integers(min_value=0, max_value=LARGEST_CREDITS), st.integers(min_value=0, max_value=10_000))
def test_a_percentage_never_takes_more_than_its_share_nor_a_whole_credit_less(cost: int, bps: int) -> None:
    markup = PricePlan("p", 8_000, (MarkupTier(None, bps, None),)).markup(cost)
    assert markup * 10_000 <= cost * bps < (markup + 1) * 10_000


def test_roundings_go_the_way_the_plan_says() -> None:
    up = replace(SPECIFICATION, markup_rounding=Rounding.UP, creator_share_rounding=Rounding.UP)
    assert (SPECIFICATION.markup(9_999), up.markup(9_999)) == (1_999, 2_000)
    assert (SPECIFICATION.split_fee(1_001), up.split_fee(1_001)) == ((800, 201), (801, 200))
    assert run_of(9_999, up, 1_001).creator_share_credits == 801


@pytest.mark.parametrize(
    ("fee_credits", "creator_credits", "platform_credits"),
    [
        (0, 0, 0),
        (1, 0, 1),  # 0.8 rounded down
        (2, 1, 1),  # 1.6
        (4, 3, 1),  # 3.2
        (5, 4, 1),
        (101, 80, 21),  # 80.8
        (1_000, 800, 200),
        (1_001, 800, 201),  # 800.8
        (LARGEST_CREDITS, 7_205_759_403_792_792, 1_801_439_850_948_199),  # ….8, and 2^53 - 1 minus that
    ],
)
def test_the_creator_gets_80_percent_of_a_fee_rounded_down_and_the_platform_the_rest(
    fee_credits: int, creator_credits: int, platform_credits: int
) -> None:
    assert SPECIFICATION.split_fee(fee_credits) == (creator_credits, platform_credits)


@given(st.integers(0, LARGEST_CREDITS), st.integers(0, 10_000), st.sampled_from(Rounding))
def test_the_two_parts_of_a_fee_are_the_fee_and_the_platform_keeps_the_rounding(
    fee_credits: int, share_bps: int, rounding: Rounding
) -> None:
    plan = replace(SPECIFICATION, creator_share_bps=share_bps, creator_share_rounding=rounding)
    creator_credits, platform_credits = plan.split_fee(fee_credits)
    assert creator_credits + platform_credits == fee_credits
    assert creator_credits >= 0
    assert platform_credits >= 0
    kept = Fraction(fee_credits * share_bps, 10_000) - creator_credits
    assert 0 <= kept < 1 if rounding is Rounding.DOWN else -1 < kept <= 0


@pytest.mark.parametrize(
    ("fee_credits", "markup_credits"),
    [
        (1, 299),  # the platform's share of 1 is 1
        (1_000, 100),  # of 1,000 it is 200
        (1_495, 1),  # 299
        (1_500, 0),  # 300
        (1_501, 0),
    ],
)
def test_what_the_platforms_share_lacks_to_the_minimum_is_a_markup_on_top(
    fee_credits: int, markup_credits: int
) -> None:
    priced = run_of(250, replace(SPECIFICATION, minimum_platform_income_credits=300), fee_credits)
    assert priced.platform_markup_credits == markup_credits
    assert priced.total_credits == 250 + fee_credits + markup_credits


def test_a_minimum_of_the_markup_is_what_the_platform_would_receive_without_a_fee() -> None:
    plan = replace(SPECIFICATION, minimum_platform_income_is_markup=True)
    priced = run_of(9_999, plan, 1)
    assert (priced.platform_share_credits, priced.platform_markup_credits, priced.total_credits) == (1, 1_998, 11_998)


def test_a_minimum_does_not_change_a_run_without_a_fee() -> None:
    assert run_of(250, replace(SPECIFICATION, minimum_platform_income_credits=300)).total_credits == 300


@pytest.mark.parametrize(
    ("plan", "cost_credits", "explained"),
    [
        (SPECIFICATION, 9_999, "cost below 10,000: 20 %, rounded down"),
        (SPECIFICATION, 100_000, "any higher cost: flat"),
        (GRADUATED, 15_000, "10,000 × 20 % + 5,000 × 10 %, rounded down"),
        (GRADUATED, 100_000, "10,000 × 20 % + 90,000 × 10 % + 500, rounded down"),
        (CAPPED, 9_168, "capped, because a larger run costs 11,000"),
        (CAPPED, 9_167, "cost below 10,000: 20 %, rounded down"),
    ],
)
def test_the_markup_is_explained(plan: PricePlan, cost_credits: int, explained: str) -> None:
    assert explain_markup(plan, cost_credits) == explained


def test_the_steps_of_a_run_with_a_minimum_say_what_the_markup_is_for() -> None:
    steps = run_of(250, replace(SPECIFICATION, minimum_platform_income_credits=300), 1_000).steps
    assert [(step.label, step.arithmetic, step.credits) for step in steps[3:]] == [
        ("Platform's share", "the rest of the fee", 200),
        ("Platform markup", "what the platform's share lacks to 300", 100),
        ("Total", "inference cost + creator fee + platform markup", 1_350),
    ]
