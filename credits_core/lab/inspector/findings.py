"""What the inspector finds in a plan, one sentence each with its numbers, for people who decide on prices. Pure."""

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
    """One property of a plan: the inference costs it concerns and a sentence."""

    kind: FindingKind
    costs: CostRange
    sentence: str


def findings(plan: PricePlan, card_fee: CardFee) -> tuple[PlanFinding, ...]:
    """Everything that the inspector finds in the plan, under an assumed card fee; cliffs first.

    What holds at the largest cost that is looked at is said to hold for more, unless a tier begins beyond it.
    """
    is_open = plan.pieces[-1].start_credits <= MAX_COST_CREDITS
    return (
        *(_of_cliff(cliff) for cliff in shape.cliffs(plan)),
        *(_of_inversion(plan, inversion, is_open) for inversion in shape.inversions(plan)),
        *_of_losses(shape.losses(plan, card_fee), card_fee, is_open),
        *(
            PlanFinding(FindingKind.UNMARKED, costs, f"Runs with {_costs(costs, is_open)} have no markup.")
            for costs in shape.unmarked(plan)
        ),
        *(
            PlanFinding(
                FindingKind.UNSEEN,
                costs,
                f"Runs with {_costs(costs, is_open)} cost less than half a cent, so in cents they show as $0.00.",
            )
            for costs in shape.unseen(plan)
        ),
    )


def _of_cliff(cliff: Cliff) -> PlanFinding:
    ranges = " and ".join(_range(costs, is_open=False) for costs in cliff.overcharged)
    return PlanFinding(
        FindingKind.CLIFF,
        CostRange(cliff.overcharged_from_credits, cliff.at_credits),
        f"At an inference cost of {format_credits(cliff.at_credits)} the total drops by "
        f"{format_credits(cliff.drop_credits)} credits, from {format_credits(cliff.total_below_credits)} to "
        f"{format_credits(cliff.total_at_credits)}: runs with a cost of {ranges} pay more.",
    )


def _of_inversion(plan: PricePlan, found: Inversion, is_open: bool) -> PlanFinding:
    # Where the markup grows without end, the worst cost is the largest that is looked at, which no run has: then the
    # example is a run as large as the plan's own bounds.
    usual = shape.inversion_at(plan, min(found.worst_cost_credits, usual_extent(plan)))
    inversion = found if usual is None else replace(usual, costs=found.costs)
    break_even = "no fee is large enough for the platform to earn as much as without one"
    if inversion.break_even_fee_credits is not None:
        fee = format_credits(inversion.break_even_fee_credits)
        break_even = f"the platform earns as much as without a fee from a fee of {fee}"
    return PlanFinding(
        FindingKind.INVERSION,
        inversion.costs,
        f"On runs with {_costs(inversion.costs, is_open)} a creator fee can make the run cheaper than no fee. At "
        f"{format_credits(inversion.worst_cost_credits)} a fee of 1 credit lowers the total from "
        f"{format_credits(inversion.total_without_fee_credits)} to {format_credits(inversion.total_with_fee_credits)}, "
        f"every fee up to {format_credits(inversion.largest_fee_credits)} lowers it, and {break_even}.",
    )


def _of_losses(zones: tuple[LossZone, ...], card_fee: CardFee, is_open: bool) -> Iterator[PlanFinding]:
    fee = format_bps(card_fee.share_bps)
    if card_fee.fixed_credits:
        fee += f" + {format_usd(card_fee.fixed_credits)}"
    for zone in zones:
        how_many = "" if zone.is_whole else f" ({format_credits(zone.losing_costs)} of these costs, by rounding)"
        yield PlanFinding(
            FindingKind.LOSS,
            zone.costs,
            f"With a card fee of {fee} the platform loses on runs with {_costs(zone.costs, is_open)}{how_many}, "
            f"which is a total of {_totals(zone, is_open)}.",
        )


def _totals(zone: LossZone, is_open: bool) -> str:
    smallest = format_credits(zone.smallest_total_credits)
    if is_open and zone.costs.last_credits == MAX_COST_CREDITS:
        return f"{smallest} and more"
    return f"{smallest} to {format_credits(zone.largest_total_credits)}"


def _costs(costs: CostRange, is_open: bool) -> str:
    return f"an inference cost of {_range(costs, is_open=is_open)}"


def _range(costs: CostRange, *, is_open: bool) -> str:
    first = format_credits(costs.first_credits)
    if costs.first_credits == costs.last_credits:
        return first
    return (
        f"{first} and more"
        if is_open and costs.last_credits == MAX_COST_CREDITS
        else f"{first} to {format_credits(costs.last_credits)}"
    )
