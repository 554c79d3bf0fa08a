"""The refusals of imports, logs and batches, and of starting the demo over."""

from credits_core.errors import CreditsError
from credits_core.values.text import counted


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


class ReplayStopped(CreditsError):
    """A log was charged only in part. `charged` counts the rows that are charged, now or by earlier replays."""

    code = "replay_stopped"
    http_status = 409

    def __init__(self, reason: str, charged: int) -> None:
        self.reason = reason
        self.charged = charged
        super().__init__(
            f"{reason} Charged so far, which stays: {counted(charged, 'row')}. Run the replay again: it charges the "
            "rest, and no row twice."
        )


class ShownPriceChanged(CreditsError):
    """Another plan or price list is live than when a person was shown the price of a batch."""

    code = "shown_price_changed"
    http_status = 409

    def __init__(self) -> None:
        super().__init__(
            "Another price plan or price list was made live after the price was shown. See the new price and try again."
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
