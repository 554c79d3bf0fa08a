"""Price plans: markup tiers, the creator's share and the plan's other rules, and how they are applied.

A plan never changes once it was live: a change is a new plan with a new id. Nothing here reads a clock or a database.
Reading and checking plans is in `pricing.plan_toml`.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from credits_core.values.credits import BPS_PER_WHOLE, div_ceil, div_floor
from credits_core.values.text import format_bps


class TierMode(StrEnum):
    """How tiers apply: one tier's rate to the whole cost (volume), or each tier's rate to its slice (graduated)."""

    VOLUME = "volume"
    GRADUATED = "graduated"


class Rounding(StrEnum):
    """The direction in which a fraction of a credit is rounded."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class MarkupTier:
    """One markup tier: for inference costs below `below_credits` (exclusive; None in the last tier).

    Exactly one of `markup_bps` (hundredths of a per cent of the inference cost) and `markup_credits` (flat) is set.
    """

    below_credits: int | None
    markup_bps: int | None
    markup_credits: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of inference costs over which the plan is one straight line, rounded.

    From `start_credits` (inclusive) to `end_credits` (exclusive; None in the last piece) the markup is
    `(cost × slope_bps + offset) / 10,000`, rounded as the plan says, and at most `cap_total_credits` less the cost, so
    that no run in the piece costs more than a dearer run. `cap_total_credits` is None without such a cap.
    """

    start_credits: int
    end_credits: int | None
    slope_bps: int
    offset: int
    rounding: Rounding
    cap_total_credits: int | None

    def markup(self, inference_cost_credits: int) -> int:
        """The markup in credits for a cost in the piece."""
        markup_credits = self.uncapped_markup(inference_cost_credits)
        if self.cap_total_credits is None:
            return markup_credits
        return min(markup_credits, self.cap_total_credits - inference_cost_credits)

    def uncapped_markup(self, inference_cost_credits: int) -> int:
        """The markup in credits as if there were no cap."""
        div = div_ceil if self.rounding is Rounding.UP else div_floor
        return div(*self.exact_markup(inference_cost_credits))

    def exact_markup(self, inference_cost_credits: int) -> tuple[int, int]:
        """The markup before rounding and as if there were no cap, as numerator and denominator in credits."""
        return inference_cost_credits * self.slope_bps + self.offset, BPS_PER_WHOLE

    def total(self, inference_cost_credits: int) -> int:
        """The total in credits without a creator fee. Within a piece it never falls as the cost rises."""
        return inference_cost_credits + self.markup(inference_cost_credits)


@dataclass(frozen=True, slots=True)
class PricePlan:
    """How runs are priced.

    `tiers` are in ascending order, and the last has no bound. The creator receives `creator_share_bps` of a fee (8,000
    = 80 %). With `cap_down` a run never costs more than a run with a higher inference cost. On runs with a creator fee
    the platform receives at least `minimum_platform_income_credits` and, with `minimum_platform_income_is_markup`, at
    least the markup of a run without a fee; if its share of the fee is less, the user pays the difference as a markup.
    `purchase_fee_bps` is added to the price when users buy credits. A run may cost `hold_overrun_bps` more than was
    held for it.
    """

    id: str
    creator_share_bps: int
    tiers: tuple[MarkupTier, ...]
    tier_mode: TierMode = TierMode.VOLUME
    cap_down: bool = False
    markup_rounding: Rounding = Rounding.DOWN
    creator_share_rounding: Rounding = Rounding.DOWN
    minimum_platform_income_credits: int = 0
    minimum_platform_income_is_markup: bool = False
    purchase_fee_bps: int = 0
    hold_overrun_bps: int = 0
    pieces: tuple[Piece, ...] = field(init=False, repr=False, compare=False)
    """The plan as straight lines, one for each tier, in ascending order."""
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = tuple(_pieces(self))
        object.__setattr__(self, "pieces", pieces)
        object.__setattr__(self, "_starts", tuple(piece.start_credits for piece in pieces))

    def most_of_hold(self, held_credits: int) -> int:
        """The most credits that a run may cost for which so many are held; the overrun is rounded down.

        >>> tiers = (MarkupTier(None, None, 500),)
        >>> PricePlan("p", 8_000, tiers).most_of_hold(999)
        999
        >>> PricePlan("p", 8_000, tiers, hold_overrun_bps=1_000).most_of_hold(999)
        1098
        """
        return held_credits + div_floor(held_credits * self.hold_overrun_bps, BPS_PER_WHOLE)

    def position_for(self, inference_cost_credits: int) -> int:
        """The position, from 0, of the tier (and piece) that this cost falls into; upper bounds are exclusive.

        >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500))
        >>> plan = PricePlan("p", creator_share_bps=8_000, tiers=tiers)
        >>> plan.position_for(9_999), plan.position_for(10_000)
        (0, 1)
        """
        return bisect_right(self._starts, inference_cost_credits) - 1

    def markup(self, inference_cost_credits: int) -> int:
        """The platform's markup in credits on a run without a creator fee.

        >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, 1_000, None))
        >>> PricePlan("volume", 8_000, tiers).markup(15_000)
        1500
        >>> PricePlan("graduated", 8_000, tiers, TierMode.GRADUATED).markup(15_000)  # 20 % of 10,000, 10 % of 5,000
        2500
        >>> PricePlan("capped", 8_000, tiers, cap_down=True).markup(9_999)  # not more than 10,000 costs: 11,000
        1001
        """
        return self.pieces[self.position_for(inference_cost_credits)].markup(inference_cost_credits)

    def split_fee(self, fee_credits: int) -> tuple[int, int]:
        """The creator's and the platform's share of a fee, in credits. They always add up to the fee.

        >>> PricePlan("p", 8_000, (MarkupTier(None, None, 500),)).split_fee(1_001)
        (800, 201)
        """
        div = div_ceil if self.creator_share_rounding is Rounding.UP else div_floor
        creator_share_credits = div(*self.exact_creator_share(fee_credits))
        return creator_share_credits, fee_credits - creator_share_credits

    def purchase_fee(self, amount_credits: int) -> int:
        """The fee for buying this many credits, in credits, rounded down.

        >>> PricePlan("p", 8_000, (MarkupTier(None, None, 500),), purchase_fee_bps=250).purchase_fee(1_001)
        25
        """
        return div_floor(amount_credits * self.purchase_fee_bps, BPS_PER_WHOLE)

    def exact_creator_share(self, fee_credits: int) -> tuple[int, int]:
        """The creator's share of a fee before rounding, as numerator and denominator in credits.

        >>> PricePlan("p", 8_000, (MarkupTier(None, None, 500),)).exact_creator_share(1_001)  # 800.8
        (8008000, 10000)
        """
        return fee_credits * self.creator_share_bps, BPS_PER_WHOLE

    def minimum_platform_income(self, inference_cost_credits: int) -> int:
        """The least that the platform receives on a run with a creator fee, in credits."""
        if not self.minimum_platform_income_is_markup:
            return self.minimum_platform_income_credits
        return max(self.minimum_platform_income_credits, self.markup(inference_cost_credits))


def explain_markup(plan: PricePlan, inference_cost_credits: int) -> str:
    """How the markup of a run without a creator fee is computed, in one line.

    >>> explain_markup(PricePlan("p", 8_000, (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500))), 9_999)
    'cost below 10,000: 20 %, rounded down'
    """
    position = plan.position_for(inference_cost_credits)
    piece, rounding = plan.pieces[position], f", rounded {plan.markup_rounding}"
    if piece.markup(inference_cost_credits) < piece.uncapped_markup(inference_cost_credits):
        assert piece.cap_total_credits is not None
        return f"capped, because a larger run costs {piece.cap_total_credits:,}"
    if plan.tier_mode is TierMode.GRADUATED:
        return " + ".join(slices(plan, inference_cost_credits)) + rounding
    tier = plan.tiers[position]
    bound = "any higher cost" if tier.below_credits is None else f"cost below {tier.below_credits:,}"
    return f"{bound}: flat" if tier.markup_bps is None else f"{bound}: {format_bps(tier.markup_bps)}{rounding}"


def slices(plan: PricePlan, inference_cost_credits: int) -> Iterator[str]:
    """What each tier of a graduated plan adds to the markup of this cost, in words, up to the cost's own tier.

    >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(None, 1_000, None))
    >>> list(slices(PricePlan("p", 8_000, tiers, TierMode.GRADUATED), 15_000))
    ['10,000 × 20 %', '5,000 × 10 %']
    """
    position = plan.position_for(inference_cost_credits)
    for tier, piece in zip(plan.tiers[: position + 1], plan.pieces, strict=False):
        end_credits = inference_cost_credits if piece is plan.pieces[position] else piece.end_credits
        assert end_credits is not None, "only the last piece has no end"
        if tier.markup_bps is None:
            yield f"{tier.markup_credits:,}"
        else:
            yield f"{end_credits - piece.start_credits:,} × {format_bps(tier.markup_bps)}"


def _pieces(plan: PricePlan) -> Iterator[Piece]:
    lines: list[Piece] = []
    start_credits, rated, flat = 0, 0, 0  # `rated` and `flat`: what the slices before come to, in parts of 10,000
    for tier in plan.tiers:
        slope_bps, own_flat = tier.markup_bps or 0, (tier.markup_credits or 0) * BPS_PER_WHOLE
        if plan.tier_mode is TierMode.GRADUATED:
            flat += own_flat
            offset = rated + flat - start_credits * slope_bps
        else:
            offset = own_flat
        lines.append(Piece(start_credits, tier.below_credits, slope_bps, offset, plan.markup_rounding, None))
        if tier.below_credits is not None:
            rated += (tier.below_credits - start_credits) * slope_bps
            start_credits = tier.below_credits
    cap_total_credits: int | None = None
    capped: list[Piece] = []
    for line in reversed(lines):
        capped.append(
            Piece(line.start_credits, line.end_credits, line.slope_bps, line.offset, line.rounding, cap_total_credits)
        )
        if plan.cap_down:
            # A piece's total does not fall, so its cheapest run is its first.
            first_total_credits = capped[-1].total(line.start_credits)
            cap_total_credits = first_total_credits  # already at most the cap after it
    yield from reversed(capped)
