"""The refusals of imports."""

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
