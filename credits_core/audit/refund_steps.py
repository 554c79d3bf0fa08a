"""Puts a refund into steps: who gives back or bears how much, and why, each beside the recorded amount. Pure."""

from collections.abc import Iterator

from credits_core.ledger.bearing import Bearing
from credits_core.pricing.steps import ExplainedStep
from credits_core.store.kinds import RefundRule
from credits_core.values.text import format_credits

_Step = tuple[str, str, int, int]
"""A label, how the amount comes about, the amount as recalculated and as recorded, in credits."""


def refund_steps(due: Bearing, recorded: Bearing) -> tuple[ExplainedStep, ...]:
    """Every step of a refund: what each party gives back or bears, and what the user gets back, which is their sum."""
    return tuple(
        ExplainedStep(number, label, arithmetic, format_credits(credits), credits, recorded_credits)
        for number, (label, arithmetic, credits, recorded_credits) in enumerate(_steps(due, recorded), 1)
    )


def _steps(due: Bearing, recorded: Bearing) -> Iterator[_Step]:
    if due.user_credits < 0:
        yield "Added credits", f"{due.user_id} gives back all of them", -due.user_credits, -recorded.user_credits
        return
    if due.creator_id is not None:
        share_credits = due.share_credits
        how = f"{due.creator_id} gives back the share of {share_credits:,}"
        if due.spent_share_credits or due.owed_credits:
            how += f", but at most the {due.creator_credits:,} that were left"
        yield "Creator's share", how, due.creator_credits, recorded.creator_credits
        if due.owed_credits or recorded.owed_credits:
            how = f"{due.creator_id} owes what was spent: {share_credits:,} − {due.creator_credits:,}"
            yield "Becomes owed", how, due.owed_credits, recorded.owed_credits
        if due.spent_share_credits or recorded.spent_share_credits:
            how = f"the platform pays what {due.creator_id} had spent: {share_credits:,} − {due.creator_credits:,}"
            yield "Spent share", how, due.spent_share_credits, recorded.spent_share_credits
    if due.revenue_credits or recorded.revenue_credits:
        how = "the platform gives back its own part of the charge"
        yield "Platform revenue", how, due.revenue_credits, recorded.revenue_credits
    if due.cost_credits or recorded.cost_credits:
        how = "the provider is paid all the same, so the platform bears it"
        if due.terms.provider_refunded:
            how = "nothing for the platform to bear: the provider gave it back"
        elif due.terms.rule is RefundRule.COST_BOOKED_BACK:
            how = "nothing for the platform to bear under the earlier rule"
        yield "Inference cost", how, due.inference_credits, recorded.inference_credits
        if due.terms.returns_cost or recorded.returned_cost_credits:
            how = "booked back from what is owed to the provider"
            yield "Inference cost booked back", how, due.returned_cost_credits, recorded.returned_cost_credits
    parts = (due.creator_credits, due.owed_credits, due.spent_share_credits, due.revenue_credits, due.cost_credits)
    total = " + ".join(f"{credits:,}" for credits in parts if credits)
    yield "Total", f"what {due.user_id} gets back: {total}", due.user_credits, recorded.user_credits
