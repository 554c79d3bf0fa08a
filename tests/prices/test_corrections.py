"""Where the package is wrong: our corrections, and the right values that were found by trying public bug reports."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid
from credits_core.prices import catalogue, package
from credits_core.prices.corrections import load_corrections
from credits_core.pricing.dated_prices import ModelPrices
from credits_core.pricing.refusals import UnpricedServiceTier
from credits_core.pricing.units import parse_usage

THURSDAY_NIGHT = datetime(2026, 11, 26, 2, tzinfo=UTC)
THURSDAY_NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SATURDAY_NIGHT = datetime(2026, 11, 28, 2, tzinfo=UTC)
MILLION = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}


def prices_of(model_id: str) -> ModelPrices:
    return catalogue.prices_of(model_id, settings.PRICE_CORRECTIONS_FILE)[0]


def cost(model_id: str, given: dict[str, object], at: datetime = THURSDAY_NOON, tier: str | None = None) -> int:
    usage = parse_usage(given)
    return prices_of(model_id).for_usage(usage, at, service_tier=tier).inference_cost(usage)


@pytest.mark.parametrize(
    ("at", "credits"),
    [
        (THURSDAY_NIGHT, 5_280_000),  # 1.32 + 3.96 dollars a million, peak
        (THURSDAY_NOON, 2_640_000),  # 0.66 + 1.98
        (SATURDAY_NIGHT, 2_640_000),
        (datetime(2026, 11, 26, 0, 59, 59, 999_999, tzinfo=UTC), 2_640_000),
        (datetime(2026, 11, 26, 1, tzinfo=UTC), 5_280_000),
        (datetime(2026, 11, 26, 4, tzinfo=UTC), 2_640_000),
        (datetime(2026, 11, 26, 9, 59, 59, tzinfo=UTC), 5_280_000),
    ],
)
def test_peak_prices_hold_on_weekdays_at_their_hours(at: datetime, credits: int) -> None:
    assert cost("deepseek/deepseek-v4-pro", MILLION, at) == credits


def test_the_package_itself_has_a_peak_on_saturdays() -> None:
    prices, usage = package.prices_of("deepseek/deepseek-v4-pro"), parse_usage(MILLION)
    assert prices is not None
    assert prices.for_usage(usage, SATURDAY_NIGHT).inference_cost(usage) == 5_280_000


@pytest.mark.parametrize(
    ("model_id", "before", "after", "first_day"),
    [
        ("google/gemini-4-argon", 300_000, 600_000, datetime(2026, 12, 1, tzinfo=UTC)),
        ("google/gemini-3.8-flash", 112_500, 225_000, datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_price_with_a_first_day_holds_from_its_first_moment(
    model_id: str, before: int, after: int, first_day: datetime
) -> None:
    usage: dict[str, object] = {"input_tokens": 100_000, "output_tokens": 10_000}
    last_moment = first_day.replace(year=2026, month=first_day.month - 1 or 12, day=30 if first_day.month == 12 else 31)
    assert cost(model_id, usage, last_moment.replace(hour=23, minute=59, second=59, microsecond=999_999)) == before
    assert cost(model_id, usage, first_day) == after


@pytest.mark.parametrize(
    ("model_id", "tier", "credits"),
    [
        ("openai/gpt-5", None, 2_250),  # 1,000 × 1.25 + 100 × 10
        ("openai/gpt-5", "default", 2_250),
        ("openai/gpt-5", "flex", 1_125),
        ("anthropic/claude-haiku-4-5", None, 1_500),  # 1,000 × 1 + 100 × 5
        ("anthropic/claude-haiku-4-5", "standard", 1_500),
        ("anthropic/claude-haiku-4-5", "batch", 750),
    ],
)
def test_a_service_tier_has_its_own_price(model_id: str, tier: str | None, credits: int) -> None:
    assert cost(model_id, {"input_tokens": 1_000, "output_tokens": 100}, tier=tier) == credits


@pytest.mark.parametrize("tier", ["scale", "Flex", "", "flex "])
def test_a_service_tier_without_a_price_is_refused_by_name(tier: str) -> None:
    with pytest.raises(UnpricedServiceTier) as refused:
        cost("openai/gpt-5", {"input_tokens": 1_000, "output_tokens": 100}, tier=tier)
    assert refused.value.service_tier == tier
    assert refused.value.known_tiers == ["batch", "fast", "flex", "priority"]


def test_one_hour_cache_writes_cost_their_own_price() -> None:
    usage: dict[str, object] = {
        "input_tokens": 3_000,  # 1,000 fresh, 500 kept for five minutes, 1,500 for an hour
        "cache_write_tokens": 2_000,
        "cache_write_5m_tokens": 500,
        "cache_write_1h_tokens": 1_500,
        "output_tokens": 100,
    }
    # 1,000 × 1 + 500 × 1.25 + 1,500 × 2 + 100 × 5
    assert cost("anthropic/claude-haiku-4-5", usage) == 5_125


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[corrections]]\nmodel = 'a/b'\n", "needs exactly the keys"),
        ("other = 1\n", "unknown key 'other'"),
        ("= 1", "cannot be read"),
    ],
)
def test_a_wrong_file_of_corrections_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileInvalid, match=problem):
        load_corrections(file)


def test_every_correction_still_corrects_something() -> None:
    corrections = load_corrections(settings.PRICE_CORRECTIONS_FILE)
    assert corrections.keys() == {"deepseek/deepseek-v4-pro", "deepseek/deepseek-v4-flash", "deepseek/deepseek-flash"}
    for model_id in corrections:
        assert prices_of(model_id) != package.prices_of(model_id)


def test_a_correction_that_changes_nothing_any_more_is_refused_by_its_file_and_model(tmp_path: Path) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(  # gpt-4o has no prices with hours
        "[[corrections]]\nmodel = 'openai/gpt-4o'\nweekdays_only = true\nwhy = 'x'\nsource = 'x'\n"
        "checked_on = 2026-11-26\n",
        encoding="utf-8",
    )
    said = f"{file}: the correction of openai/gpt-4o changes nothing; if the package is right now, take it out"
    for asked in (lambda: catalogue.prices_of("openai/gpt-4o", file), lambda: catalogue.find_model("gpt-4o", file)):
        with pytest.raises(DataFileInvalid) as refused:
            asked()
        assert str(refused.value) == said
