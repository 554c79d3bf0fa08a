"""`quote` for a whole array of runs at once, in NumPy's 64-bit integers: the same amounts, credit for credit.

Used by scenarios and replays. When an amount could overflow 64 bits, everything is refused before anything is computed;
no number ever wraps around. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import MAX_TOKENS, Model, RunPrice, TokenPrice
from credits_core.pricing.plan import Piece, PricePlan, Rounding
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


def quote_many(
    model: Model,
    plan: PricePlan,
    *,
    creator_fee_credits: Credits,
    input_tokens: Credits | None = None,
    output_tokens: Credits | None = None,
) -> QuoteArrays:
    """Price one run of the model for each fee and pair of token counts; the arrays have one length.

    Raises:
        InvalidRequest: an array does not hold 64-bit integers or has another length; `quote` would refuse an element
            (the message names only the field); or a step could overflow 64 bits.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> from credits_core.pricing.plan import MarkupTier
    >>> price = TokenPrice(Decimal("2.5"), Decimal(10))
    >>> gpt = Model("openai/gpt-4o", "GPT-4o", "openai", "text", (price,), "", date(2026, 1, 1))
    >>> plan = PricePlan("p", 8_000, (MarkupTier(None, 2_000, None),))
    >>> tokens = np.array([1_020, 4_083])
    >>> quote_many(gpt, plan, creator_fee_credits=np.zeros(2, np.int64), input_tokens=tokens, output_tokens=tokens)
    ... # doctest: +ELLIPSIS
    QuoteArrays(inference_cost_credits=array([12750, 51038]), ..., total_credits=array([15300, 61245]), ...)
    """
    runs = len(creator_fee_credits)
    _require("creator_fee_credits", creator_fee_credits, runs, maximum=MAX_CREDITS)
    for field, tokens in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        if tokens is not None:
            _require(field, tokens, runs, maximum=MAX_TOKENS)
        elif model.is_token_priced:
            raise InvalidRequest(field, "must be given, because this model is priced per token")
    return quote_costs(
        plan, inference_costs(model, runs, input_tokens, output_tokens), creator_fee_credits=creator_fee_credits
    )


def inference_costs(model: Model, runs: int, input_tokens: Credits | None, output_tokens: Credits | None) -> Credits:
    """The inference cost of each run in credits: the exact fraction, rounded up once.

    Raises:
        InvalidRequest: a run has no tokens at all, or a step could overflow 64 bits.
    """
    first_price = model.prices[0]
    if isinstance(first_price, RunPrice):
        return np.full(runs, first_price.run_price_credits, np.int64)
    assert input_tokens is not None
    assert output_tokens is not None
    if not np.all(input_tokens | output_tokens):
        raise InvalidRequest("input_tokens", "and output_tokens are both 0, so there is nothing to price")
    costs = _token_costs(first_price, input_tokens, output_tokens)
    for price in model.prices[1:]:
        assert isinstance(price, TokenPrice)
        is_long = input_tokens > price.above_input_tokens
        costs[is_long] = _token_costs(price, input_tokens[is_long], output_tokens[is_long])
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


def _token_costs(price: TokenPrice, input_tokens: Credits, output_tokens: Credits) -> Credits:
    input_, output, request, denominator = price.fraction
    if _largest(input_tokens) * input_ + _largest(output_tokens) * output + request + denominator > _MAX_INT64:
        raise InvalidRequest("input_tokens", "and output_tokens are too many to be priced together at this price")
    costs: Credits = -(-(input_tokens * input_ + output_tokens * output + request) // denominator)
    return costs


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
