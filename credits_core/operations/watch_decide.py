"""Decides what is unusual, from sums: pure. Amounts are whole credits, days are numbered from 1970-01-01 as 0."""

from collections.abc import Mapping
from dataclasses import dataclass

from credits_core.operations.watch_rules import CostRule, KeyRule, PaymentRule, RefundRule, SpendingRule, WatchRule


@dataclass(frozen=True, slots=True)
class Found:
    """Something unusual about a subject on one day: a user, a creator, a key, or a model under a plan.

    `numbers` are what led to it, and `entries` some entries to look at, the newest first.
    """

    rule: WatchRule
    subject: str
    day: int
    numbers: Mapping[str, int | str]
    entries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a user spent on one day and, at most, on one of the days before; and on how many of those days anything."""

    user_id: str
    day: int
    spent_credits: int
    largest_day_credits: int
    past_days: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a creator earned in some days up to this one, and what of it was refunded."""

    creator_id: str
    day: int
    earned_credits: int
    refunded_credits: int


@dataclass(frozen=True, slots=True)
class Payments:
    """A creator's newest payments: how many, what they come to, and what each account paid of it."""

    creator_id: str
    day: int
    payments: int
    by_payer_credits: Mapping[str, int]

    @property
    def earned_credits(self) -> int:
        """What all of them come to."""
        return sum(self.by_payer_credits.values())


@dataclass(frozen=True, slots=True)
class CheapRuns:
    """Runs of one model under one plan at zero or below cost, and what the platform lost by them."""

    model_id: str
    plan_id: str
    day: int
    runs: int
    lost_credits: int


@dataclass(frozen=True, slots=True)
class KeyUse:
    """For how many users a key charged at once on a day, and at most on one of the days before, of which so many."""

    actor: str
    day: int
    users: int
    most_before: int
    past_days: int


def unusual_spending(one: Spent, rule: SpendingRule) -> Found | None:
    """A user who spends far more than on the largest day of their past."""
    if one.past_days < rule.fewest_past_days or one.spent_credits < rule.at_least_credits:
        return None
    if one.spent_credits < rule.times_the_largest_day * one.largest_day_credits:
        return None
    numbers = {"spent_credits": one.spent_credits, "largest_day_credits": one.largest_day_credits}
    return Found(WatchRule.SPENDING, one.user_id, one.day, numbers)


def many_refunds(one: Refunded, rule: RefundRule) -> Found | None:
    """A creator of whose income much was refunded."""
    if one.refunded_credits < rule.at_least_credits or not _exceeds(
        one.refunded_credits, rule.more_than_percent, one.earned_credits
    ):
        return None
    numbers = {"refunded_credits": one.refunded_credits, "earned_credits": one.earned_credits}
    return Found(WatchRule.REFUNDS, one.creator_id, one.day, numbers)


def one_payer(one: Payments, rule: PaymentRule) -> Found | None:
    """A creator whom one account, which is not their own, pays nearly alone."""
    others = {payer: credits for payer, credits in one.by_payer_credits.items() if payer != one.creator_id}
    payer = max(others, key=lambda name: (others[name], name), default="")
    return _paid_by(one, payer, rule.one_payer_more_than_percent, rule, WatchRule.ONE_PAYER)


def own_runs(one: Payments, rule: PaymentRule) -> Found | None:
    """A creator who pays themselves for much of what they earn."""
    return _paid_by(one, one.creator_id, rule.own_runs_more_than_percent, rule, WatchRule.OWN_RUNS)


def _paid_by(one: Payments, payer: str, percent: int, rule: PaymentRule, kind: WatchRule) -> Found | None:
    paid_credits = one.by_payer_credits.get(payer, 0)
    if one.payments < rule.fewest_payments or paid_credits < rule.at_least_credits:
        return None
    if not _exceeds(paid_credits, percent, one.earned_credits):
        return None
    numbers: dict[str, int | str] = {"paid_credits": paid_credits, "earned_credits": one.earned_credits}
    return Found(kind, one.creator_id, one.day, {**numbers, "payments": one.payments, "payer": payer})


def below_cost(one: CheapRuns, rule: CostRule) -> Found | None:
    """Runs of a model that costs nothing, or below what they cost the platform."""
    if one.runs < rule.fewest_runs:
        return None
    numbers: dict[str, int | str] = {"runs": one.runs, "lost_credits": one.lost_credits}
    subject = f"{one.model_id} under {one.plan_id}"
    return Found(WatchRule.BELOW_COST, subject, one.day, numbers)


def many_users(one: KeyUse, rule: KeyRule) -> Found | None:
    """A key that charges for far more users at once than ever before."""
    if one.past_days < rule.fewest_past_days or one.users < rule.at_least_users:
        return None
    if one.users < rule.times_the_most * one.most_before:
        return None
    numbers = {"users": one.users, "most_before": one.most_before, "window_minutes": rule.window_minutes}
    return Found(WatchRule.MANY_USERS, one.actor, one.day, numbers)


def _exceeds(part_credits: int, percent: int, whole_credits: int) -> bool:
    """Whether the part is more than this percentage of the whole.

    >>> _exceeds(26, 25, 100), _exceeds(25, 25, 100)
    (True, False)
    """
    return part_credits * 100 > percent * whole_credits
