"""Price plans for tests: random ones, and what they charge, computed the slow way by another program than ours."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import strategies as st

from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode

SPECIFICATION = PricePlan(
    id="promptflow-v1",
    creator_share_bps=8_000,
    tiers=(
        MarkupTier(below_credits=10_000, markup_bps=2_000, markup_credits=None),
        MarkupTier(below_credits=100_000, markup_bps=1_000, markup_credits=None),
        MarkupTier(below_credits=None, markup_bps=None, markup_credits=500),
    ),
)

_rates = st.one_of(
    st.integers(0, 20_000).map(lambda bps: (bps, None)),
    st.sampled_from([(0, None), (100, None), (1_000, None), (2_000, None), (3_333, None), (10_000, None)]),
    st.integers(0, 600).map(lambda flat: (None, flat)),
)


@st.composite
def price_plans(draw: st.DrawFn, *, largest_bound: int) -> PricePlan:
    """Plans of one to four tiers whose bounds are at most `largest_bound`, with every rule a plan can have."""
    bounds = sorted(draw(st.sets(st.integers(1, largest_bound), max_size=3)))
    return PricePlan(
        id="random",
        creator_share_bps=draw(st.sampled_from([0, 1, 5_000, 8_000, 9_999, 10_000])),
        tiers=tuple(MarkupTier(bound, *draw(_rates)) for bound in [*bounds, None]),
        tier_mode=draw(st.sampled_from(TierMode)),
        cap_down=draw(st.booleans()),
        markup_rounding=draw(st.sampled_from(Rounding)),
        creator_share_rounding=draw(st.sampled_from(Rounding)),
        minimum_platform_income_credits=draw(st.sampled_from([0, 0, 1, 20, 500])),
        minimum_platform_income_is_markup=draw(st.booleans()),
    )


def _rounded(exact: Fraction, rounding: Rounding) -> int:
    return floor(exact) if rounding == "down" else ceil(exact)


def _uncapped_total(plan: PricePlan, cost: int) -> int:
    rated, lower = Fraction(0), 0
    for tier in plan.tiers:
        is_in_tier = tier.below_credits is None or cost < tier.below_credits
        if plan.tier_mode == "volume" and not is_in_tier:
            continue
        if tier.markup_bps is None:
            rated += tier.markup_credits or 0
        elif plan.tier_mode == "volume":
            rated += Fraction(cost * tier.markup_bps, 10_000)
        else:
            upper = cost if is_in_tier else tier.below_credits
            assert upper is not None
            rated += Fraction((upper - lower) * tier.markup_bps, 10_000)
        if is_in_tier:
            break
        lower = tier.below_credits or 0
    return cost + _rounded(rated, plan.markup_rounding)


def totals_up_to(plan: PricePlan, largest_cost: int) -> list[int]:
    """What runs without a creator fee cost, for each inference cost from 0 on: looked up one by one.

    With `cap_down` a larger run decides, so more are computed than are returned: to the first of the last tier, whose
    totals only rise.
    """
    last_start = max((tier.below_credits or 0 for tier in plan.tiers), default=0)
    totals = [_uncapped_total(plan, cost) for cost in range(max(largest_cost, last_start) + 1)]
    if plan.cap_down:
        for cost in range(len(totals) - 2, -1, -1):
            totals[cost] = min(totals[cost], totals[cost + 1])
    return totals[: largest_cost + 1]


def with_fee(plan: PricePlan, cost: int, fee: int, markup: int) -> tuple[int, int]:
    """What the user pays and what the platform receives with a creator fee, where the markup is that without one."""
    creator = _rounded(Fraction(fee * plan.creator_share_bps, 10_000), plan.creator_share_rounding)
    least = max(plan.minimum_platform_income_credits, markup if plan.minimum_platform_income_is_markup else 0)
    added = max(0, least - (fee - creator))
    return cost + fee + added, fee - creator + added
