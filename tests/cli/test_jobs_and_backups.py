"""The commands about jobs and backups: what they print, and how they end."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.operations import lease, runs
from credits_core.operations.backups.manifest import Drilled
from credits_core.store import database
from tests.support import backup_world, world
from tests.support.backup_world import place
from tests.support.commands import Commands
from tests.support.plain_sql import rows


@pytest.fixture(autouse=True)
def backups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))


def test_a_job_that_fails_ends_with_1_and_its_message(commands: Commands, sqlite_engine: Engine) -> None:
    code, out, err = commands("jobs", "run", "drill")
    assert (code, out) == (1, "")
    assert err.startswith("drill: failed. There is no backup newest in ")
    assert rows(sqlite_engine, "SELECT outcome, actor FROM job_runs") == [("failed", "cli/maria")]


def test_a_job_that_goes_on_elsewhere_is_refused(commands: Commands, sqlite_engine: Engine) -> None:
    database.write(sqlite_engine, lambda c: lease.take(c, "seals", "server:1", seconds=60))
    code, _, err = commands("jobs", "run", "seals")
    assert (code, err) == (
        1,
        "error: The job seals is running already, in server:1. Nothing was started; wait until it has ended.\n",
    )


def test_what_the_schedule_begins_is_recorded_as_its_own(commands: Commands, sqlite_engine: Engine) -> None:
    assert commands("jobs", "run", "seals", "--by-schedule")[0] == 0
    assert rows(sqlite_engine, "SELECT actor FROM job_runs") == [("jobs",)]


def test_the_leader_and_a_broken_job_are_named(commands: Commands, sqlite_engine: Engine) -> None:
    for _ in range(3):
        commands("jobs", "run", "drill")
    database.write(sqlite_engine, lambda c: lease.take(c, "leader", "server:1", seconds=60))
    _, out, _ = commands("jobs", "list")
    (drill,) = (line for line in out.splitlines() if line.startswith("drill"))
    assert "failed, failed 3 times, next " in drill
    assert out.endswith("The process server:1 leads.\n")


def test_an_empty_history_and_an_empty_place_say_so(commands: Commands) -> None:
    assert commands("jobs", "history") == (0, "No job ran yet.\n", "")
    _, out, _ = commands("backup", "list")
    assert out.startswith("There is no backup in ")


def test_a_bad_backup_ends_a_drill_with_1(commands: Commands, sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    made = backup_world.back_up(sqlite_engine, place(tmp_path))
    (tmp_path / "backups" / made.file).write_bytes(b"")
    code, out, _ = commands("backup", "drill")
    assert code == 1
    assert out.startswith(f"WRONG {made.name}: it has 0 bytes instead of ")
    code, _, err = commands("backup", "verify")
    assert code == 1
    assert err.startswith(f"error: The backup {made.name} is damaged: it has 0 bytes instead of ")


def test_a_restore_says_where_what_was_there_is_kept(commands: Commands, sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    made = backup_world.back_up(sqlite_engine, place(tmp_path))
    sqlite_engine.dispose()
    code, out, err = commands("backup", "restore", made.name, "--replace")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    held = f"1 entry, 5 credits held by users, seal 1, {made.stored_bytes:,} bytes"
    assert lines[0].endswith(f"credits.db is restored from {made.name}: {held}")
    assert lines[1].startswith("What was there is kept as ")
    assert lines[2:] == ["Now run: python -m credits_core verify"]


def test_after_a_rehearsal_the_next_step_names_the_rehearsed_database(
    commands: Commands, sqlite_engine: Engine, tmp_path: Path
) -> None:
    """Without it `verify` would audit the running ledger, and say nothing of what was restored."""
    world.add(sqlite_engine, "ada", 5, key="one")
    backup_world.back_up(sqlite_engine, place(tmp_path))
    into = f"sqlite:///{tmp_path}/rehearsal.db"
    _, out, err = commands("backup", "restore", "newest", "--unproved", "--into", into)
    assert out.splitlines()[1:] == [f"Now run, with CREDITS_DATABASE_URL set to {into}: python -m credits_core verify"]
    assert err == ""
    code, _, err = commands("backup", "restore", "newest", "--unproved", "--into", f"{tmp_path}/rehearsal.db")
    assert (code, err.startswith("error: database: must be a URL such as sqlite:////srv/rehearsal.db or ")) == (1, True)


def test_who_restores_a_bad_backup_is_told(commands: Commands, sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    where = place(tmp_path)
    made = backup_world.back_up(sqlite_engine, where)
    bad = Drilled(made.made_at, False, timedelta(0), 0, "WRONG sums: ada has 5")
    where.keep_drill(made.name, bad)
    code, _, err = commands("backup", "restore", made.name, "--into", f"sqlite:///{tmp_path}/rehearsal.db")
    assert (code, err) == (0, "A drill called this backup bad: WRONG sums: ada has 5\n")


def test_the_list_of_jobs_says_whose_hours_it_shows(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Europe/Berlin")
    _, out, _ = commands("jobs", "list")
    assert "rollup       every minute         never ran, begins soon after a server starts" in out.splitlines()
    assert "Hours of the schedule are those of Europe/Berlin; times of runs are UTC." in out.splitlines()


def test_newest_is_the_newest_good_one_and_a_newer_one_is_told(
    commands: Commands, sqlite_engine: Engine, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    where, into = place(tmp_path), f"sqlite:///{tmp_path}/rehearsal.db"
    good = backup_world.back_up(sqlite_engine, where)
    code, _, err = commands("backup", "restore", "newest", "--into", into)
    assert (code, err.startswith("error: No backup of this ledger is proved, so nothing was changed. The")) == (1, True)
    where.keep_drill(good.name, Drilled(good.made_at, True, timedelta(0), 0, "Restored and proved."))
    newer = backup_world.back_up(sqlite_engine, where, now=good.made_at + timedelta(hours=1))
    code, out, err = commands("backup", "restore", "newest", "--into", into)
    assert (code, err) == (0, f"A newer backup, {newer.name}, is not proved. To take it, name it.\n")
    assert f"is restored from {good.name}: " in out


@pytest.mark.parametrize(("command", "job"), [("create", "backup"), ("drill", "drill"), ("prune", "prune")])
def test_a_command_never_runs_beside_the_job_that_does_the_same(
    commands: Commands, sqlite_engine: Engine, tmp_path: Path, command: str, job: str
) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    backup_world.back_up(sqlite_engine, place(tmp_path))
    database.write(sqlite_engine, lambda c: lease.take(c, job, "server:1", seconds=60))
    begun = backup_world.NIGHT
    database.write(sqlite_engine, lambda c: runs.begin(c, job, process="server:1", actor="jobs", now=begun))
    code, _, err = commands("backup", command)
    since = "in server:1 since 2026-11-27 03:00:00 UTC, begun by jobs. Nothing was started; wait until it has ended."
    assert (code, err) == (1, f"error: The job {job} is running already, {since}\n")
    assert len(place(tmp_path).manifests()) == 1
