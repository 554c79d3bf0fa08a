"""Which plans there are to choose from: what may move, between which bounds, in which steps. Pure.

Everything that does not move stays as in today's plan. Each rule of a plan is a dimension with a list of values, all of
them whole basis points and whole credits; a place in the space is one value of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from credits_core.errors import InvalidRequest
from credits_core.pricing.plan import MarkupTier, PricePlan, Rounding, TierMode
from credits_core.pricing.plan_toml import MAX_BPS, MAX_TIERS
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS

MOST_VALUES = 2_000
"""Most values of one dimension."""
ROUND_BPS = 50
"""A round percentage is a whole or half per cent."""
Markup = tuple[int | None, int | None]
"""The markup of a tier: basis points or credits, one of which is None."""
Place = tuple[int, ...]
"""One value of each dimension, by its position."""
_TIERS, _BOUND, _MARKUP = "tiers", "bound", "markup"


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `low` to `high`, both inclusive, `step` apart."""

    low: int
    high: int
    step: int = 1

    def values(self) -> tuple[int, ...]:
        """The numbers in ascending order.

        >>> Span(500, 2_000, 500).values()
        (500, 1000, 1500, 2000)
        """
        return tuple(range(self.low, self.high + 1, self.step))

    def round_values(self) -> tuple[int, ...]:
        """The round ones of them: 0, and those with one digit or a second one of 5 before the zeros.

        >>> Span(8, 60).round_values()
        (8, 9, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60)
        >>> Span(100, 3_000, 100).round_values()
        (100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1500, 2000, 2500, 3000)
        """
        found, power, steps = set(range(10)), 1, range(self.low, self.high + 1, self.step)
        while 10 * power <= self.high:
            found |= {number * power for number in range(10, 100, 5)}
            power *= 10
        return tuple(sorted(number for number in found if number in steps))


@dataclass(frozen=True, slots=True)
class Moves:
    """What may move; None and False mean that it stays as in today's plan.

    `bounds` are the tiers' bounds and `flats` their flat amounts, in credits; `rates`, `creator_share` and
    `purchase_fee` are in basis points; `minimum_income` in credits. With `round_only` only round numbers of a span
    count, which for percentages are whole and half ones. As many tiers as `most_tiers` are possible where bounds move.
    """

    most_tiers: int = 4
    bounds: Span | None = None
    rates: Span | None = None
    flats: Span | None = None
    creator_share: Span | None = None
    minimum_income: Span | None = None
    minimum_is_markup: bool = False
    purchase_fee: Span | None = None
    mode: bool = False
    cap: bool = False
    rounding: bool = False
    round_only: bool = True


@dataclass(frozen=True, slots=True)
class Dimension:
    """A rule of the plan and the values that it can have."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """All plans that are possible. Several places may hold the same plan."""

    today: PricePlan
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int:
        """How many places there are."""
        return prod(len(one.values) for one in self.dimensions)

    @property
    def _last_markup(self) -> str:
        return [one.name for one in self.dimensions if one.name.startswith(f"{_MARKUP} ")][-1]

    def plan(self, place: Place) -> PricePlan:
        """The plan at a place, in its plainest form: neighbouring tiers with the same percentage are one."""
        chosen: dict[str, Any] = {one.name: one.values[at] for one, at in zip(self.dimensions, place, strict=True)}
        tiers: int = chosen.pop(_TIERS)
        bounds = sorted({chosen.pop(name) for name in [*chosen][: tiers - 1]})
        markups: list[Markup] = [chosen.pop(name) for name in [*chosen] if name.startswith(f"{_MARKUP} ")]
        *earlier, last = markups
        rules = {name: value for name, value in chosen.items() if not name.startswith(f"{_BOUND} ")}
        ends = [*bounds, None]
        plan = replace(
            self.today,
            tiers=tuple(
                MarkupTier(end, *markup) for end, markup in zip(ends, [*earlier[: len(bounds)], last], strict=True)
            ),
            **rules,
        )
        return plainest(plan)

    def nearest(self, plan: PricePlan) -> Place:
        """The place whose plan is most like this one, rule by rule."""
        bounds = [tier.below_credits for tier in plan.tiers[:-1] if tier.below_credits is not None]
        markups: list[Markup] = [(tier.markup_bps, tier.markup_credits) for tier in plan.tiers]
        place = []
        for one in self.dimensions:
            kind, _, number = one.name.partition(" ")
            if one.name == _TIERS:
                wanted: Any = len(plan.tiers)
            elif kind == _BOUND:
                wanted = bounds[min(int(number), len(bounds) - 1)] if bounds else one.values[0]
            elif kind == _MARKUP:
                is_last = one.name == self._last_markup
                wanted = markups[-1] if is_last else markups[min(int(number), max(0, len(markups) - 2))]
            else:
                wanted = getattr(plan, one.name)
            place.append(_nearest(one.values, wanted))
        return tuple(place)

    def neighbours(self, place: Place) -> Iterator[Place]:
        """The places one step away in one dimension."""
        for at, (one, here) in enumerate(zip(self.dimensions, place, strict=True)):
            for there in (here - 1, here + 1):
                if 0 <= there < len(one.values):
                    yield (*place[:at], there, *place[at + 1 :])


def space_of(today: PricePlan, moves: Moves) -> Space:
    """The plans that are possible when this may move.

    Raises:
        InvalidRequest: a span is empty, out of the bounds of a plan, or has more than 2,000 values; or the number of
            tiers is not 1 to 50.
    """
    if not 1 <= moves.most_tiers <= MAX_TIERS:
        raise InvalidRequest("tiers", f"must be at most a number from 1 to {MAX_TIERS}, not {moves.most_tiers}")
    rates = _values("percentages", moves.rates, MAX_BPS, multiples_of=ROUND_BPS if moves.round_only else 1)
    flats = _values("flat amounts", moves.flats, MAX_CREDITS, is_round=moves.round_only)
    bounds = _values("boundaries", moves.bounds, MAX_CREDITS, is_round=moves.round_only, minimum=1)
    count = moves.most_tiers if bounds else len(today.tiers)
    dimensions = [Dimension(_TIERS, tuple(range(1, count + 1)) if bounds else (count,))]
    of_today = [tier.below_credits for tier in today.tiers[:-1]]
    dimensions += [Dimension(f"{_BOUND} {number}", bounds or (of_today[number],)) for number in range(count - 1)]
    for number in range(count):
        # The last tier is always like today's last; tiers that are added are like the one before it.
        tier = today.tiers[-1 if number == count - 1 else min(number, max(0, len(today.tiers) - 2))]
        dimensions.append(Dimension(f"{_MARKUP} {number}", _markups(tier, rates, flats)))
    share = _values("creator share", moves.creator_share, BPS_PER_WHOLE, multiples_of=1)
    minimum = _values("minimum income", moves.minimum_income, MAX_CREDITS, is_round=moves.round_only)
    fee = _values("added on purchases", moves.purchase_fee, MAX_BPS, multiples_of=1)
    for name, values in (
        ("tier_mode", tuple(TierMode) if moves.mode else ()),
        ("cap_down", (False, True) if moves.cap else ()),
        ("markup_rounding", tuple(Rounding) if moves.rounding else ()),
        ("creator_share_bps", share),
        ("minimum_platform_income_credits", minimum),
        ("minimum_platform_income_is_markup", (False, True) if moves.minimum_is_markup else ()),
        ("purchase_fee_bps", fee),
    ):
        dimensions.append(Dimension(name, tuple(values) or (getattr(today, name),)))
    return Space(today, tuple(dimensions))


def usual_moves(today: PricePlan) -> Moves:
    """What may move unless somebody says otherwise: tiers, percentages, flat amounts, and the rules against findings.

    The creator share may rise a little, because a user who runs out under a dearer plan takes income from creators. The
    surcharge on purchases and a minimum income in credits stay.
    """
    bounds = [tier.below_credits for tier in today.tiers if tier.below_credits is not None]
    rates = [tier.markup_bps for tier in today.tiers if tier.markup_bps is not None]
    return Moves(
        most_tiers=max(4, len(today.tiers)),
        bounds=Span(1_000, min(max([1_000_000, *bounds]), MAX_CREDITS), 1_000),
        rates=Span(0, max([4_000, *rates]), ROUND_BPS),
        flats=Span(0, 5_000, 100),
        creator_share=Span(today.creator_share_bps, min(today.creator_share_bps + 200, BPS_PER_WHOLE), 10),
        minimum_is_markup=True,
        mode=True,
        cap=True,
        rounding=True,
    )


def plainest(plan: PricePlan) -> PricePlan:
    """The same prices with as few tiers as possible.

    >>> tiers = (MarkupTier(10, 500, None), MarkupTier(20, 500, None), MarkupTier(None, 300, None))
    >>> len(plainest(PricePlan("p", 8_000, tiers)).tiers)
    2
    """
    kept: list[MarkupTier] = []
    is_volume = plan.tier_mode is TierMode.VOLUME
    for tier in plan.tiers:
        same_rate = kept and tier.markup_bps is not None and tier.markup_bps == kept[-1].markup_bps
        same_flat = kept and is_volume and tier.markup_bps is None and tier.markup_credits == kept[-1].markup_credits
        if same_rate or same_flat:
            kept[-1] = tier
        else:
            kept.append(tier)
    return replace(plan, tiers=tuple(kept))


def is_round(plan: PricePlan) -> bool:
    """Whether every bound and flat amount is a round number and every percentage whole or half.

    >>> is_round(PricePlan("p", 8_000, (MarkupTier(15_000, 1_250, None), MarkupTier(None, None, 500))))
    True
    >>> is_round(PricePlan("p", 8_000, (MarkupTier(12_000, 1_250, None), MarkupTier(None, None, 500))))
    False
    """
    credits = [
        number for tier in plan.tiers for number in (tier.below_credits, tier.markup_credits) if number is not None
    ]
    rates = [tier.markup_bps for tier in plan.tiers if tier.markup_bps is not None]
    are_round = all(number in Span(number, number).round_values() for number in credits)
    return are_round and all(rate in range(0, MAX_BPS + 1, ROUND_BPS) for rate in rates)


def _values(
    field: str,
    span: Span | None,
    maximum: int,
    *,
    multiples_of: int = 1,
    is_round: bool = False,
    minimum: int = 0,
) -> tuple[int, ...]:
    if span is None:
        return ()
    if not (minimum <= span.low <= span.high <= maximum and span.step >= 1):
        raise InvalidRequest(
            field, f"must go up from at least {minimum:,} to at most {maximum:,} in steps of 1 or more"
        )
    if is_round:
        values = span.round_values()
    else:
        if (span.high - span.low) > span.step * MOST_VALUES:
            raise InvalidRequest(field, f"have more than {MOST_VALUES:,} values; take larger steps")
        values = tuple(one for one in span.values() if one in range(0, one + 1, multiples_of))
    if not values:
        raise InvalidRequest(field, f"have no round number from {span.low:,} to {span.high:,}")
    return values


def _markups(tier: MarkupTier, rates: Sequence[int], flats: Sequence[int]) -> tuple[Markup, ...]:
    """What can stand in a tier: its markup of today, unless that kind moves; then all that moves."""
    if not (flats if tier.markup_bps is None else rates):
        return ((tier.markup_bps, tier.markup_credits),)
    return (*((rate, None) for rate in rates), *((None, flat) for flat in flats))


def _nearest(values: tuple[Any, ...], wanted: Any) -> int:
    if wanted in values:
        return values.index(wanted)
    if isinstance(wanted, tuple):
        kind = 0 if wanted[0] is not None else 1
        distances = [(abs(one[kind] - wanted[kind]), at) for at, one in enumerate(values) if one[kind] is not None]
    elif isinstance(wanted, int):
        distances = [(abs(one - wanted), at) for at, one in enumerate(values)]
    else:
        distances = []
    return min(distances, default=(0, 0))[1]
