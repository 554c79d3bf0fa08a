"""What became of each run of a job: written when it begins and when it ends, read by screens and the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from credits_core.store.tables import JobRun
from credits_core.values.days import from_microseconds, to_microseconds

OK, FAILED = "ok", "failed"
FAILURES_UNTIL_RED = 3
"""After so many failures one after the other a job counts as broken."""
KEPT_OF_EACH = 200
"""How many runs of each job are kept."""
_LONGEST_MESSAGE = 1_000
_DIED = "Its process ended before the job did."


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `ended_at` and `outcome` are None while it goes on; `message` says what it did, or what went wrong."""

    number: int
    job_name: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    message: str
    process: str
    actor: str

    @property
    def took(self) -> timedelta | None:
        """How long it took, or None while it goes on."""
        return None if self.ended_at is None else self.ended_at - self.started_at


def begin(connection: Connection, job_name: str, *, process: str, actor: str, now: datetime) -> int:
    """Write down that a run begins, and return its number. For whoever has the job's lease: an earlier run that did
    not end has died.
    """
    connection.execute(
        update(JobRun)
        .where(JobRun.job_name == job_name, JobRun.outcome.is_(None))
        .values(ended_at_us=to_microseconds(now), outcome=FAILED, message=_DIED)
    )
    row = {
        "job_name": job_name,
        "started_at_us": to_microseconds(now),
        "message": "",
        "process": process,
        "actor": actor,
    }
    return int(connection.execute(insert(JobRun).values(row).returning(JobRun.id)).scalar_one())


def end(connection: Connection, number: int, *, is_ok: bool, message: str, now: datetime) -> None:
    """Write down how a run ended. The message is cut to 1,000 characters."""
    connection.execute(
        update(JobRun)
        .where(JobRun.id == number, JobRun.outcome.is_(None))
        .values(
            ended_at_us=to_microseconds(now),
            outcome=OK if is_ok else FAILED,
            message=message[:_LONGEST_MESSAGE].replace("\0", ""),
        )
    )


def run(connection: Connection, number: int) -> Run:
    """The run with this number, which is there."""
    return _run(connection.execute(select(JobRun.__table__).where(JobRun.id == number)).one())


def newest(connection: Connection, job_name: str | None = None, *, limit: int = 50) -> list[Run]:
    """The newest runs, of one job or of all, the newest first."""
    asked = select(JobRun.__table__).order_by(JobRun.id.desc()).limit(limit)
    if job_name is not None:
        asked = asked.where(JobRun.job_name == job_name)
    return [_run(row) for row in connection.execute(asked)]


def newest_of_each(connection: Connection, names: Sequence[str], *, limit: int) -> Mapping[str, list[Run]]:
    """The newest runs of each of these jobs, the newest first; an empty list for a job that never ran."""
    return {name: newest(connection, name, limit=limit) for name in names}


def last_ended(connection: Connection, job_name: str, *, is_ok: bool | None = None) -> Run | None:
    """The newest run that has ended, or that ended well, or badly; None when there is none."""
    asked = select(JobRun.__table__).where(JobRun.job_name == job_name, JobRun.outcome.is_not(None))
    if is_ok is not None:
        asked = asked.where(JobRun.outcome == (OK if is_ok else FAILED))
    row = connection.execute(asked.order_by(JobRun.id.desc()).limit(1)).one_or_none()
    return None if row is None else _run(row)


def failures_in_a_row(found: Sequence[Run]) -> int:
    """How many of the newest runs failed one after the other. Runs that go on do not count.

    >>> runs_of = lambda *outcomes: [Run(1, "seals", None, None, outcome, "", "", "") for outcome in outcomes]
    >>> failures_in_a_row(runs_of(None, "failed", "failed", "ok", "failed"))
    2
    """
    count = 0
    for one in found:
        if one.outcome == OK:
            break
        count += one.outcome == FAILED
    return count


def last_failure(found: Sequence[Run]) -> str:
    """What the newest run that failed said; empty where none did. A run that goes on says nothing yet."""
    return next((one.message for one in found if one.outcome == FAILED), "")


def delete_old(connection: Connection) -> int:
    """Delete all but the newest 200 runs of each job, and return how many that were."""
    deleted = 0
    for name in connection.execute(select(JobRun.job_name).distinct()).scalars().all():
        kept = select(JobRun.id).where(JobRun.job_name == name).order_by(JobRun.id.desc()).limit(KEPT_OF_EACH)
        first = select(func.min(kept.subquery().c.id)).scalar_subquery()
        deleted += connection.execute(delete(JobRun).where(JobRun.job_name == name, JobRun.id < first)).rowcount
    return deleted


def _run(row: Any) -> Run:
    number, job_name, started, ended, outcome, message, process, actor = row
    return Run(
        number,
        job_name,
        from_microseconds(started),
        None if ended is None else from_microseconds(ended),
        outcome,
        message,
        process,
        actor,
    )
