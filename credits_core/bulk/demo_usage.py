"""What runs of a demo prompt use: how `data/demo.toml` describes it, and the draw of one run. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from credits_core.pricing.units import MAX_COUNT, REQUESTS, UNITS, Usage, parse_usage

_FORMS = "a count, [least, most], or {percent = [least, most], of = an earlier unit}"


@dataclass(frozen=True, slots=True)
class UsageDraw:
    """One unit of a usage: each whole number from `least` to `most` is equally likely.

    With `of` the number is a percentage of that unit's count, and the count is rounded down.
    """

    unit: str
    least: int
    most: int
    of: str | None = None


def draw_usage(draws: tuple[UsageDraw, ...], random: Random) -> Usage:
    """The usage of one run. The same generator state gives the same usage.

    >>> draws = (UsageDraw("input_tokens", 1_999, 1_999), UsageDraw("cache_read_tokens", 90, 90, of="input_tokens"))
    >>> draw_usage(draws, Random(1))
    (('input_tokens', 1999), ('cache_read_tokens', 1799))
    """
    counts: dict[str, int] = {}
    for draw in draws:
        drawn = random.randint(draw.least, draw.most)
        counts[draw.unit] = drawn if draw.of is None else counts[draw.of] * drawn // 100
    return parse_usage(counts)


def parse_usage_draws(table: object, problems: list[str]) -> tuple[UsageDraw, ...]:
    """The draws that a prompt's table `usage` describes. What is wrong with it is added to `problems`.

    >>> parse_usage_draws({"audio_seconds": [4, 600]}, [])
    (UsageDraw(unit='audio_seconds', least=4, most=600, of=None),)
    """
    if not isinstance(table, Mapping) or not table:
        problems.append(f"usage must be a table of units, each {_FORMS}, not {table!r}")
        return ()
    draws: dict[str, UsageDraw] = {}
    for unit, given in table.items():
        if unit not in UNITS or unit == REQUESTS:
            problems.append(f"usage.{unit} is not a unit that a run can be given")
        elif (draw := _parse_draw(unit, given)) is None:
            problems.append(f"usage.{unit} must be {_FORMS}, not {given!r}")
        else:
            problems.extend(f"usage.{unit} {problem}" for problem in _problems(draw, draws))
            draws[unit] = draw
    return tuple(draws.values())


def _parse_draw(unit: str, given: object) -> UsageDraw | None:
    of, bounds = None, [given, given] if type(given) is int else given
    if isinstance(given, Mapping):
        of, bounds = given.get("of"), given.get("percent")
        if not isinstance(of, str) or len(given) != len(("of", "percent")):
            return None
    if not isinstance(bounds, list) or [type(bound) for bound in bounds] != [int, int]:
        return None
    least, most = bounds
    return UsageDraw(unit, least, most, of)


def _problems(draw: UsageDraw, earlier: Mapping[str, UsageDraw]) -> Iterator[str]:
    limit = MAX_COUNT if draw.of is None else 100
    if not 0 <= draw.least <= draw.most <= limit:
        yield f"must rise from 0 to at most {limit:,}, not from {draw.least:,} to {draw.most:,}"
    if draw.of is None:
        return
    if draw.of not in earlier:
        yield f"is a part of {draw.of}, which does not stand before it"
    together = draw.most + sum(other.most for other in earlier.values() if other.of == draw.of)
    if draw.most <= limit < together:
        yield f"and the parts before it can be {together} % of {draw.of} together"
