"""The rules of alerts inside: on both sides of every limit, the same limits as Prometheus' tests have."""

from dataclasses import replace

import pytest

from credits_core.operations import alerts
from credits_core.operations.alert_rules import RULES
from credits_core.operations.alert_state import Calls, Job, Money, State

MONEY = Money(1_000_000_000, 1_000, 0, 0, 0, {})
JOBS = [Job(name, True, 60, 0) for name in ("backup", "drill", "seals")]
WELL = State(
    MONEY,
    audit_ok=True,
    clean_audit_age_seconds=86_400,
    seal_lag_seconds=900,
    has_leader=True,
    jobs=JOBS,
    an_hour_ago=(1_000_000_000, 1_000),
    calls=Calls(100, 20, 1, 1_000_000),
)


def wrong(state: State) -> dict[str, str]:
    """What is wrong, by alert."""
    return {one.rule.name: one.said for one in alerts.judge(state) if one.said}


def unknown(state: State) -> set[str]:
    return {one.rule.name for one in alerts.judge(state) if one.said is None}


def job(name: str, age: int | None = 60, failures: int = 0) -> list[Job]:
    return [*(one for one in JOBS if one.name != name), Job(name, not failures, age, failures)]


def test_nothing_is_wrong_at_every_limit() -> None:
    at_limits = replace(
        WELL,
        jobs=[Job("backup", True, 129_600, 2), Job("drill", True, 691_200, 0)],
        money=replace(MONEY, circulating_credits=1_250_000_000),
    )
    assert wrong(at_limits) == {}
    assert unknown(at_limits) == set()


@pytest.mark.parametrize(
    ("state", "name", "said"),
    [
        (replace(WELL, audit_ok=False), "IntegrityBroken", "The last check of the ledger found something broken."),
        (
            replace(WELL, clean_audit_age_seconds=86_401),
            "NoCleanVerify",
            "The ledger was not found clean for more than 24 hours.",
        ),
        (replace(WELL, jobs=job("backup", 129_601)), "BackupTooOld", "No backup was made for more than 36 hours."),
        (
            replace(WELL, jobs=job("drill", 691_201)),
            "DrillTooOld",
            "No backup was restored as a drill for more than 192 hours.",
        ),
        (
            replace(WELL, calls=Calls(100, 21, 0, 0)),
            "RefusalRateHigh",
            "21 of 100 requests of the last five minutes were refused.",
        ),
        (
            replace(WELL, calls=Calls(100, 0, 2, 0)),
            "UnavailableRateHigh",
            "2 of 100 requests of the last five minutes got no answer (503).",
        ),
        (
            replace(WELL, calls=Calls(30, 0, 0, 1_000_001)),
            "AnswersSlow",
            "One of a hundred requests takes longer than 1,000 ms.",
        ),
        (
            replace(WELL, money=replace(MONEY, circulating_credits=1_250_000_001)),
            "CirculationJumps",
            "All users together held 1,000,000,000 credits an hour ago and hold 1,250,000,001 now.",
        ),
        (
            replace(WELL, money=replace(MONEY, circulating_credits=749_999_999)),
            "CirculationJumps",
            "All users together held 1,000,000,000 credits an hour ago and hold 749,999,999 now.",
        ),
        (
            replace(WELL, money=replace(MONEY, refunded_inference_credits=1)),
            "MarginNegative",
            "The platform lost 1 credits within an hour.",
        ),
        (replace(WELL, seal_lag_seconds=901), "SealsBehind", "New entries are not sealed."),
        (replace(WELL, has_leader=False), "NoLeader", "No process runs the jobs."),
        (
            replace(WELL, jobs=job("seals", failures=3)),
            "JobFailing",
            "These jobs failed 3 times or more: seals.",
        ),
        (
            replace(WELL, findings_waiting=1, newest_finding=12),
            "FindingsWaiting",
            "Findings about the credits wait on the screen Watching. The newest is no. 12.",
        ),
    ],
)
def test_one_step_beyond_a_limit_that_alone_is_wrong(state: State, name: str, said: str) -> None:
    assert wrong(state) == {name: said}


def said_of(state: State) -> str:
    (said,) = wrong(state).values()
    return said


@pytest.mark.parametrize(
    ("before", "now", "has_more"),
    [
        (["backup"], ["backup"], False),
        (["backup"], ["backup", "seals"], True),
        (["backup", "seals"], ["seals"], False),
        (["backup", "seals"], ["seals", "drill"], True),
    ],
)
def test_another_job_that_fails_is_more(before: list[str], now: list[str], has_more: bool) -> None:
    (rule,) = (rule for rule in RULES if rule.name == "JobFailing")
    assert rule.has_more is not None
    told = [said_of(replace(WELL, jobs=[Job(name, False, 60, 3) for name in names])) for names in (before, now)]
    assert rule.has_more(told[0], told[1]) == has_more


@pytest.mark.parametrize(("before", "now", "has_more"), [(9, 9, False), (9, 12, True), (12, 9, False), (None, 1, True)])
def test_a_newer_finding_is_more(before: int | None, now: int, has_more: bool) -> None:
    (rule,) = (rule for rule in RULES if rule.name == "FindingsWaiting")
    assert rule.has_more is not None
    waiting = replace(WELL, findings_waiting=1)
    older = rule.said if before is None else said_of(replace(waiting, newest_finding=before))
    assert rule.has_more(older, said_of(replace(waiting, newest_finding=now))) == has_more


def test_every_rule_that_is_seen_from_inside_has_its_case() -> None:
    assert {rule.name for rule in RULES if rule.wrong is None} == {"DatabaseUnreadable", "ProductDown"}


def test_a_share_of_few_requests_says_nothing() -> None:
    assert wrong(replace(WELL, calls=Calls(29, 29, 29, 9_000_000))) == {}


def test_a_small_jump_is_none_even_where_little_circulates() -> None:
    little = replace(MONEY, circulating_credits=100_000_000)
    assert wrong(replace(WELL, money=little, an_hour_ago=(0, 1_000))) == {}
    more = replace(MONEY, circulating_credits=100_000_001)
    assert set(wrong(replace(WELL, money=more, an_hour_ago=(0, 1_000)))) == {"CirculationJumps"}


def test_what_is_not_known_is_not_judged() -> None:
    assert unknown(State(MONEY)) == {
        *("IntegrityBroken", "NoCleanVerify", "BackupTooOld", "DrillTooOld", "RefusalRateHigh"),
        *("UnavailableRateHigh", "AnswersSlow", "CirculationJumps", "MarginNegative"),
    }
    assert wrong(State(MONEY)) == {"NoLeader": "No process runs the jobs."}
