"""What a plan comes to on a history, beside today's plan: the figures by which plans are ranked. Pure.

Every figure equals a replay of the plan (`lab.replay`). Where no balance can fall short it is a sum over counts; where
one can, the plan is replayed. In a history of more than 50,000 charges that replay waits until it is asked for
(`Assessor.sure`), and until then the figures say that they are not final.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from credits_core.lab.finder.condensed import Paid, condense, replayed
from credits_core.lab.replay.balances import Flags
from credits_core.lab.replay.counterfactual import Outcome, replay
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.result import Lines
from credits_core.pricing.plan import PricePlan
from credits_core.values.arrays import Credits, difference_bps, share_down
from credits_core.values.credits import BPS_PER_WHOLE, div_floor

MOST_REPLAYED = 50_000
"""In a history of more runs and unlocks, a plan is replayed only when it is among the best."""


class Goal(StrEnum):
    """What counts. Income is to be high; the others are to be low."""

    PLATFORM = "platform"
    CREATORS = "creators"
    USERS = "users"
    INCREASE = "increase"
    FAIRNESS = "fairness"

    @property
    def is_to_be_high(self) -> bool:
        """Whether more of it is better."""
        return self in {Goal.PLATFORM, Goal.CREATORS}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plan comes to on a history, in credits, after refunds; changes are against today's plan.

    `users_paid_credits` = inference + `creators_received_credits` + `platform_income_credits`, as in a replay of the
    plan. `purchase_fees_credits` is what the plan's surcharge adds if users bought just what they spent, once each. A
    user's change counts that surcharge, and of the charges those that go through under both plans, because nobody gains
    by being refused. `highest_increase_bps` is the largest change of any user in basis points, negative when all pay
    less. The smaller users are the half that pays least today; of an odd number the one in the middle is a larger one.
    """

    platform_income_credits: int
    users_paid_credits: int
    creators_received_credits: int
    purchase_fees_credits: int
    refused_charges: int
    highest_increase_bps: int
    users: int
    users_paying_more: int
    smaller_users_bps: int
    larger_users_bps: int
    most_above: tuple[int, int] = (0, 1)
    """The highest increase exactly: by how many credits more, of how many credits."""
    is_sure: bool = True
    """Whether the figures are final. Else somebody may run out of credits, and the plan was not replayed yet."""

    @property
    def fairness_gap_bps(self) -> int:
        """How far apart the changes of smaller and of larger users are."""
        return abs(self.smaller_users_bps - self.larger_users_bps)

    @property
    def income_credits(self) -> int:
        """The platform's income with the surcharge on purchases."""
        return self.platform_income_credits + self.purchase_fees_credits

    def measure(self, goal: Goal) -> int:
        """The number that a goal looks at."""
        return {
            Goal.PLATFORM: self.income_credits,
            Goal.CREATORS: self.creators_received_credits,
            Goal.USERS: self.users_paid_credits + self.purchase_fees_credits,
            Goal.INCREASE: self.highest_increase_bps,
            Goal.FAIRNESS: self.fairness_gap_bps,
        }[goal]

    def is_increase_above(self, most_bps: int) -> bool:
        """Whether a user pays more than so much more, exactly, before any rounding."""
        more_credits, of_credits = self.most_above
        return more_credits * BPS_PER_WHOLE > most_bps * of_credits


class Assessor:
    """Says what one plan after another comes to on a history, beside today's plan."""

    def __init__(self, history: RecordedHistory, today: PricePlan, *, most_replayed: int = MOST_REPLAYED) -> None:
        self.history, self.today = history, today
        self.condensed = condense(history)
        self.is_small = self.condensed.charges <= most_replayed
        self.has_fees = bool(self.condensed.kinds.creator_fee_credits.any())
        self._outcome: Outcome | None = None
        self._paid_today = self.condensed.paid(today)
        today_bills = self._paid_today.by_user
        if not self._paid_today.is_certain:
            today_bills = replayed(history, Lines(history, self._replayed_today())).by_user
        users = self.condensed.users
        in_order = np.lexsort((users, today_bills[users]))
        self._is_small_user = np.zeros(len(users), np.bool_)
        self._is_small_user[in_order[: div_floor(len(users), 2)]] = True
        self.figures_today = self.sure(today)

    def figures(self, plan: PricePlan) -> Figures:
        """What the plan comes to; not final when a large history would have to be replayed for it.

        Raises:
            InvalidRequest: an amount under the plan is too large.
        """
        paid = self.condensed.paid(plan)
        if paid.is_certain and self._paid_today.is_certain:
            return self._figures(plan, paid, paid.by_user, self._paid_today.by_user, refused=0, is_sure=True)
        if self.is_small:
            return self.sure(plan)
        return self._figures(plan, paid, paid.by_user, self._paid_today.by_user, refused=0, is_sure=False)

    def sure(self, plan: PricePlan) -> Figures:
        """What the plan comes to, replayed where that is needed: final.

        Raises:
            InvalidRequest: as `figures`.
        """
        paid = self.condensed.paid(plan)
        if paid.is_certain and self._paid_today.is_certain:
            return self._figures(plan, paid, paid.by_user, self._paid_today.by_user, refused=0, is_sure=True)
        before, after = self._replayed_today(), replay(self.history, plan)
        of_today, of_plan = Lines(self.history, before), Lines(self.history, after)
        go_through = of_today.happened & of_plan.happened
        refused = int(np.count_nonzero(self.history.charges.is_compared & ~after.happened))
        return self._figures(
            plan,
            replayed(self.history, of_plan),
            self._by_user(of_plan, go_through),
            self._by_user(of_today, go_through),
            refused=refused,
            is_sure=True,
        )

    def _replayed_today(self) -> Outcome:
        if self._outcome is None:
            self._outcome = replay(self.history, self.today)
        return self._outcome

    def _by_user(self, lines: Lines, go_through: Flags) -> Credits:
        paid = np.zeros(len(self.history.accounts), np.int64)
        np.add.at(paid, lines.payer, lines.amounts["users plan"] * go_through)
        return paid

    def _figures(
        self, plan: PricePlan, paid: Paid, after: Credits, before: Credits, *, refused: int, is_sure: bool
    ) -> Figures:
        users = self.condensed.users
        before, after = _bills(self.today, before[users]), _bills(plan, after[users])
        increases = difference_bps(before, after)
        highest = int(np.argmax(increases)) if len(users) else -1
        small = self._is_small_user
        groups = [np.array([int(side[of].sum()) for of in (small, ~small)], np.int64) for side in (before, after)]
        smaller_bps, larger_bps = difference_bps(*groups).tolist()
        return Figures(
            platform_income_credits=paid.platform_credits,
            users_paid_credits=paid.users_credits,
            creators_received_credits=paid.creators_credits,
            purchase_fees_credits=int(_fees(plan, paid.by_user).sum()),
            refused_charges=refused,
            highest_increase_bps=int(increases[highest]) if len(users) else 0,
            users=len(users),
            users_paying_more=int(np.count_nonzero(after > before)),
            smaller_users_bps=smaller_bps,
            larger_users_bps=larger_bps,
            most_above=_most_above(before, after, increases),
            is_sure=is_sure,
        )


def _most_above(before: Credits, after: Credits, increases: Credits) -> tuple[int, int]:
    """The largest increase as credits more of credits before; rounding may make several look the same."""
    if not len(increases):
        return 0, 1
    largest = np.flatnonzero(increases == increases.max())
    ends: list[tuple[int, int]] = [
        (int(after[at]) - int(before[at]), max(abs(int(before[at])), 1)) for at in largest.tolist()
    ]
    most = ends[0]
    for more, of in ends[1:]:
        if more * most[1] > most[0] * of:
            most = more, of
    return most


def _bills(plan: PricePlan, paid: Credits) -> Credits:
    return paid + _fees(plan, paid)


def _fees(plan: PricePlan, paid: Credits) -> Credits:
    return share_down(np.maximum(paid, 0), plan.purchase_fee_bps)
