"""What is wrong now, as the top of the screen Operations shows it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine
from streamlit.testing.v1 import AppTest

from credits_core.audit import log
from credits_core.audit.finding import Finding
from credits_core.operations import alert_rules, alerts, jobs, lease, runs
from credits_core.store import database
from credits_core.values.time_zones import UTC_ZONE
from pages.operations import runbook


def top() -> AppTest:
    """What is drawn."""

    def script() -> None:
        from pages.operations import wrong_now

        wrong_now.show()

    page = AppTest.from_function(script, default_timeout=60).run()
    assert not page.exception, page.exception
    return page


def led(engine: Engine) -> None:
    database.write(engine, lambda connection: lease.take(connection, lease.LEADER, "host-1", seconds=600))


def broken(engine: Engine, now: datetime) -> None:
    found = [Finding("sums", 1, ("something",))]
    database.write(engine, lambda connection: log.record(connection, found, now=now))


def test_when_nothing_is_wrong_one_line_says_so(ledger: Engine) -> None:
    led(ledger)
    page = top()
    assert [one.value for one in page.success] == ["Nothing is wrong."]
    assert [*page.error, *page.warning] == []


def test_the_urgent_stands_first_with_since_when(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    broken(ledger, now - timedelta(hours=2))
    since = now - timedelta(hours=1)
    alerts.check(ledger, jobs.NAMES, now=since, zone=UTC_ZONE)
    page = top()
    (error,) = page.error
    assert error.proto.title == "Wrong now, and urgent"
    assert f"Since {since:%Y-%m-%d %H:%M} UTC. (IntegrityBroken)" in error.value
    assert list(page.warning) == []  # that nobody leads has not lasted long enough to count


@pytest.mark.parametrize(("failures", "warnings"), [(1, 1), (2, 1), (3, 1), (4, 1)])
def test_a_job_that_failed_at_last_is_told_before_it_is_a_fault(ledger: Engine, failures: int, warnings: int) -> None:
    """Three failures in a row are a fault: once the rules are judged again, it stands among those."""
    now = datetime.now(UTC)
    led(ledger)
    for _ in range(failures):

        def fail(connection: Connection) -> None:
            number = runs.begin(connection, "backup", process="here:1", actor="jobs", now=now)
            runs.end(connection, number, is_ok=False, message="The disk is full.", now=now)

        database.write(ledger, fail)
    page = top()
    found = [one for one in page.warning if one.proto.title == "Failed at the last run"]
    assert [one.value for one in found] == [f"- Backup, {now:%Y-%m-%d %H:%M} UTC: The disk is full\\."] * warnings
    assert list(page.success) == []
    alerts.check(ledger, jobs.NAMES, now=now, zone=UTC_ZONE)
    titles = [one.proto.title for one in top().warning]
    assert titles == (["Failed at the last run"] if failures < runs.FAILURES_UNTIL_RED else ["Wrong now"])


def test_who_is_not_told_is_told_so(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    page = top()
    assert "Nobody has kept since when" in page.warning[0].value
    assert "CREDITS\\_NOTIFY\\_URLS is empty" in page.caption[0].value
    (what_to_do,) = (one for one in page.expander if one.label == "What to do about NoLeader")
    assert "another takes over within a minute" in what_to_do.markdown[0].value.replace("\n", " ")
    monkeypatch.setenv("CREDITS_NOTIFY_URLS", "json://127.0.0.1:9/")
    assert list(top().caption) == []


def test_every_alert_that_is_judged_inside_has_a_paragraph_of_the_runbook() -> None:
    assert {rule.name for rule in alert_rules.RULES} <= runbook.paragraphs().keys()
    assert all("[" not in runbook.without_links(text) for text in runbook.paragraphs().values())
