"""Prices a prompt run: inference cost, creator fee, platform markup and who receives what, with every step.

`quote` is the only place where a run gets its price. A preview, a simulation, a replay and a real charge all call it;
they differ only in where the result goes. Pure: no clock, no database, no screen.
"""

from dataclasses import dataclass

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import MAX_TOKENS, Model, ModelRegistry, Price
from credits_core.pricing.plan import PricePlan, explain_markup
from credits_core.values.credits import MAX_CREDITS, require_credits
from credits_core.values.text import format_bps


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What runs are priced with: the models, the live plan (`plan`), and every plan that past runs may name."""

    models: ModelRegistry
    plan: PricePlan
    plans: dict[str, PricePlan]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a quote: its name, how it was computed, and the result in credits."""

    label: str
    arithmetic: str
    credits: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A priced run. All amounts are whole credits; `total = inference cost + creator fee + platform markup`.

    The creator's and the platform's share are the two parts of the creator fee and add up to it.
    """

    model_id: str
    plan: PricePlan
    price: Price
    input_tokens: int | None
    output_tokens: int | None
    inference_cost_credits: int
    creator_fee_credits: int
    platform_markup_credits: int
    total_credits: int
    creator_share_credits: int
    platform_share_credits: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """The whole computation in order, ending with the total."""
        inference = Step(
            "Inference cost",
            self.price.explain(self.input_tokens, self.output_tokens),
            self.inference_cost_credits,
        )
        total = Step("Total", "inference cost + creator fee + platform markup", self.total_credits)
        if self.creator_fee_credits:
            share = format_bps(self.plan.creator_share_bps)
            least_credits = self.plan.minimum_platform_income(self.inference_cost_credits)
            markup = "none, because there is a creator fee"
            if self.platform_markup_credits:
                markup = f"what the platform's share lacks to {least_credits:,}"
            return (
                inference,
                Step("Creator fee", "set by the creator", self.creator_fee_credits),
                Step(
                    "Creator's share",
                    f"{share} of the fee, rounded {self.plan.creator_share_rounding}",
                    self.creator_share_credits,
                ),
                Step("Platform's share", "the rest of the fee", self.platform_share_credits),
                Step("Platform markup", markup, self.platform_markup_credits),
                total,
            )
        return (
            inference,
            Step("Creator fee", "none", 0),
            Step(
                "Platform markup", explain_markup(self.plan, self.inference_cost_credits), self.platform_markup_credits
            ),
            total,
        )


def quote(
    model: Model,
    plan: PricePlan,
    *,
    creator_fee_credits: int = 0,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
) -> Quote:
    """The price of one run of a model under a plan (specification, section 1). A fee of 0 is no fee.

    A token-priced model needs both counts, 0 to 10^9 each and not both 0; a per-run model ignores them. The inference
    cost is rounded up once; the plan says how its markup and the creator's share are rounded (by default down).

    Raises:
        InvalidRequest: a missing, negative or fractional count or fee, or a total above 2^53-1 credits.

    >>> from credits_core.pricing.models import RunPrice
    >>> from credits_core.pricing.plan import MarkupTier
    >>> plan = PricePlan("p", 8_000, (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500)))
    >>> from datetime import date
    >>> haiku = Model("claude-3-haiku", "Claude 3 Haiku", "anthropic", "text", (RunPrice(250),), "", date(2026, 1, 1))
    >>> quote(haiku, plan).total_credits, quote(haiku, plan, creator_fee_credits=101).creator_share_credits
    (300, 80)
    """
    require_credits("creator_fee_credits", creator_fee_credits, minimum=0)
    _require_tokens("input_tokens", input_tokens)
    _require_tokens("output_tokens", output_tokens)
    if input_tokens == 0 and output_tokens == 0 and model.is_token_priced:
        raise InvalidRequest(
            "input_tokens", "must not be 0 when output_tokens is 0, because then there is nothing to price"
        )
    return quote_at(
        model.id,
        model.price_for(input_tokens),
        plan=plan,
        creator_fee_credits=creator_fee_credits,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def quote_at(
    model_id: str,
    price: Price,
    *,
    plan: PricePlan,
    creator_fee_credits: int,
    input_tokens: int | None,
    output_tokens: int | None,
) -> Quote:
    """The quote at a given price: today's price for `quote`, the recorded price to explain or audit a past run.

    Raises:
        InvalidRequest: a total above 2^53-1 credits, or token counts missing for a price per token.
    """
    inference_cost_credits = price.inference_cost(input_tokens, output_tokens)
    if creator_fee_credits:
        creator_share_credits, platform_share_credits = plan.split_fee(creator_fee_credits)
        markup_credits = max(0, plan.minimum_platform_income(inference_cost_credits) - platform_share_credits)
    else:
        markup_credits = plan.markup(inference_cost_credits)
        creator_share_credits = platform_share_credits = 0
    total_credits = inference_cost_credits + creator_fee_credits + markup_credits
    if total_credits > MAX_CREDITS:
        raise InvalidRequest("total_credits", f"would be {total_credits:,}, above the largest amount {MAX_CREDITS:,}")
    return Quote(
        model_id,
        plan,
        price,
        input_tokens,
        output_tokens,
        inference_cost_credits,
        creator_fee_credits,
        markup_credits,
        total_credits,
        creator_share_credits,
        platform_share_credits,
    )


def _require_tokens(field: str, tokens: object) -> None:
    if tokens is not None and (type(tokens) is not int or not 0 <= tokens <= MAX_TOKENS):
        raise InvalidRequest(field, f"must be a whole number from 0 to {MAX_TOKENS:,}, not {tokens!r}")
