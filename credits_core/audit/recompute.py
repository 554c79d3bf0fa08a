"""Computes recorded prices again from their recorded inputs, for the audit and to explain a charge.

A price that cannot be computed again is returned as an answer, not raised, so that the audit goes on to the next entry.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from credits_core.audit.finding import Plans
from credits_core.errors import CreditsError
from credits_core.ledger import entries
from credits_core.pricing.quote import Quote

AMOUNTS = (
    "inference_cost_credits",
    "creator_fee_credits",
    "platform_markup_credits",
    "total_credits",
    "creator_share_credits",
)
run_amounts = attrgetter(*AMOUNTS)
"""The amounts of a recorded run or of a quote, in credits."""


@dataclass(frozen=True, slots=True)
class NotRecomputable:
    """Why a recorded price cannot be computed again, as the rest of a sentence that begins with the run or unlock."""

    reason: str


def run_again(run: Any, plans: Plans) -> Quote | NotRecomputable:
    """The quote of a recorded run (a row of `ledger.entries.run_columns`), from its price, tokens, fee and plan."""
    plan = plans.get(run.plan_id)
    if plan is None:
        return _unknown(run.plan_id)
    if has_several_prices(run):
        return NotRecomputable("has prices of more than one kind")
    try:
        return entries.recompute_quote(run, plan)
    except CreditsError as refusal:
        # Without its full stop, because the caller ends the sentence.
        return NotRecomputable(f"cannot be priced again: {str(refusal).removesuffix('.')}")
    except (ArithmeticError, ValueError, TypeError, AttributeError):
        return NotRecomputable("cannot be priced again: a price or a count stored with it is no number")


def has_several_prices(run: Any) -> bool:
    """Whether a recorded run has prices of more than one kind, so that nobody can say at which it was charged."""
    earlier = (run.input_usd_per_mtok, run.output_usd_per_mtok, run.request_usd_per_thousand)
    kinds = (run.run_price_credits, run.unit_prices, next((usd for usd in earlier if usd is not None), None))
    return sum(kind is not None for kind in kinds) > 1


def split_again(plan_id: str, fee_credits: int, plans: Plans) -> tuple[int, int] | NotRecomputable:
    """The creator's and the platform's share of a recorded unlock fee, in credits, under its recorded plan."""
    plan = plans.get(plan_id)
    return _unknown(plan_id) if plan is None else plan.split_fee(fee_credits)


def _unknown(plan_id: str) -> NotRecomputable:
    return NotRecomputable(f"names the unknown plan {plan_id}")
