"""Designing a fee: who gets what, which fees make a run cheaper, and when paying per run costs more than unlocking."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.lab import fees as fee_design
from credits_core.lab.fees import FeeDesign, Parties, design, over_fees
from credits_core.pricing.plan import MarkupTier, PricePlan
from tests.support import plans
from tests.support.plans import SPECIFICATION


def designed(
    cost: int = 30_000, *, plan: PricePlan = SPECIFICATION, fee: int = 5_000, unlock: int = 100_000
) -> FeeDesign:
    return design(plan, cost, fee_credits=fee, unlock_fee_credits=unlock)


# --- one run and one unlock -----------------------------------------------------------------------------------------


def test_a_run_with_the_fee_and_one_without_are_priced_by_the_plan() -> None:
    found = designed(fee=5_001)
    # 80 % of 5,001 is 4,000.8; without a fee 10 % of 30,000.
    assert found.run_with_fee == Parties(35_001, 30_000, 4_000, 1_001)
    assert found.run_without_fee == Parties(33_000, 30_000, 0, 3_000)
    assert found.unlock == Parties(100_000, 0, 80_000, 20_000)
    assert found.extra_per_run_credits == 2_001


def test_a_minimum_for_the_platform_is_a_markup_on_top_of_the_fee() -> None:
    plan = replace(SPECIFICATION, minimum_platform_income_credits=1_500)
    # Its share of the fee is 1,000, so 500 are added.
    assert designed(plan=plan).run_with_fee == Parties(35_500, 30_000, 4_000, 1_500)
    as_markup = replace(SPECIFICATION, minimum_platform_income_is_markup=True)
    assert designed(plan=as_markup).run_with_fee == Parties(37_000, 30_000, 4_000, 3_000)


@pytest.mark.parametrize(
    ("cost", "largest_fee", "break_even"),
    [
        (3_843, 767, 3_836),  # markup 768: the platform's share of 3,836 is 3,836 − 3,068
        (30_000, 2_999, 14_996),  # markup 3,000: 14,996 − 11,996
        (100_000, 499, 2_496),  # markup 500: 2,496 − 1,996
        (9, None, 1),  # markup 1, which a fee of 1 is as well
        (4, None, 1),  # no markup at all
    ],
)
def test_the_inversion_is_told_for_this_very_cost(cost: int, largest_fee: int | None, break_even: int) -> None:
    found = designed(cost)
    assert (found.inversion.largest_fee_credits if found.inversion else None) == largest_fee
    assert found.platform_break_even_fee_credits == break_even


@pytest.mark.parametrize(
    ("fee", "plan", "said"),
    [
        (5_001, SPECIFICATION, "You ask 5,001: you get 4,000 (80 %), PromptFlow 1,001."),
        (1, SPECIFICATION, "You ask 1: you get 0 (80 %), PromptFlow 1."),
        (0, SPECIFICATION, "You ask no fee: you get nothing, PromptFlow 3,000."),
        (
            5_000,
            replace(SPECIFICATION, minimum_platform_income_credits=1_500),
            "You ask 5,000: you get 4,000 (80 %), PromptFlow 1,500. The user pays 500 of that on top of your fee.",
        ),
    ],
)
def test_a_creator_is_told_who_gets_what_of_the_fee(fee: int, plan: PricePlan, said: str) -> None:
    assert designed(fee=fee, plan=plan).fee_split() == said


def test_a_creator_is_told_who_gets_what_of_the_unlock_price_in_any_unit() -> None:
    found = designed(unlock=100_001)
    assert found.unlock_split() == "You ask 100,001: you get 80,000 (80 %), PromptFlow 20,001."
    assert (
        found.unlock_split(lambda amount: f"{amount} c")
        == "You ask 100001 c: you get 80000 c (80 %), PromptFlow 20001 c."
    )


@pytest.mark.parametrize(
    ("runs", "runs_per_user", "users"), [(0, 20, 0), (1, 20, 1), (40, 20, 2), (41, 20, 3), (5, 0, 5), (5, 1, 5)]
)
def test_in_a_month_as_many_users_unlock_as_the_runs_need(runs: int, runs_per_user: int, users: int) -> None:
    found, month = designed().month_unlocked(runs, runs_per_user=runs_per_user)
    assert found == users
    # A run after the unlock costs 30,000 and 10 %; an unlock of 100,000 brings the creator 80,000.
    assert month == Parties(
        users * 100_000 + runs * 33_000, runs * 30_000, users * 80_000, users * 20_000 + runs * 3_000
    )


def test_a_month_above_the_largest_amount_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="above the largest amount"):
        designed(10**10, unlock=10**9).month_unlocked(1_000_000, runs_per_user=1)


@given(
    plan=plans.price_plans(largest_bound=60),
    cost=st.integers(0, 80),
    fee=st.integers(0, 60),
    unlock=st.integers(1, 60),
)
def test_every_answer_is_that_of_trying_all_fees_and_all_numbers_of_runs(
    plan: PricePlan, cost: int, fee: int, unlock: int
) -> None:
    found = designed(cost, plan=plan, fee=fee, unlock=unlock)
    total_without = plans.totals_up_to(plan, cost)[cost]
    markup = total_without - cost

    cheaper = [one for one in range(1, markup + 2) if plans.with_fee(plan, cost, one, markup)[0] < total_without]
    assert (list(range(1, found.inversion.largest_fee_credits + 1)) if found.inversion else []) == cheaper
    enough = (one for one in range(1, 2_000) if plans.with_fee(plan, cost, one, markup)[1] >= markup)
    first_enough = next(enough, None)
    if found.platform_break_even_fee_credits is None or found.platform_break_even_fee_credits < 2_000:
        assert found.platform_break_even_fee_credits == first_enough

    total_with, platform_with = plans.with_fee(plan, cost, fee, markup) if fee else (total_without, markup)
    creator_with = total_with - cost - platform_with
    assert found.run_with_fee == Parties(total_with, cost, creator_with, platform_with)
    assert found.run_without_fee == Parties(total_without, cost, 0, markup)
    rounds_up = plan.creator_share_rounding == "up"
    creator_of_unlock = (unlock * plan.creator_share_bps + (9_999 if rounds_up else 0)) // 10_000
    assert found.unlock == Parties(unlock, 0, creator_of_unlock, unlock - creator_of_unlock)

    numbers = range(1, 200)  # more than any unlock price here, so whoever breaks even does it here
    costs_as_much = (n for n in numbers if n * total_with >= unlock + n * total_without)
    assert found.user_break_even_runs == next(costs_as_much, None)
    earns_more = (n for n in numbers if n * creator_with > creator_of_unlock)
    assert found.creator_break_even_runs == next(earns_more, None)


# --- break-even between a fee per run and an unlock -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "unlock", "user_runs", "creator_runs"),
    [
        (5_000, 100_000, 50, 21),  # 2,000 more per run; 20 runs bring the creator just the unlock's 80,000
        (5_000, 100_001, 51, 21),
        (5_000, 99_999, 50, 20),  # the unlock brings 79,999
        (3_000, 100_000, None, 34),  # costs what a run without a fee costs; 33 × 2,400 is 79,200
        (1_000, 100_000, None, 101),  # cheaper than without a fee
        (3_001, 100_000, 100_000, 34),  # 1 credit more per run
        (1, 1, None, None),  # the creator's share of 1 is 0
        (0, 100_000, None, None),
    ],
)
def test_where_the_two_ways_to_pay_break_even(
    fee: int, unlock: int, user_runs: int | None, creator_runs: int | None
) -> None:
    found = designed(fee=fee, unlock=unlock)
    assert (found.user_break_even_runs, found.creator_break_even_runs) == (user_runs, creator_runs)


def test_at_the_break_even_the_user_pays_the_same_either_way() -> None:
    found = designed()
    assert found.after_runs_with_fee(49).user_credits == 49 * 35_000
    assert found.after_runs_unlocked(49).user_credits == 100_000 + 49 * 33_000
    assert found.after_runs_with_fee(50) == Parties(1_750_000, 1_500_000, 200_000, 50_000)
    assert found.after_runs_unlocked(50) == Parties(1_750_000, 1_500_000, 80_000, 170_000)
    assert found.after_runs_with_fee(0) == Parties(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("fee", "unlock", "user", "creator"),
    [
        (
            5_000,
            100_000,
            "From 50 runs per user, an unlock costs the user no more than a per-run fee.",
            "From 21 runs per user, a per-run fee earns the creator more than an unlock.",
        ),
        (
            5_000,
            2_000,
            "From the first run, an unlock costs the user no more than a per-run fee.",
            "From the first run, a per-run fee earns the creator more than an unlock.",
        ),
        (
            1,
            100,
            "Unlocking never saves the user money, because this fee does not make a run dearer.",
            "A per-run fee never earns the creator more than an unlock, because the creator gets none of this fee.",
        ),
    ],
)
def test_the_break_evens_in_a_sentence_each(fee: int, unlock: int, user: str, creator: str) -> None:
    assert designed(fee=fee, unlock=unlock).break_even_sentences == (user, creator)


def test_the_unlock_price_that_a_number_of_runs_is_worth() -> None:
    assert designed().worthwhile_unlock_credits(20) == 40_000  # 20 × 2,000
    assert designed(fee=1_000).worthwhile_unlock_credits(20) == 0
    found = designed(unlock=40_000)
    assert found.after_runs_unlocked(20).user_credits == found.after_runs_with_fee(20).user_credits == 700_000


# --- sentences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "cost", "user", "platform"),
    [
        (
            SPECIFICATION,
            30_000,
            "A fee of 1 to 2,999 credits makes this run cheaper than no fee.",
            "We only break even at a fee of 14,996.",
        ),
        (
            SPECIFICATION,
            10,
            "A fee of 1 credit makes this run cheaper than no fee.",
            "We only break even at a fee of 6.",
        ),
        (
            replace(SPECIFICATION, minimum_platform_income_is_markup=True),
            30_000,
            "No creator fee makes this run cheaper.",
            "With any fee we earn at least as much as without one.",
        ),
        (
            replace(SPECIFICATION, creator_share_bps=10_000),
            30_000,
            "A fee of 1 to 2,999 credits makes this run cheaper than no fee.",
            "We never break even with a fee, because the creator gets all of it.",
        ),
    ],
)
def test_the_inversion_in_a_sentence(plan: PricePlan, cost: int, user: str, platform: str) -> None:
    assert designed(cost, plan=plan).sentences == (user, platform)


# --- curves ---------------------------------------------------------------------------------------------------------


def test_the_curve_over_fees_is_that_of_single_runs() -> None:
    amounts = over_fees(SPECIFICATION, 30_000, np.array([0, 1, 2_999, 3_000, 5_001], dtype=np.int64))
    assert amounts.total_credits.tolist() == [33_000, 30_001, 32_999, 33_000, 35_001]
    assert amounts.creator_share_credits.tolist() == [0, 0, 2_399, 2_400, 4_000]


def test_the_curve_over_unlock_prices_is_that_of_single_unlocks() -> None:
    prices = np.array([1, 1_001], dtype=np.int64)
    assert fee_design.over_unlock_prices(designed(), 2, prices) == [
        Parties(66_001, 60_000, 0, 6_001),
        Parties(67_001, 60_000, 800, 6_201),
    ]


@pytest.mark.parametrize(
    ("fee", "last", "step"),
    [(5_000, 20_000, 100), (19_999, 20_000, 100), (20_000, 50_000, 100), (10**9, 2 * 10**9, 10**7)],
)
def test_the_scale_of_fees_shows_the_break_even_and_the_chosen_fee(fee: int, last: int, step: int) -> None:
    assert fee_design.fee_scale(designed(fee=fee)) == fee_design.Scale(last, step)


def test_the_scale_of_runs_leaves_out_a_break_even_beyond_reach() -> None:
    assert fee_design.runs_scale(designed(), 20) == fee_design.Scale(100, 1)
    assert fee_design.runs_scale(designed(unlock=90_000), 20) == fee_design.Scale(50, 1)  # at 45 and 19
    assert fee_design.runs_scale(designed(), 60) == fee_design.Scale(100, 1)
    assert fee_design.runs_scale(designed(fee=0), 0) == fee_design.Scale(10, 1)
    assert fee_design.runs_scale(designed(fee=3_001, unlock=10**9), 20).last == 1_000_000 // 2


def test_the_scale_of_unlock_prices_shows_what_the_fees_cost_extra() -> None:
    assert fee_design.unlock_scale(designed(), 20) == fee_design.Scale(200_000, 1_000)
    assert fee_design.unlock_scale(designed(unlock=9), 20) == fee_design.Scale(100_000, 100)  # 2 × 20 × 2,000
    assert fee_design.unlock_scale(designed(), 60) == fee_design.Scale(500_000, 1_000)
    assert fee_design.unlock_scale(designed(fee=0, unlock=1), 20) == fee_design.Scale(1_000, 1)


def test_the_slider_ends_with_the_largest_fee_when_the_chart_goes_on() -> None:
    assert fee_design.Scale(20_000, 100).to_ask == fee_design.Scale(20_000, 100)
    assert fee_design.Scale(10**12, 10**9).to_ask == fee_design.Scale(10**9, 10**7)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("inference_cost_credits", {"cost": -1}),
        ("inference_cost_credits", {"cost": 2**53}),
        ("creator_fee_credits", {"fee": -1}),
        ("creator_fee_credits", {"fee": 10**9 + 1}),
        ("creator_fee_credits", {"fee": 1.5}),
        ("unlock_fee_credits", {"unlock": 0}),
        ("unlock_fee_credits", {"unlock": 10**9 + 1}),
        ("unlock_fee_credits", {"unlock": True}),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(field: str, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        designed(**asked)
    assert refused.value.field == field


@pytest.mark.parametrize("runs", [-1, 1_000_001, 2.0])
def test_a_number_of_runs_out_of_its_bounds_is_refused(runs: Any) -> None:
    for asked in (
        designed().after_runs_with_fee,
        designed().after_runs_unlocked,
        lambda n: fee_design.runs_scale(designed(), n),
        lambda n: fee_design.unlock_scale(designed(), n),
        designed().worthwhile_unlock_credits,
        lambda n: fee_design.over_unlock_prices(designed(), n, np.array([1], dtype=np.int64)),
    ):
        with pytest.raises(InvalidRequest) as refused:
            asked(runs)
        assert refused.value.field == "runs"


def test_runs_that_would_cost_more_than_an_amount_can_be_are_refused() -> None:
    flat = PricePlan("flat", 8_000, (MarkupTier(None, None, 500),))
    found = design(flat, 10**10, fee_credits=1, unlock_fee_credits=1)
    assert found.after_runs_with_fee(900_000).user_credits == 900_000 * (10**10 + 1)
    for after in (found.after_runs_with_fee, found.after_runs_unlocked):
        with pytest.raises(InvalidRequest):
            after(900_720)
