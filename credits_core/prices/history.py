"""What a model cost over time: by the journal of live price lists, and by the days within each list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import Connection

from credits_core.prices import lists
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import ModelRegistry, RunPrice
from credits_core.pricing.models_toml import parse_model_registry

Step = tuple[datetime, Decimal | None]
"""From this moment on a unit costs this; None where the model was not offered, or the unit had no price."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` until the next period the model had these prices; None while it was not offered."""

    begins: datetime
    prices: RunPrice | ModelPrices | None


def of_model(connection: Connection, model_id: str) -> list[Period]:
    """The prices of a model in every list that was live, oldest first; equal ones after each other are one period.

    Raises:
        DataFileInvalid: a stored list was damaged and cannot be read.
    """
    periods: list[Period] = []
    for line in reversed(lists.activations(connection)):
        text = lists.text_of(connection, line.price_list)
        model = _models(text, line.price_list).models.get(model_id)
        prices = None if model is None else model.prices
        if not periods or periods[-1].prices != prices:
            periods.append(Period(line.activated_at, prices))
    return periods


def steps(periods: Sequence[Period], key: str | None) -> list[Step]:
    """When the standard price of a unit changes, oldest first, in dollars per its size.

    Prices at hours of the day and on weekdays are left out. Without a unit it is the fixed price per run, in credits.
    """
    found: list[Step] = []
    ends = [period.begins for period in periods[1:]]
    for period, end in zip(periods, [*ends, datetime.max.replace(tzinfo=UTC)], strict=True):
        moments = {period.begins}
        if isinstance(period.prices, ModelPrices):
            days = (dated.first_day for dated in period.prices.standard if dated.first_day and _is_plain(dated))
            begun = {datetime.combine(day, time(), UTC) for day in days}
            moments |= {moment for moment in begun if period.begins < moment < end}
        for moment in sorted(moments):
            price = _price_at(period.prices, key, moment)
            if not found or found[-1][1] != price:
                found.append((moment, price))
    return found


def _price_at(prices: RunPrice | ModelPrices | None, key: str | None, at: datetime) -> Decimal | None:
    if isinstance(prices, RunPrice):
        return Decimal(prices.run_price_credits) if key is None else None
    if prices is None or key is None:
        return None
    held = [dated for dated in prices.standard if _is_plain(dated) and dated.apply_at(at)] or [prices.standard[0]]
    units = held[-1].prices.units
    return units[key][0] if key in units else None


def _is_plain(dated: DatedPrices) -> bool:
    return dated.hours is None and not dated.is_on_weekdays


@lru_cache(maxsize=128)
def _models(toml: str, number: int) -> ModelRegistry:
    return parse_model_registry(toml, f"the stored price list {number}", is_kept=True)
