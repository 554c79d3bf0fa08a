"""What the runs of a data set cost: every one priced when it took place, by `pricing.quote_many`, many at a time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from credits_core.pricing.models import Model
from credits_core.pricing.quote_many import inference_costs
from credits_core.values.arrays import Credits
from credits_core.values.days import from_microseconds

FindModel = Callable[[str], Model]
"""The model with an id, as a `ModelRegistry` finds it anywhere."""
_MINUTE_US = 60_000_000
_NEVER = -1


@dataclass(frozen=True, slots=True)
class PricedRuns:
    """The runs to price: when each took place, its model and service tier by number, and what it used.

    A known cost, in credits, is taken as it is; -1 is none. What is free costs nothing.
    """

    at_us: Credits
    model_ids: tuple[str, ...]
    model: Credits
    tiers: tuple[str, ...]
    tier: Credits
    usage: Mapping[str, Credits]
    known_cost_credits: Credits
    is_free: np.typing.NDArray[np.bool_]


def costs(runs: PricedRuns, find_model: FindModel) -> Credits:
    """The inference cost of each run in credits.

    Raises:
        UnknownModel, UnpricedUsage, UnpricedServiceTier, InvalidRequest: a run cannot be priced any more.
    """
    found = np.where(runs.known_cost_credits == _NEVER, 0, runs.known_cost_credits)
    used = reduce(np.bitwise_or, runs.usage.values(), np.zeros(len(found), np.int64)) > 0
    is_priced = used & ~runs.is_free & (runs.known_cost_credits == _NEVER)
    for model_number, model_id in enumerate(runs.model_ids):
        of_model = np.flatnonzero(is_priced & (runs.model == model_number))
        if not len(of_model):
            continue
        model = find_model(model_id)
        for tier_number in np.unique(runs.tier[of_model]).tolist():
            of_tier = of_model[runs.tier[of_model] == tier_number]
            for group in _periods(model, runs.at_us, of_tier):
                usage = {key: counts[group] for key, counts in runs.usage.items()}
                found[group] = inference_costs(
                    model,
                    len(group),
                    {key: counts for key, counts in usage.items() if counts.any()},
                    service_tier=runs.tiers[tier_number] or None,
                    at=from_microseconds(int(runs.at_us[group[0]])),
                )
    return found


def _periods(model: Model, at_us: Credits, positions: Credits) -> Iterable[Credits]:
    """The positions in groups for which the same prices apply."""
    if not model.is_usage_priced or not model.prices.depends_on_time:  # type: ignore[union-attr]
        return [positions]
    prices = model.prices
    dated = (*prices.standard, *sum(prices.service_tiers.values(), ()))  # type: ignore[union-attr]
    minutes, of_minute = np.unique(at_us[positions] // _MINUTE_US, return_inverse=True)
    known: dict[tuple[bool, ...], int] = {}
    numbers = []
    for minute in minutes.tolist():
        moment = from_microseconds(minute * _MINUTE_US)
        numbers.append(known.setdefault(tuple(one.apply_at(moment) for one in dated), len(known)))
    period = np.array(numbers, np.int64)[of_minute]
    return [positions[period == number] for number in range(len(known))]
