"""The leader: the one process whose schedule runs the jobs. Another takes over within a minute when it dies.

Every process with a server has a `Leader`, which tries to take the lease `leader` and renews it. Only while it has the
lease is there a schedule. A job that the schedule begins asks for the lease once more in its first unit of work, so a
process that was stopped and wakes up begins nothing that is no longer its to begin.
"""

import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, timedelta
from functools import partial
from threading import Event, Thread

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from credits_core import settings
from credits_core.errors import CreditsError
from credits_core.operations import jobs, lease, running, runs
from credits_core.operations.jobs import Job
from credits_core.operations.lease import Lease
from credits_core.operations.refusals import JobIsRunning
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database
from credits_core.values.time_zones import UTC_ZONE

_AT_ONCE = 4  # the job for webhooks goes on for most of the time
_DEFAULT, _APART = "default", "apart"
_SECONDS_TO_END = 10
_log = logging.getLogger("promptflow.api.jobs")


class Leader:
    """Runs the jobs by themselves in one of all processes, from `start` to `close`.

    `surroundings` opens the database when it is asked first; where that fails, it is asked again.
    """

    def __init__(
        self,
        surroundings: Callable[[], Surroundings],
        *,
        lease_seconds: int = running.LEASE_SECONDS,
        seconds_between: int = running.RENEWED_EVERY_SECONDS,
    ) -> None:
        """Nothing is opened or started yet."""
        self._surroundings = surroundings
        self._lease_seconds, self._seconds_between = lease_seconds, seconds_between
        self._closing = Event()
        self._thread: Thread | None = None
        self._schedule: BackgroundScheduler | None = None
        self._lease: Lease | None = None
        self._is_failing = False
        self._apart: set[subprocess.Popen[bytes]] = set()

    def start(self) -> None:
        """Begin to try; the thread does all else. Call it once."""
        self._thread = Thread(target=self._lead_or_wait, name="credits-leader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the schedule and give the lease back, so that another process takes over at once."""
        self._closing.set()
        if self._thread is None:
            return
        self._thread.join(_SECONDS_TO_END)
        for process in tuple(self._apart):
            process.terminate()

    def _lead_or_wait(self) -> None:
        while True:
            try:
                self._look(self._surroundings())
                self._is_failing = False
            except (CreditsError, *database.FAILURES) as error:
                if not self._is_failing:
                    _log.error("jobs cannot be run now", exc_info=error)
                self._is_failing = True
            if self._closing.wait(self._seconds_between):
                break
        self._give_back()

    def _look(self, around: Surroundings) -> None:
        if self._lease is not None:
            held, seconds = self._lease, self._lease_seconds
            if database.write(around.engine, lambda c: lease.renew(c, held, seconds=seconds)):
                return
            self._end_schedule()
            _log.warning("this process leads no more: its lease ran out, or another process has it")
        take = partial(lease.take, name=lease.LEADER, holder=running.this_process(), seconds=self._lease_seconds)
        self._lease = database.write(around.engine, take)
        if self._lease is not None:
            _log.info("leads now", extra={"epoch": self._lease.epoch})
            self._begin_schedule(around, self._lease)

    def _begin_schedule(self, around: Surroundings, own: Lease) -> None:
        schedule = BackgroundScheduler(
            timezone=UTC,
            # Jobs apart take long, and wait for one another alone: nothing that goes on all day waits for them.
            executors={_DEFAULT: ThreadPoolExecutor(_AT_ONCE), _APART: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        now = around.clock()
        with database.read(around.engine) as connection:
            last = {
                name: found[0] for name, found in runs.newest_of_each(connection, jobs.NAMES, limit=1).items() if found
            }
        for job in jobs.ALL:
            newest = last.get(job.name)
            first = job.next_time(
                around.zone,
                last_started=None if newest is None else newest.started_at,
                now=now,
                died=newest is not None and newest.outcome is None,
            )
            # One that is late begins soon, but not in the moment of the start.
            first = max(first, now + timedelta(seconds=self._seconds_between))
            schedule.add_job(
                self._carry_out,
                job.trigger(around.zone),
                [job, around, own],
                id=job.name,
                next_run_time=first,
                executor=_APART if job.is_apart else _DEFAULT,
            )
        schedule.start()
        self._schedule = schedule

    def _carry_out(self, job: Job, around: Surroundings, own: Lease) -> None:
        try:
            if job.is_apart:
                self._carry_out_apart(job, around, own)
            else:
                _told(job, running.run(job, around, actor=running.SCHEDULE, leader=own))
        except JobIsRunning as refusal:
            _log.info("a job was not begun", extra={"job": job.name, "why": str(refusal)})
        except (CreditsError, *database.FAILURES) as error:
            _log.warning("a job was not begun or not ended", exc_info=error, extra={"job": job.name})

    def _carry_out_apart(self, job: Job, around: Surroundings, own: Lease) -> None:
        """Run the job in a process of its own, so that nobody waits for this one's Python meanwhile."""
        database.write(around.engine, lambda connection: lease.require(connection, own))
        url = around.engine.url.render_as_string(hide_password=False)
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "credits_core", "jobs", "run", job.name, "--by-schedule"],
            cwd=settings.PROJECT_FOLDER,
            env=settings.environment_of_a_process(url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._apart.add(process)
        try:
            _, said = process.communicate()
        finally:
            self._apart.discard(process)
        if process.returncode:
            _log.warning("a job failed", extra={"job": job.name, "said": said.decode(errors="replace")[-500:]})
            return
        with database.read(around.engine) as connection:
            done = runs.last_ended(connection, job.name)
        if done is not None:
            _told(job, done)

    def _end_schedule(self) -> None:
        if self._schedule is not None:
            self._schedule.shutdown(wait=False)
        self._schedule = self._lease = None

    def _give_back(self) -> None:
        held = self._lease
        self._end_schedule()
        if held is not None:
            with suppress(CreditsError, *database.FAILURES):
                database.write(self._surroundings().engine, lambda connection: lease.release(connection, held))


def _told(job: Job, run: runs.Run) -> None:
    """Log how a job ended. Good runs of those that go on all day would drown all else: the table of runs has them."""
    is_all_day = isinstance(job.trigger(UTC_ZONE), IntervalTrigger)
    level = logging.WARNING if run.outcome != runs.OK else logging.DEBUG if is_all_day else logging.INFO
    _log.log(level, "a job ended", extra={"job": run.job_name, "outcome": run.outcome, "said": run.message})
