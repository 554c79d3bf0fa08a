"""Puts the prices of models into words: dollars for so many of a unit, and when they hold. Pure."""

from decimal import Decimal

from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.units import REQUESTS, UNITS, unit_name
from credits_core.pricing.usage_price import AUDIO_SECONDS

_SIZES = {1_000: "thousand", 1_000_000: "million", 1_000_000_000: "billion", 3_600: "hour"}


def price_words(model: Model) -> str:
    """Every price of a model in one line."""
    if isinstance(model.prices, RunPrice):
        return f"{model.prices.run_price_credits:,} credits per run"
    return prices_words(model.prices)


def prices_words(prices: ModelPrices) -> str:
    """Every price by usage in one line: what holds now and later, and the service tiers."""
    said = [_dated_words(dated) for dated in prices.standard]
    for name, rows in prices.service_tiers.items():
        said += [f"{name} {_dated_words(dated)}" for dated in rows]
    return "; ".join(said)


def unit_price(key: str, usd: Decimal, above: tuple[tuple[int, Decimal], ...] = ()) -> str:
    """The price of a unit with its size; `above` are other prices for runs with more than so many input tokens.

    >>> unit_price("input_tokens", Decimal(2), ((200_000, Decimal("4.125")),))
    '$2.00 per million input tokens ($4.125 above 200,000 input tokens)'
    >>> unit_price("audio_seconds", Decimal("0.111")), unit_price("requests", Decimal(12))
    ('$0.111 per hour of audio', '$12.00 per thousand requests')
    """
    return f"{dollars(usd)} per {size_words(key)}{above_words(above)}"


def above_words(above: tuple[tuple[int, Decimal], ...]) -> str:
    """The prices for long prompts in brackets; nothing when there are none.

    >>> above_words(((200_000, Decimal(4)),))
    ' ($4.00 above 200,000 input tokens)'
    """
    said = ", ".join(f"{dollars(usd)} above {bound:,} input tokens" for bound, usd in above)
    return f" ({said})" if said else ""


def size_words(key: str) -> str:
    """What a price of this unit is for.

    >>> size_words("input_document_pages"), size_words("input_audio_seconds")
    ('thousand input document pages', 'hour of input audio')
    """
    size = _SIZES[UNITS[key].per]
    name = "requests" if key == REQUESTS else unit_name(key).lower()
    return f"{size} of {name.removesuffix(' seconds')}" if size == "hour" else f"{size} {name}"


def size(key: str) -> str:
    """The size alone, where the unit stands beside it: "million", "thousand", "billion" or "hour"."""
    return _SIZES[UNITS[key].per]


def minimum_words(dated: DatedPrices) -> str:
    """The least that is billed of audio; nothing when there is no such minimum."""
    seconds = dated.prices.minimum_seconds
    return f", at least {seconds} seconds" if seconds and dated.prices.units.keys() & {*AUDIO_SECONDS} else ""


def when(dated: DatedPrices) -> str:
    """The time at which the prices hold; nothing when they always do."""
    said = [f"from {dated.first_day}"] if dated.first_day else []
    if dated.hours:
        begin, end = dated.hours
        said.append(f"{begin:%H:%M} to {end:%H:%M} UTC")
    if dated.is_on_weekdays:
        said.append("on weekdays")
    return " ".join(said)


def dollars(usd: Decimal) -> str:
    """An exact price, in cents where it is whole cents.

    >>> dollars(Decimal("2.5")), dollars(Decimal("0.1110")), dollars(Decimal("1000.01"))
    ('$2.50', '$0.111', '$1,000.01')
    """
    cents = usd.quantize(Decimal("0.01"))
    return f"${cents:,f}" if cents == usd else f"${usd:,f}".rstrip("0")


def _dated_words(dated: DatedPrices) -> str:
    time = when(dated)
    units = dated.prices.units
    said = ", ".join(unit_price(key, *units[key]) for key in UNITS if key in units)
    return f"{time}{': ' if time else ''}{said}{minimum_words(dated)}"
