"""The refusals of jobs. Those of backups are in `backups/refusals.py`."""

from datetime import datetime

from credits_core.errors import CreditsError


class LeaseLost(CreditsError):
    """Somebody else does this now, or may: the process was stopped, or could not reach the database, for too long."""

    code = "lease_lost"
    http_status = 503

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"Another process may be at {name} now, so this one did nothing more.")


class JobIsRunning(CreditsError):
    """The job is running already. `holder` runs it, `since` when and for which `actor`, where that is known."""

    code = "job_is_running"
    http_status = 409

    def __init__(self, name: str, holder: str, since: datetime | None = None, actor: str = "") -> None:
        self.name = name
        self.holder = holder
        self.since = since
        self.actor = actor
        begun = "" if since is None else f" since {since:%Y-%m-%d %H:%M:%S} UTC, begun by {actor}"
        super().__init__(
            f"The job {name} is running already, in {holder}{begun}. Nothing was started; wait until it has ended."
        )


class UnknownJob(CreditsError):
    """There is no such job. `known` are the names of all jobs."""

    code = "unknown_job"
    http_status = 404

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"There is no job {name}. The jobs are: {', '.join(known)}.")


class JobFailed(CreditsError):
    """The job came to its end and found that something is wrong; the message says what."""

    code = "job_failed"
    http_status = 500

    @classmethod
    def in_part(cls, said: str, *, first: str, done: str) -> "JobFailed":
        """A job that did the rest. `said` counts what it did not do; `first` is the refusal of the first of these."""
        reason, _, _ = first.partition(". ")
        return cls(f"{said}, the first because: {reason.rstrip('.')}. All others: {done}")
