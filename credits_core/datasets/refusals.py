"""The refusals about data sets."""

from credits_core.errors import CreditsError


class UnknownDataSet(CreditsError):
    """There is no data set of this name."""

    code = "unknown_data_set"
    http_status = 404

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        there = f"There are: {', '.join(known)}" if known else "There is none yet; bring one in with usage import"
        super().__init__(f"there is no data set {name!r}. {there}")


class DataSetExists(CreditsError):
    """Another data set has this name. Nothing was replaced."""

    code = "data_set_exists"
    http_status = 409

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a data set {name!r} already. Choose another name, or delete that one first")


class SumsNotSaid(CreditsError):
    """A data set has rows that are sums of several requests, and nobody has said what runs they are taken as."""

    code = "sums_not_said"
    http_status = 422

    def __init__(self, name: str, rows: int, requests: int) -> None:
        self.name = name
        self.rows = rows
        self.requests = requests
        are = "1 row is a sum" if rows == 1 else f"{rows:,} rows are sums"
        super().__init__(
            f"{name}: {are} of {f'{requests:,}' if requests else 'several'} requests, and the price of a run depends "
            "on its size. Say what each row is taken as: one run (--sums one-run), or as many equal runs as it has "
            "requests (--sums equal-runs)"
        )


class RequestsNotCounted(CreditsError):
    """Rows of sums cannot be taken as equal runs, because the log does not say of how many requests they are."""

    code = "requests_not_counted"
    http_status = 422

    def __init__(self, name: str, rows: int) -> None:
        self.name = name
        self.rows = rows
        super().__init__(
            f"{name}: the log does not say of how many requests {rows:,} of its rows are sums, so a row can be taken "
            "only as one run (--sums one-run)"
        )
