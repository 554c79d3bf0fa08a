"""The recorded runs that the findings in a plan hit, and what is at stake on each. Pure.

The runs are priced by the plan that the findings are of, at their recorded inference costs and creator fees, whatever
plan they were charged with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from credits_core.lab.inspector.findings import FindingKind, PlanFinding
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay.record import UNLOCK, RecordedHistory
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import quote_costs
from credits_core.values.arrays import Credits, share_up


@dataclass(frozen=True, slots=True)
class Hits:
    """The runs that one finding hits: their positions among the charges, and the credits at stake on each.

    At stake is, for a cliff, what the user pays above the total at the cliff; for a fee inversion, what the platform
    earns less than its markup; for a loss, what the card fee takes above the markup; without markup, the inference cost
    that is passed on; and below half a cent, the total.
    """

    finding: PlanFinding
    charge: Credits
    stake_credits: Credits

    @property
    def runs(self) -> int:
        """How many runs are hit."""
        return len(self.charge)

    @property
    def at_stake_credits(self) -> int:
        """What is at stake on all of them."""
        return int(self.stake_credits.sum())

    def largest(self, limit: int) -> "Hits":
        """The runs with most at stake, the newest first of those with the same."""
        order = np.lexsort((-self.charge, -self.stake_credits))[:limit]
        return Hits(self.finding, self.charge[order], self.stake_credits[order])


def hits(
    history: RecordedHistory, plan: PricePlan, found: Sequence[PlanFinding], card_fee: CardFee
) -> tuple[Hits, ...]:
    """The hits of each finding of the plan, in the order given. Refunded runs and unlocks are left out.

    A run is hit when its cost is among those of the finding and something is at stake on it. A fee inversion hits runs
    with a creator fee alone, every other finding runs without one.

    Raises:
        InvalidRequest: as `quote_costs`.
    """
    charges = history.charges
    is_counted = charges.is_compared & (charges.model != UNLOCK)
    is_counted[history.refunds.charge[history.refunds.ends(charges)]] = False
    here = np.flatnonzero(is_counted)
    costs, fees = charges.inference_cost_credits[here], charges.creator_fee_credits[here]
    without_fee = quote_costs(plan, costs, creator_fee_credits=np.zeros_like(fees))
    with_fee = quote_costs(plan, costs, creator_fee_credits=fees)
    markups, totals = without_fee.platform_markup_credits, without_fee.total_credits
    incomes = with_fee.platform_share_credits + with_fee.platform_markup_credits
    card_fees = share_up(totals, card_fee.share_bps) + card_fee.fixed_credits
    stakes = {
        FindingKind.INVERSION: markups - incomes,
        FindingKind.LOSS: card_fees - markups,
        FindingKind.UNMARKED: costs,
        FindingKind.UNSEEN: totals,
    }
    hit = []
    for finding in found:
        if finding.kind is FindingKind.CLIFF:
            at_credits = finding.costs.last_credits
            stake_credits = totals - (at_credits + plan.markup(at_credits))
        else:
            stake_credits = stakes[finding.kind]
        is_hit = (costs >= finding.costs.first_credits) & (costs <= finding.costs.last_credits) & (stake_credits > 0)
        if finding.kind is not FindingKind.INVERSION:
            is_hit &= fees == 0
        hit.append(Hits(finding, here[is_hit], stake_credits[is_hit]))
    return tuple(hit)
