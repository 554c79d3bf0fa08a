"""What is unusual: on both sides of every threshold."""

from dataclasses import replace
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid
from credits_core.operations import watch_decide
from credits_core.operations.watch_decide import CheapRuns, Found, KeyUse, Payments, Refunded, Spent
from credits_core.operations.watch_rules import (
    CostRule,
    KeyRule,
    PaymentRule,
    RefundRule,
    SpendingRule,
    WatchRule,
    load_watch_rules,
)

SPENDING = SpendingRule(
    at_least_credits=1_000, times_the_largest_day=5, past_days=28, fewest_past_days=3, again_after_days=7
)
REFUNDS = RefundRule(more_than_percent=25, at_least_credits=100, past_days=30, again_after_days=30)
PAYMENTS = PaymentRule(
    of_the_last_payments=100,
    fewest_payments=20,
    at_least_credits=800,
    one_payer_more_than_percent=80,
    own_runs_more_than_percent=30,
    again_after_days=30,
)
KEYS = KeyRule(
    window_minutes=10, at_least_users=20, times_the_most=5, past_days=14, fewest_past_days=3, again_after_days=1
)
SPENT = Spent("ada", 9, 1_000, 200, 3)
BACK = Refunded("ben", 9, 400, 101)
PAID = Payments("ben", 9, 20, {"ada": 810, "zoe": 190})
OWN = Payments("ben", 9, 20, {"ben": 801, "ada": 1_199})
USE = KeyUse("api/shop", 9, 20, 4, 3)


@pytest.mark.parametrize(
    ("one", "is_found"),
    [
        (SPENT, True),
        (replace(SPENT, spent_credits=999), False),  # 5 × 200 is 1,000
        (replace(SPENT, largest_day_credits=201), False),
        (replace(SPENT, past_days=2), False),
        (replace(SPENT, spent_credits=999, largest_day_credits=1), False),  # too little to matter
    ],
)
def test_spending_is_unusual_when_it_is_many_times_the_largest_day(one: Spent, *, is_found: bool) -> None:
    numbers = {"spent_credits": 1_000, "largest_day_credits": 200}
    expected = Found(WatchRule.SPENDING, "ada", 9, numbers) if is_found else None
    assert watch_decide.unusual_spending(one, SPENDING) == expected


@pytest.mark.parametrize(
    ("one", "is_found"),
    [
        (BACK, True),
        (replace(BACK, refunded_credits=100), False),  # a quarter is not more than a quarter
        (replace(BACK, earned_credits=404), False),
        (replace(BACK, refunded_credits=99, earned_credits=99), False),
    ],
)
def test_refunds_are_unusual_above_a_share_of_the_income(one: Refunded, *, is_found: bool) -> None:
    numbers = {"refunded_credits": 101, "earned_credits": 400}
    expected = Found(WatchRule.REFUNDS, "ben", 9, numbers) if is_found else None
    assert watch_decide.many_refunds(one, REFUNDS) == expected


@pytest.mark.parametrize(
    ("one", "is_found"),
    [
        (PAID, True),
        (replace(PAID, payments=19), False),
        (replace(PAID, by_payer_credits={"ada": 800, "zoe": 200}), False),
        (replace(PAID, by_payer_credits={"ada": 799, "zoe": 1}), False),
        (replace(PAID, by_payer_credits={"ben": 900, "ada": 100}), False),  # the creator's own runs are another rule
    ],
)
def test_a_creator_paid_by_one_account_is_unusual(one: Payments, *, is_found: bool) -> None:
    numbers = {"paid_credits": 810, "earned_credits": 1_000, "payments": 20, "payer": "ada"}
    expected = Found(WatchRule.ONE_PAYER, "ben", 9, numbers) if is_found else None
    assert watch_decide.one_payer(one, PAYMENTS) == expected


@pytest.mark.parametrize(
    ("one", "is_found"),
    [
        (OWN, True),
        (replace(OWN, by_payer_credits={"ben": 801, "ada": 1_869}), False),  # 30 % of 2,670 is 801
        (replace(OWN, by_payer_credits={"ben": 799, "ada": 1}), False),
        (replace(OWN, by_payer_credits={"ada": 2_000}), False),
    ],
)
def test_a_creator_who_pays_themselves_is_unusual(one: Payments, *, is_found: bool) -> None:
    numbers = {"paid_credits": 801, "earned_credits": 2_000, "payments": 20, "payer": "ben"}
    expected = Found(WatchRule.OWN_RUNS, "ben", 9, numbers) if is_found else None
    assert watch_decide.own_runs(one, PAYMENTS) == expected


def test_runs_below_cost_are_unusual_from_the_fewest_on() -> None:
    runs, rule = CheapRuns("gpt-4", "plan-1", 9, 2, 30), CostRule(fewest_runs=2, again_after_days=30)
    found = Found(WatchRule.BELOW_COST, "gpt-4 under plan-1", 9, {"runs": 2, "lost_credits": 30})
    assert watch_decide.below_cost(runs, rule) == found
    assert watch_decide.below_cost(replace(runs, runs=1), rule) is None


@pytest.mark.parametrize(
    ("one", "is_found"),
    [
        (USE, True),
        (replace(USE, users=19, most_before=1), False),
        (replace(USE, most_before=5), False),  # 5 × 5 is 25
        (replace(USE, past_days=2), False),
    ],
)
def test_a_key_for_far_more_users_than_before_is_unusual(one: KeyUse, *, is_found: bool) -> None:
    numbers = {"users": 20, "most_before": 4, "window_minutes": 10}
    expected = Found(WatchRule.MANY_USERS, "api/shop", 9, numbers) if is_found else None
    assert watch_decide.many_users(one, KEYS) == expected


def test_the_thresholds_are_read_from_their_file_and_again_is_per_rule() -> None:
    rules = load_watch_rules(settings.WATCH_FILE)
    assert {rule: rules.again_after_days(rule) for rule in WatchRule} == {
        WatchRule.SPENDING: 7,
        WatchRule.REFUNDS: 30,
        WatchRule.ONE_PAYER: 30,
        WatchRule.OWN_RUNS: 30,
        WatchRule.BELOW_COST: 30,
        WatchRule.MANY_USERS: 1,
    }


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("fewest_runs = 1", "fewest_runs = 0", "below_cost.fewest_runs: Input should be greater than or equal to 1"),
        ("fewest_runs = 1", 'fewest_runs = "1"', "below_cost.fewest_runs: Input should be a valid integer"),
        ("fewest_runs = 1", "few = 1", "below_cost.few: Extra inputs are not permitted"),
        ("[below_cost]", "[below_cost", "cannot be read"),
    ],
)
def test_a_file_with_a_wrong_threshold_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "watch.toml"
    path.write_text(settings.WATCH_FILE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(DataFileInvalid, match=problem):
        load_watch_rules(path)


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        load_watch_rules(tmp_path / "watch.toml")
