"""The refusals about findings."""

from credits_core.errors import CreditsError


class UnknownFinding(CreditsError):
    """No finding has this number."""

    code = "unknown_finding"
    http_status = 404

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"There is no finding {number}.")


class AlreadyLookedAt(CreditsError):
    """Somebody has looked at the finding before. What they noted stays."""

    code = "already_looked_at"
    http_status = 409

    def __init__(self, number: int, by: str) -> None:
        self.number = number
        self.by = by
        super().__init__(f"{by} has looked at finding {number} already, and their note stays. Nothing was changed.")
