"""What counts as wrong: one table of rules, for Prometheus and for the product itself. Pure.

Each rule stands here twice, as an expression of Prometheus and as a function of the state, with the same limit.
`deploy/prometheus/alerts.yml` is written from this table by `python -m scripts.write_alert_rules`; a test compares.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from credits_core.operations.alert_state import State
from credits_core.operations.runs import FAILURES_UNTIL_RED

FEWEST_REQUESTS = 30
"""In five minutes. A share of fewer requests says nothing."""
MOST_REFUSED_PERCENT = 20
MOST_UNAVAILABLE_PERCENT = 1
SLOWEST_MS = 1_000
OLDEST_AUDIT_HOURS = 24
OLDEST_BACKUP_HOURS = 36
OLDEST_DRILL_HOURS = 8 * 24
LARGEST_JUMP_PERCENT = 25
SMALLEST_JUMP_CREDITS = 100_000_000
LONGEST_UNSEALED_SECONDS = 900
MOST_FAILURES_IN_A_ROW = FAILURES_UNTIL_RED - 1
BACKUP, DRILL = "backup", "drill"
_HOUR_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. `expression` is Prometheus'; `wrong` is what is wrong in this state, in one sentence.

    `wrong` is an empty text when all is well, and None when the state does not say. A fault counts when it has lasted
    `lasts_minutes`. Whatever `is_urgent` needs somebody at once. Rules without `wrong` are seen from outside alone.
    A fault that goes on is told once more when `has_more` finds something in what is said now that was not in what was
    said before.
    """

    name: str
    expression: str
    said: str
    lasts_minutes: int
    wrong: Callable[[State], str | None] | None = None
    is_urgent: bool = False
    has_more: Callable[[str, str], bool] | None = None


def _integrity(state: State) -> str | None:
    if state.audit_ok is None:
        return None
    return "" if state.audit_ok else "The last check of the ledger found something broken."


def _no_clean_audit(state: State) -> str | None:
    return _too_old(state.clean_audit_age_seconds, OLDEST_AUDIT_HOURS, "The ledger was not found clean")


def _backup(state: State) -> str | None:
    return _too_old(state.job(BACKUP).good_age_seconds, OLDEST_BACKUP_HOURS, "No backup was made")


def _drill(state: State) -> str | None:
    return _too_old(state.job(DRILL).good_age_seconds, OLDEST_DRILL_HOURS, "No backup was restored as a drill")


def _too_old(age_seconds: int | None, limit_hours: int, said: str) -> str | None:
    if age_seconds is None:
        return None
    return f"{said} for more than {limit_hours} hours." if age_seconds > limit_hours * _HOUR_SECONDS else ""


def _refusals(state: State) -> str | None:
    calls = state.calls
    if calls is None:
        return None
    is_wrong = calls.answered >= FEWEST_REQUESTS and calls.refused * 100 > MOST_REFUSED_PERCENT * calls.answered
    return f"{calls.refused} of {calls.answered} requests of the last five minutes were refused." if is_wrong else ""


def _unavailable(state: State) -> str | None:
    calls = state.calls
    if calls is None:
        return None
    is_wrong = calls.answered >= FEWEST_REQUESTS and calls.unavailable * 100 > MOST_UNAVAILABLE_PERCENT * calls.answered
    said = f"{calls.unavailable} of {calls.answered} requests of the last five minutes got no answer (503)."
    return said if is_wrong else ""


def _slow(state: State) -> str | None:
    calls = state.calls
    if calls is None:
        return None
    is_wrong = calls.answered >= FEWEST_REQUESTS and calls.p99_us > SLOWEST_MS * 1_000
    return f"One of a hundred requests takes longer than {SLOWEST_MS:,} ms." if is_wrong else ""


def _jump(state: State) -> str | None:
    if state.an_hour_ago is None:
        return None
    before, now = state.an_hour_ago[0], state.money.circulating_credits
    jump = abs(now - before)
    if jump <= SMALLEST_JUMP_CREDITS or jump * 100 <= LARGEST_JUMP_PERCENT * before:
        return ""
    return f"All users together held {before:,} credits an hour ago and hold {now:,} now."


def _margin(state: State) -> str | None:
    if state.an_hour_ago is None:
        return None
    change = state.money.margin_credits - state.an_hour_ago[1]
    return f"The platform lost {-change:,} credits within an hour." if change < 0 else ""


def _seals(state: State) -> str | None:
    return "New entries are not sealed." if state.seal_lag_seconds > LONGEST_UNSEALED_SECONDS else ""


def _leader(state: State) -> str | None:
    return "" if state.has_leader else "No process runs the jobs."


def _failing(state: State) -> str | None:
    names = [job.name for job in state.jobs if job.failures_in_a_row > MOST_FAILURES_IN_A_ROW]
    return f"These jobs failed {MOST_FAILURES_IN_A_ROW + 1} times or more: {', '.join(names)}." if names else ""


def _has_another_job(before: str, now: str) -> bool:
    known, named = (set(said.partition(": ")[2].rstrip(".").split(", ")) for said in (before, now))
    return bool(named - known)


def _findings(state: State) -> str | None:
    if not state.findings_waiting:
        return ""
    return f"Findings about the credits wait on the screen Watching. The newest is no. {state.newest_finding}."


def _has_newer_finding(before: str, now: str) -> bool:
    known, newest = (re.search(r"no\. (\d+)\.$", said) for said in (before, now))
    return newest is not None and (known is None or int(newest[1]) > int(known[1]))


_ENOUGH = f"and promptflow:requests:increase5m >= {FEWEST_REQUESTS}"
_JUMP = "abs(promptflow:circulating_credits:change1h)"
RULES = (
    Rule(
        "IntegrityBroken",
        "min(promptflow_last_audit_ok) == 0",
        "The last check of the ledger found something broken.",
        0,
        _integrity,
        is_urgent=True,
    ),
    Rule(
        "NoCleanVerify",
        f"min(promptflow_last_clean_audit_age_seconds) > {OLDEST_AUDIT_HOURS * _HOUR_SECONDS}",
        f"The ledger was not found clean for more than {OLDEST_AUDIT_HOURS} hours.",
        10,
        _no_clean_audit,
    ),
    Rule(
        "BackupTooOld",
        f'min(promptflow_job_good_age_seconds{{name="{BACKUP}"}}) > {OLDEST_BACKUP_HOURS * _HOUR_SECONDS}',
        f"No backup was made for more than {OLDEST_BACKUP_HOURS} hours.",
        10,
        _backup,
    ),
    Rule(
        "DrillTooOld",
        f'min(promptflow_job_good_age_seconds{{name="{DRILL}"}}) > {OLDEST_DRILL_HOURS * _HOUR_SECONDS}',
        f"No backup was restored as a drill for more than {OLDEST_DRILL_HOURS} hours.",
        10,
        _drill,
    ),
    Rule(
        "RefusalRateHigh",
        f"100 * promptflow:refusals:increase5m > {MOST_REFUSED_PERCENT} * promptflow:requests:increase5m {_ENOUGH}",
        f"More than {MOST_REFUSED_PERCENT} % of the requests are refused.",
        10,
        _refusals,
    ),
    Rule(
        "UnavailableRateHigh",
        "100 * promptflow:unavailable:increase5m"
        f" > {MOST_UNAVAILABLE_PERCENT} * promptflow:requests:increase5m {_ENOUGH}",
        f"More than {MOST_UNAVAILABLE_PERCENT} % of the requests get no answer (503).",
        5,
        _unavailable,
        is_urgent=True,
    ),
    Rule(
        "AnswersSlow",
        f"1000 * promptflow:request_duration_seconds:p99_5m > {SLOWEST_MS} {_ENOUGH}",
        f"One of a hundred requests takes longer than {SLOWEST_MS:,} ms.",
        10,
        _slow,
    ),
    Rule(
        "CirculationJumps",
        f"{_JUMP} > {SMALLEST_JUMP_CREDITS} and 100 * {_JUMP}"
        f" > {LARGEST_JUMP_PERCENT} * (promptflow:circulating_credits offset 1h)",
        "What all users together hold changed much within an hour.",
        1,
        _jump,
    ),
    Rule(
        "MarginNegative",
        "promptflow:margin_credits:change1h < 0",
        "The platform lost credits within an hour.",
        5,
        _margin,
    ),
    Rule(
        "SealsBehind",
        f"max(promptflow_seal_lag_seconds) > {LONGEST_UNSEALED_SECONDS}",
        "New entries are not sealed.",
        5,
        _seals,
    ),
    Rule("NoLeader", "max(promptflow_has_job_leader) == 0", "No process runs the jobs.", 5, _leader),
    Rule(
        "JobFailing",
        f"max by (name) (promptflow_job_failures_in_a_row) > {MOST_FAILURES_IN_A_ROW}",
        f"A job failed {MOST_FAILURES_IN_A_ROW + 1} times or more in a row.",
        0,
        _failing,
        has_more=_has_another_job,
    ),
    Rule(
        "FindingsWaiting",
        "max(promptflow_findings_waiting) > 0",
        "Findings about the credits wait on the screen Watching.",
        0,
        _findings,
        has_more=_has_newer_finding,
    ),
    Rule(
        "DatabaseUnreadable",
        "min(promptflow_database_readable) == 0",
        "A process cannot read the database.",
        2,
        is_urgent=True,
    ),
    Rule("ProductDown", 'up{job="promptflow"} == 0', "A process does not answer Prometheus.", 2, is_urgent=True),
)
"""All rules; the ten of the specification first, then failing jobs, findings, and what is seen from outside alone."""

RECORDED = {
    "promptflow:requests:increase5m": 'sum(increase(promptflow_requests_total{route!~"/health|/ready"}[5m]))',
    "promptflow:refusals:increase5m": "sum(increase(promptflow_refusals_total[5m])) or vector(0)",
    "promptflow:unavailable:increase5m": (
        'sum(increase(promptflow_requests_total{route!~"/health|/ready",status="503"}[5m])) or vector(0)'
    ),
    "promptflow:request_duration_seconds:p99_5m": (
        "histogram_quantile(0.99, sum by (le)"
        ' (rate(promptflow_request_duration_seconds_bucket{route!~"/health|/ready"}[5m])))'
    ),
    "promptflow:circulating_credits": "max(promptflow_circulating_credits)",
    "promptflow:circulating_credits:change1h": (
        "promptflow:circulating_credits - (promptflow:circulating_credits offset 1h)"
    ),
    "promptflow:margin_credits": "max(promptflow_platform_revenue_credits - promptflow_refunded_inference_credits)",
    "promptflow:margin_credits:change1h": "promptflow:margin_credits - (promptflow:margin_credits offset 1h)",
}
"""What Prometheus computes and keeps under a name of its own, in the order in which it is needed."""
