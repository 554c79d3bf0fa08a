"""The screen Operations: jobs with their state, running one with progress, and backups with what was proved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from streamlit.testing.v1 import AppTest

from credits_core.operations import jobs, lease
from credits_core.store import database
from credits_core.store.tables import JobRun
from credits_core.values.days import to_microseconds
from credits_core.values.roles import PersonRole
from tests.support.acting import actor_as, signed_in
from tests.support.page_driver import button_labels, captions, choose, click, open_page, small_tables, table
from tests.support.plain_sql import rows, scalar

FILE = "operations/operations.py"
LAST = -1


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the dashboard of a test keeps its backups."""
    folder = tmp_path / "backups"
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(folder))
    return folder


def state_of(page: object, title: str) -> str:
    return next(mark for row in table(page) if row["Job"] == title for mark in row["State"])  # type: ignore[arg-type]


def ran(ledger: Engine, job: str, *outcomes: str | None) -> None:
    """Runs of a job with these outcomes, the oldest first, a minute each."""
    now = datetime.now(UTC)
    for number, outcome in enumerate(outcomes):
        started = now - timedelta(minutes=len(outcomes) - number)
        row = {
            "job_name": job,
            "started_at_us": to_microseconds(started),
            "ended_at_us": None if outcome is None else to_microseconds(started + timedelta(seconds=2)),
            "outcome": outcome,
            "message": f"Said {number}.",
            "process": "server:1",
            "actor": "jobs",
        }
        database.write(ledger, lambda c, row=row: c.execute(insert(JobRun).values(row)))


def warned(page: AppTest) -> list[str]:
    """The titles of the warnings, but for what is wrong now, which `test_wrong_now.py` is about."""
    return [box.proto.title for box in page.warning if box.proto.title not in ("Wrong now", "Failed at the last run")]


def test_every_job_is_listed_and_one_that_never_ran_says_so(ledger: Engine) -> None:
    page = open_page(FILE)
    assert [row["Job"] for row in table(page)] == [job.title for job in jobs.ALL]
    assert {(*row["State"], row["Said"]) for row in table(page)} == {("Never ran", "")}
    assert [info.proto.title for info in page.info] == ["Jobs do not run by themselves", "No backup yet"]


def test_a_job_runs_by_a_click_and_is_written_down_with_who_asked(ledger: Engine) -> None:
    page = choose(open_page(FILE), **{"operations:job": "seals"})
    with signed_in(actor_as(PersonRole.ADMIN)):
        page = click(page, "Run now")
    assert state_of(page, "Seals") == "Well"
    assert rows(ledger, "SELECT job_name, outcome, message, actor FROM job_runs") == [
        ("seals", "ok", "1 new seal.", f"dashboard/{actor_as(PersonRole.ADMIN).recorded.partition('/')[2]}")
    ]


def test_a_job_that_is_running_elsewhere_is_not_begun_again(ledger: Engine) -> None:
    page = choose(open_page(FILE), **{"operations:job": "seals"})
    database.write(ledger, lambda c: lease.take(c, "seals", "server:1", seconds=60))
    ran(ledger, "seals", None)
    page = click(page, "Run now")
    assert warned(page) == ["Nothing was started"]
    assert "is running already, in server:1" in page.warning[0].value.replace("\\", "")
    assert state_of(page, "Seals") == "Running"
    assert scalar(ledger, "SELECT count(*) FROM job_runs") == 1


@pytest.mark.parametrize(
    ("outcomes", "state", "red"),
    [
        (("failed", "failed"), "Failed", 0),
        (("failed", "failed", "failed"), "Broken", 1),
        (("failed", "failed", "failed", "ok"), "Well", 0),
        (("failed", "failed", "failed", None), "Died", 1),
    ],
)
def test_three_failures_in_a_row_are_red(
    ledger: Engine, outcomes: tuple[str | None, ...], state: str, red: int
) -> None:
    ran(ledger, "verify-new", *outcomes)
    page = open_page(FILE)
    assert state_of(page, "Audit of what is new") == state
    assert [error.proto.title for error in page.error] == ["Audit of what is new failed 3 times in a row"] * red


def test_a_job_that_never_ran_begins_soon_where_a_server_leads(ledger: Engine) -> None:
    database.write(ledger, lambda c: lease.take(c, "leader", "server:1", seconds=60))
    said = {row["Job"]: row["Said"] for row in table(open_page(FILE))}
    assert said["Seals"] == "Begins within 1 minute of a server's start."
    assert said["Backup"] == "Begins within 10 minutes of a server's start."


def test_the_job_that_fails_is_chosen_first(ledger: Engine) -> None:
    ran(ledger, "rollup", "ok")
    ran(ledger, "drill", "ok", "failed")
    assert open_page(FILE).selectbox(key="operations:job").value == "drill"


def test_who_leads_is_named(ledger: Engine) -> None:
    database.write(ledger, lambda c: lease.take(c, "leader", "server:1", seconds=60))
    (caption,) = (one for one in open_page(FILE).caption if "A server runs the jobs." in one.value)
    assert caption.help.replace("\\", "") == "server:1"


def test_a_backup_is_made_tried_and_shown_by_two_clicks(ledger: Engine) -> None:
    page = click(open_page(FILE), "Create backup")
    assert warned(page) == ["No backup is proved yet"]
    (listed,) = table(page, LAST)
    assert (listed["State"], listed["Entries"]) == (["Not tried yet"], "2")
    page = click(page, "Try the newest")
    (listed,) = table(page, LAST)
    assert (listed["State"], listed["Said"]) == (["Good"], "Restored and proved.")
    assert warned(page) == []


def test_backups_that_are_gone_are_told_and_no_backup_yet_is_not(ledger: Engine, place: Path) -> None:
    click(open_page(FILE), "Create backup")
    place.rename(place.with_name("not-mounted"))
    page = open_page(FILE)
    assert warned(page) == ["No backup is here any more"]
    assert "No backup yet" not in [info.proto.title for info in page.info]


def test_a_job_that_failed_carries_no_tick_and_is_told_word_for_word(ledger: Engine, place: Path) -> None:
    place.write_text("a file")
    page = click(open_page(FILE), "Create backup")
    (told,) = (one.value for one in page.markdown if one.value.startswith(":material/") and "Backup" in one.value)
    assert told.startswith(":material/error: Backup failed: The backup cannot be kept in ")
    assert str(place).replace("-", "\\-").replace("_", "\\_") in told


def test_a_bad_backup_is_red(ledger: Engine, place: Path) -> None:
    page = click(open_page(FILE), "Create backup")
    (file,) = place.glob("*.zst")
    file.write_bytes(file.read_bytes()[:-7])
    page = click(page, "Try the newest")
    assert [error.proto.title for error in page.error] == ["The newest backup is bad: create another one"]
    assert table(page, LAST)[0]["State"] == ["Bad"]
    assert state_of(page, "Drill") == "Failed"


def test_a_drill_that_failed_is_told_when_a_newer_backup_was_made_since(ledger: Engine, place: Path) -> None:
    click(click(open_page(FILE), "Create backup"), "Try the newest")
    page = click(open_page(FILE), "Create backup")
    bad = max(place.glob("*.zst"))
    bad.write_bytes(bad.read_bytes()[:-7])
    click(page, "Try the newest")
    page = click(open_page(FILE), "Create backup")
    (error,) = page.error
    assert error.proto.title == "The last drill failed: try the newest backup"
    assert bad.name.partition(".zst")[0][:20] in error.value.replace("\\", "")


def test_a_place_that_cannot_be_read_is_told_and_the_jobs_are_shown(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_BACKUP_URL", "s3://bucket/credits")
    page = open_page(FILE)
    assert [error.proto.title for error in page.error] == ["The place of backups cannot be read"]
    assert len(table(page)) == len(jobs.ALL)


def test_only_admins_run_jobs_and_others_are_told_whom_to_ask(ledger: Engine) -> None:
    with signed_in(actor_as(PersonRole.FINANCE)):
        page = open_page(FILE)
    assert {"Run now", "Create backup"}.isdisjoint(button_labels(page))
    assert "Ask somebody with the role admin." in captions(page)


def test_the_last_runs_of_the_chosen_job_are_listed(ledger: Engine) -> None:
    ran(ledger, "rollup", "ok", "failed")
    page = open_page(FILE)
    listed = table(page, 1)
    assert [(row["Outcome"], row["Said"], row["Took"]) for row in listed] == [
        (["Failed"], "Said 1.", "2.0 s"),
        (["Well"], "Said 0.", "2.0 s"),
    ]


def test_whoever_may_manage_examines_the_installation_and_sees_what_to_do(ledger: Engine) -> None:
    page = open_page(FILE)
    click(page, "Examine now")
    shown = small_tables(page)["What was examined, the worst first"]
    found = [tuple(cell.replace("\\", "") for cell in row) for row in shown]
    assert (":orange-badge[Soon]", "Audit", "Nothing was ever audited.", "python -m credits_core verify") in found
    worst_first = [":red-badge[Wrong]", ":orange-badge[Soon]", ":green-badge[Well]"]
    assert [row[0] for row in found] == sorted((row[0] for row in found), key=worst_first.index)
    with signed_in(actor_as(PersonRole.FINANCE)):
        assert "Examine now" not in button_labels(open_page(FILE))
