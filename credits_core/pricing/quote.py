"""Prices a prompt run: inference cost, creator fee, platform markup and who receives what, with every step.

`quote` is the only place where a run gets its price. A preview, a simulation, a replay and a real charge all call it;
they differ only in where the result goes. Pure: no clock, no database, no screen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import Model, ModelRegistry, Price, RunPrice
from credits_core.pricing.plan import PricePlan, explain_markup
from credits_core.pricing.units import TOKEN_COUNTS, Usage, parse_usage
from credits_core.pricing.usage_price import ChargedUnit
from credits_core.values.credits import MAX_CREDITS, require_credits
from credits_core.values.text import format_bps

Terms = tuple[str, int | None]
"""The id of a price plan and the number of a price list. Neither ever changes: the same terms are the same prices."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What runs are priced with: the models, the live plan (`plan`), and every plan that past runs may name."""

    models: ModelRegistry
    plan: PricePlan
    plans: dict[str, PricePlan]
    price_list: int | None = None
    """The number of the stored price list that the models are from; None for prices that no database has."""

    @property
    def terms(self) -> Terms:
        """The live plan and the price list by their names."""
        return self.plan.id, self.price_list


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
    usage: Usage | None
    service_tier: str | None
    inference_cost_credits: int
    creator_fee_credits: int
    platform_markup_credits: int
    total_credits: int
    creator_share_credits: int
    platform_share_credits: int

    @property
    def lines(self) -> tuple[ChargedUnit, ...]:
        """What the inference cost is made of, unit by unit; nothing for a fixed price."""
        return () if isinstance(self.price, RunPrice) else self.price.lines(self.usage or ())

    @property
    def is_usage_unused(self) -> bool:
        """Whether a usage was given that a fixed price does not ask for."""
        return isinstance(self.price, RunPrice) and self.usage is not None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The whole computation in order, ending with the total."""
        inference = Step(
            "Inference cost",
            self.price.explain(self.usage or ()),
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
    usage: Usage | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    service_tier: str | None = None,
    at: datetime | None = None,
) -> Quote:
    """The price of one run of a model under a plan (specification, section 1). A fee of 0 is no fee.

    A model that is priced by usage needs it, as `parse_usage` gives it, or in short the two token counts, 0 to 10^9
    each. A model with a fixed price ignores it. `at` is when the run takes place; it may be left out only for models
    whose price does not depend on the time. The inference cost is rounded up once, a percentage markup and the
    creator's share are rounded down.

    Raises:
        InvalidRequest: a missing, negative or fractional count or fee, no usage, or a total above 2^53-1 credits.
        UnpricedUsage: something was used that has no price on this model.
        UnpricedServiceTier: the model has no price in this service tier.

    >>> from credits_core.pricing.models import RunPrice
    >>> from credits_core.pricing.plan import MarkupTier
    >>> plan = PricePlan("p", 8_000, (MarkupTier(10_000, 2_000, None), MarkupTier(None, None, 500)))
    >>> from datetime import date
    >>> haiku = Model("claude-3-haiku", "Claude 3 Haiku", "anthropic", "text", RunPrice(250), "", date(2026, 1, 1))
    >>> quote(haiku, plan).total_credits, quote(haiku, plan, creator_fee_credits=101).creator_share_credits
    (300, 80)
    """
    require_credits("creator_fee_credits", creator_fee_credits, minimum=0)
    used = usage_asked(model, usage, input_tokens=input_tokens, output_tokens=output_tokens)
    return quote_at(
        model.id,
        model.price_for(used, at, service_tier=service_tier),
        plan=plan,
        creator_fee_credits=creator_fee_credits,
        usage=used,
        service_tier=service_tier,
    )


def usage_asked(
    model: Model, usage: Usage | None, *, input_tokens: int | None, output_tokens: int | None
) -> Usage | None:
    """The usage that a caller gave in one of the two ways; None when there is none and the model needs none.

    Raises:
        InvalidRequest: both ways were taken, a count is missing or cannot be accepted, or nothing was used.
    """
    tokens = zip(TOKEN_COUNTS, (input_tokens, output_tokens), strict=True)
    given = {key: count for key, count in tokens if count is not None}
    if usage is None:
        usage = parse_usage(given, prefix="")
        if not model.is_usage_priced:
            return usage or None
        _require_tokens(model, given)
    elif given:
        raise InvalidRequest(next(iter(given)), "must be left out, because there is a usage beside it")
    if model.is_usage_priced and not any(count for _, count in usage):
        field = "input_tokens" if given else "usage"
        raise InvalidRequest(field, "must have a count above 0, because there is no run to price otherwise")
    return usage


def _require_tokens(model: Model, given: Mapping[str, int]) -> None:
    """Refuse the short form where it does not say what the model charges for."""
    for key in model.priced_tokens:
        if key not in given:
            raise InvalidRequest(key, "must be given, because this model is priced by what a run uses")
    if not model.priced_tokens:
        raise InvalidRequest("usage", f"must be given, because this model is priced by {', '.join(model.priced_units)}")


def quote_at(
    model_id: str,
    price: Price,
    *,
    plan: PricePlan,
    creator_fee_credits: int,
    usage: Usage | None,
    service_tier: str | None = None,
) -> Quote:
    """The quote at a given price: today's price for `quote`, the recorded price to explain or audit a past run.

    Raises:
        InvalidRequest: a total above 2^53-1 credits, or a part of the usage without what it is part of.
        UnpricedUsage: something was used that has no price.
    """
    inference_cost_credits = price.inference_cost(usage or ())
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
        usage,
        service_tier,
        inference_cost_credits,
        creator_fee_credits,
        markup_credits,
        total_credits,
        creator_share_credits,
        platform_share_credits,
    )
