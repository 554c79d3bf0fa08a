"""The base class of refusals, and the refusals that every room uses. The others are in `<room>/refusals.py`.

Each refusal is a class with a message, a stable code, an HTTP status and the numbers involved. A refusal is an answer,
not a failure: the database is exactly as it was before the call. Refusals are turned into text only at the edges: the
API's handler of refusals, the dashboard and the command line; everything else lets them pass.
"""

from http import HTTPStatus
from typing import ClassVar


class CreditsError(Exception):
    """Base class of every refusal. `code` and `http_status` are stable; the message is for people."""

    code: ClassVar[str]
    http_status: ClassVar[int]

    @property
    def ends_all(self) -> bool:
        """Whether the database or a lease is out of reach, so that whatever comes next would be refused too."""
        return self.http_status == HTTPStatus.SERVICE_UNAVAILABLE


class InvalidRequest(CreditsError):
    """A field of the request cannot be accepted. `field` names it."""

    code = "invalid_request"
    http_status = 422

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


class DataFileInvalid(CreditsError):
    """A file under `data/`, or one that the caller named, cannot be used.

    `problems` has one sentence per problem; `unlisted` counts those that are left out because there are too many.
    """

    code = "data_file_invalid"
    http_status = 422

    def __init__(self, path: str, problems: list[str], *, unlisted: int = 0) -> None:
        self.path = path
        self.problems = problems
        self.unlisted = unlisted
        more = [f"and {unlisted:,} more"] if unlisted else []
        super().__init__(f"{path}: " + "; ".join(problems + more))

    @property
    def counted(self) -> str:
        """How many problems there are and how many of them are listed.

        >>> DataFileInvalid("log.csv", ["line 2: …", "line 3: …"]).counted
        '2 problem(s), listed'
        >>> DataFileInvalid("log.csv", ["line 2: …", "line 3: …"], unlisted=1_000).counted
        '1,002 problem(s), the first 2 listed'
        """
        first = f"the first {len(self.problems)} " if self.unlisted else ""
        return f"{len(self.problems) + self.unlisted:,} problem(s), {first}listed"
