"""One run of a job: written down however it ends, and never twice at once."""

import pytest
from sqlalchemy import Engine, text

from credits_core.operations import lease, running, runs
from credits_core.operations.refusals import JobFailed, JobIsRunning, LeaseLost
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database
from credits_core.values.progress import Progress, Work
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, person
from tests.support import job_world, world
from tests.support.actors import TESTER
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

WRITTEN = "SELECT job_name, ended_at_us IS NOT NULL, outcome, message, actor FROM job_runs ORDER BY id"


def succeeds(_: Surroundings) -> Work[str]:
    yield Progress(0, 1)
    return "Did it."


def test_a_run_is_written_down_with_what_it_said(engine: Engine) -> None:
    done = running.run(job_world.job(succeeds), job_world.around(engine, now=NOW), actor=TESTER)
    assert (done.outcome, done.message, done.started_at, done.ended_at) == ("ok", "Did it.", NOW, NOW)
    assert rows(engine, WRITTEN) == [("tried", True, "ok", "Did it.", TESTER.recorded)]
    assert done.process == running.this_process()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (JobFailed("The ledger is broken."), "The ledger is broken."),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_what_makes_a_job_fail_is_kept_and_not_raised(engine: Engine, error: Exception, said: str) -> None:
    def fails(_: Surroundings) -> Work[str]:
        yield Progress(0, 1)
        raise error

    assert running.run(job_world.job(fails), job_world.around(engine), actor=TESTER).outcome == "failed"
    assert rows(engine, WRITTEN) == [("tried", True, "failed", said, TESTER.recorded)]
    assert running.run(job_world.job(succeeds), job_world.around(engine), actor=TESTER).outcome == "ok"


def test_a_mistake_of_ours_is_raised_and_the_run_counts_as_failed(engine: Engine) -> None:
    def mistaken(_: Surroundings) -> Work[str]:
        yield Progress(0, 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        running.run(job_world.job(mistaken), job_world.around(engine), actor=TESTER)
    assert scalar(engine, "SELECT outcome FROM job_runs") == "failed"
    assert scalar(engine, "SELECT until_us FROM job_leases") == 0


def test_a_run_that_somebody_stops_is_written_down_and_the_next_one_may_begin(engine: Engine) -> None:
    work = running.running(job_world.job(succeeds), job_world.around(engine), actor=TESTER)
    assert next(work) == Progress(0, 1)
    work.close()
    assert rows(engine, WRITTEN) == [("tried", True, "failed", "Somebody stopped it.", TESTER.recorded)]
    assert running.run(job_world.job(succeeds), job_world.around(engine), actor=TESTER).outcome == "ok"


def test_a_job_that_goes_on_is_not_begun_again_but_another_is(engine: Engine) -> None:
    around = job_world.around(engine)
    work = running.running(job_world.job(succeeds), around, actor=TESTER)
    next(work)
    with pytest.raises(JobIsRunning, match="The job tried is running already, in "):
        running.run(job_world.job(succeeds), around, actor=TESTER)
    assert running.run(job_world.job(succeeds, name="other"), around, actor=TESTER).outcome == "ok"
    assert scalar(engine, "SELECT count(*) FROM job_runs WHERE job_name = 'tried'") == 1
    work.close()


def test_who_has_lost_the_job_writes_nothing_more_and_the_next_one_says_that_it_died(engine: Engine) -> None:
    def loses(around: Surroundings) -> Work[str]:
        yield Progress(0, 2)
        world.add(around.engine, "ada", 5, key="before")
        yield Progress(1, 2)
        world.add(around.engine, "ada", 5, key="after")
        return "Never said."

    around = job_world.around(engine)
    work = running.running(job_world.job(loses), around, actor=TESTER)
    next(work)
    next(work)
    database.write(engine, lambda c: c.execute(text("UPDATE job_leases SET until_us = 1")))
    assert running.run(job_world.job(succeeds), around, actor=TESTER).outcome == "ok"
    with pytest.raises(LeaseLost):
        next(work)
    assert rows(engine, "SELECT idempotency_key FROM journal_entries") == [("before",)]
    assert [row[2:4] for row in rows(engine, WRITTEN)] == [
        ("failed", "Its process ended before the job did."),
        ("ok", "Did it."),
    ]


def test_a_job_that_takes_longer_than_its_lease_keeps_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LEASE_SECONDS", 6)
    monkeypatch.setattr(running, "RENEWED_EVERY_SECONDS", 1)

    def long(around: Surroundings) -> Work[str]:
        for step in range(8):
            yield Progress(step, 8)
            running.Event().wait(1)
        world.add(around.engine, "ada", 5, key="at-the-end")
        return "At last."

    assert running.run(job_world.job(long), job_world.around(engine), actor=TESTER).message == "At last."


def test_the_schedule_begins_nothing_when_it_leads_no_more(engine: Engine) -> None:
    own = database.write(engine, lambda c: lease.take(c, "leader", "a:1", seconds=40))
    database.write(engine, lambda c: c.execute(text("UPDATE job_leases SET until_us = 1")))
    with pytest.raises(LeaseLost):
        running.run(job_world.job(succeeds), job_world.around(engine), actor=TESTER, leader=own)
    assert rows(engine, WRITTEN) == []


def test_only_who_manages_the_product_runs_jobs(engine: Engine) -> None:
    finance = person("fin@example.org", frozenset({PersonRole.FINANCE}))
    with pytest.raises(NotAllowed):
        running.run(job_world.job(succeeds), job_world.around(engine), actor=finance)
    admin = person("admin@example.org", frozenset({PersonRole.ADMIN}))
    assert running.run(job_world.job(succeeds), job_world.around(engine), actor=admin).outcome == "ok"
    assert rows(engine, "SELECT actor FROM job_runs") == [("dashboard/admin@example.org",)]


def test_only_the_newest_runs_are_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT_OF_EACH", 3)
    for name in ("one", "two"):
        for _ in range(5 if name == "one" else 2):
            running.run(job_world.job(succeeds, name=name), job_world.around(engine), actor=TESTER)
    assert database.write(engine, runs.delete_old) == 2
    assert rows(engine, "SELECT id FROM job_runs ORDER BY id") == [(3,), (4,), (5,), (6,), (7,)]
    assert database.write(engine, runs.delete_old) == 0
