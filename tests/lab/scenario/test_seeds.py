"""The same scenario with several seeds: low, middle and high."""

from dataclasses import replace

import pytest

from credits_core.lab.scenario.result import ScenarioResult
from credits_core.lab.scenario.seeds import Spread, spreads, with_other_seeds
from credits_core.lab.scenario.simulation import simulate
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.values.credits import MAX_CREDITS
from tests.support.plans import SPECIFICATION
from tests.support.scenarios import MANY_USERS, MODELS, ONE_USER


def paying(*runs: int) -> list[ScenarioResult]:
    """Results in which this many runs of 300 credits, 50 of them markup, are charged."""
    return [simulate(replace(ONE_USER, starting_credits=300 * count), SPECIFICATION, MODELS) for count in runs]


@pytest.mark.parametrize(
    ("charged", "low", "middle", "high"),
    [
        ((5, 1, 9, 3, 7), 300, 1_500, 2_700),
        ((9, 1, 3), 300, 900, 2_700),
        ((9, 1, 3, 4), 300, 900, 2_700),  # of two in the middle the lower one
        ((2,), 600, 600, 600),
        ((2, 2, 2), 600, 600, 600),
    ],
)
def test_the_middle_is_the_median_and_the_first_is_the_one_shown(
    charged: tuple[int, ...], low: int, middle: int, high: int
) -> None:
    found = spreads(paying(*charged))
    assert found[0] == Spread("Users paid", low, middle, high, 300 * charged[0])
    assert [one.name for one in found] == [
        "Users paid",
        "Creators earned",
        "Platform kept",
        "Margin after card fees",
    ]
    assert (found[2].low_credits, found[2].high_credits) == (low * 50 // 300, high * 50 // 300)


def test_each_figure_has_its_own_order() -> None:
    free = PricePlan("free", 8_000, (MarkupTier(None, 0, None),))
    # Under the free plan users pay more in all, because more runs are covered, and the platform keeps nothing.
    both = [simulate(ONE_USER, SPECIFICATION, MODELS), simulate(ONE_USER, free, MODELS)]
    paid, _, kept, _ = spreads(both)
    assert (paid.low_credits, paid.high_credits) == (900, 1_000)
    assert (kept.low_credits, kept.high_credits) == (0, 150)


def test_the_seeds_follow_one_another_and_begin_again_after_the_last() -> None:
    assert [one.seed for one in with_other_seeds(MANY_USERS)] == [7, 8, 9, 10, 11]
    last = with_other_seeds(replace(MANY_USERS, seed=MAX_CREDITS - 1))
    assert [one.seed for one in last] == [MAX_CREDITS - 1, MAX_CREDITS, 0, 1, 2]
    assert {replace(one, seed=7) for one in last} == {MANY_USERS}
