"""What a log says that its runs cost, beside our cost of the same runs, by model, with every difference explained."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from credits_core.datasets.columns import NONE, Columns
from credits_core.datasets.costs import FindModel, PricedRuns, costs
from credits_core.datasets.sums import Sums, runs_of
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import Model
from credits_core.usage.forms import PICO_PER_CREDIT
from credits_core.values.arrays import Credits

_LARGEST_ROW_CREDITS = 9 * 10**12
_CACHE = "cache_"
Flags = np.typing.NDArray[np.bool_]


class Why(StrEnum):
    """Why our cost of a run differs from what the log says. The value is for reading."""

    ROUNDING = "rounding: each run is rounded up to a whole credit"
    CACHED = "cached tokens: the log counts them at another price"
    TIER = "service tier: the log has the standard price"
    OTHER_PRICE = "another price that day: the model had this price at another time, or in another list"
    NO_PRICE = "the log has no cost for these runs"
    FREE = "answered from the caller's cache: free here, with a cost in the log"
    UNEXPLAINED = "not explained"


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """Both costs of the runs of one model that the log has a cost for.

    `ours_credits` × 10^6 − `theirs_pico` is the sum of all differences, which are in millionths of a credit.
    """

    model_id: str
    rows: int
    ours_credits: int
    theirs_pico: int
    differences_pico: Mapping[Why, int]


def compared(columns: Columns, find_model: FindModel) -> list[ModelCosts]:
    """Our cost beside that of the log, by model, the dearest first. Rows without a cost of their own are left out.

    A row of several requests is priced as that many equal runs where the log counts them.

    Raises:
        InvalidRequest, UnknownModel, UnpricedUsage, UnpricedServiceTier: a run cannot be priced.
    """
    has_cost = columns.own_cost_pico != NONE
    if not has_cost.any():
        return []
    runs, row = runs_of(columns, Sums.EQUAL_RUNS)
    ours = _by_row(costs(runs, find_model), row, len(columns))
    if int(ours.max(initial=0)) > _LARGEST_ROW_CREDITS:
        raise InvalidRequest("data", "has a row that costs more than $9,000,000")
    why = _reasons(columns, runs, row, ours, find_model)
    difference_pico = ours * PICO_PER_CREDIT - columns.own_cost_pico
    found = []
    for number, model_id in enumerate(columns.model_id.names):
        here = has_cost & (columns.model_id.number == number)
        if not here.any():
            continue
        differences: Counter[Why] = Counter()
        for reason in Why:
            amount = sum(difference_pico[here & (why == reason.name)].tolist())
            if amount:
                differences[reason] = amount
        found.append(
            ModelCosts(
                model_id,
                int(np.count_nonzero(here)),
                sum(ours[here].tolist()),
                sum(columns.own_cost_pico[here].tolist()),
                differences,
            )
        )
    return sorted(found, key=lambda one: (-one.ours_credits, one.model_id))


def _by_row(credits: Credits, row: Credits, rows: int) -> Credits:
    found = np.zeros(rows, np.int64)
    np.add.at(found, row, credits)
    return found


def _reasons(
    columns: Columns, runs: PricedRuns, row: Credits, ours: Credits, find_model: FindModel
) -> np.typing.NDArray[np.str_]:
    """For each row the first reason that makes our cost the log's, to less than a credit a run."""
    theirs = columns.own_cost_pico
    near = np.bincount(row, minlength=len(columns)) * PICO_PER_CREDIT
    why = np.full(len(columns), Why.UNEXPLAINED.name, dtype="<U12")
    open_ = np.ones(len(columns), np.bool_)

    def settle(reason: Why, fits: Flags) -> None:
        nonlocal open_
        why[open_ & fits] = reason.name
        open_ = open_ & ~fits

    def same(credits: Credits) -> Flags:
        found: Flags = np.abs(credits * PICO_PER_CREDIT - theirs) < near
        return found

    settle(Why.ROUNDING, same(ours))
    settle(Why.FREE, columns.is_free)
    settle(Why.NO_PRICE, theirs == 0)
    for reason, others, other_model in _others(runs, find_model):
        if not open_.any():
            break
        only = np.flatnonzero(open_[row])
        try:
            credits = costs(_only(others, only), other_model)
        except CreditsError:  # that was not how the log priced them
            continue
        settle(reason, same(_by_row(credits, row[only], len(columns))))
    return why


def _others(runs: PricedRuns, find_model: FindModel) -> list[tuple[Why, PricedRuns, FindModel]]:
    """The ways in which a log may have priced the same runs."""
    plain = {key: counts for key, counts in runs.usage.items() if not key.startswith(_CACHE)}
    kept = dict(plain)
    for key in ("cache_read_tokens", "cache_write_tokens"):
        if key in runs.usage and "input_tokens" in kept:
            kept["input_tokens"] = kept["input_tokens"] - runs.usage[key]
    found = []
    if len(plain) < len(runs.usage):
        found += [
            (Why.CACHED, replace(runs, usage=plain), find_model),
            (Why.CACHED, replace(runs, usage=kept), find_model),
        ]
    if any(runs.tiers):
        found.append((Why.TIER, replace(runs, tiers=("",) * len(runs.tiers)), find_model))
    most = max((_price_count(find_model(model_id)) for model_id in runs.model_ids), default=0)
    for number in range(most):
        found.append((Why.OTHER_PRICE, runs, lambda model_id, number=number: _priced(find_model(model_id), number)))  # type: ignore[misc]
    return found


def _price_count(model: Model) -> int:
    return len(model.prices.standard) if isinstance(model.prices, ModelPrices) else 0


def _priced(model: Model, number: int) -> Model:
    """The model with one of its dated prices, at all times; the last one where it has fewer."""
    assert isinstance(model.prices, ModelPrices), "data sets have models that are priced by usage"
    dated = model.prices.standard[min(number, len(model.prices.standard) - 1)]
    return replace(model, prices=ModelPrices((DatedPrices(dated.prices),)))


def _only(runs: PricedRuns, positions: Credits) -> PricedRuns:
    return replace(
        runs,
        at_us=runs.at_us[positions],
        model=runs.model[positions],
        tier=runs.tier[positions],
        usage={key: counts[positions] for key, counts in runs.usage.items()},
        known_cost_credits=runs.known_cost_credits[positions],
        is_free=runs.is_free[positions],
    )
