"""The refusal of a database that is not ready."""

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
