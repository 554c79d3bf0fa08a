"""The refusals of imports, and of starting the demo over."""

from credits_core.errors import CreditsError


class ImportStopped(CreditsError):
    """A row was refused after others were written, because the ledger had changed since the check."""

    code = "import_stopped"
    http_status = 409

    def __init__(self, path: str, problems: list[str], written: int) -> None:
        self.path = path
        self.problems = problems
        self.written = written
        super().__init__(
            f"{path}: {'; '.join(problems)}. The ledger has changed since the rows were checked. {written:,} rows are "
            "imported and stay. Correct the file and run the import again: they are not imported twice"
        )


class NotADemo(CreditsError):
    """The demo cannot be started over, because the database holds anything but a demo."""

    code = "not_a_demo"
    http_status = 409

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(
            f"This database is not only a demo: {found}. Nothing was deleted. For a demo, use another database "
            "(CREDITS_DATABASE_URL)"
        )
