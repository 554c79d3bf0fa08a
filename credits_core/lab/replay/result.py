"""The result of a replay: sums of the recorded history beside the same sums under the plan. Pure.

All sums are in credits and net of refunds: a refund counts on its own day. What users paid is always the sum of
inference cost, creators' part and platform's part. The inference cost of a refunded run stays in the sum, and the
platform bears it, unless the recorded refund booked it back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from credits_core.lab.replay.balances import Flags
from credits_core.lab.replay.counterfactual import (
    Difference,
    Outcome,
    OwnPlans,
    PricedCharges,
    first_difference,
    given_back,
    replay,
    under_own_plans,
)
from credits_core.lab.replay.record import UNLOCK, RecordedHistory
from credits_core.pricing.plan import PricePlan
from credits_core.values.arrays import Credits
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil, div_floor

UNLOCKS_NAME = "Flow unlocks"
"""The name in the table of models for charges that run no model."""
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MEASURES = ("users", "creators", "platform")
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Change:
    """An amount as recorded and under the plan, in credits."""

    recorded_credits: int
    plan_credits: int

    @property
    def difference_credits(self) -> int:
        """How much more it is under the plan; negative when it is less."""
        return self.plan_credits - self.recorded_credits

    @property
    def difference_bps(self) -> int | None:
        """The difference in basis points of the recorded amount, a half rounded away from zero; None when that is 0.

        >>> Change(1_000, 968).difference_bps, Change(0, 5).difference_bps, Change(3, 2).difference_bps
        (-320, None, -3333)
        """
        base_credits, difference_credits = abs(self.recorded_credits), self.difference_credits
        if base_credits == 0:
            return None
        bps = div_floor(2 * abs(difference_credits) * BPS_PER_WHOLE + base_credits, 2 * base_credits)
        return -bps if difference_credits < 0 else bps


@dataclass(frozen=True, slots=True)
class Sums:
    """What users paid and who received it, recorded and under the plan."""

    users: Change
    inference: Change
    creators: Change
    platform: Change


@dataclass(frozen=True, slots=True)
class ChangeOfRun:
    """How much more a run costs under the plan, in credits, over the runs that would not have been refused.

    Quantiles by nearest rank: of n changes in ascending order, p95 is number 95 × n / 100, rounded up.
    """

    least_credits: int
    p50_credits: int
    p95_credits: int
    most_credits: int


@dataclass(frozen=True, slots=True)
class ChangeRange:
    """The number of runs whose total changes by `from_credits` to `to_credits`, both inclusive."""

    from_credits: int
    to_credits: int
    runs: int


@dataclass(frozen=True, slots=True)
class Group:
    """One model, creator, user or day: its runs and unlocks, and what was paid and received for them.

    `refused` counts charges that would have been refused under the plan for lack of credits. `refused_credits` is what
    was really paid for them, less refunds.
    """

    name: str
    charges: int
    refused: int
    refused_credits: int
    users: Change
    creators: Change
    platform: Change

    @property
    def dearer_credits(self) -> int:
        """How much more users pay for the charges that are not refused, in credits."""
        return self.users.difference_credits + self.refused_credits

    @property
    def user_gain_credits(self) -> int:
        """What users gain (plus) or lose (minus): how much less they pay for the charges that are not refused."""
        return -self.dearer_credits


@dataclass(frozen=True, slots=True)
class Groups:
    """All models, creators, users or days, to read a page at a time; the largest differences come first."""

    names: tuple[str, ...]
    columns: dict[str, Credits]
    order: Credits

    def __len__(self) -> int:
        return len(self.order)

    def page(self, start: int = 0, limit: int | None = None) -> list[Group]:
        """At most `limit` groups, from position `start` (0 is the first)."""
        return [self._group(int(at)) for at in self.order[start : None if limit is None else start + limit]]

    def ends(self, column: str, limit: int) -> tuple[list[Group], list[Group]]:
        """The groups with the most negative and with the most positive numbers in a column, the largest first.

        The columns are `dearer credits` and `creators more`. Equal numbers are ordered by name.
        """
        numbers = self.columns[column]
        ascending = np.lexsort((np.array(self.names), numbers))
        descending = np.lexsort((np.array(self.names), -numbers))
        return (
            [self._group(int(at)) for at in ascending[:limit] if numbers[at] < 0],
            [self._group(int(at)) for at in descending[:limit] if numbers[at] > 0],
        )

    def _group(self, at: int) -> Group:
        cell = {name: int(column[at]) for name, column in self.columns.items()}
        changes = (Change(cell[f"{measure} recorded"], cell[f"{measure} plan"]) for measure in _MEASURES)
        return Group(self.names[at], cell["charges"], cell["refused"], cell["refused credits"], *changes)


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The recorded history of some days, compared with what it would have been under a plan.

    `runs = cheaper_runs + unchanged_runs + dearer_runs + refused_runs`. `refused_credits` is what was really paid
    for refused runs and unlocks, net of refunds. `change_of_run` is None when every run is refused or there is none.
    `difference` is the first charge that differs from the record under this plan; `own_plans` checks each charge under
    the plan that it was charged with.
    """

    plan_id: str
    sums: Sums
    runs: int
    unlocks: int
    refunds: int
    earlier_rule_refunds: int
    refused_runs: int
    refused_unlocks: int
    refused_users: int
    refused_credits: int
    refused_additions: int
    cheaper_runs: int
    unchanged_runs: int
    dearer_runs: int
    change_of_run: ChangeOfRun | None
    changes: tuple[ChangeRange, ...]
    by_day: Groups
    by_model: Groups
    by_creator: Groups
    by_user: Groups
    difference: Difference | None
    own_plans: OwnPlans

    @property
    def matches_record(self) -> bool:
        """Whether the plan gives exactly the recorded amounts, and nothing is refused."""
        return self.difference is None and self.refused_additions == 0


def compare(history: RecordedHistory, plan: PricePlan, plans: Mapping[str, PricePlan]) -> Counterfactual:
    """Compares the recorded history with what it would have been under the plan. `plans`: all that past runs may name.

    Raises:
        InvalidRequest: a total would be above 2^53-1 credits, or the amounts are too large to be added up.
    """
    outcome = replay(history, plan)
    charges, refunds, priced = history.charges, history.refunds, outcome.priced
    is_run = charges.is_compared & (charges.model != UNLOCK)
    is_unlock = charges.is_compared & (charges.model == UNLOCK)
    lines = Lines(history, outcome)
    changes = (priced.total_credits - charges.total_credits)[is_run & outcome.happened]
    days, day = np.unique(lines.day, return_inverse=True)
    day_names = tuple(date.fromordinal(_EPOCH_ORDINAL + number).isoformat() for number in days.tolist())
    return Counterfactual(
        plan_id=plan.id,
        sums=lines.sums(),
        runs=_count(is_run),
        unlocks=_count(is_unlock),
        refunds=_count(refunds.is_compared),
        earlier_rule_refunds=_count(refunds.is_compared & refunds.is_earlier_rule),
        refused_runs=_count(is_run & ~outcome.happened),
        refused_unlocks=_count(is_unlock & ~outcome.happened),
        refused_users=len(np.unique(charges.payer[charges.is_compared & ~outcome.happened])),
        refused_credits=int(lines.refused_credits.sum()),
        refused_additions=outcome.refused_additions,
        cheaper_runs=_count(changes < 0),
        unchanged_runs=_count(changes == 0),
        dearer_runs=_count(changes > 0),
        change_of_run=_change_of_run(changes),
        changes=tuple(_ranges(changes)),
        by_day=lines.groups(day, day_names, by=None),
        by_model=lines.groups(lines.model, (*history.models, UNLOCKS_NAME), by="users"),
        by_creator=lines.groups(lines.creator, history.accounts, by="creators"),
        by_user=lines.groups(lines.payer, history.accounts, by="users"),
        difference=first_difference(history, outcome),
        own_plans=under_own_plans(history, plans),
    )


class Lines:
    """Every compared charge and, after them, every compared refund as negative amounts, recorded and under the plan.

    `amounts` has them by party, `happened` says which charges and refunds the plan lets happen, `charged` counts the
    lines of charges. Of a refund, payer, creator and model are those of its charge.
    """

    def __init__(self, history: RecordedHistory, outcome: Outcome) -> None:
        charges, refunds, priced = history.charges, history.refunds, outcome.priced
        charged, refunded = np.flatnonzero(charges.is_compared), np.flatnonzero(refunds.is_compared)
        of = np.concatenate([charged, refunds.charge[refunded]])
        sign = np.repeat(np.array([1, -1]), [len(charged), len(refunded)])
        self.charged = len(charged)
        self.happened = outcome.happened[of]
        self.day = np.concatenate([charges.day[charged], refunds.day[refunded]])
        self.payer, self.creator = charges.payer[of], charges.creator[of]
        self.model = np.where(charges.model[of] == UNLOCK, len(history.models), charges.model[of])
        inference = np.concatenate([charges.inference_cost_credits[charged], -refunds.returned_cost_credits[refunded]])
        recorded = PricedCharges(charges.total_credits, charges.creator_share_credits)
        recorded_back = given_back(history, recorded)
        users, creators = (
            np.concatenate([charge[charged], back[refunded]]) * sign
            for charge, back in (
                (recorded.total_credits, recorded_back.total_credits),
                (recorded.creator_share_credits, recorded_back.creator_share_credits),
            )
        )
        creators[len(charged) :] += refunds.borne_credits[refunded]
        users_plan, creators_plan = (
            np.concatenate([charge[charged], back[refunded]]) * sign * self.happened
            for charge, back in (
                (priced.total_credits, outcome.back.total_credits),
                (priced.creator_share_credits, outcome.back.creator_share_credits),
            )
        )
        creators_plan[len(charged) :] += outcome.borne_credits[refunded]
        self.refused_credits = np.where(self.happened, 0, users)
        self.amounts = {
            "users recorded": users,
            "users plan": users_plan,
            "inference recorded": inference,
            "inference plan": inference * self.happened,
            "creators recorded": creators,
            "creators plan": creators_plan,
            "refused credits": self.refused_credits,
        }

    def sums(self) -> Sums:
        """The sums of all lines."""
        columns = {name: amounts.sum(keepdims=True) for name, amounts in self.amounts.items()}
        _add_platform(columns)
        names = ("users", "inference", "creators", "platform")
        return Sums(*(Change(int(columns[f"{name} recorded"][0]), int(columns[f"{name} plan"][0])) for name in names))

    def groups(self, number: Credits, names: tuple[str, ...], *, by: str | None) -> Groups:
        """The lines summed by their number; -1 is in no group. Groups with the largest change of `by` come first."""
        is_in = number >= 0
        everywhere = bool(is_in.all())
        columns: dict[str, Credits] = {}
        here = number if everywhere else number[is_in]
        for name, amounts in self.amounts.items():
            columns[name] = np.zeros(len(names), np.int64)
            np.add.at(columns[name], here, amounts if everywhere else amounts[is_in])
        charged = number[: self.charged]
        refused = charged[~self.happened[: self.charged]]
        columns["charges"] = np.bincount(charged[charged >= 0], minlength=len(names))
        columns["refused"] = np.bincount(refused[refused >= 0], minlength=len(names))
        _add_platform(columns)
        present = np.flatnonzero(np.bincount(here, minlength=len(names)))
        columns = {name: column[present] for name, column in columns.items()}
        columns["dearer credits"] = columns["users plan"] - columns["users recorded"] + columns["refused credits"]
        columns["creators more"] = columns["creators plan"] - columns["creators recorded"]
        present_names = tuple(names[at] for at in present.tolist())
        order = np.arange(len(present))
        if by is not None and present_names:
            size = np.abs(columns[f"{by} plan"] - columns[f"{by} recorded"])
            order = np.lexsort((np.array(present_names), -columns[f"{by} recorded"], -size))
        return Groups(present_names, columns, order)


def _add_platform(columns: dict[str, Credits]) -> None:
    for side in ("recorded", "plan"):
        columns[f"platform {side}"] = (
            columns[f"users {side}"] - columns[f"inference {side}"] - columns[f"creators {side}"]
        )


def _count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def _change_of_run(changes: Credits) -> ChangeOfRun | None:
    runs = len(changes)
    if runs == 0:
        return None
    places = [0, div_ceil(50 * runs, 100) - 1, div_ceil(95 * runs, 100) - 1, runs - 1]
    return ChangeOfRun(*np.partition(changes, places)[places].tolist())


def _ranges(changes: Credits) -> Iterator[ChangeRange]:
    """The changes in ranges that grow like 1, 2, 5, 10, 20, 50 …, from the lowest that has runs to the highest."""
    if len(changes) == 0:
        return
    largest, edges, power = int(np.abs(changes).max()), [1], 1
    while edges[-1] <= largest:
        edges += [power * step for step in _STEPS if power * step > edges[-1]]
        power *= 10
    ranges = np.searchsorted(np.array(edges), np.abs(changes), side="right") * np.sign(changes)
    lowest = int(ranges.min())
    for number, runs in enumerate(np.bincount(ranges - lowest).tolist(), lowest):
        if number == 0:
            yield ChangeRange(0, 0, runs)
        else:
            near, far = edges[abs(number) - 1], edges[abs(number)] - 1
            yield ChangeRange(near, far, runs) if number > 0 else ChangeRange(-far, -near, runs)
