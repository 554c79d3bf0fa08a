"""Finds hidden problems in a price plan: cliffs, runs without markup, fee inversions and losses.

Exact, without sampling: a plan is made of a few straight lines (`PricePlan.pieces`), so checking where they end and
cross finds every problem, in whole numbers, for all inference costs from 0 to 10^9 credits. Pure.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import gcd
from typing import TypeVar

from credits_core.pricing.plan import Piece, PricePlan
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil, div_floor

Found = TypeVar("Found")
MAX_COST_CREDITS = 1_000_000_000
"""Largest inference cost that is checked: $1,000 per run."""


@dataclass(frozen=True, slots=True)
class CostRange:
    """Inference costs in credits, both ends inclusive."""

    first_credits: int
    last_credits: int


@dataclass(frozen=True, slots=True)
class Cliff:
    """An inference cost at which the total drops, so that runs with a lower cost are billed more.

    `overcharged` are all lower costs with a higher total than at the cliff; `overcharged_from_credits` is the lowest.
    """

    at_credits: int
    total_below_credits: int
    total_at_credits: int
    overcharged: tuple[CostRange, ...]

    @property
    def drop_credits(self) -> int:
        """How much the total falls."""
        return self.total_below_credits - self.total_at_credits

    @property
    def overcharged_from_credits(self) -> int:
        """The lowest cost with a higher total than at the cliff."""
        return self.overcharged[0].first_credits


@dataclass(frozen=True, slots=True)
class Inversion:
    """Costs at which some creator fee makes the run cheaper for the user than no fee.

    `worst_cost_credits` is the cost with the largest markup. There every fee from 1 to `largest_fee_credits` makes the
    run cheaper: the cheapest total with a fee is `total_with_fee_credits`, and without a fee it is
    `total_without_fee_credits`. `break_even_fee_credits` is the smallest fee at which the platform receives as much
    there as without a fee; None when no fee is enough.
    """

    costs: CostRange
    worst_cost_credits: int
    largest_fee_credits: int
    total_without_fee_credits: int
    total_with_fee_credits: int
    break_even_fee_credits: int | None


@dataclass(frozen=True, slots=True)
class CardFee:
    """What a card company is assumed to take of a payment: a share and a fixed part."""

    share_bps: int
    fixed_credits: int

    def taken_of(self, payment_credits: int) -> int:
        """What the card company takes of one payment, in credits: the share, rounded up, plus the fixed part.

        >>> CardFee(290, 300_000).taken_of(5_000_001)
        445001
        """
        return div_ceil(payment_credits * self.share_bps, BPS_PER_WHOLE) + self.fixed_credits


@dataclass(frozen=True, slots=True)
class LossZone:
    """Costs at which the markup does not cover the card fee on the total, on runs without a creator fee.

    `costs` goes from the first such cost of a stretch to the last, and `losing_costs` counts them: where the markup is
    rounded, not every cost between them must lose. The totals are the smallest and the largest among them.
    """

    costs: CostRange
    losing_costs: int
    smallest_total_credits: int
    largest_total_credits: int

    @property
    def is_whole(self) -> bool:
        """Whether every cost between the first and the last loses."""
        return self.losing_costs == self.costs.last_credits - self.costs.first_credits + 1


def cliffs(plan: PricePlan, *, up_to_credits: int = MAX_COST_CREDITS) -> tuple[Cliff, ...]:
    """Every cost whose total is lower than the total of a cost one credit less, in ascending order.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> tiers = (MarkupTier(10_000, 2_000, None), MarkupTier(100_000, 1_000, None), MarkupTier(None, None, 500))
    >>> [(c.at_credits, c.total_below_credits, c.total_at_credits) for c in cliffs(PricePlan("v1", 8_000, tiers))]
    [(10000, 11998, 11000), (100000, 109998, 100500)]
    """
    found = []
    pieces = _bounded(plan, up_to_credits)
    for position, piece in enumerate(pieces[1:], 1):
        at_credits = piece.start_credits
        below_credits = pieces[position - 1].total(at_credits - 1)
        total_credits = piece.total(at_credits)
        if total_credits < below_credits:
            overcharged = tuple(
                CostRange(first_credits, _last(earlier))
                for earlier in pieces[:position]
                if (first_credits := _first(earlier, earlier.total, total_credits + 1)) is not None
            )
            found.append(Cliff(at_credits, below_credits, total_credits, overcharged))
    return tuple(found)


def unmarked(plan: PricePlan, *, up_to_credits: int = MAX_COST_CREDITS) -> tuple[CostRange, ...]:
    """The positive costs at which the platform takes no markup, on runs without a creator fee."""
    return _below(_bounded(plan, up_to_credits), lambda piece: piece.markup, 1)


def unseen(plan: PricePlan, *, up_to_credits: int = MAX_COST_CREDITS) -> tuple[CostRange, ...]:
    """The positive costs whose total is below half a cent (5,000 credits), so that in cents it shows as $0.00."""
    return _below(_bounded(plan, up_to_credits), lambda piece: piece.total, _HALF_A_CENT_CREDITS)


def inversions(plan: PricePlan, *, up_to_credits: int = MAX_COST_CREDITS) -> tuple[Inversion, ...]:
    """The ranges of costs at which a creator fee makes the run cheaper than no fee, in ascending order."""
    if plan.minimum_platform_income_is_markup:
        return ()  # whatever the fee, the user pays the markup as well
    least_credits = _least_added(plan)
    found = []
    for line in _lines(plan, up_to_credits):
        above = line.where_markup_is_above(least_credits)
        if above is not None:
            worst_cost_credits = line.dearest_markup(above)
            found.append(_inversion(plan, above, worst_cost_credits))
    return _joined(found, _one_inversion)


def inversion_at(plan: PricePlan, inference_cost_credits: int) -> Inversion | None:
    """The creator fees that make a run with this inference cost cheaper than no fee; None when none does.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> found = inversion_at(PricePlan("p", 8_000, (MarkupTier(None, 2_000, None),)), 9_999)  # a markup of 1,999
    >>> found.largest_fee_credits, found.total_without_fee_credits, found.total_with_fee_credits
    (1998, 11998, 10000)
    """
    if plan.minimum_platform_income_is_markup or plan.markup(inference_cost_credits) <= _least_added(plan):
        return None
    return _inversion(plan, CostRange(inference_cost_credits, inference_cost_credits), inference_cost_credits)


def break_even_fee(plan: PricePlan, inference_cost_credits: int) -> int | None:
    """The smallest creator fee in credits at which the platform receives as much as without a fee.

    None when no fee is enough, because the creator receives all of it.

    >>> from credits_core.pricing.plan import MarkupTier
    >>> break_even_fee(PricePlan("p", 8_000, (MarkupTier(None, 2_000, None),)), 9_999)  # a markup of 1,999
    9991
    """
    markup_credits = plan.markup(inference_cost_credits)
    if plan.minimum_platform_income(inference_cost_credits) >= markup_credits:
        return 1
    if plan.creator_share_bps == BPS_PER_WHOLE:
        return None
    enough = div_ceil(markup_credits * BPS_PER_WHOLE, BPS_PER_WHOLE - plan.creator_share_bps)
    return _smallest(1, enough, lambda fee_credits: plan.split_fee(fee_credits)[1] >= markup_credits)


def losses(plan: PricePlan, card_fee: CardFee, *, up_to_credits: int = MAX_COST_CREDITS) -> tuple[LossZone, ...]:
    """Where the markup is less than the card fee on the total, exact and unrounded, in ascending order.

    The card company takes `share_bps` of the total and the fixed part on every run, as if each were paid on its own.
    Each line of the plan with such costs is a zone; neighbouring zones without a gap are joined.
    """
    zones = [zone for line in _lines(plan, up_to_credits) if (zone := line.losing(card_fee)) is not None]
    return _joined(zones, _one_loss_zone)


_HALF_A_CENT_CREDITS = 5_000


@dataclass(frozen=True, slots=True)
class _Line:
    """A part of a piece, both ends inclusive: with the piece's own rate, or with the piece's cap as its total."""

    piece: Piece
    first_credits: int
    last_credits: int
    cap_total_credits: int | None

    def markup(self, cost_credits: int) -> int:
        return self.piece.markup(cost_credits)

    def where_markup_is_above(self, bound_credits: int) -> CostRange | None:
        if self.cap_total_credits is not None:  # the markup falls by a credit with every credit of cost
            last_credits = min(self.last_credits, self.cap_total_credits - bound_credits - 1)
            return CostRange(self.first_credits, last_credits) if last_credits >= self.first_credits else None
        first_credits = _smallest(self.first_credits, self.last_credits, lambda cost: self.markup(cost) > bound_credits)
        return None if first_credits is None else CostRange(first_credits, self.last_credits)

    def dearest_markup(self, costs: CostRange) -> int:
        return costs.first_credits if self.cap_total_credits is not None else costs.last_credits

    def losing(self, card_fee: CardFee) -> LossZone | None:
        # Within a period of costs the rounding repeats, so that every period-th cost lies on a straight line.
        period = (
            1
            if self.cap_total_credits is not None
            else div_floor(BPS_PER_WHOLE, gcd(self.piece.slope_bps, BPS_PER_WHOLE))
        )
        ends: list[tuple[int, int, int]] = []
        for first_credits in range(self.first_credits, min(self.first_credits + period, self.last_credits + 1)):
            count = div_floor(self.last_credits - first_credits, period) + 1
            losing = self._losing_terms(card_fee, first_credits, period=period, count=count)
            if losing:
                ends.append(
                    (first_credits + losing.start * period, first_credits + (losing.stop - 1) * period, len(losing))
                )
        if not ends:
            return None
        costs = CostRange(min(first for first, _, _ in ends), max(last for _, last, _ in ends))
        # The total does not fall along a line.
        totals = (cost + self.markup(cost) for cost in (costs.first_credits, costs.last_credits))
        return LossZone(costs, sum(count for _, _, count in ends), *totals)

    def _losing_terms(self, card_fee: CardFee, first_credits: int, *, period: int, count: int) -> range:
        surplus = self._surplus(card_fee, first_credits)
        step = self._surplus(card_fee, first_credits + period) - surplus if count > 1 else 0
        if step == 0:
            return range(count if surplus < 0 else 0)
        if step > 0:  # the first ones lose
            return range(min(count, max(0, div_ceil(-surplus, step))))
        first_losing = max(0, div_floor(surplus, -step) + 1)
        return range(min(first_losing, count), count)

    def _surplus(self, card_fee: CardFee, cost_credits: int) -> int:
        """10,000 × (markup - card fee), in credits; negative where the platform loses."""
        total_credits = cost_credits + self.markup(cost_credits)
        return (
            self.markup(cost_credits) * BPS_PER_WHOLE
            - total_credits * card_fee.share_bps
            - card_fee.fixed_credits * BPS_PER_WHOLE
        )


def _lines(plan: PricePlan, up_to_credits: int) -> Iterator[_Line]:
    for piece in _bounded(plan, up_to_credits):
        last_credits, cap_credits = _last(piece), piece.cap_total_credits
        first_capped = None if cap_credits is None else _first(piece, piece.total, cap_credits)
        if first_capped is None:
            yield _Line(piece, piece.start_credits, last_credits, None)
            continue
        if first_capped > piece.start_credits:
            yield _Line(piece, piece.start_credits, first_capped - 1, None)
        yield _Line(piece, first_capped, last_credits, cap_credits)


def _below(
    pieces: tuple[Piece, ...], measure: Callable[[Piece], Callable[[int], int]], bound_credits: int
) -> tuple[CostRange, ...]:
    """The positive costs at which a measure is below a bound. In a piece, once it is not, it must stay so.

    That is true of a total, and of a markup with the bound 1: what a cap leaves of it within a piece is at least 1.
    """
    ranges = []
    for piece in pieces:
        reached = _first(piece, measure(piece), bound_credits)
        costs = CostRange(max(1, piece.start_credits), _last(piece) if reached is None else reached - 1)
        if costs.first_credits <= costs.last_credits:
            ranges.append(costs)
    return _joined(ranges, _one_range)


def _least_added(plan: PricePlan) -> int:
    """What the smallest fee, 1 credit, costs the user beyond the inference cost; other fees cost more."""
    creator_share_credits, _ = plan.split_fee(1)
    return max(1, plan.minimum_platform_income_credits + creator_share_credits)


def _inversion(plan: PricePlan, costs: CostRange, worst_cost_credits: int) -> Inversion:
    markup_credits = plan.markup(worst_cost_credits)
    minimum_credits = plan.minimum_platform_income_credits

    def added(fee_credits: int) -> int:
        return fee_credits + max(0, minimum_credits - plan.split_fee(fee_credits)[1])

    too_large = _smallest(1, markup_credits, lambda fee_credits: added(fee_credits) >= markup_credits)
    assert too_large is not None, "a fee as large as the markup does not make a run cheaper"
    return Inversion(
        costs=costs,
        worst_cost_credits=worst_cost_credits,
        largest_fee_credits=too_large - 1,
        total_without_fee_credits=worst_cost_credits + markup_credits,
        total_with_fee_credits=worst_cost_credits + added(1),
        break_even_fee_credits=break_even_fee(plan, worst_cost_credits),
    )


def _bounded(plan: PricePlan, up_to_credits: int) -> tuple[Piece, ...]:
    """The pieces of the plan, cut off after the largest cost that is checked."""
    end_credits = up_to_credits + 1
    return tuple(
        replace(piece, end_credits=min(piece.end_credits or end_credits, end_credits))
        for piece in plan.pieces
        if piece.start_credits < end_credits
    )


def _last(piece: Piece) -> int:
    assert piece.end_credits is not None, "a bounded piece ends"
    return piece.end_credits - 1


def _first(piece: Piece, measure: Callable[[int], int], at_least_credits: int) -> int | None:
    return _smallest(piece.start_credits, _last(piece), lambda cost: measure(cost) >= at_least_credits)


def _smallest(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest number from low to high (inclusive) for which `holds` is true; above it, it must stay true."""
    if not holds(high):
        return None
    while low < high:
        middle = div_floor(low + high, 2)
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _joined(found: Iterable[Found], as_one: Callable[[Found, Found], Found | None]) -> tuple[Found, ...]:
    """The items in ascending order, with neighbours joined where `as_one` can join them."""
    joined: list[Found] = []
    for one in found:
        both = as_one(joined[-1], one) if joined else None
        if both is None:
            joined.append(one)
        else:
            joined[-1] = both
    return tuple(joined)


def _one_range(left: CostRange, right: CostRange) -> CostRange | None:
    return CostRange(left.first_credits, right.last_credits) if left.last_credits + 1 == right.first_credits else None


def _one_inversion(left: Inversion, right: Inversion) -> Inversion | None:
    costs = _one_range(left.costs, right.costs)
    worst = max(left, right, key=lambda one: one.total_without_fee_credits - one.worst_cost_credits)
    return None if costs is None else replace(worst, costs=costs)


def _one_loss_zone(left: LossZone, right: LossZone) -> LossZone | None:
    costs = _one_range(left.costs, right.costs)
    if costs is None or not (left.is_whole and right.is_whole):
        return None
    return LossZone(
        costs,
        left.losing_costs + right.losing_costs,
        min(left.smallest_total_credits, right.smallest_total_credits),
        max(left.largest_total_credits, right.largest_total_credits),
    )
