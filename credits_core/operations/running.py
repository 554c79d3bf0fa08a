"""Runs one job: takes its lease, keeps it while the job goes on, and writes down what became of it.

The same for the schedule, the command line and a screen: whoever runs a job has its lease, so it never runs twice at
once, in whatever process. The job's work gets an engine that refuses everything once the lease is lost.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from threading import Event, Thread

from sqlalchemy import Connection, Engine

from credits_core.errors import CreditsError
from credits_core.operations import lease, runs
from credits_core.operations.jobs import Job
from credits_core.operations.lease import Lease
from credits_core.operations.refusals import JobIsRunning, LeaseLost
from credits_core.operations.runs import Run
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database
from credits_core.values.progress import Work, finish
from credits_core.values.roles import Actor, May, system

SCHEDULE = system("jobs")
"""Who acts when a job runs by itself."""
LEASE_SECONDS, RENEWED_EVERY_SECONDS = 40, 10
"""How long a lease lasts, and how often it is renewed: what a process that died had is free after 40 seconds."""
_STOPPED = "Somebody stopped it."


def this_process() -> str:
    """How this process is named in the record of runs: its machine and its number."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def run(job: Job, around: Surroundings, *, actor: Actor, leader: Lease | None = None) -> Run:
    """Run the job to its end, and return how that went. What makes a job fail is kept there, and is not raised.

    `leader` is what the schedule must still have when the job begins.

    Raises:
        NotAllowed: the actor may not manage this product.
        JobIsRunning: somebody else runs it now.
        LeaseLost: this process was stopped for so long that somebody else may run it now; or it leads no more.
    """
    return finish(running(job, around, actor=actor, leader=leader))


def running(job: Job, around: Surroundings, *, actor: Actor, leader: Lease | None = None) -> Work[Run]:
    """The same, which tells how far it has come. Left early, the run counts as failed: somebody stopped it."""
    actor.require(May.MANAGE)
    engine, clock = around.engine, around.clock
    begin = partial(_begin, job=job, actor=actor, clock=clock, leader=leader)
    own, number = database.write(engine, begin)
    is_ok, message = False, "Something unexpected went wrong; the log has it."
    try:
        with _kept(engine, own):
            message = yield from job.work(around.over(lease.fenced(engine, own)))
        is_ok = True
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        message = _STOPPED
        raise
    except LeaseLost:
        raise
    except (CreditsError, *database.FAILURES) as error:
        message = str(getattr(error, "orig", None) or error) or type(error).__name__
    finally:
        # Nobody writes about a run that is no longer theirs; whoever has the lease now says that it died.
        with suppress(LeaseLost):
            database.write(engine, partial(_end, own=own, number=number, is_ok=is_ok, message=message, now=clock()))
    with database.read(engine) as connection:
        return runs.run(connection, number)


def _begin(
    connection: Connection, *, job: Job, actor: Actor, clock: Callable[[], datetime], leader: Lease | None
) -> tuple[Lease, int]:
    if leader is not None:
        lease.require(connection, leader)
    own = lease.take(connection, job.name, this_process(), seconds=LEASE_SECONDS)
    if own is None:
        now = next((one for one in runs.newest(connection, job.name, limit=1) if one.ended_at is None), None)
        raise JobIsRunning(
            job.name,
            lease.held(connection)[job.name].holder,
            None if now is None else now.started_at,
            "" if now is None else now.actor,
        )
    return own, runs.begin(connection, job.name, process=own.holder, actor=actor.recorded, now=clock())


def _end(connection: Connection, *, own: Lease, number: int, is_ok: bool, message: str, now: datetime) -> None:
    lease.require(connection, own)
    runs.end(connection, number, is_ok=is_ok, message=message, now=now)
    lease.release(connection, own)


@contextmanager
def _kept(engine: Engine, own: Lease) -> Iterator[None]:
    """Renews the lease in a thread as long as the block goes on. One that is lost is not taken again."""
    ended = Event()

    def renew_now_and_then() -> None:
        while not ended.wait(RENEWED_EVERY_SECONDS):
            with suppress(*database.FAILURES):
                if not database.write(engine, lambda c: lease.renew(c, own, seconds=LEASE_SECONDS)):
                    return

    thread = Thread(target=renew_now_and_then, name=f"credits-lease-{own.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(RENEWED_EVERY_SECONDS)
