"""What must hold for a plan to be suggested, checked by the exact inspector and by exact figures. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from credits_core.lab.finder.measures import Figures
from credits_core.lab.finder.space import is_round
from credits_core.lab.inspector import shape
from credits_core.lab.inspector.shape import CardFee
from credits_core.pricing.plan import PricePlan
from credits_core.values.credits import BPS_PER_WHOLE

USUAL_CARD_FEE = CardFee(290, 0)
"""2.9 % of each payment."""


class Rule(StrEnum):
    """What can be asked of a plan."""

    CLIFFS = "cliffs"
    INVERSIONS = "inversions"
    LOSSES = "losses"
    TIERS = "tiers"
    ROUND = "round"
    INCREASE = "increase"
    SHARE_OF_USERS = "share of users"
    CREATORS = "creators"


@dataclass(frozen=True, slots=True)
class Rules:
    """What must hold. Changes are against today's plan, on the history that is looked at.

    Without a `card_fee` nobody asks whether the markup covers one. `most_increase_bps` is how much more any user may
    pay, `most_paying_more_bps` how many of the users may pay more; None is no limit. With `creators_keep` creators
    together receive at least what they do today.
    """

    no_cliffs: bool = True
    no_inversions: bool = False
    card_fee: CardFee | None = USUAL_CARD_FEE
    most_tiers: int = 4
    round_only: bool = True
    most_increase_bps: int | None = 1_000
    most_paying_more_bps: int | None = None
    creators_keep: bool = True

    def broken_by_shape(self, plan: PricePlan) -> dict[Rule, int]:
        """Which rules the plan breaks whatever the history, and how badly: a number above 0, more is worse."""
        found = {
            Rule.CLIFFS: sum(one.drop_credits for one in shape.cliffs(plan)) if self.no_cliffs else 0,
            Rule.INVERSIONS: len(shape.inversions(plan)) if self.no_inversions else 0,
            Rule.LOSSES: 0,
            Rule.TIERS: max(0, len(plan.tiers) - self.most_tiers),
            Rule.ROUND: 0 if is_round(plan) or not self.round_only else 1,
        }
        if self.card_fee is not None:
            found[Rule.LOSSES] = sum(one.losing_costs for one in shape.losses(plan, self.card_fee))
        return {rule: amount for rule, amount in found.items() if amount}

    def broken_on_history(self, figures: Figures, today: Figures) -> dict[Rule, int]:
        """Which rules the plan breaks by what it comes to, and how badly."""
        found: dict[Rule, int] = {}
        if self.most_increase_bps is not None and figures.is_increase_above(self.most_increase_bps):
            found[Rule.INCREASE] = max(1, figures.highest_increase_bps - self.most_increase_bps)
        if self.most_paying_more_bps is not None:
            above = figures.users_paying_more * BPS_PER_WHOLE - self.most_paying_more_bps * figures.users
            if above > 0:
                found[Rule.SHARE_OF_USERS] = above
        if self.creators_keep and figures.creators_received_credits < today.creators_received_credits:
            found[Rule.CREATORS] = today.creators_received_credits - figures.creators_received_credits
        return found
