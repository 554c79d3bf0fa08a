"""One leader among all processes: another takes over within a minute when it dies, and never are there two at once."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine

from credits_core.operations import jobs, lease, running, runs
from credits_core.operations.leader import Leader
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database, file_lock
from credits_core.values.progress import Progress, Work
from tests.support import job_world, leading, racers, world
from tests.support.plain_sql import rows, scalar

LINES = "SELECT actor FROM activity ORDER BY id"


def wait_until(is_so: Callable[[], bool], *, seconds: int = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def actors(engine: Engine) -> list[str]:
    """Who left the lines, in order, each time that it changes."""
    found = [str(row[0]) for row in rows(engine, LINES)]
    return [one for at, one in enumerate(found) if at == 0 or found[at - 1] != one]


@contextmanager
def leading_process(engine: Engine) -> Iterator[int]:
    """The number of a process that tries to lead; killed at the end."""
    process, answers = racers.start(leading.lead_until_killed, engine.url.render_as_string(hide_password=False))
    try:
        assert answers.recv() == "started"
        assert process.pid is not None
        yield process.pid
    finally:
        process.kill()
        process.join()


def a_minute_is_enough() -> None:
    """What the next tests see with a lease of three seconds holds for the real one in proportion."""
    assert running.LEASE_SECONDS + running.RENEWED_EVERY_SECONDS < 60


@pytest.mark.long
def test_another_process_takes_over_when_the_leader_is_killed(engine: Engine) -> None:
    a_minute_is_enough()
    with leading_process(engine) as first:
        wait_until(lambda: actors(engine) == [f"p{first}"])
        with leading_process(engine) as second:
            time.sleep(1)
            assert actors(engine) == [f"p{first}"]
            os.kill(first, signal.SIGKILL)
            killed = time.monotonic()
            wait_until(lambda: actors(engine) == [f"p{first}", f"p{second}"])
            assert time.monotonic() - killed < 30
            message = "SELECT outcome, message FROM job_runs ORDER BY id"
            assert rows(engine, message)[0] == ("failed", "Its process ended before the job did.")


@pytest.mark.long
def test_a_leader_that_was_stopped_and_wakes_up_does_nothing_more(engine: Engine) -> None:
    with leading_process(engine) as first:
        wait_until(lambda: actors(engine) == [f"p{first}"])
        with leading_process(engine) as second:
            stop_between_units_of_work(engine, first)
            wait_until(lambda: actors(engine)[-1:] == [f"p{second}"])
            os.kill(first, signal.SIGCONT)
            count = scalar(engine, "SELECT count(*) FROM activity")
            time.sleep(2)
            assert scalar(engine, "SELECT count(*) FROM activity") > count  # type: ignore[operator]
            assert actors(engine) == [f"p{first}", f"p{second}"]
            with database.read(engine) as connection:
                assert lease.held(connection)[lease.LEADER].holder.endswith(f":{second}")


def stop_between_units_of_work(engine: Engine, pid: int) -> None:
    """Stop a process when it holds no lock of the database: on SQLite nobody could write until it goes on."""
    for _ in range(100):
        os.kill(pid, signal.SIGSTOP)
        if engine.dialect.name != "sqlite" or nobody_writes(engine):
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError("it was never between two units of work")


def nobody_writes(engine: Engine) -> bool:
    fcntl = file_lock.fcntl
    assert fcntl is not None
    for name in ("queue", "lock"):
        descriptor = os.open(f"{engine.url.database}.{name}", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
    return True


@pytest.fixture
def one_job(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what the only job added."""
    keys: list[str] = []

    def adds(around: Surroundings) -> Work[str]:
        yield Progress(0, 1)
        keys.append(f"run-{len(keys)}")
        world.add(around.engine, "ada", 5, key=keys[-1])
        return "Added."

    monkeypatch.setattr(jobs, "ALL", (job_world.job(adds),))
    monkeypatch.setattr(jobs, "NAMES", ("tried",))
    return keys


def test_a_leader_runs_its_jobs_until_it_ends_and_gives_the_lease_back(engine: Engine, one_job: list[str]) -> None:
    leads = Leader(lambda: job_world.around(engine), seconds_between=0)
    leads.start()
    wait_until(lambda: len(one_job) >= 2)
    leads.close()
    count = len(one_job)
    with database.read(engine) as connection:
        assert not lease.held(connection)[lease.LEADER].is_running
    time.sleep(1.5)
    assert len(one_job) == count
    assert rows(engine, "SELECT DISTINCT outcome, actor FROM job_runs") == [("ok", "jobs")]


def test_jobs_apart_that_are_late_together_keep_no_other_waiting(
    engine: Engine, one_job: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    late, ended = [replace(jobs.ALL[0], name=name, is_apart=True) for name in ("one", "two", "three")], Event()
    begun: list[str] = []

    def takes_long(_self: Leader, job: jobs.Job, *_: object) -> None:
        begun.append(job.name)
        ended.wait(60)

    monkeypatch.setattr(Leader, "_carry_out_apart", takes_long)
    monkeypatch.setattr(jobs, "ALL", (*late, replace(jobs.ALL[0], first_after=timedelta(seconds=2))))
    monkeypatch.setattr(jobs, "NAMES", tuple(job.name for job in jobs.ALL))
    leads = Leader(lambda: job_world.around(engine), seconds_between=0)
    leads.start()
    try:
        wait_until(lambda: len(one_job) >= 2, seconds=20)
        assert len(begun) == 1
    finally:
        ended.set()
        leads.close()


def test_a_leader_carries_on_a_job_of_the_night_whose_process_died(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2100, 11, 27, 5, 0, tzinfo=UTC)  # so that nothing begins meanwhile
    night = now - timedelta(hours=2)
    database.write(sqlite_engine, lambda one: runs.begin(one, "backup", process="gone:1", actor="jobs", now=night))
    monkeypatch.setattr(jobs, "ALL", (jobs.named("backup"),))
    around = job_world.around(sqlite_engine, now=now)
    leads = Leader(lambda: around)
    leads._begin_schedule(around, lease.Lease(lease.LEADER, "here:2", 1))
    assert leads._schedule is not None
    (due,) = (job.next_run_time for job in leads._schedule.get_jobs())
    leads._end_schedule()
    assert due == now + timedelta(minutes=1)


def test_a_database_that_cannot_be_opened_is_tried_again_and_told_once(
    engine: Engine, one_job: list[str], api_log: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def opened() -> Surroundings:
        tries.append(1)
        if len(tries) < 4:
            raise OSError("no such file")
        return job_world.around(engine)

    leads = Leader(opened, seconds_between=0)
    leads.start()
    wait_until(lambda: len(one_job) >= 1)
    leads.close()
    told = {id(record) for record in api_log.records if record.getMessage() == "jobs cannot be run now"}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("name", "outcome", "level"),
    [("seals", "ok", "DEBUG"), ("seals", "failed", "WARNING"), ("prune", "ok", "INFO"), ("backup", "ok", "INFO")],
)
def test_the_log_has_nights_and_failures_and_not_each_good_minute(
    sqlite_engine: Engine,
    api_log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    outcome: str,
    level: str,
) -> None:
    """`backup` has a process of its own, which says nothing to the log of the server."""
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))

    def work(_: Surroundings) -> Work[str]:
        yield Progress(0, 1)
        if outcome == "failed":
            raise JobFailed("No key.")
        return "Did it."

    api_log.set_level(logging.DEBUG, "promptflow")
    job, around = jobs.named(name), job_world.around(sqlite_engine)
    own = database.write(sqlite_engine, lambda one: lease.take(one, lease.LEADER, running.this_process(), seconds=60))
    assert own is not None
    Leader(lambda: around)._carry_out(job if job.is_apart else replace(job, work=work), around, own)
    (record,) = (one for one in api_log.records if one.getMessage() == "a job ended")
    assert (record.levelname, vars(record)["job"], vars(record)["outcome"]) == (level, name, outcome)


def test_a_leader_that_never_started_ends_at_once(engine: Engine) -> None:
    Leader(lambda: job_world.around(engine)).close()


def test_a_job_that_is_late_runs_now_and_one_that_never_ran_a_while_after_the_start() -> None:
    zone, now = job_world.UTC_ZONE, datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
    backup = jobs.named("backup")
    last_night = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
    assert backup.next_time(zone, last_started=last_night, now=now) == datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
    assert backup.next_time(zone, last_started=last_night - timedelta(days=1), now=now) == now
    assert backup.next_time(zone, last_started=None, now=now) == now + timedelta(minutes=10)
    drill = jobs.named("drill")
    sunday = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
    assert drill.next_time(zone, last_started=sunday, now=now) == datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
    seals = jobs.named("seals")
    assert seals.next_time(zone, last_started=now - timedelta(seconds=20), now=now) == now + timedelta(seconds=40)


@pytest.mark.parametrize(
    ("name", "minutes_ago", "due_in"),
    [("backup", 61, 1), ("backup", 59.5, 1), ("backup", 58, 2), ("backup", 5, 55), ("seals", 0.5, 0.5)],
)
def test_a_run_that_died_is_made_up_for_an_hour_after_it_began(name: str, minutes_ago: float, due_in: float) -> None:
    now = datetime(2026, 11, 27, 5, 0, tzinfo=UTC)
    started = now - timedelta(minutes=minutes_ago)
    due = jobs.named(name).next_time(job_world.UTC_ZONE, last_started=started, now=now, died=True)
    assert due == now + timedelta(minutes=due_in)


def test_the_nights_of_jobs_are_those_of_the_time_zone() -> None:
    zone = job_world.zone_named("Asia/Kolkata")
    now = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
    due = jobs.named("backup").next_time(zone, last_started=now, now=now)
    assert due == datetime(2026, 11, 27, 21, 30, tzinfo=UTC)  # 3:00 there
