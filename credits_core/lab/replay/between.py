"""Two plans on the same recorded history: who pays more and who receives less under the second one. Pure.

There is one sign for all: plus is better off under plan B, minus is worse off. So a user who pays more has a negative
gain, as has a creator who receives less.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from credits_core.lab.inspector.comparison import Change
from credits_core.lab.replay.balances import Flags
from credits_core.lab.replay.counterfactual import Outcome
from credits_core.lab.replay.record import UNLOCK, RecordedHistory
from credits_core.lab.replay.result import UNLOCKS_NAME, Lines
from credits_core.values.arrays import Credits


class Role(StrEnum):
    """As what somebody gains or loses: a user by what is paid, a creator by what is received, a model for the platform.

    The platform gains by a model what it receives for its runs; unlocks are a line of their own among the models.
    """

    USER = "user"
    CREATOR = "creator"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Affected:
    """A user, creator or model under both plans: its charges, how many more of them are refused, and its credits.

    `newly_refused` counts charges that go through under A and not under B. `gain_credits` is negative for a loss.
    """

    name: str
    charges: int
    newly_refused: int
    credits: Change
    gain_credits: int


@dataclass(frozen=True, slots=True)
class Group:
    """All users, creators or models that have charges, as arrays of one length."""

    names: tuple[str, ...]
    charges: Credits
    newly_refused: Credits
    a_credits: Credits
    b_credits: Credits
    gain_credits: Credits

    @property
    def worse_off(self) -> int:
        """How many lose."""
        return _count(self.gain_credits < 0)

    @property
    def better_off(self) -> int:
        """How many gain."""
        return _count(self.gain_credits > 0)

    @property
    def refused_anew(self) -> int:
        """How many have charges that are refused under B alone."""
        return _count(self.newly_refused > 0)

    @property
    def lost_credits(self) -> int:
        """What all who lose have lost together, without what others gain."""
        return -int(np.minimum(self.gain_credits, 0).sum())

    def worst(self, limit: int) -> list[Affected]:
        """Those who lose, the largest loss first."""
        return self._first(-self.gain_credits, limit)

    def best(self, limit: int) -> list[Affected]:
        """Those who gain, the largest gain first."""
        return self._first(self.gain_credits, limit)

    def most_refused(self, limit: int) -> list[Affected]:
        """Those with charges that are refused under B alone, most of them first."""
        return self._first(self.newly_refused, limit)

    def _first(self, ranks: Credits, limit: int) -> list[Affected]:
        order = np.lexsort((np.array(self.names), -ranks))[:limit]
        return [
            Affected(
                self.names[at],
                int(self.charges[at]),
                int(self.newly_refused[at]),
                Change(int(self.a_credits[at]), int(self.b_credits[at])),
                int(self.gain_credits[at]),
            )
            for at in order.tolist()
            if ranks[at] > 0
        ]


@dataclass(frozen=True, slots=True)
class Between:
    """What changes from plan A to plan B, net of refunds.

    `users` is what users pay for the charges that go through under both plans, so that nobody gains by being refused;
    `creators` and `platform` are what these receive, also from charges that only one plan lets through. `refused`
    counts the charges that do not go through, `newly_refused` those that do under A and not under B. `by_user`,
    `by_creator` and `by_model` add up to `users`, `creators` and `platform`.
    """

    runs: int
    unlocks: int
    users: Change
    creators: Change
    platform: Change
    refused: Change
    newly_refused: int
    by_user: Group
    by_creator: Group
    by_model: Group

    @property
    def lost_credits(self) -> int:
        """What users, creators and the platform lose, each loss counted and no gain set against it."""
        lost_credits = self.by_user.lost_credits + self.by_creator.lost_credits
        return lost_credits + max(0, -self.platform.difference_credits)

    def losers(self, limit: int) -> list[tuple[Role, Affected]]:
        """The users and creators who lose most, and after them users who only have charges refused."""
        users = {one.name: one for one in (*self.by_user.worst(limit), *self.by_user.most_refused(limit))}
        everybody = [(Role.USER, one) for one in users.values()]
        everybody += [(Role.CREATOR, one) for one in self.by_creator.worst(limit)]
        everybody.sort(key=lambda one: (min(one[1].gain_credits, 0), -one[1].newly_refused, one[1].name))
        return everybody[:limit]


@dataclass(frozen=True, slots=True)
class PairedCharge:
    """One charge under both plans, before any refund: what its user pays, or what its creator or the platform receives.

    Days count from 1970-01-01. A refused charge comes to 0. A user neither gains nor loses by one that is refused.
    """

    entry_id: int
    day_number: int
    user_id: str
    model: str
    credits: Change
    gain_credits: int
    refused_a: bool
    refused_b: bool


def paired_charges(
    history: RecordedHistory, a: Outcome, b: Outcome, role: Role, name: str, *, limit: int
) -> tuple[int, list[PairedCharge]]:
    """How many charges a user, creator or model has, and at most `limit` of them, those that change most first.

    Newly refused ones come before all others, and of equal changes the newest.
    """
    charges, models = history.charges, (*history.models, UNLOCKS_NAME)
    model = np.where(charges.model == UNLOCK, len(history.models), charges.model)
    numbers, names = {
        Role.USER: (charges.payer, history.accounts),
        Role.CREATOR: (charges.creator, history.accounts),
        Role.MODEL: (model, models),
    }[role]
    found = np.flatnonzero(charges.is_compared & (numbers == (names.index(name) if name in names else len(names))))
    a_credits, b_credits = (_of_role(history, outcome, role)[found] for outcome in (a, b))
    refused_a, refused_b = ~a.happened[found], ~b.happened[found]
    if role is Role.USER:
        gain_credits = np.where(refused_a | refused_b, 0, a_credits - b_credits)
    else:
        gain_credits = b_credits - a_credits
    order = np.lexsort((-found, -np.abs(gain_credits), ~(refused_b & ~refused_a)))[:limit]
    return len(found), [
        PairedCharge(
            int(charges.entry_id[found[at]]),
            int(charges.day[found[at]]),
            history.accounts[charges.payer[found[at]]],
            models[model[found[at]]],
            Change(int(a_credits[at]), int(b_credits[at])),
            int(gain_credits[at]),
            bool(refused_a[at]),
            bool(refused_b[at]),
        )
        for at in order.tolist()
    ]


def _of_role(history: RecordedHistory, outcome: Outcome, role: Role) -> Credits:
    priced = outcome.priced
    of_role = {
        Role.USER: priced.total_credits,
        Role.CREATOR: priced.creator_share_credits,
        Role.MODEL: priced.total_credits - history.charges.inference_cost_credits - priced.creator_share_credits,
    }[role]
    credits: Credits = of_role * outcome.happened
    return credits


def between(history: RecordedHistory, a: Outcome, b: Outcome) -> Between:
    """Compares the outcomes of two plans, both of this history."""
    under_a, under_b = Lines(history, a), Lines(history, b)
    go_through = under_a.happened & under_b.happened
    is_newly_refused = under_a.happened & ~under_b.happened
    is_newly_refused[under_a.charged :] = False  # refunds of refused charges
    all_users = [under.amounts["users plan"] for under in (under_a, under_b)]
    users = [paid * go_through for paid in all_users]
    creators = [under.amounts["creators plan"] for under in (under_a, under_b)]
    inference = [under.amounts["inference plan"] for under in (under_a, under_b)]
    platform = [paid - cost - share for paid, cost, share in zip(all_users, inference, creators, strict=True)]
    models = (*history.models, UNLOCKS_NAME)
    is_run = history.charges.is_compared & (history.charges.model != UNLOCK)

    def group(number: Credits, names: tuple[str, ...], amounts_credits: list[Credits], *, sign: int = 1) -> Group:
        return _group(under_a.charged, number, names, is_newly_refused, *amounts_credits, sign=sign)

    return Between(
        runs=_count(is_run),
        unlocks=_count(history.charges.is_compared) - _count(is_run),
        users=_change(*users),
        creators=_change(*creators),
        platform=_change(*platform),
        refused=Change(*(_count(~under.happened[: under.charged]) for under in (under_a, under_b))),
        newly_refused=_count(is_newly_refused),
        by_user=group(under_a.payer, history.accounts, users, sign=-1),
        by_creator=group(under_a.creator, history.accounts, creators),
        by_model=group(under_a.model, models, platform),
    )


def _group(
    charged: int,
    number: Credits,
    names: tuple[str, ...],
    is_newly_refused: Flags,
    a: Credits,
    b: Credits,
    *,
    sign: int,
) -> Group:
    is_in = number >= 0
    here, count = number[is_in], len(names)

    def summed(amounts_credits: Credits) -> Credits:
        sums = np.zeros(count, np.int64)
        np.add.at(sums, here, amounts_credits[is_in])
        return sums

    is_charge = np.zeros(len(number), np.int64)
    is_charge[:charged] = 1
    columns = [summed(one) for one in (is_charge, is_newly_refused.astype(np.int64), a, b, sign * (b - a))]
    present = np.flatnonzero(np.bincount(here, minlength=count))
    return Group(tuple(names[at] for at in present.tolist()), *(column[present] for column in columns))


def _change(a: Credits, b: Credits) -> Change:
    return Change(int(a.sum()), int(b.sum()))


def _count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))
