"""Our cost of a usage is the genai-prices package's own, times a million, rounded up: for every model it can price."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import pytest
from genai_prices.data_units import unit_data
from genai_prices.types import ModelInfo, Provider
from genai_prices.types import Usage as PackageUsage

from credits_core.errors import InvalidRequest
from credits_core.prices import package
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.refusals import UnpricedServiceTier
from credits_core.pricing.units import GENERAL, PARTS, REQUESTS, UNITS, Usage, parse_usage
from credits_core.pricing.usage_price import TieredPrices

MOMENTS = [
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 26, 2, 30, tzinfo=UTC),
    datetime(2026, 11, 26, 12, tzinfo=UTC),
    datetime(2026, 11, 28, 23, 59, 59, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
]
CONTEXTS = {
    "flex": [{"service_tier": "flex"}],
    "priority": [{"service_tier": "priority"}],
    "batch": [{"processing": "batch"}],
    "fast": [{"service_tier": "fast"}, {"speed": "fast"}],
}
"""What the package calls our service tiers. A model has `fast` by one of its two names."""


def package_credits(provider: Provider, model: ModelInfo, usage: Usage, at: datetime, context: Any = None) -> int:
    """What the package computes, in whole credits rounded up, without its rounding at 28 digits."""
    with localcontext() as exact:
        exact.prec = 80
        calculated = model.calc_price(
            PackageUsage(**dict(usage)), provider, genai_request_timestamp=at, price_context=context
        )
        in_credits = calculated.total_price * 1_000_000
        nearest = in_credits.to_integral_value()
        # A third of a cent has no last decimal: what is within 10^-60 of a whole number is that number.
        return int(nearest if abs(in_credits - nearest) < Decimal("1e-60") else in_credits.__ceil__())


def usages(prices: TieredPrices, random: Random, *, at_least: int) -> list[Usage]:
    """Usages of what a model prices: none, one of each unit, at and beside each bound, all, the largest, drawn ones."""
    priced = [key for key in UNITS if key in prices.units and key != REQUESTS]
    bounds = sorted({start for _, tiers in prices.units.values() for start, _ in tiers})

    def whole(own: dict[str, int]) -> Usage:
        """The usage in which each unit has this many that are counted by none of its priced parts."""
        counts = {key: own.get(key, 0) + sum(own.get(part, 0) for part in PARTS[key] & set(priced)) for key in priced}
        largest = max(counts.values(), default=0)
        return parse_usage(counts) if largest <= 10**9 else ()

    made = [whole({}), whole(dict.fromkeys(priced, 1)), whole(dict.fromkeys(priced, 10**9 // 16))]
    made += [whole({key: 1}) for key in priced] + [
        whole({key: 10**9}) for key in priced if not PARTS[key] & set(priced)
    ]
    for bound in bounds:
        for tokens in (bound - 1, bound, bound + 1):
            own = {key: random.randint(0, 1_000) for key in priced if key != "input_tokens"}
            parts = sum(count for key, count in own.items() if "input_tokens" in GENERAL[key])
            made.append(whole({**own, "input_tokens": max(0, tokens - parts)}))
    while len(made) < at_least:
        chosen = random.sample(priced, random.randint(1, len(priced)))
        made.append(whole({key: int(10 ** random.uniform(0, 6)) for key in chosen}))
    return made


BY_PROVIDER = {provider.id: provider for provider in package.providers()}


@pytest.mark.parametrize("provider_id", BY_PROVIDER)
def test_every_model_costs_what_the_package_says(provider_id: str) -> None:
    provider = BY_PROVIDER[provider_id]
    random, compared = Random(provider_id), 0
    compared_tiers: set[tuple[str, str]] = set()
    for model in provider.models:
        prices = package.prices_of(f"{provider_id}/{model.id}")
        if prices is None:
            continue
        moments = MOMENTS if prices.depends_on_time else MOMENTS[1:2]
        for at in moments:
            for usage in usages(prices.at(at), random, at_least=24):
                ours = prices.for_usage(usage, at).inference_cost(usage)
                assert ours == package_credits(provider, model, usage, at), (model.id, usage, at)
                compared += 1
        for tier in prices.service_tiers:
            context = next(one for one in CONTEXTS[tier] if any(one == row.when for row in model.price_variants or ()))
            for at in moments:
                try:
                    tiered = prices.at(at, service_tier=tier)
                except UnpricedServiceTier:  # not yet, or at other hours
                    continue
                for usage in usages(tiered, random, at_least=24):
                    ours = prices.for_usage(usage, at, service_tier=tier).inference_cost(usage)
                    assert ours == package_credits(provider, model, usage, at, context), (model.id, tier, usage, at)
                    compared_tiers.add((model.id, tier))
    priced = {model.id: package.prices_of(f"{provider_id}/{model.id}") for model in provider.models}
    assert compared >= 24 * sum(prices is not None for prices in priced.values())
    assert compared_tiers == {(one, tier) for one, prices in priced.items() if prices for tier in prices.service_tiers}


def test_the_package_prices_four_service_tiers() -> None:
    tiers = Counter(
        tier for one in package.ids() if (prices := package.prices_of(one)) for tier in prices.service_tiers
    )
    assert tiers == {"batch": 108, "fast": 29, "priority": 26, "flex": 23}


def test_models_that_the_package_cannot_price_are_those_without_any_price() -> None:
    without = [one for one in package.ids() if package.prices_of(one) is None]
    assert len(without) == 179
    assert {one.partition("/")[0] for one in without} == {
        provider.id for provider in package.providers() for model in provider.models if not _has_prices(model)
    }
    assert len(list(package.ids())) == 2_330
    assert len(BY_PROVIDER) == 47


def test_the_units_are_those_of_the_package() -> None:
    ours = {
        key: {"per": unit.per, "price_key": unit.price_key, "dimensions": dict(unit.dimensions)}
        for key, unit in UNITS.items()
    }
    assert ours == unit_data
    assert list(ours) == list(unit_data)


@pytest.mark.parametrize(
    ("model_id", "given"),
    [
        ("openai/gpt-realtime", {"cache_read_tokens": 5}),
        ("openai/gpt-realtime", {"input_tokens": 100, "cache_read_tokens": 50, "input_audio_tokens": 50}),
        ("openai/gpt-realtime", {"output_tokens": 1, "output_audio_tokens": 2}),
        ("anthropic/claude-haiku-4-5", {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 6}),
        ("anthropic/claude-haiku-4-5", {"input_tokens": 10, "cache_write_1h_tokens": 6}),
    ],
)
def test_what_the_package_refuses_is_refused(model_id: str, given: dict[str, int]) -> None:
    provider, model = package.find(model_id) or pytest.fail("the package has the model")
    prices = package.prices_of(model_id)
    assert prices is not None
    with pytest.raises(ValueError, match="usage"):
        model.calc_price(PackageUsage(**given), provider, genai_request_timestamp=MOMENTS[1])
    with pytest.raises(InvalidRequest):
        _cost(prices, given)


def _cost(prices: ModelPrices, given: dict[str, int]) -> int:
    usage = parse_usage(given)
    return prices.for_usage(usage, MOMENTS[1]).inference_cost(usage)


def _has_prices(model: ModelInfo) -> bool:
    all_prices = [model.prices] if not isinstance(model.prices, list) else [one.prices for one in model.prices]
    return any(price is not None for prices in all_prices for price in vars(prices).values())
