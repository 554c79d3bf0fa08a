"""Which prices apply to a run: by day, hour, weekday and service tier, at and beside each bound."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.refusals import UnpricedServiceTier
from credits_core.pricing.usage_price import TieredPrices
from tests.support.prices import usage_price

MOMENT = timedelta(microseconds=1)
DAY = date(2026, 11, 26)  # a Thursday
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


def flat(usd: str, **more: str) -> TieredPrices:
    return TieredPrices({"input_tokens": (Decimal(usd), ()), **{key: (Decimal(one), ()) for key, one in more.items()}})


def at(hour: int, minute: int = 0, day: int = 26) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


# --- one price ------------------------------------------------------------------------------------------------------


def test_a_price_without_conditions_applies_always() -> None:
    prices = DatedPrices(flat("1"))
    assert prices.is_always
    assert prices.apply_at(datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "applies"),
    [
        (MIDNIGHT - MOMENT, False),
        (MIDNIGHT, True),
        (MIDNIGHT + timedelta(days=400), True),
        # Its first day is a UTC day, wherever the run takes place.
        (datetime(2026, 11, 26, 5, 29, tzinfo=timezone(timedelta(hours=5, minutes=30))), False),
        (datetime(2026, 11, 26, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), True),
        (datetime(2026, 11, 25, 19, tzinfo=timezone(timedelta(hours=-5))), True),
    ],
)
def test_a_first_day_begins_at_midnight_utc(moment: datetime, applies: bool) -> None:
    prices = DatedPrices(flat("1"), first_day=DAY)
    assert not prices.is_always
    assert prices.apply_at(moment) is applies


@pytest.mark.parametrize(
    ("hours", "moment", "applies"),
    [
        ((time(1), time(4)), at(1) - MOMENT, False),
        ((time(1), time(4)), at(1), True),
        ((time(1), time(4)), at(4) - MOMENT, True),
        ((time(1), time(4)), at(4), False),
        # Past midnight.
        ((time(22, 30), time(2)), at(22, 30) - MOMENT, False),
        ((time(22, 30), time(2)), at(22, 30), True),
        ((time(22, 30), time(2)), at(0), True),
        ((time(22, 30), time(2)), at(2) - MOMENT, True),
        ((time(22, 30), time(2)), at(2), False),
        # Until midnight.
        ((time(16), time(0)), at(16), True),
        ((time(16), time(0)), at(0) - MOMENT, True),
        ((time(16), time(0)), at(0), False),
        ((time(1), time(4)), datetime(2026, 11, 26, 3, tzinfo=timezone(timedelta(hours=2))), True),
    ],
)
def test_hours_of_the_day_begin_with_the_first_and_end_before_the_last(
    hours: tuple[time, time], moment: datetime, applies: bool
) -> None:
    prices = DatedPrices(flat("1"), hours=hours)
    assert not prices.is_always
    assert prices.apply_at(moment) is applies


@pytest.mark.parametrize(
    ("moment", "applies"),
    [
        (at(0, day=27), True),
        (at(0, day=28) - MOMENT, True),
        (at(0, day=28), False),
        (at(0, day=30) - MOMENT, False),
        (at(0, day=30), True),
    ],
)
def test_weekdays_end_with_friday_and_begin_with_monday(moment: datetime, applies: bool) -> None:
    prices = DatedPrices(flat("1"), is_on_weekdays=True)
    assert not prices.is_always
    assert prices.apply_at(moment) is applies


def test_every_condition_has_to_hold() -> None:
    prices = DatedPrices(flat("1"), first_day=DAY, hours=(time(1), time(4)), is_on_weekdays=True)
    assert prices.apply_at(at(2))
    assert not prices.apply_at(at(2, day=25))
    assert not prices.apply_at(at(5))
    assert not prices.apply_at(at(2, day=28))


# --- the prices of a model ------------------------------------------------------------------------------------------

PEAK = ModelPrices(
    (
        DatedPrices(flat("1")),
        DatedPrices(flat("2"), first_day=DAY),
        DatedPrices(flat("4"), hours=(time(1), time(4)), is_on_weekdays=True),
    )
)


@pytest.mark.parametrize(
    ("moment", "usd"),
    [
        (MIDNIGHT - MOMENT, "1"),
        (MIDNIGHT, "2"),
        (at(1), "4"),  # the last that applies
        (at(4), "2"),
        (at(1, day=25), "4"),
        (at(1, day=28), "2"),
    ],
)
def test_the_last_standard_price_that_applies_counts(moment: datetime, usd: str) -> None:
    assert PEAK.depends_on_time
    assert PEAK.for_usage((("input_tokens", 5),), moment) == usage_price(input_tokens=usd)


def test_the_first_price_holds_until_one_applies() -> None:
    prices = ModelPrices((DatedPrices(flat("1"), first_day=DAY), DatedPrices(flat("2"), first_day=date(2027, 1, 1))))
    assert prices.at(MIDNIGHT - MOMENT) == flat("1")


def test_a_price_that_depends_on_the_time_needs_one() -> None:
    with pytest.raises(AssertionError, match="depends on the time"):
        PEAK.at(None)
    assert not ModelPrices((DatedPrices(flat("1")),)).depends_on_time
    assert ModelPrices((DatedPrices(flat("1")),)).at(None) == flat("1")


TIERED = ModelPrices(
    (DatedPrices(TieredPrices(flat("2", output_tokens="10", web_searches="5").units, minimum_seconds=10)),),
    {
        "flex": (DatedPrices(flat("1", output_tokens="5")),),
        "batch": (
            DatedPrices(flat("0.5"), first_day=DAY),
            DatedPrices(flat("1.5", output_tokens="3")),
        ),
        "later": (DatedPrices(flat("7"), first_day=DAY),),
    },
)
STANDARD = TieredPrices(flat("2", output_tokens="10", web_searches="5").units, 10)


@pytest.mark.parametrize("tier", [None, "standard", "default", "auto"])
def test_the_standard_tier_has_several_names(tier: str | None) -> None:
    assert TIERED.at(MIDNIGHT, service_tier=tier) == STANDARD


def test_what_a_service_tier_leaves_out_costs_the_standard_price() -> None:
    assert TIERED.at(MIDNIGHT, service_tier="flex") == TieredPrices(
        flat("1", output_tokens="5", web_searches="5").units, 10
    )


def test_of_two_prices_of_a_tier_that_apply_the_first_counts_for_each_unit() -> None:
    batch = {
        MIDNIGHT - MOMENT: TieredPrices(flat("1.5", output_tokens="3", web_searches="5").units, 10),
        MIDNIGHT: TieredPrices(flat("0.5", output_tokens="3", web_searches="5").units, 10),
    }
    assert {moment: TIERED.at(moment, service_tier="batch") for moment in batch} == batch


def test_a_tier_whose_prices_do_not_apply_yet_is_refused() -> None:
    assert TIERED.depends_on_time
    with pytest.raises(UnpricedServiceTier) as caught:
        TIERED.at(MIDNIGHT - MOMENT, service_tier="later")
    assert caught.value.http_status == 422
    assert str(caught.value) == (
        "This model has no price in the service tier 'later'. Nothing was charged. It has prices for: standard, batch, "
        "flex, later."
    )
    assert TIERED.at(MIDNIGHT, service_tier="later").units["input_tokens"] == (Decimal(7), ())


@pytest.mark.parametrize("tier", ["Flex", "", "flex ", "scale"])
def test_a_tier_that_the_model_does_not_have_is_refused_and_not_guessed(tier: str) -> None:
    with pytest.raises(UnpricedServiceTier) as caught:
        TIERED.at(MIDNIGHT, service_tier=tier)
    assert (caught.value.service_tier, caught.value.known_tiers) == (tier, ["batch", "flex", "later"])
