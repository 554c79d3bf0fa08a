"""What a scenario came to: credits by day, model and creator, what runs cost, who ran out, the platform's margin. Pure.

All amounts are whole credits. The same scenario, plan and prices give the same JSON, byte for byte.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil, div_floor, div_nearest

LORENZ_POINTS = 100


@dataclass(frozen=True, slots=True)
class RunSums:
    """Runs, and what was paid for the charged ones, in credits: paid = inference + creators + platform.

    The platform received `platform_markup_credits` and, of fees, `platform_share_credits`.
    """

    runs: int
    charged: int
    inference_credits: int
    creators_credits: int
    platform_markup_credits: int
    platform_share_credits: int

    @property
    def refused(self) -> int:
        """How many runs were refused, because the user's balance did not cover them."""
        return self.runs - self.charged

    @property
    def platform_credits(self) -> int:
        """What the platform received: markups and its share of fees."""
        return self.platform_markup_credits + self.platform_share_credits

    @property
    def paid_credits(self) -> int:
        """What users paid."""
        return self.inference_credits + self.creators_credits + self.platform_credits


@dataclass(frozen=True, slots=True)
class ScenarioDay(RunSums):
    """One day, from 1: its runs, how many top-ups were bought, and how many users ran out for the first time.

    A user runs out when the balance does not cover a run, whether a purchase follows or not.
    """

    day: int
    top_ups: int
    users_run_dry: int


@dataclass(frozen=True, slots=True)
class ModelRuns(RunSums):
    """All runs of one model."""

    model_id: str


@dataclass(frozen=True, slots=True)
class RunTotals:
    """The exact distribution of the totals of the charged runs, in credits.

    A quantile is the smallest total that this share of the runs does not exceed; 0 without runs. `runs[i]` is the
    number of runs with a total from `edges_credits[i]` (inclusive) to the next edge (exclusive; no limit for the last).
    """

    p50_credits: int
    p95_credits: int
    p99_credits: int
    max_credits: int
    edges_credits: tuple[int, ...]
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of a scenario. `active_users` tried at least one run; `creator_incomes_credits` are ascending."""

    scenario: Scenario
    plan_id: str
    days: tuple[ScenarioDay, ...]
    models: tuple[ModelRuns, ...]
    run_totals: RunTotals
    active_users: int
    left_credits: int
    creator_incomes_credits: tuple[int, ...]
    purchase_fee_credits: int
    card_fee_credits: int

    @property
    def sums(self) -> RunSums:
        """All runs together."""

        def summed(amount: Callable[[ScenarioDay], int]) -> int:
            return sum(map(amount, self.days))

        return RunSums(
            runs=summed(lambda day: day.runs),
            charged=summed(lambda day: day.charged),
            inference_credits=summed(lambda day: day.inference_credits),
            creators_credits=summed(lambda day: day.creators_credits),
            platform_markup_credits=summed(lambda day: day.platform_markup_credits),
            platform_share_credits=summed(lambda day: day.platform_share_credits),
        )

    @property
    def top_ups(self) -> int:
        """How many times a user bought credits."""
        return sum(day.top_ups for day in self.days)

    @property
    def top_up_credits(self) -> int:
        """What users bought, in credits, without the plan's fee on purchases."""
        return self.top_ups * self.scenario.top_up_credits

    @property
    def margin_credits(self) -> int:
        """What the platform received from runs and its fee on purchases, less card fees; can be negative."""
        return self.sums.platform_credits + self.purchase_fee_credits - self.card_fee_credits

    @property
    def users_run_dry(self) -> int:
        """How many users ran out at least once."""
        return sum(day.users_run_dry for day in self.days)

    @property
    def median_dry_day(self) -> int | None:
        """The day by whose end half of all users have run out at least once; None when fewer ever do."""
        up_to = accumulate(day.users_run_dry for day in self.days)
        return next(
            (day.day for day, dry in zip(self.days, up_to, strict=True) if 2 * dry >= self.scenario.users), None
        )

    @property
    def lorenz(self) -> tuple[tuple[int, int], ...]:
        """Points (creators, credits): what that many least-earning creators earned together, from none to all."""
        incomes = self.creator_incomes_credits
        up_to = [0, *accumulate(incomes)]
        counts = {div_floor(point * len(incomes), LORENZ_POINTS) for point in range(LORENZ_POINTS + 1)}
        return tuple((count, up_to[count]) for count in sorted(counts))

    @property
    def top_fifth(self) -> int:
        """How many creators a fifth of them are, rounded up."""
        return div_ceil(len(self.creator_incomes_credits), 5)

    @property
    def top_fifth_credits(self) -> int:
        """What the best-earning fifth of the creators earn together."""
        return sum(self.creator_incomes_credits[-self.top_fifth :])

    def to_json(self) -> str:
        """The whole result as JSON, the same for the same scenario, plan and prices."""
        content: dict[str, Any] = {
            "plan": self.plan_id,
            "scenario": asdict(self.scenario),
            **_with_sums(self.sums),
            "top_ups": self.top_ups,
            "top_up_credits": self.top_up_credits,
            "left_credits": self.left_credits,
            "purchase_fee_credits": self.purchase_fee_credits,
            "card_fee_credits": self.card_fee_credits,
            "margin_credits": self.margin_credits,
            "active_users": self.active_users,
            "users_run_dry": self.users_run_dry,
            "median_dry_day": self.median_dry_day,
            "run_totals": asdict(self.run_totals),
            "days": [{"day": one.day, **_with_sums(one)} for one in self.days],
            "models": [{"model_id": one.model_id, **_with_sums(one)} for one in self.models],
            "creator_incomes_credits": self.creator_incomes_credits,
            "lorenz": [{"creators": creators, "credits": credits} for creators, credits in self.lorenz],
        }
        return json.dumps(content, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two results: both values, the change, and the change in basis points of the first.

    `is_credits` is true for credits and false for a number of runs, users or purchases.
    """

    name: str
    is_credits: bool
    first: int
    second: int
    change: int
    change_bps: int


def differences(first: ScenarioResult, second: ScenarioResult) -> tuple[Difference, ...]:
    """The difference between two results in the measures that people decide by, in reading order."""
    pairs = zip(measures(first), measures(second), strict=True)
    return tuple(
        Difference(name, is_credits, one, other, other - one, share_bps(other - one, abs(one)))
        for (name, is_credits, one), (_, _, other) in pairs
    )


def measures(result: ScenarioResult) -> tuple[tuple[str, bool, int], ...]:
    """What people decide by, in reading order: the name, whether it is credits, and the number."""
    sums, totals = result.sums, result.run_totals
    return (
        ("Users paid", True, sums.paid_credits),
        ("Inference", True, sums.inference_credits),
        ("Creators earned", True, sums.creators_credits),
        ("Platform kept", True, sums.platform_credits),
        ("Margin after card fees", True, result.margin_credits),
        ("Median run", True, totals.p50_credits),
        ("95 % of runs cost at most", True, totals.p95_credits),
        ("Runs charged", False, sums.charged),
        ("Runs refused", False, sums.refused),
        ("Users who ran out", False, result.users_run_dry),
        ("Top-ups", False, result.top_ups),
    )


def share_bps(part: int, whole: int) -> int:
    """The part in basis points of the whole, to the nearest (a half away from zero); 0 when the whole is 0.

    >>> share_bps(1, 3), share_bps(-2, 3), share_bps(5, 0)
    (3333, -6667, 0)
    """
    return div_nearest(part * BPS_PER_WHOLE, whole) if whole else 0


def _with_sums(sums: RunSums) -> dict[str, Any]:
    counted = asdict(sums)
    return {
        "runs": counted.pop("runs"),
        "charged": counted.pop("charged"),
        "refused": sums.refused,
        "paid_credits": sums.paid_credits,
        **counted,
    }
