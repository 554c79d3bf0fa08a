"""The findings in a plan, a sentence or a few each with the numbers, for people who decide on prices. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from credits_core.lab.inspector import shape
from credits_core.lab.inspector.curve import usual_extent
from credits_core.lab.inspector.shape import MAX_COST_CREDITS, CardFee, Cliff, CostRange, Inversion, LossZone
from credits_core.pricing.plan import PricePlan
from credits_core.values.text import format_bps, format_credits, format_usd


class FindingKind(StrEnum):
    """What kind of property of a plan it is."""

    CLIFF = "cliff"
    UNMARKED = "unmarked"
    UNSEEN = "unseen"
    INVERSION = "inversion"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """One property of a plan: the inference costs it affects, and what to say about it."""

    kind: FindingKind
    costs: CostRange
    sentence: str


def findings(plan: PricePlan, card_fee: CardFee) -> tuple[PlanFinding, ...]:
    """All findings in the plan under an assumed card fee, cliffs first.

    A finding at the largest cost that is looked at is said to go on ("or more"), unless a tier begins beyond it.
    """
    is_open = plan.pieces[-1].start_credits <= MAX_COST_CREDITS
    return (
        *(_of_cliff(cliff) for cliff in shape.cliffs(plan)),
        *(_of_inversion(plan, inversion, is_open) for inversion in shape.inversions(plan)),
        *_of_losses(shape.losses(plan, card_fee), card_fee, is_open),
        *(
            PlanFinding(
                FindingKind.UNMARKED, costs, f"We earn no markup on runs that cost {_range(costs, is_open=is_open)}."
            )
            for costs in shape.unmarked(plan)
        ),
        *(
            PlanFinding(
                FindingKind.UNSEEN,
                costs,
                f"Runs costing {_unseen(costs, is_open)} round to $0.00 when shown in cents.",
            )
            for costs in shape.unseen(plan)
        ),
    )


def _of_cliff(cliff: Cliff) -> PlanFinding:
    ranges = " and ".join(_range(costs, to="-") for costs in cliff.overcharged)
    return PlanFinding(
        FindingKind.CLIFF,
        CostRange(cliff.overcharged_from_credits, cliff.at_credits),
        f"A run that costs us {format_credits(cliff.at_credits - 1)} is billed "
        f"{format_credits(cliff.total_below_credits)}; one that costs {format_credits(cliff.at_credits)} is billed "
        f"{format_credits(cliff.total_at_credits)}. Runs costing {ranges} pay more than dearer ones.",
    )


def _of_inversion(plan: PricePlan, found: Inversion, is_open: bool) -> PlanFinding:
    # Where the markup grows without end, the worst cost is the largest that is looked at, which no run has: then the
    # example is a run as large as the plan's own bounds.
    usual = shape.inversion_at(plan, min(found.worst_cost_credits, usual_extent(plan)))
    inversion = found if usual is None else replace(usual, costs=found.costs)
    break_even = "We never break even with a fee."
    if inversion.break_even_fee_credits is not None:
        break_even = f"We only break even at a fee of {format_credits(inversion.break_even_fee_credits)}."
    return PlanFinding(
        FindingKind.INVERSION,
        inversion.costs,
        "Adding a creator fee can make a run cheaper, because a fee replaces our markup. Example: model cost "
        f"{format_credits(inversion.worst_cost_credits)}, "
        f"no fee: {format_credits(inversion.total_without_fee_credits)}; "
        f"fee 1: {format_credits(inversion.total_with_fee_credits)}. {break_even} "
        f"This affects runs that cost {_range(inversion.costs, is_open=is_open)}.",
    )


def _of_losses(zones: tuple[LossZone, ...], card_fee: CardFee, is_open: bool) -> Iterator[PlanFinding]:
    fee = format_bps(card_fee.share_bps)
    if card_fee.fixed_credits:
        fee += f" + {format_usd(card_fee.fixed_credits)}"
    for zone in zones:
        costs = _range(zone.costs, is_open=is_open)
        where = f"every run that costs {costs}"
        if not zone.is_whole:
            where = f"some runs that cost {costs} ({format_credits(zone.losing_costs)} of these costs, by rounding)"
        yield PlanFinding(
            FindingKind.LOSS,
            zone.costs,
            f"Card fees ({fee}) exceed our markup on {where}.",
        )


def _unseen(costs: CostRange, is_open: bool) -> str:
    if costs.first_credits == 1 < costs.last_credits < MAX_COST_CREDITS:
        return f"up to {format_credits(costs.last_credits)} credits"
    return f"{_range(costs, is_open=is_open)} {'credit' if costs.last_credits == 1 else 'credits'}"


def _range(costs: CostRange, *, is_open: bool = False, to: str = " to ") -> str:
    first = format_credits(costs.first_credits)
    if costs.first_credits == costs.last_credits:
        return first
    if is_open and costs.last_credits == MAX_COST_CREDITS:
        return f"{first} or more"
    return f"{first}{to}{format_credits(costs.last_credits)}"
