"""The base class of refusals, and the refusals that every room uses. The others are in `<room>/refusals.py`.

Each refusal is a class with a message, a stable code, an HTTP status and the numbers involved. A refusal is an answer,
not a failure: the database is exactly as it was before the call. Refusals are turned into text only at the edges: the
API's handler of refusals, the dashboard and the command line; everything else lets them pass.
"""

from typing import ClassVar


class CreditsError(Exception):
    """Base class of every refusal. `code` and `http_status` are stable; the message is for people."""

    code: ClassVar[str]
    http_status: ClassVar[int]


class InvalidRequest(CreditsError):
    """A field of the request cannot be accepted. `field` names it."""

    code = "invalid_request"
    http_status = 422

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


class DataFileInvalid(CreditsError):
    """A file under `data/`, or one that the caller named, cannot be used. `problems` has one sentence per problem."""

    code = "data_file_invalid"
    http_status = 422

    def __init__(self, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        super().__init__(f"{path}: " + "; ".join(problems))
