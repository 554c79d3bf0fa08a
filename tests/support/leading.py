"""What the processes of the leader's tests run: a server's leader with one job, which leaves a line at each step."""

import os
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection as Pipe
from threading import Event

from sqlalchemy import Connection

from credits_core.operations import jobs, running
from credits_core.operations.leader import Leader
from credits_core.operations.surroundings import Surroundings
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.values.progress import Progress, Work
from tests.support import job_world

LEASE_SECONDS = 3
_BETWEEN_SECONDS = 1
_STEPS, _STEP_SECONDS = 1_000, 0.05


def lead_until_killed(answers: Pipe, url: str) -> None:
    """Try to lead, and run a job that never ends. Never returns."""
    running.LEASE_SECONDS, running.RENEWED_EVERY_SECONDS = LEASE_SECONDS, _BETWEEN_SECONDS
    jobs.ALL, jobs.NAMES = (job_world.job(_leave_lines),), ("tried",)
    engine = database.create_engine_for(url)
    leader = Leader(lambda: job_world.around(engine), lease_seconds=LEASE_SECONDS, seconds_between=_BETWEEN_SECONDS)
    leader.start()
    answers.send("started")
    Event().wait()


def _leave_lines(around: Surroundings) -> Work[str]:
    for step in range(_STEPS):
        yield Progress(step, _STEPS)
        database.write(around.engine, partial(_leave_a_line, step=step))
        Event().wait(_STEP_SECONDS)
    return "It came to its end."


def _leave_a_line(connection: Connection, step: int) -> None:
    activity.note(connection, Change.EXPORTED, f"step {step}", actor=f"p{os.getpid()}", now=datetime.now(UTC))
