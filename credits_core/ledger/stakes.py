"""What a user's purchases come to: how much of each lot is taken, frozen and owed. Pure.

A purchase has one lot, and another one for its bonus. Each is a stake: what was granted, what the user has spent of it,
and what has become of the rest. What should become of it follows from the numbers alone, never from the order in which
they became known. So any order of the same news ends alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

from credits_core.store.kinds import Step

INWARD: tuple[Step, ...] = (Step.THAWED, Step.LENT, Step.RETURNED)
"""The steps that put credits into a lot. They come first, so that no lot ever has less than nothing."""
SIGN: dict[Step, int] = {
    Step.GRANTED: 1,
    Step.FROZEN: -1,
    Step.THAWED: 1,
    Step.TAKEN: -1,
    Step.RETURNED: 1,
    Step.LENT: 1,
    Step.REPAID: -1,
}
"""Whether a step puts credits into the lot (1) or takes them out (-1)."""


class Due(NamedTuple):
    """What has become of a lot, or what should: credits taken back, frozen, and owed.

    `owed_credits` are those that were lent to the lot less those that it repaid, so below 0 where it paid what another
    one owes.
    """

    taken_credits: int = 0
    frozen_credits: int = 0
    owed_credits: int = 0


class Stake(NamedTuple):
    """One lot of a purchase: what was granted, what is left of it, what has become of the rest, and what is asked.

    `asked_taken_credits` and `asked_frozen_credits` are what the money that went back, or is disputed, comes to.
    """

    purchase_id: int
    lot: int
    is_bonus: bool
    granted_credits: int
    left_credits: int
    now: Due
    asked_taken_credits: int
    asked_frozen_credits: int

    @property
    def spent_credits(self) -> int:
        """What the user has spent of it: runs, unlocks, holds and what expired, less refunds."""
        taken, frozen, owed = self.now
        return self.granted_credits - taken + owed - frozen - self.left_credits


class Move(NamedTuple):
    """One step of one lot, in credits above 0."""

    purchase_id: int
    lot: int
    is_bonus: bool
    step: Step
    credits: int


def due(stakes: Sequence[Stake]) -> list[Due]:
    """What should become of each of one user's lots, in their order, which is that of the purchases.

    What is asked of a lot is taken and frozen as far as the user has not spent it. What is missing of what was taken is
    owed, except of a bonus, for which nobody paid. What is owed is paid by what the user has left of purchases, the
    oldest first.

    >>> spent_600 = Stake(1, 10, False, 1_000, 400, Due(), 1_000, 0)
    >>> due([spent_600])
    [Due(taken_credits=1000, frozen_credits=0, owed_credits=600)]
    >>> due([spent_600, Stake(2, 11, False, 1_000, 1_000, Due(), 0, 0)])[1]
    Due(taken_credits=0, frozen_credits=0, owed_credits=-600)
    """
    alone = [_alone(stake) for stake in stakes]
    unpaid_credits = sum(one.owed_credits for one in alone)
    together = []
    for stake, one in zip(stakes, alone, strict=True):
        left_credits = _left(stake, one)
        paid_credits = 0 if stake.is_bonus else min(unpaid_credits, left_credits)
        unpaid_credits -= paid_credits
        together.append(one._replace(owed_credits=one.owed_credits - paid_credits))
    return together


def _alone(stake: Stake) -> Due:
    unspent_credits = stake.granted_credits - stake.spent_credits
    taken_credits, owed_credits = stake.asked_taken_credits, 0
    if stake.is_bonus:
        taken_credits = min(taken_credits, unspent_credits)
    else:
        owed_credits = max(0, taken_credits - unspent_credits)
    frozen_credits = min(stake.asked_frozen_credits, max(0, unspent_credits - taken_credits))
    return Due(taken_credits, frozen_credits, owed_credits)


def _left(stake: Stake, one: Due) -> int:
    return stake.granted_credits - stake.spent_credits - one.taken_credits - one.frozen_credits + one.owed_credits


def moves(stakes: Sequence[Stake]) -> list[Move]:
    """The steps from what is to what should be; those that put credits into lots come first."""
    found: list[Move] = []
    for stake, should in zip(stakes, due(stakes), strict=True):
        for is_, goal, more, less in (
            (stake.now.frozen_credits, should.frozen_credits, Step.FROZEN, Step.THAWED),
            (stake.now.owed_credits, should.owed_credits, Step.LENT, Step.REPAID),
            (stake.now.taken_credits, should.taken_credits, Step.TAKEN, Step.RETURNED),
        ):
            if is_ != goal:
                step = more if goal > is_ else less
                found.append(Move(stake.purchase_id, stake.lot, stake.is_bonus, step, abs(goal - is_)))
    return sorted(found, key=lambda move: move.step not in INWARD)
