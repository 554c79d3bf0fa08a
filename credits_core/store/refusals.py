"""The refusals of a database that is not ready, does not answer, or is too busy."""

from credits_core.errors import CreditsError


class DatabaseNotReady(CreditsError):
    """The database is not at the newest migration."""

    code = "database_not_ready"
    http_status = 503

    def __init__(self, found: str | None, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"The database is not up to date: it is at migration {found or 'none'}, this version needs {expected}. "
            "Run: python -m credits_core migrate"
        )


class Unavailable(CreditsError):
    """The database does not answer, or cannot be written."""

    code = "database_unavailable"
    http_status = 503

    def __init__(self) -> None:
        self.retry_after_seconds = 1
        super().__init__(
            "The database does not answer. Send the same request again in a moment, with the same Idempotency-Key: "
            "nothing is charged twice."
        )


class DeadlinePassed(CreditsError):
    """The request could not be answered in time. Says whether it may have been carried out all the same."""

    code = "deadline_passed"
    http_status = 503

    def __init__(self, *, may_have_happened: bool = False) -> None:
        self.may_have_happened = may_have_happened
        self.retry_after_seconds = 1
        super().__init__(
            "The database did not answer in time, so it is not known yet whether this was carried out. Send the same "
            "request again in a moment, with the same Idempotency-Key: the answer tells, and nothing is charged twice."
            if may_have_happened
            else "The database was busy for too long. Nothing was charged or changed. Send the same request again in a "
            "moment."
        )


class TooManyWaiting(CreditsError):
    """So many wait to write already that one more would wait in vain."""

    code = "too_many_waiting"
    http_status = 503

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.retry_after_seconds = 1
        super().__init__(
            f"{waiting:,} requests wait for the database already. Nothing was charged or changed. Send the same "
            "request again in a moment."
        )
