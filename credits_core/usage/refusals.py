"""The refusals about what a provider reported."""

from credits_core.errors import CreditsError


class UnreadableResponse(CreditsError):
    """A provider's response does not say how much was used, or says it in a way that nobody can bill."""

    code = "unreadable_response"
    http_status = 422

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"response: {problem}")


class AmbiguousResponse(UnreadableResponse):
    """A response could be from several of a provider's APIs, which count differently. `flavours` are these APIs."""

    def __init__(self, provider_id: str, flavours: list[str]) -> None:
        self.flavours = flavours
        super().__init__(
            f"could be read in two ways; say which API of {provider_id} it is from: {' or '.join(flavours)}"
        )
