"""Every model of the installed genai-prices package with its prices, as our own values.

The only module that turns the package's prices into ours. It reads what the package carries, never the network.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TimeOfDateConstraint
from genai_prices.types import TieredPrices as PackagePrices

from credits_core.errors import DataFileInvalid
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.units import UNITS
from credits_core.pricing.usage_price import TieredPrices

PACKAGE_VERSION = f"genai-prices {genai_prices.__version__}"
_KEY_BY_PRICE_KEY = {unit.price_key: key for key, unit in UNITS.items()}
_TIER_OF = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("speed", "fast"): "fast",
}
"""Request contexts of the package that are service tiers here. Its others (a route, a kind of search) have no name in a
response and are left out."""
_MINIMUM_SECONDS = {("groq", "whisper-large-v3"): 10, ("groq", "whisper-large-v3-turbo"): 10}
"""The package bills at least ten seconds of these, in its code and not in its data."""


def providers() -> list[Provider]:
    """The providers as the package has them."""
    return get_snapshot().providers


@cache
def _by_id() -> Mapping[str, tuple[Provider, ModelInfo]]:
    return {f"{provider.id}/{model.id}": (provider, model) for provider in providers() for model in provider.models}


def ids() -> Iterator[str]:
    """The id of every model, `provider/model`, in the package's order."""
    yield from _by_id()


def find(package_id: str) -> tuple[Provider, ModelInfo] | None:
    """The model with this id, or None."""
    return _by_id().get(package_id)


@cache
def prices_of(package_id: str) -> ModelPrices | None:
    """All prices of a model, or None when the package has none for it, so that it cannot be charged.

    Raises:
        KeyError: the package has no model with this id.
        DataFileInvalid: a price is one that we cannot express.
    """
    provider, model = _by_id()[package_id]
    try:
        return _prices_of(provider, model)
    except ValueError as error:
        raise DataFileInvalid(PACKAGE_VERSION, [f"{package_id} {error}"]) from None


def _prices_of(provider: Provider, model: ModelInfo) -> ModelPrices | None:
    minimum_seconds = _MINIMUM_SECONDS.get((provider.id, model.id), 0)
    standard = (
        (_dated(None, model.prices, minimum_seconds),)
        if isinstance(model.prices, ModelPrice)
        else tuple(_dated(one.constraint, one.prices, minimum_seconds) for one in model.prices)
    )
    tiers: dict[str, tuple[DatedPrices, ...]] = {}
    for variant in model.price_variants or ():
        name = _TIER_OF.get(next(iter(variant.when.items()))) if len(variant.when) == 1 else None
        if name is not None:
            tiers[name] = (*tiers.get(name, ()), _dated(variant.constraint, variant.prices, 0))
    if not any(dated.prices.units for dated in standard):
        return None
    return ModelPrices(standard, tiers)


def _dated(constraint: Any, prices: ModelPrice, minimum_seconds: int) -> DatedPrices:
    tiered = _tiered(prices, minimum_seconds)
    match constraint:
        case None:
            return DatedPrices(tiered)
        case StartDateConstraint(start_date=first_day):
            return DatedPrices(tiered, first_day=first_day)
        case TimeOfDateConstraint(start_time=begin, end_time=end):
            if begin.utcoffset() or end.utcoffset():
                raise ValueError(f"has hours that are not UTC: {begin} to {end}")
            return DatedPrices(tiered, hours=(begin.replace(tzinfo=None), end.replace(tzinfo=None)))
    raise ValueError(f"has a price with an unknown condition: {constraint!r}")


def _tiered(prices: ModelPrice, minimum_seconds: int) -> TieredPrices:
    units: dict[str, tuple[Decimal, tuple[tuple[int, Decimal], ...]]] = {}
    for price_key, price in vars(prices).items():
        if price is None:
            continue
        key = _KEY_BY_PRICE_KEY.get(price_key)
        if key is None:
            raise ValueError(f"has a price for the unknown unit {price_key}")
        if isinstance(price, PackagePrices):
            units[key] = (price.base, tuple((tier.start, tier.price) for tier in price.tiers))
        else:
            units[key] = (price, ())
    return TieredPrices(units, minimum_seconds)
