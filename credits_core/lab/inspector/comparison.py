"""Compares two plans: what typical runs cost under each, and what creator and platform receive. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote import Quote, quote
from credits_core.values.credits import BPS_PER_WHOLE, div_nearest


@dataclass(frozen=True, slots=True)
class Change:
    """An amount under plan A and under plan B, in credits."""

    a_credits: int
    b_credits: int

    @property
    def difference_credits(self) -> int:
        """How much more it is under B, in credits; negative when it is less."""
        return self.b_credits - self.a_credits

    @property
    def difference_bps(self) -> int | None:
        """The difference in basis points of the amount under A, to the nearest; None when only A is 0.

        >>> Change(11_998, 11_000).difference_bps, Change(0, 0).difference_bps, Change(0, 1).difference_bps
        (-832, 0, None)
        """
        if self.a_credits == 0:
            return 0 if self.b_credits == 0 else None
        return div_nearest(self.difference_credits * BPS_PER_WHOLE, self.a_credits)


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of a model under both plans: what the user pays, and what creator and platform receive."""

    model_id: str
    inference_cost_credits: int
    user: Change
    creator: Change
    platform: Change


def compared_runs(
    plan_a: PricePlan,
    plan_b: PricePlan,
    models: Iterable[Model],
    *,
    creator_fee_credits: int,
    input_tokens: int,
    output_tokens: int,
    at: datetime | None = None,
) -> tuple[ComparedRun, ...]:
    """One run of each model, with this creator fee and, for models priced per token, these token counts.

    Models that are not priced by tokens are left out; of those without a price for output, the output is.

    Raises:
        InvalidRequest: a fee or token count that `quote` refuses.
    """
    compared = []
    for model in models:
        if model.is_usage_priced and "input_tokens" not in model.priced_units:
            continue
        has_output = not model.is_usage_priced or "output_tokens" in model.priced_units
        a, b = (
            quote(
                model,
                plan,
                creator_fee_credits=creator_fee_credits,
                input_tokens=input_tokens,
                output_tokens=output_tokens if has_output else None,
                at=at,
            )
            for plan in (plan_a, plan_b)
        )
        compared.append(
            ComparedRun(
                model.id,
                a.inference_cost_credits,
                Change(a.total_credits, b.total_credits),
                Change(a.creator_share_credits, b.creator_share_credits),
                Change(_platform_income(a), _platform_income(b)),
            )
        )
    return tuple(compared)


def _platform_income(priced: Quote) -> int:
    return priced.platform_share_credits + priced.platform_markup_credits
