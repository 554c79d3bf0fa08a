"""`quote` for a whole array of runs at once, in NumPy's 64-bit integers: the same amounts, credit for credit.

Used by scenarios and replays. When an amount could overflow 64 bits, everything is refused before anything is computed;
no number ever wraps around. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import combinations

import numpy as np

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import Model, Price, RunPrice
from credits_core.pricing.plan import Piece, PricePlan, Rounding
from credits_core.pricing.quote import usage_asked
from credits_core.pricing.refusals import UnpricedUsage
from credits_core.pricing.units import GENERAL, MAX_COUNT, PARTS, REQUESTS, UNITS
from credits_core.pricing.usage_price import AUDIO_SECONDS, SPOKEN_SECONDS, UsagePrice, require_no_part
from credits_core.values.arrays import Credits
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS

_MAX_INT64 = 2**63 - 1
# As many runs at a time as keep every array of the computation in the processor's cache.
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class QuoteArrays:
    """The amounts of `Quote` as arrays of one length, in credits."""

    inference_cost_credits: Credits
    creator_fee_credits: Credits
    platform_markup_credits: Credits
    total_credits: Credits
    creator_share_credits: Credits
    platform_share_credits: Credits


UsageArrays = Mapping[str, Credits]
"""The usage of many runs: for each unit an array with one count for each run. 0 stands for a unit that is not given."""


def quote_many(
    model: Model,
    plan: PricePlan,
    *,
    creator_fee_credits: Credits,
    usage: UsageArrays | None = None,
    input_tokens: Credits | None = None,
    output_tokens: Credits | None = None,
    service_tier: str | None = None,
    at: datetime | None = None,
) -> QuoteArrays:
    """Price one run of the model for each fee and usage; the arrays have one length. All runs take place at `at`.

    Raises:
        InvalidRequest: an array is not of 64-bit integers or has another length, an element is one that `quote` refuses
            (named by the field alone), or an amount could pass 64 bits on the way.
        UnpricedUsage, UnpricedServiceTier: as `quote`.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
    >>> from credits_core.pricing.plan import MarkupTier
    >>> from credits_core.pricing.usage_price import TieredPrices
    >>> price = TieredPrices({"input_tokens": (Decimal("2.5"), ()), "output_tokens": (Decimal(10), ())})
    >>> prices = ModelPrices((DatedPrices(price),))
    >>> gpt = Model("openai/gpt-4o", "GPT-4o", "openai", "text", prices, "", date(2026, 1, 1))
    >>> plan = PricePlan("p", 8_000, (MarkupTier(None, 2_000, None),))
    >>> tokens = np.array([1_020, 4_083])
    >>> quote_many(gpt, plan, creator_fee_credits=np.zeros(2, np.int64), input_tokens=tokens, output_tokens=tokens)
    ... # doctest: +ELLIPSIS
    QuoteArrays(inference_cost_credits=array([12750, 51038]), ..., total_credits=array([15300, 61245]), ...)
    """
    runs = len(creator_fee_credits)
    _require("creator_fee_credits", creator_fee_credits, runs, maximum=MAX_CREDITS)
    tokens = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    short = {key: counts for key, counts in tokens.items() if counts is not None}
    if usage is None:
        usage_asked(model, None, **{key: 1 if key in short else None for key in tokens})
    elif short:
        raise InvalidRequest(next(iter(short)), "must be left out, because there is a usage beside it")
    used = short if usage is None else usage
    _require_counts(used, runs)
    return quote_costs(
        plan,
        inference_costs(model, runs, used, service_tier=service_tier, at=at),
        creator_fee_credits=creator_fee_credits,
    )


def inference_costs(
    model: Model, runs: int, usage: UsageArrays, *, service_tier: str | None = None, at: datetime | None = None
) -> Credits:
    """The inference cost of each run in credits: the exact sum over the units, rounded up once.

    Raises:
        InvalidRequest: a run used nothing, a part without what it is part of, or a cost could pass 64 bits on the way.
        UnpricedUsage, UnpricedServiceTier: as `quote`.
    """
    if isinstance(model.prices, RunPrice):
        return np.full(runs, model.prices.run_price_credits, np.int64)
    if runs and not (usage and np.all(reduce(np.bitwise_or, usage.values()))):
        raise InvalidRequest("usage", "must have a count above 0 for each run, because there is no run to price else")
    prices = model.prices.at(at, service_tier=service_tier)
    (_, first), *higher = prices.levels()
    if higher and "input_tokens" not in usage:
        _require_no_part("input_tokens", usage)
    charged = _charged(first, usage)
    costs = _costs(first, charged, runs)
    for above_input_tokens, price in higher:
        is_long = usage["input_tokens"] > above_input_tokens if "input_tokens" in usage else np.zeros(runs, bool)
        if is_long.any():
            costs[is_long] = _costs(
                price, {key: counts[is_long] for key, counts in charged.items()}, int(is_long.sum())
            )
    return costs


def costs_at(price: Price, runs: int, usage: UsageArrays) -> Credits:
    """The inference cost of each run at one price, as `price.inference_cost` gives it for recorded runs.

    All runs used the same units: an array of 0 is a unit that was given as 0.

    Raises:
        InvalidRequest: a usage that `parse_usage` refuses, or a cost that could pass 64 bits on the way.
        UnpricedUsage: as `UsagePrice.counts`.
        OverflowError: a price that passes 64 bits.

    >>> costs_at(RunPrice(250), 2, {}).tolist()
    [250, 250]
    """
    _require_counts(usage, runs)
    if isinstance(price, RunPrice):
        _require_within(usage)
        return np.full(runs, price.run_price_credits, np.int64)
    return _costs(price, _charged(price, usage), runs)


def _require_counts(usage: UsageArrays, runs: int) -> None:
    for key, counts in usage.items():
        if key not in UNITS or key == REQUESTS:
            raise InvalidRequest(key, "is not a unit that can be counted here")
        _require(key, counts, runs, maximum=MAX_COUNT)


def _require_within(usage: UsageArrays) -> None:
    for key, counts in usage.items():
        for general in GENERAL[key] & usage.keys():
            if np.any(counts > usage[general]):
                raise InvalidRequest(key, f"must not be above {general}, which counts it too")


def _charged(price: UsagePrice, usage: UsageArrays) -> dict[str, Credits]:
    """`UsagePrice.counts` for arrays: how many of each priced unit are charged, without its parts' own."""
    _require_within(usage)
    used = _at_least(price.minimum_seconds, usage)
    charged: dict[str, Credits] = {}
    for key, parts in price.priced_parts:
        if key not in used:
            _require_no_part(key, used)
            continue
        counts = used[key]
        own_parts = [part for part in parts if part in charged]
        for part in own_parts:
            counts = counts - charged[part]
        if own_parts and counts.min(initial=0) < 0:
            raise InvalidRequest(key, f"must not be below the sum of its parts ({', '.join(own_parts)})")
        charged[key] = counts
    for key, counts in used.items():
        if key not in price.rates and not GENERAL[key] & price.rates.keys():
            rest = counts - sum(charged[part] for part in PARTS[key] & charged.keys())
            if _largest(rest) > 0:
                raise UnpricedUsage(key, _largest(rest))
    return charged


def _require_no_part(key: str, usage: UsageArrays) -> None:
    """`require_no_part` for each run: one may use one of two units, and another one the other."""
    require_no_part(key, {part: _largest(usage[part]) for part in PARTS[key] & usage.keys()})
    for left, right in combinations(sorted(GENERAL[key] & usage.keys()), 2):
        require_no_part(key, dict.fromkeys((left, right), _largest(np.minimum(usage[left], usage[right]))))


def _at_least(minimum_seconds: int, usage: UsageArrays) -> UsageArrays:
    seconds = [usage[key] for key in AUDIO_SECONDS if key in usage]
    if not minimum_seconds or not seconds:
        return usage
    given = seconds[0] if len(seconds) == 1 else np.where(seconds[0] > 0, seconds[0], seconds[1])
    billed = np.where(given > 0, np.maximum(given, minimum_seconds), 0)
    heard = np.where(given > 0, np.maximum(usage.get(AUDIO_SECONDS[1], 0), billed - usage.get(SPOKEN_SECONDS, 0)), 0)
    return {**usage, AUDIO_SECONDS[0]: billed, AUDIO_SECONDS[1]: heard}


def _costs(price: UsagePrice, charged: Mapping[str, Credits], runs: int) -> Credits:
    per_request = price.rates.get(REQUESTS, 0)
    rates = [(counts, price.rates[key]) for key, counts in charged.items() if price.rates[key]]
    if sum(_largest(counts) * rate for counts, rate in rates) + per_request + price.denominator > _MAX_INT64:
        raise InvalidRequest("usage", "is too large to be priced together at this price")
    costs = np.empty(runs, np.int64)
    for first in range(0, runs, _BLOCK):
        block = slice(first, first + _BLOCK)
        # Rounded up: minus the quotient of minus the sum, which is rounded down.
        total = costs[block]
        total.fill(-per_request)
        for counts, rate in rates:
            total -= counts[block] * rate
        total //= price.denominator
        np.negative(total, out=total)
    return costs


def quote_costs(plan: PricePlan, inference_cost_credits: Credits, *, creator_fee_credits: Credits) -> QuoteArrays:
    """The amounts of runs with these inference costs and creator fees; a fee of 0 is no fee.

    Raises:
        InvalidRequest: a total is above 2^53-1 credits, or a step could overflow 64 bits.
    """
    runs = len(inference_cost_credits)
    _require("inference_cost_credits", inference_cost_credits, runs, maximum=MAX_CREDITS)
    _require("creator_fee_credits", creator_fee_credits, runs, maximum=MAX_CREDITS)
    pieces = plan.pieces[: plan.position_for(_largest(inference_cost_credits)) + 1]
    _refuse_overflow(plan, pieces, _largest(inference_cost_credits), _largest(creator_fee_credits))
    amounts = QuoteArrays(inference_cost_credits, creator_fee_credits, *(np.empty(runs, np.int64) for _ in range(4)))
    for first in range(0, runs, _BLOCK):
        block = slice(first, first + _BLOCK)
        _price_block(plan, pieces, amounts, block)
    if _largest(amounts.total_credits) > MAX_CREDITS:
        raise InvalidRequest("total_credits", f"would be above the largest amount, {MAX_CREDITS:,}")
    return amounts


def _price_block(plan: PricePlan, pieces: Sequence[Piece], amounts: QuoteArrays, block: slice) -> None:
    costs, fees = amounts.inference_cost_credits[block], amounts.creator_fee_credits[block]
    markups = _markups(pieces, costs)
    if fees.any():
        shares = _divided(fees * plan.creator_share_bps, plan.creator_share_rounding)
        least: Credits | int = plan.minimum_platform_income_credits
        if plan.minimum_platform_income_is_markup:
            least = np.maximum(markups, least)
        markups = np.where(fees > 0, np.maximum(least - (fees - shares), 0), markups)
        amounts.creator_share_credits[block] = shares
        amounts.platform_share_credits[block] = fees - shares
    else:
        amounts.creator_share_credits[block] = 0
        amounts.platform_share_credits[block] = 0
    amounts.platform_markup_credits[block] = markups
    amounts.total_credits[block] = costs + fees + markups


def _markups(pieces: Sequence[Piece], costs: Credits) -> Credits:
    *earlier, last = pieces
    markups = _piece_markups(last, costs)
    for piece in reversed(earlier):
        assert piece.end_credits is not None, "only the last piece has no end"
        markups = np.where(costs < piece.end_credits, _piece_markups(piece, costs), markups)
    return markups


def _piece_markups(piece: Piece, costs: Credits) -> Credits:
    if piece.slope_bps == 0:
        markups = np.full(len(costs), piece.uncapped_markup(piece.start_credits), np.int64)
    else:
        markups = _divided(costs * piece.slope_bps + piece.offset, piece.rounding)
    if piece.cap_total_credits is not None:
        markups = np.minimum(markups, piece.cap_total_credits - costs)
    return markups


def _divided(parts: Credits, rounding: Rounding) -> Credits:
    quotients: Credits = parts // BPS_PER_WHOLE if rounding is Rounding.DOWN else -(-parts // BPS_PER_WHOLE)
    return quotients


def _refuse_overflow(
    plan: PricePlan, pieces: Sequence[Piece], largest_cost_credits: int, largest_fee_credits: int
) -> None:
    on_the_way = [largest_fee_credits * plan.creator_share_bps + BPS_PER_WHOLE]
    for piece in pieces:
        if piece.slope_bps:
            on_the_way.append(largest_cost_credits * piece.slope_bps + abs(piece.offset) + BPS_PER_WHOLE)
        else:
            flat_credits = piece.uncapped_markup(piece.start_credits)
            on_the_way.append(largest_cost_credits + largest_fee_credits + flat_credits)
    if max(on_the_way) > _MAX_INT64:
        raise InvalidRequest(
            "inference_cost_credits", "and creator_fee_credits are too large to be priced together under this plan"
        )


def _require(field: str, numbers: Credits, runs: int, *, maximum: int) -> None:
    if numbers.dtype != np.int64 or numbers.shape != (runs,):
        raise InvalidRequest(field, f"must be one 64-bit integer for each of the {runs:,} runs")
    if runs and not (numbers.min() >= 0 and numbers.max() <= maximum):
        raise InvalidRequest(field, f"must be whole numbers from 0 to {maximum:,}")


def _largest(numbers: Credits) -> int:
    return int(numbers.max()) if len(numbers) else 0
