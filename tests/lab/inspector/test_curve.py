"""Plans as curves: the amounts at each cost, and that no corner of a plan is left out of the drawing."""

from itertools import pairwise

from hypothesis import given

from credits_core.lab.inspector.curve import curve, telling_costs, usual_extent
from credits_core.pricing.plan import MarkupTier, PricePlan
from tests.support import plans
from tests.support.plans import SPECIFICATION


def test_the_specification_at_both_sides_of_its_cliffs() -> None:
    points = curve(SPECIFICATION, (0, 9_999, 10_000, 99_999, 100_000, 1_000_000))
    amounts = [(p.platform_markup_credits, p.total_credits, p.effective_bps) for p in points]
    assert amounts == [
        (0, 0, None),
        (1_999, 11_998, 1_999),  # 1,999 of 9,999 is 19.992 %
        (1_000, 11_000, 1_000),
        (9_999, 109_998, 999),  # 9,999 of 99,999 is 9.99991 %
        (500, 100_500, 50),
        (500, 1_000_500, 5),
    ]
    assert [point.explanation for point in points][1::3] == [
        "cost below 10,000: 20 %, rounded down",
        "any higher cost: flat",
    ]


@given(plans.price_plans(largest_bound=5_000))
def test_both_sides_of_every_bound_are_drawn_once_and_in_order(plan: PricePlan) -> None:
    costs = telling_costs(plan, SPECIFICATION, up_to_credits=12_000)
    corners = {bound for tier in plan.tiers if (bound := tier.below_credits) is not None} | {10_000}
    assert corners | {corner - 1 for corner in corners} | {0, 12_000} <= set(costs)
    assert list(costs) == sorted(set(costs))
    assert max(costs) == 12_000
    assert max(after - before for before, after in pairwise(costs)) <= 12_000 // 200
    totals = plans.totals_up_to(plan, 12_000)
    assert [point.total_credits for point in curve(plan, costs)] == [totals[cost] for cost in costs]


def test_a_plan_is_drawn_well_beyond_its_largest_bound() -> None:
    assert usual_extent(SPECIFICATION) == 500_000
    assert usual_extent(PricePlan("flat", 8_000, (MarkupTier(None, None, 5),))) == 10_000
    wider = PricePlan("wider", 0, (MarkupTier(200_000, 1, None), MarkupTier(None, 1, None)))
    assert usual_extent(SPECIFICATION, wider) == 1_000_000
    far = PricePlan("far", 0, (MarkupTier(2**53 - 1, 1, None), MarkupTier(None, 1, None)))
    assert usual_extent(far) == 1_000_000_000  # as far as the inspector looks
