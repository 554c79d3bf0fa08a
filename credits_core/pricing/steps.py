"""Puts the steps of a recorded price into words, with exact fractions, each beside the recorded amount. Pure.

Nothing is priced here: the amounts come from a quote or a split, and this says how they were calculated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from credits_core.pricing.models import RunPrice
from credits_core.pricing.plan import PricePlan, Rounding, TierMode, slices
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import REQUESTS, unit_name
from credits_core.pricing.usage_price import AUDIO_SECONDS
from credits_core.values.text import format_bps, format_credits, format_exact, format_fraction


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step of a price: how it comes about, with its numbers, and the result in words.

    Amounts are in credits. Both are None for a step on the way whose result is no recorded amount, such as the exact
    cost before rounding.
    """

    number: int
    label: str
    arithmetic: str
    result: str
    recomputed_credits: int | None = None
    recorded_credits: int | None = None

    @property
    def is_equal(self) -> bool:
        """Whether what was recorded is what the inputs give."""
        return self.recomputed_credits == self.recorded_credits


def run_steps(quote: Quote, recorded: Any) -> tuple[ExplainedStep, ...]:
    """Every step of a run's price, beside the recorded amounts (attributes named as those of a quote)."""
    cost_credits, fee_credits = quote.inference_cost_credits, quote.creator_fee_credits
    steps = [*_inference_steps(quote, recorded.inference_cost_credits)]
    if fee_credits:
        steps += [
            ("Creator fee", "set by the creator", fee_credits, recorded.creator_fee_credits),
            *_split_steps(
                quote.plan,
                fee_credits,
                recorded.creator_fee_credits,
                recorded_share_credits=recorded.creator_share_credits,
            ),
        ]
    else:
        steps.append(("Creator fee", "none", 0, recorded.creator_fee_credits))
    if not fee_credits or quote.plan.minimum_platform_income_is_markup:
        steps.append(_tier_step(quote.plan, cost_credits))
    steps += [
        ("Platform markup", _markup_words(quote), quote.platform_markup_credits, recorded.platform_markup_credits),
        (
            "Total",
            f"inference cost + creator fee + platform markup: {cost_credits:,} + {fee_credits:,} + "
            f"{quote.platform_markup_credits:,}",
            quote.total_credits,
            recorded.total_credits,
        ),
    ]
    return _numbered(steps)


def unlock_steps(plan: PricePlan, recorded: Any) -> tuple[ExplainedStep, ...]:
    """How an unlock's fee is split under the plan, beside the recorded unlock (attributes named as its columns)."""
    fee_credits = recorded.unlock_fee_credits
    return _numbered(
        [
            ("Unlock fee", "set by the creator, paid once", fee_credits, fee_credits),
            *_split_steps(plan, fee_credits, fee_credits, recorded_share_credits=recorded.creator_share_credits),
        ]
    )


_Step = tuple[str, str, int | str, int | None]
"""A label, the arithmetic, the result (credits, or a text where it is no amount) and the recorded credits."""


def _numbered(steps: list[_Step]) -> tuple[ExplainedStep, ...]:
    return tuple(
        ExplainedStep(number, label, arithmetic, result)
        if isinstance(result, str)
        else ExplainedStep(number, label, arithmetic, format_credits(result), result, recorded_credits)
        for number, (label, arithmetic, result, recorded_credits) in enumerate(steps, 1)
    )


def _inference_steps(quote: Quote, recorded_credits: int) -> Iterator[_Step]:
    price = quote.price
    if isinstance(price, RunPrice):
        words = f"{price.run_price_credits:,} per run, for any number of tokens"
        yield "Inference cost", words, quote.inference_cost_credits, recorded_credits
        return
    usage = dict(quote.usage or ())
    for line in price.lines(quote.usage or ()):
        each = line.credits_each
        how = f"{each} each" if line.key == REQUESTS else f"{line.count:,} × {each}"
        if price.minimum_seconds and line.key in AUDIO_SECONDS and line.count == price.minimum_seconds:
            how += f" (at least {price.minimum_seconds} seconds are billed)"
        elif line.count != usage.get(line.key, line.count):
            how += f" ({usage[line.key]:,} were used; the others have prices of their own)"
        yield unit_name(line.key), how, format_exact(line.exact_credits.numerator, line.exact_credits.denominator), None
    exact = price.exact_cost(quote.usage or ())
    yield "Inference cost", _rounded(exact, Rounding.UP), quote.inference_cost_credits, recorded_credits


def _split_steps(
    plan: PricePlan, fee_credits: int, recorded_fee_credits: int, *, recorded_share_credits: int
) -> Iterator[_Step]:
    share_credits, rest_credits = plan.split_fee(fee_credits)
    exact = plan.exact_creator_share(fee_credits)
    share = f"{format_bps(plan.creator_share_bps)} of {fee_credits:,} = "
    odd = ""
    if _is_fraction(exact):
        is_platforms = plan.creator_share_rounding is Rounding.DOWN
        odd = ", plus the credit left by rounding" if is_platforms else "; rounding goes to the creator"
    share += _exact_and_rounding(exact, plan.creator_share_rounding)
    yield "Creator's share", share, share_credits, recorded_share_credits
    rest = f"the rest of the fee, {fee_credits:,} − {share_credits:,}{odd}"
    yield "Platform's share", rest, rest_credits, recorded_fee_credits - recorded_share_credits


def _tier_step(plan: PricePlan, cost_credits: int) -> _Step:
    position = plan.position_for(cost_credits)
    piece = plan.pieces[position]
    if piece.end_credits is None:
        where = f"{piece.start_credits:,} or more"
    elif position == 0:
        where = f"below {piece.end_credits:,}"
    else:
        where = f"from {piece.start_credits:,} to {piece.end_credits - 1:,}"
    return (
        "Price tier",
        f"an inference cost of {cost_credits:,} is {where}",
        f"tier {position + 1} of {len(plan.tiers)}",
        None,
    )


def _markup_words(quote: Quote) -> str:
    plan, cost_credits = quote.plan, quote.inference_cost_credits
    if not quote.creator_fee_credits:
        return _markup_without_fee(plan, cost_credits)
    least_credits = plan.minimum_platform_income(cost_credits)
    if not least_credits:
        return "none, because there is a creator fee"
    why = f"the platform gets at least {least_credits:,}"
    if plan.minimum_platform_income_is_markup and least_credits > plan.minimum_platform_income_credits:
        why += f", as without a fee ({_markup_without_fee(plan, cost_credits)})"
    if quote.platform_markup_credits:
        return f"{why}: {least_credits:,} − {quote.platform_share_credits:,}"
    return f"none: {why} and its share is {quote.platform_share_credits:,}"


def _markup_without_fee(plan: PricePlan, cost_credits: int) -> str:
    position = plan.position_for(cost_credits)
    piece, tier = plan.pieces[position], plan.tiers[position]
    if piece.cap_total_credits is not None and piece.markup(cost_credits) < piece.uncapped_markup(cost_credits):
        return f"{piece.cap_total_credits:,} − {cost_credits:,}, because a larger run costs {piece.cap_total_credits:,}"
    exact = piece.exact_markup(cost_credits)
    if plan.tier_mode is TierMode.GRADUATED:
        return f"{' + '.join(slices(plan, cost_credits))} = {_exact_and_rounding(exact, plan.markup_rounding)}"
    if tier.markup_bps is None:
        return f"{tier.markup_credits:,}, flat"
    rate = f"{format_bps(tier.markup_bps)} of {cost_credits:,}"
    return f"{rate} = {_exact_and_rounding(exact, plan.markup_rounding)}"


def _exact_and_rounding(exact: tuple[int, int], rounding: Rounding) -> str:
    return format_exact(*exact) + (f", rounded {rounding}" if _is_fraction(exact) else "")


def _rounded(exact: tuple[int, int], rounding: Rounding) -> str:
    decimal = format_fraction(*exact)
    return f"{decimal}, rounded {rounding} once" if _is_fraction(exact) else f"{decimal}, a whole number of credits"


def _is_fraction(exact: tuple[int, int]) -> bool:
    return "." in format_fraction(*exact)
