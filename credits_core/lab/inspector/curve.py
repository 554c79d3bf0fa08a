"""The points of a plan's curve: total, markup and effective markup, at costs that show its shape. Pure."""

from dataclasses import dataclass

import numpy as np

from credits_core.lab.inspector.shape import MAX_COST_CREDITS
from credits_core.pricing.plan import PricePlan, explain_markup
from credits_core.values.credits import BPS_PER_WHOLE, div_floor

_POINTS = 240
_EACH = 250


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A run without a creator fee: cost, markup and total in credits, how the markup is computed, and its rate.

    `effective_bps` is hundredths of a per cent of the inference cost, rounded down; None for a run that costs nothing.
    """

    inference_cost_credits: int
    platform_markup_credits: int
    total_credits: int
    effective_bps: int | None
    explanation: str


def curve(plan: PricePlan, costs_credits: tuple[int, ...]) -> tuple[CurvePoint, ...]:
    """The plan at each of these inference costs.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, 1_000, None))
    >>> [(p.total_credits, p.effective_bps) for p in curve(PricePlan("p", 8_000, tiers), (9_999, 10_000))]
    [(11998, 1999), (11000, 1000)]
    """
    return tuple(
        CurvePoint(
            cost,
            markup := plan.markup(cost),
            cost + markup,
            div_floor(markup * BPS_PER_WHOLE, cost) if cost else None,
            explain_markup(plan, cost),
        )
        for cost in costs_credits
    )


def telling_costs(*plans: PricePlan, up_to_credits: int, from_credits: int = 0) -> tuple[int, ...]:
    """The inference costs, ascending, at which the curves of these plans should be drawn between the given ones.

    These are the first and the last cost of each tier of each plan; some 240 costs by equal steps and as many by equal
    factors, so that the line is smooth on both a linear and a logarithmic axis; and every cost below 250, where
    rounding shows.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> plan = PricePlan("p", 8_000, (MarkupTier(1_000, 2_000, None), MarkupTier(None, 1_000, None)))
    >>> telling_costs(plan, from_credits=998, up_to_credits=1_002)
    (998, 999, 1000, 1001, 1002)
    """
    bounds = {piece.start_credits for plan in plans for piece in plan.pieces}
    last_costs = {start_credits - 1 for start_credits in bounds if start_credits}
    linear = np.linspace(from_credits, up_to_credits, _POINTS).astype(np.int64).tolist()
    factors = np.geomspace(max(from_credits, 1), max(up_to_credits, 1), _POINTS).astype(np.int64).tolist()
    return tuple(
        sorted(
            cost
            for cost in {*range(_EACH), *bounds, *last_costs, *linear, *factors}
            if from_credits <= cost <= up_to_credits
        )
    )


def usual_extent(*plans: PricePlan) -> int:
    """The largest inference cost to draw: five times the largest bound, but 10,000 to 10^9 credits."""
    bounds = [tier.below_credits for plan in plans for tier in plan.tiers if tier.below_credits is not None]
    return min(MAX_COST_CREDITS, max([10_000, *(5 * bound for bound in bounds)]))
