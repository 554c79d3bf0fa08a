"""Prometheus' rules: each fires where it must and nowhere else, and all are made of metrics that are there."""

import re
import time
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine

from credits_core.operations.alert_rules import RECORDED, RULES
from scripts import write_alert_rules
from tests.support import live_api, prometheus, world
from tests.support.prometheus import DEPLOY, query, ran

ROOT = DEPLOY.parent
FOLDER = DEPLOY / "prometheus"
REQUESTS = 'promptflow_requests_total{route="/a",status="200"}'
REFUSED = 'promptflow_refusals_total{code="c"}'
NOT_KNOWN = " ".join(["NaN"] * 60)
UNAVAILABLE = 'promptflow_requests_total{route="/a",status="503"}'
PROBES = 'promptflow_requests_total{route="/ready",status="503"}'
CIRCULATION, REVENUE, REFUNDED = (
    f"promptflow_{name}_credits" for name in ("circulating", "platform_revenue", "refunded_inference")
)


def bucket(le: str) -> str:
    return f'promptflow_request_duration_seconds_bucket{{route="/a",le="{le}"}}'


def job(number: str, name: str) -> str:
    return f'promptflow_job_{number}{{name="{name}"}}'


def backup(age: int) -> dict[str, str]:
    return {job("good_age_seconds", "backup"): f"{age}x60", job("good_age_seconds", "rollup"): "999999x60"}


def slow(within_a_second: int) -> dict[str, str]:
    """Answers per minute: so many of 10,000 within a second, and all within two and a half."""
    buckets = {"0.5": 0, "1": within_a_second, "2.5": 10_000, "+Inf": 10_000}
    return {REQUESTS: "0+10000x60"} | {bucket(le): f"0+{rate}x60" for le, rate in buckets.items()}


# By alert: the series of one minute each where it fires, for how many minutes it must last, and where it does not fire.
CASES: dict[str, tuple[dict[str, str], int, dict[str, str]]] = {
    "IntegrityBroken": ({"promptflow_last_audit_ok": "0x60"}, 0, {"promptflow_last_audit_ok": "1x60"}),
    "NoCleanVerify": (
        {"promptflow_last_clean_audit_age_seconds": "86401x60"},
        10,
        {"promptflow_last_clean_audit_age_seconds": "86400x60"},
    ),
    "BackupTooOld": (backup(129_601), 10, backup(129_600)),
    "DrillTooOld": (
        {job("good_age_seconds", "drill"): "691201x60"},
        10,
        {job("good_age_seconds", "drill"): "691200x60"},
    ),
    "RefusalRateHigh": (
        {REQUESTS: "0+100x60", REFUSED: "0+21x60"},
        10,
        {REQUESTS: "0+100x60", REFUSED: "0+20x60"},
    ),
    "UnavailableRateHigh": (
        {REQUESTS: "0+98x60", UNAVAILABLE: "0+2x60"},
        5,
        {REQUESTS: "0+99x60", UNAVAILABLE: "0+1x60", PROBES: "0+50x60"},
    ),
    "AnswersSlow": (slow(9_897), 10, slow(9_901)),
    "CirculationJumps": (
        {CIRCULATION: "1000000000x70 1250000001x70"},
        1,
        {CIRCULATION: "1000000000x70 1250000000x70"},
    ),
    "MarginNegative": (
        {REVENUE: "1000x70 1000x70", REFUNDED: "0x70 1x70"},
        5,
        {REVENUE: "1000x70 1001x70", REFUNDED: "0x70 1x70"},
    ),
    "SealsBehind": ({"promptflow_seal_lag_seconds": "901x60"}, 5, {"promptflow_seal_lag_seconds": "900x60"}),
    "NoLeader": ({"promptflow_has_job_leader": "0x60"}, 5, {"promptflow_has_job_leader": "1x60"}),
    "JobFailing": (
        {job("failures_in_a_row", "backup"): "3x60"},
        0,
        {job("failures_in_a_row", "backup"): "2x60"},
    ),
    "FindingsWaiting": ({"promptflow_findings_waiting": "1x60"}, 0, {"promptflow_findings_waiting": "0x60"}),
    "DatabaseUnreadable": (
        {'promptflow_database_readable{instance="a"}': "1x60", 'promptflow_database_readable{instance="b"}': "0x60"},
        2,
        {"promptflow_database_readable": "1x60"},
    ),
    "ProductDown": ({'up{job="promptflow"}': "0x60"}, 2, {'up{job="promptflow"}': "1x60", 'up{job="other"}': "0x60"}),
}
# Too few requests to say anything, and what is not known.
SILENT: list[tuple[str, dict[str, str]]] = [
    ("RefusalRateHigh", {REQUESTS: "0+5x60", REFUSED: "0+5x60"}),
    ("UnavailableRateHigh", {UNAVAILABLE: "0+5x60"}),
    ("AnswersSlow", {key: values.replace("+10000", "+5") for key, values in slow(0).items()}),
    ("CirculationJumps", {CIRCULATION: "1000x70 100001000x70"}),
    ("NoCleanVerify", {"promptflow_last_clean_audit_age_seconds": NOT_KNOWN}),
    ("IntegrityBroken", {"promptflow_last_audit_ok": NOT_KNOWN}),
    ("NoLeader", {"promptflow_has_job_leader": NOT_KNOWN}),
]
SUBJECTS = {"JobFailing": {"name": "backup"}, "ProductDown": {"job": "promptflow"}}


def series(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": text} for name, text in values.items()]


def begins_at(values: dict[str, str]) -> int:
    """The minute from which on the fault can be seen: two series of rates, a change, or at once."""
    if any("x70" in text for text in values.values()):
        return 71
    return 5 if any("+" in text for text in values.values()) else 0


def test_every_alert_has_a_case_and_no_other() -> None:
    assert CASES.keys() == {rule.name for rule in RULES}


def test_every_alert_fires_when_its_fault_has_lasted_and_only_then(tmp_path: Path) -> None:
    tests = []
    for rule in RULES:
        wrong, minutes, well = CASES[rule.name]
        assert minutes == rule.lasts_minutes
        begins = begins_at(wrong)
        expected = {
            "exp_labels": {"severity": "urgent" if rule.is_urgent else "soon", **SUBJECTS.get(rule.name, {})},
            "exp_annotations": {"summary": rule.said, "runbook": f"docs/runbook.md#{rule.name.lower()}"},
        }
        asked = [{"eval_time": f"{begins + minutes + 1}m", "alertname": rule.name, "exp_alerts": [expected]}]
        if minutes:
            asked.append({"eval_time": f"{max(begins + minutes - 5, minutes // 2)}m", "alertname": rule.name})
        tests.append({"interval": "1m", "input_series": series(wrong), "alert_rule_test": asked})
        silent = [{"eval_time": f"{minute}m", "alertname": rule.name} for minute in (20, 55, 85, 125)]
        tests.append({"interval": "1m", "input_series": series(well), "alert_rule_test": silent})
    for name, values in SILENT:
        silent = [{"eval_time": f"{minute}m", "alertname": name} for minute in (20, 55, 85, 125)]
        tests.append({"interval": "1m", "input_series": series(values), "alert_rule_test": silent})
    path = tmp_path / "tests.yml"
    files = [str(FOLDER / "recording.yml"), str(FOLDER / "alerts.yml")]
    document = {"rule_files": files, "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    said = ran("promtool", "test", "rules", path)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_files_are_those_of_the_table() -> None:
    for name, text in write_alert_rules.files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run python -m scripts.write_alert_rules"


def test_prometheus_and_alertmanager_take_their_configuration() -> None:
    for command in (
        ("promtool", "check", "config", FOLDER / "prometheus.yml"),
        ("amtool", "check-config", DEPLOY / "alertmanager" / "alertmanager.yml"),
    ):
        said = ran(*command)
        assert said.returncode == 0, said.stdout + said.stderr


def test_every_alert_has_its_paragraph_in_the_runbook_and_no_other_has() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    paragraphs = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", runbook, re.MULTILINE | re.DOTALL))
    assert list(paragraphs) == [rule.name for rule in RULES]
    assert [name for name, text in paragraphs.items() if len(text.split()) < 30] == []


@pytest.mark.long
def test_a_real_prometheus_finds_every_metric_that_a_rule_asks_for(sqlite_engine: Engine, tmp_path: Path) -> None:
    prometheus.program("prometheus")
    world.add(sqlite_engine, "ada", 10_000, key="fund")
    expressions = [*RECORDED.values(), *(rule.expression for rule in RULES)]
    names = set(re.findall(r"promptflow_[a-z0-9_]+|\bup\b", " ".join(expressions)))
    assert len(names) >= 15
    with (
        live_api.serving(sqlite_engine, tmp_path / "api.log") as address,
        prometheus.scraping(address, tmp_path) as url,
    ):
        live_api.requests.get(f"{address}/api/models", timeout=60)  # refused, so that one is counted
        empty = waited_for(lambda: sorted(name for name in names if not query(url, name)))
        assert empty == []
        recorded = [name for name in RECORDED if "1h" not in name]
        assert waited_for(lambda: [name for name in recorded if not query(url, name)]) == []
        for expression in expressions:
            query(url, expression)
        groups = live_api.requests.get(f"{url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {*RECORDED, *(rule.name for rule in RULES)}
        assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


def waited_for(missing: "object") -> list[str]:
    """What is still missing when a Prometheus has had some time to scrape."""
    assert callable(missing)
    deadline = time.monotonic() + 60
    while (found := missing()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return list(found)
