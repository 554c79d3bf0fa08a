"""The inspector: what the specification's plan does, in literals, and that nothing is missed in any plan."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.lab.inspector import shape
from credits_core.lab.inspector.shape import (
    CardFee,
    CostRange,
    Inversion,
    LossZone,
    break_even_fee,
    cliffs,
    inversions,
    losses,
)
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from tests.support import plans
from tests.support.plans import SPECIFICATION

LARGEST = 2_000
"""Largest cost of the exhaustive comparisons on random plans."""


def _costs(ranges: Iterable[CostRange]) -> Iterator[int]:
    for costs in ranges:
        yield from range(costs.first_credits, costs.last_credits + 1)


# --- the specification's plan -----------------------------------------------------------------------------------------


def test_the_total_of_the_specification_drops_at_10_000_and_at_100_000() -> None:
    first, second = cliffs(SPECIFICATION)
    # 9,999 + 1,999 against 10,000 + 1,000; 9,168 + 1,833 = 11,001 is the first above 11,000.
    assert (first.at_credits, first.total_below_credits, first.total_at_credits) == (10_000, 11_998, 11_000)
    assert (first.drop_credits, first.overcharged_from_credits) == (998, 9_168)
    assert first.overcharged == (CostRange(9_168, 9_999),)
    # 99,999 + 9,999 against 100,000 + 500; 91,365 + 9,136 = 100,501 is the first above 100,500.
    assert (second.at_credits, second.total_below_credits, second.total_at_credits) == (100_000, 109_998, 100_500)
    assert (second.drop_credits, second.overcharged_from_credits) == (9_498, 91_365)
    assert second.overcharged == (CostRange(91_365, 99_999),)


def test_runs_of_up_to_4_credits_have_no_markup_in_the_specification() -> None:
    # 20 % of 4 is 0.8.
    assert shape.unmarked(SPECIFICATION) == (CostRange(1, 4),)


def test_runs_of_up_to_4_166_credits_round_to_nothing_in_cents() -> None:
    # 4,166 + 833 = 4,999 and 4,167 + 833 = 5,000, half a cent.
    assert shape.unseen(SPECIFICATION) == (CostRange(1, 4_166),)


def test_a_creator_fee_of_one_credit_makes_runs_from_10_credits_on_cheaper_in_the_specification() -> None:
    # A markup of 2 begins at 10. It is largest at 99,999: 9,999. Fees of 1 to 9,998 are less than that; the platform's
    # fifth of a fee reaches 9,999 at 49,991: 49,991 - 39,992.
    assert inversions(SPECIFICATION) == (
        Inversion(
            costs=CostRange(10, 1_000_000_000),
            worst_cost_credits=99_999,
            largest_fee_credits=9_998,
            total_without_fee_credits=109_998,
            total_with_fee_credits=100_000,
            break_even_fee_credits=49_991,
        ),
    )


@pytest.mark.parametrize(
    ("cost_credits", "fee_credits"),
    [
        (4, 1),  # nothing to make up for
        (5, 1),  # a markup of 1: the platform has all of a fee of 1
        (9_999, 9_991),  # 1,999: 9,991 - 7,992, and 9,990 - 7,992 = 1,998
        (250, 246),  # 50: 246 - 196, and 245 - 196 = 49
        (100_000, 2_496),  # 500: 2,496 - 1,996, and 2,495 - 1,996 = 499
    ],
)
def test_the_fee_with_which_the_platform_earns_as_much_as_with_none(cost_credits: int, fee_credits: int) -> None:
    assert break_even_fee(SPECIFICATION, cost_credits) == fee_credits


def test_no_fee_makes_up_for_the_markup_when_all_of_it_is_the_creators() -> None:
    assert break_even_fee(replace(SPECIFICATION, creator_share_bps=10_000), 250) is None


def test_above_100_000_the_specifications_markup_does_not_cover_a_card_fee() -> None:
    # 2.9 % of 100,500 is 2,914.5, more than 500. Up to 4 there is no markup at all.
    assert losses(SPECIFICATION, CardFee(share_bps=290, fixed_credits=0)) == (
        LossZone(CostRange(1, 4), 4, 1, 4),
        LossZone(CostRange(100_000, 1_000_000_000), 999_900_001, 100_500, 1_000_000_500),
    )


def test_a_fixed_part_of_30_cents_is_never_covered_by_the_specification() -> None:
    zones = losses(SPECIFICATION, CardFee(share_bps=290, fixed_credits=300_000))
    assert zones == (LossZone(CostRange(0, 1_000_000_000), 1_000_000_001, 0, 1_000_000_500),)


def test_costs_that_lose_and_costs_that_do_not_can_alternate() -> None:
    # 1 % rounded down against 1 % of the total: 100 loses 1 - 1.01, 199 gains nothing, 200 loses 2 - 2.02.
    plan = PricePlan("p", 8_000, (MarkupTier(None, 100, None),))
    zones = losses(plan, CardFee(share_bps=95, fixed_credits=0))
    assert len(zones) == 1
    assert not zones[0].is_whole


def test_zones_that_touch_stay_apart_when_one_of_them_has_gaps() -> None:
    # 3 % rounded down against 2.9 % of the total: 999 takes 29 and loses to 29.8, 1,000 takes 30 and gains on 29.87,
    # 1,005 takes 30 and loses to 30.015. And 5 credits, which are too little from 168 on.
    gaps, whole = MarkupTier(1_000, 300, None), MarkupTier(2_000, None, 5)
    rest = MarkupTier(None, 10_000, None)
    fee = CardFee(share_bps=290, fixed_credits=0)
    zones = losses(PricePlan("p", 8_000, (gaps, whole, rest)), fee, up_to_credits=3_000)
    assert [(zone.costs.last_credits, zone.is_whole) for zone in zones] == [(999, False), (1_999, True)]
    whole, gaps = MarkupTier(1_005, None, 5), MarkupTier(1_099, 300, None)
    zones = losses(PricePlan("p", 8_000, (whole, gaps, rest)), fee, up_to_credits=3_000)
    assert [(zone.costs.first_credits, zone.is_whole) for zone in zones] == [(168, True), (1_005, False)]


def test_zones_that_touch_are_one_with_the_totals_on_both_sides_of_the_cliff() -> None:
    # 1 % of the cost below 1,000 and 5 credits from there on: 2 % of the total is more than either, from the first on.
    plan = PricePlan("p", 8_000, (MarkupTier(1_000, 100, None), MarkupTier(None, None, 5)))
    (zone,) = losses(plan, CardFee(share_bps=200, fixed_credits=0), up_to_credits=1_001)
    # 999 + 9 is the largest total below the cliff, and 1,001 + 5 the one at the end of what is looked at.
    assert (zone.costs, zone.is_whole) == (CostRange(1, 1_001), True)
    assert (zone.smallest_total_credits, zone.largest_total_credits) == (1, 1_008)
    # 500 credits are less than 36 % of the total from 889 on; the free run of 1,000 is the cheapest of the zone.
    plan = PricePlan("p", 8_000, (MarkupTier(1_000, None, 500), MarkupTier(None, 0, None)))
    (zone,) = losses(plan, CardFee(share_bps=3_600, fixed_credits=0), up_to_credits=1_001)
    assert (zone.costs, zone.is_whole) == (CostRange(889, 1_001), True)
    assert (zone.smallest_total_credits, zone.largest_total_credits) == (1_000, 1_499)


def test_with_a_minimum_a_fee_of_one_credit_costs_the_minimum_and_the_creators_credit() -> None:
    # A fee of 1, all of it the creator's, costs 20 + 1; the markup passes that at 220, 10 % of which is 22.
    plan = PricePlan("p", 10_000, (MarkupTier(None, 1_000, None),), minimum_platform_income_credits=20)
    assert inversions(plan)[0].costs.first_credits == 220


@pytest.mark.parametrize(
    "cured",
    [
        replace(SPECIFICATION, cap_down=True),
        replace(SPECIFICATION, tier_mode=TierMode.GRADUATED),
    ],
    ids=["cap down", "graduated"],
)
def test_a_cap_and_graduated_tiers_cure_the_cliffs(cured: PricePlan) -> None:
    assert cliffs(cured) == ()


def test_a_minimum_of_the_markup_cures_the_inversion() -> None:
    assert inversions(replace(SPECIFICATION, minimum_platform_income_is_markup=True)) == ()


def test_the_cliffs_of_the_specification_are_all_there_are_up_to_200_000() -> None:
    totals = plans.totals_up_to(SPECIFICATION, 200_000)
    drops = [cost for cost in range(1, 200_001) if totals[cost] < totals[cost - 1]]
    assert drops == [cliff.at_credits for cliff in cliffs(SPECIFICATION)]
    for cliff in cliffs(SPECIFICATION):
        overcharged = [cost for cost in range(cliff.at_credits) if totals[cost] > cliff.total_at_credits]
        assert overcharged == list(_costs(cliff.overcharged))
        assert (cliff.total_below_credits, cliff.total_at_credits) == (
            totals[cliff.at_credits - 1],
            totals[cliff.at_credits],
        )


# --- any plan ---------------------------------------------------------------------------------------------------------

random_plans = plans.price_plans(largest_bound=LARGEST + 100)


@given(random_plans)
def test_every_cliff_of_a_plan_is_found_and_no_other(plan: PricePlan) -> None:
    totals = plans.totals_up_to(plan, LARGEST)
    found = cliffs(plan, up_to_credits=LARGEST)
    assert [(cliff.at_credits, cliff.total_below_credits, cliff.total_at_credits) for cliff in found] == [
        (cost, totals[cost - 1], totals[cost]) for cost in range(1, LARGEST + 1) if totals[cost] < totals[cost - 1]
    ]
    for cliff in found:
        overcharged = [cost for cost in range(cliff.at_credits) if totals[cost] > cliff.total_at_credits]
        assert list(_costs(cliff.overcharged)) == overcharged
        assert cliff.overcharged_from_credits == overcharged[0]


@given(random_plans)
def test_every_positive_cost_without_a_markup_is_found_and_no_other(plan: PricePlan) -> None:
    totals = plans.totals_up_to(plan, LARGEST)
    unmarked = [cost for cost in range(1, LARGEST + 1) if totals[cost] == cost]
    assert list(_costs(shape.unmarked(plan, up_to_credits=LARGEST))) == unmarked


@given(plans.price_plans(largest_bound=6_000))
def test_every_positive_cost_that_rounds_to_nothing_is_found_and_no_other(plan: PricePlan) -> None:
    totals = plans.totals_up_to(plan, 6_000)
    unseen = [cost for cost in range(1, 6_001) if totals[cost] < 5_000]
    assert list(_costs(shape.unseen(plan, up_to_credits=6_000))) == unseen


@given(random_plans)
def test_every_cost_at_which_a_fee_makes_a_run_cheaper_is_found_and_no_other(plan: PricePlan) -> None:
    totals = plans.totals_up_to(plan, LARGEST)
    markups = [total - cost for cost, total in enumerate(totals)]

    def cheaper_fees(cost: int, largest_fee: int) -> list[int]:
        fees = range(1, largest_fee + 1)
        return [fee for fee in fees if plans.with_fee(plan, cost, fee, markups[cost])[0] < totals[cost]]

    found = inversions(plan, up_to_credits=LARGEST)
    # A larger fee never costs the user less, so the fee of 1 decides.
    inverted = [cost for cost in range(LARGEST + 1) if cheaper_fees(cost, 1)]
    assert list(_costs(tuple(inversion.costs for inversion in found))) == inverted
    for inversion in found:
        worst = inversion.worst_cost_credits
        assert markups[worst] == max(markups[cost] for cost in _costs((inversion.costs,)))
        assert cheaper_fees(worst, markups[worst] + 1) == list(range(1, inversion.largest_fee_credits + 1))
        assert inversion.total_without_fee_credits == totals[worst]
        assert inversion.total_with_fee_credits == plans.with_fee(plan, worst, 1, markups[worst])[0]


@given(random_plans, st.integers(0, LARGEST))
def test_the_break_even_fee_is_the_smallest_that_is_enough(plan: PricePlan, cost: int) -> None:
    markup = plans.totals_up_to(plan, LARGEST)[cost] - cost

    def income(fee: int) -> int:
        return plans.with_fee(plan, cost, fee, markup)[1]

    fee = break_even_fee(plan, cost)
    if fee is None:
        assert plan.creator_share_bps == 10_000
        assert income(10**9) < markup
        return
    assert income(fee) >= markup
    assert fee == 1 or income(fee - 1) < markup


@given(random_plans, st.sampled_from([0, 1, 29, 150, 290, 1_000, 1_666, 9_999]), st.sampled_from([0, 1, 30]))
def test_every_cost_at_which_the_platform_loses_is_counted_and_no_other(
    plan: PricePlan, share_bps: int, fixed: int
) -> None:
    totals = plans.totals_up_to(plan, LARGEST)
    losing = {cost for cost, total in enumerate(totals) if (total - cost) * 10_000 < total * share_bps + fixed * 10_000}
    zones = losses(plan, CardFee(share_bps, fixed), up_to_credits=LARGEST)
    assert sum(zone.losing_costs for zone in zones) == len(losing)
    for zone in zones:
        inside = losing & set(_costs((zone.costs,)))
        assert (min(inside), max(inside), len(inside)) == (
            zone.costs.first_credits,
            zone.costs.last_credits,
            zone.losing_costs,
        )
        assert zone.smallest_total_credits == min(totals[cost] for cost in inside)
        assert zone.largest_total_credits == max(totals[cost] for cost in inside)
