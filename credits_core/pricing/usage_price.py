"""What a run's usage costs: a price for each unit, exact, with each special unit at its own price. Pure.

The rules are those of the `genai-prices` package, whose `calc_price` a test compares for every model: a unit with a
price of its own is charged at it and taken out of the general unit; one without falls to the general unit. What fits
nowhere is refused by name. Prices may rise with the input tokens, and then for the whole run.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from math import lcm

from credits_core.errors import InvalidRequest
from credits_core.pricing.refusals import UnpricedUsage
from credits_core.pricing.units import GENERAL, PARTS, REQUESTS, UNITS, Usage
from credits_core.values.credits import CREDITS_PER_USD, div_ceil
from credits_core.values.text import format_fraction

AUDIO_SECONDS = ("audio_seconds", "input_audio_seconds")
"""All seconds of audio and those that were heard: a minimum of seconds holds for all, and fills up those heard."""
SPOKEN_SECONDS = "output_audio_seconds"
"""The seconds that the model spoke, which are a part of all."""


@dataclass(frozen=True, slots=True)
class ChargedUnit:
    """One line of a cost: so many of a unit, in dollars per `UNITS[key].per`; `exact_credits` before any rounding."""

    key: str
    count: int
    usd: Decimal
    exact_credits: Fraction

    @property
    def credits_each(self) -> str:
        """The exact price of one of the unit in credits, written out."""
        return credits_each(self.key, self.usd)


def credits_each(key: str, usd: Decimal) -> str:
    """The exact price in credits of one unit that costs these dollars per `UNITS[key].per`, written out."""
    rate = _exact_rate(key, usd)
    return format_fraction(rate.numerator, rate.denominator)


def _exact_rate(key: str, usd: Decimal) -> Fraction:
    return Fraction(usd) * CREDITS_PER_USD / UNITS[key].per


@dataclass(frozen=True, slots=True)
class UsagePrice:
    """The prices that apply to one run, as it keeps them: US dollars per `UNITS[key].per` of each unit.

    `minimum_seconds` is the least number of seconds that a provider bills when there is any audio.
    """

    usd: tuple[tuple[str, Decimal], ...]
    minimum_seconds: int = 0
    denominator: int = field(init=False, repr=False, compare=False)
    rates: dict[str, int] = field(init=False, repr=False, compare=False)
    """Credits of one unit, times `denominator`, so that a run is priced in whole numbers alone."""
    priced_parts: tuple[tuple[str, tuple[str, ...]], ...] = field(init=False, repr=False, compare=False)
    """The priced units, the most special ones first, each with its priced parts."""
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = {key: _exact_rate(key, usd) for key, usd in self.usd}
        denominator = lcm(*(rate.denominator for rate in exact.values()))
        priced = sorted((key for key in exact if key != REQUESTS), key=lambda key: (-len(UNITS[key].dimensions), key))
        object.__setattr__(self, "denominator", denominator)
        object.__setattr__(self, "rates", {key: int(rate * denominator) for key, rate in exact.items()})
        object.__setattr__(
            self, "priced_parts", tuple((key, tuple(part for part in priced if part in PARTS[key])) for key in priced)
        )

        written: dict[str, object] = {key: f"{usd:f}" for key, usd in self.usd}
        if self.minimum_seconds:
            written["minimum_seconds"] = self.minimum_seconds
        object.__setattr__(self, "_text", json.dumps(written, separators=(",", ":")))

    def counts(self, usage: Usage) -> dict[str, int]:
        """How many of each priced unit are charged: its count without those of its parts that have their own price.

        Raises:
            InvalidRequest: a part is given without the unit it is part of, or parts together exceed it.
            UnpricedUsage: a unit was used that has no price, and no unit that it is part of has one.
        """
        used = dict(usage)
        if self.minimum_seconds and (seconds := used.get(AUDIO_SECONDS[0]) or used.get(AUDIO_SECONDS[1])):
            whole = max(seconds, self.minimum_seconds)
            heard = max(used.get(AUDIO_SECONDS[1], 0), whole - used.get(SPOKEN_SECONDS, 0))
            used |= {AUDIO_SECONDS[0]: whole, AUDIO_SECONDS[1]: heard}
        charged: dict[str, int] = {}
        for key, parts in self.priced_parts:
            if key in used:
                count = used[key]
            else:
                require_no_part(key, used)
                count = 0
            for part in parts:
                count -= charged[part]
            if count < 0:
                raise InvalidRequest(
                    f"usage.{key}", f"is {used.get(key, 0):,}, and its parts ({', '.join(parts)}) are {-count:,} more"
                )
            charged[key] = count
        for key, count in used.items():
            if key not in charged and not GENERAL[key] & charged.keys():
                rest = count - sum(charged[part] for part in PARTS[key] & charged.keys())
                if rest > 0:
                    raise UnpricedUsage(key, rest)
        if REQUESTS in self.rates:
            charged[REQUESTS] = 1
        return charged

    def exact_cost(self, usage: Usage) -> tuple[int, int]:
        """The inference cost before rounding, as numerator and denominator in credits.

        Raises:
            InvalidRequest, UnpricedUsage: as `counts`.
        """
        rates = self.rates
        return sum(count * rates[key] for key, count in self.counts(usage).items()), self.denominator

    def inference_cost(self, usage: Usage) -> int:
        """The inference cost in credits: the exact sum over all units, rounded up once.

        Raises:
            InvalidRequest, UnpricedUsage: as `counts`.

        >>> price = UsagePrice((("input_tokens", Decimal("2.5")), ("cache_read_tokens", Decimal("1.25"))))
        >>> price.inference_cost((("input_tokens", 2_006), ("cache_read_tokens", 1_920)))
        2615
        """
        return div_ceil(*self.exact_cost(usage))

    def lines(self, usage: Usage) -> tuple[ChargedUnit, ...]:
        """The charged units in the order of `UNITS`; their exact costs add up to `exact_cost`."""
        charged = self.counts(usage)
        return tuple(
            ChargedUnit(key, charged[key], usd, Fraction(charged[key] * self.rates[key], self.denominator))
            for key, usd in self.usd
            if charged[key]
        )

    def explain(self, usage: Usage) -> str:
        """The arithmetic of the inference cost in one line, with the exact sum.

        >>> prices = (("input_tokens", Decimal(1)), ("output_tokens", Decimal("2.5")), ("requests", Decimal(12)))
        >>> UsagePrice(prices).explain((("input_tokens", 1_000), ("output_tokens", 3)))
        '1,000 input × 1 + 3 output × 2.5 + 12,000 per request = 13,007.5 credits, rounded up'
        """
        parts = [in_words(line) for line in self.lines(usage)]
        exact = format_fraction(*self.exact_cost(usage))
        rounding = ", rounded up" if "." in exact else ""
        return f"{' + '.join(parts) or '0'} = {exact} credits{rounding}"

    @property
    def text(self) -> str:
        """The prices as a run keeps them: a JSON object of exact decimal texts.

        >>> UsagePrice((("input_tokens", Decimal("2.50")), ("requests", Decimal(12)))).text
        '{"input_tokens":"2.50","requests":"12"}'
        """
        return self._text

    @classmethod
    def from_text(cls, text: str) -> "UsagePrice":
        """The prices that `text` gave.

        Raises:
            ValueError, ArithmeticError: it is not such a text.
        """
        prices = json.loads(text)
        minimum_seconds = prices.pop("minimum_seconds", 0)
        if unknown := prices.keys() - UNITS.keys():
            raise ValueError(f"prices unknown units: {', '.join(sorted(unknown))}")
        return cls(tuple((key, Decimal(usd)) for key, usd in prices.items()), minimum_seconds)


def in_words(line: ChargedUnit) -> str:
    """How many of a unit at how many credits each, for reading."""
    if line.key == REQUESTS:
        return f"{line.credits_each} per request"
    return f"{line.count:,} {line.key.removesuffix('_tokens').replace('_', ' ')} × {line.credits_each}"


@dataclass(frozen=True, slots=True)
class TieredPrices:
    """A model's prices at one time: for each unit dollars, and dollars above numbers of input tokens.

    `units` maps a unit to its price below every bound, and to (bound, price) pairs with rising bounds. A price holds
    for runs with more input tokens than its bound (exclusive), and then for all of the unit.
    """

    units: Mapping[str, tuple[Decimal, tuple[tuple[int, Decimal], ...]]]
    minimum_seconds: int = 0
    _bounds: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _levels: tuple[UsagePrice, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        bounds = sorted({bound for _, tiers in self.units.values() for bound, _ in tiers})
        levels = (
            UsagePrice(
                tuple((key, _at(self.units[key], bound)) for key in UNITS if key in self.units), self.minimum_seconds
            )
            for bound in (-1, *bounds)
        )
        object.__setattr__(self, "_bounds", tuple(bounds))
        object.__setattr__(self, "_levels", tuple(levels))

    def for_usage(self, usage: Usage) -> UsagePrice:
        """The prices that apply to a run with this usage.

        Raises:
            InvalidRequest: the prices depend on the input tokens, and parts of them are given without them.
        """
        if not self._bounds:
            return self._levels[0]
        used = dict(usage)
        if "input_tokens" not in used:
            require_no_part("input_tokens", used)
        return self._levels[bisect_left(self._bounds, used.get("input_tokens", 0))]

    def levels(self) -> Iterator[tuple[int, UsagePrice]]:
        """Each set of prices with the number of input tokens above which it applies, exclusive; 0 for the first."""
        yield from zip((0, *self._bounds), self._levels, strict=True)


def _at(price: tuple[Decimal, tuple[tuple[int, Decimal], ...]], bound: int) -> Decimal:
    usd, tiers = price
    for start, higher in tiers:
        if start <= bound:
            usd = higher
    return usd


def _joins(key: str) -> tuple[tuple[str, str], ...]:
    dimensions = UNITS[key].dimensions
    general = sorted(GENERAL[key])
    return tuple(
        (left, right)
        for left, right in combinations(general, 2)
        if UNITS[left].dimensions | UNITS[right].dimensions == dimensions
        and left not in GENERAL[right]
        and right not in GENERAL[left]
    )


_JOINS = {key: _joins(key) for key in UNITS}
"""Pairs of units whose overlap is the unit: how many cached tokens are audio cannot be told from the two counts."""


def require_no_part(key: str, used: Mapping[str, int]) -> None:
    """Nothing, when a unit that is not given can be taken as 0.

    Raises:
        InvalidRequest: units that are part of it, or whose overlap it is, were used.
    """
    parts = PARTS[key]
    if not parts.isdisjoint(used) and (given := {part for part in parts & used.keys() if used[part]}):
        raise InvalidRequest(f"usage.{key}", f"must be given, because {', '.join(sorted(given))} is a part of it")
    for left, right in _JOINS[key]:
        if used.get(left) and used.get(right):
            raise InvalidRequest(
                f"usage.{key}", f"must be given beside {left} and {right}, because it has a price of its own"
            )
