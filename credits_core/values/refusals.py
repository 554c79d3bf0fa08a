"""The refusal of an action that the actor may not do."""

from credits_core.errors import CreditsError


class NotAllowed(CreditsError):
    """The actor may not do this. `whom_to_ask` names the roles that may, where any role may."""

    code = "not_allowed"
    http_status = 403

    def __init__(self, actor: str, action: str, whom_to_ask: tuple[str, ...]) -> None:
        self.actor = actor
        self.action = action
        self.whom_to_ask = whom_to_ask
        ask = f" Ask somebody with the role {' or '.join(whom_to_ask)}." if whom_to_ask else ""
        super().__init__(f"{actor} may not {action}, so nothing was changed.{ask}")


class NeedsApproval(CreditsError):
    """One person may not do this alone. `amount_credits` is None for plans and prices."""

    code = "needs_approval"
    http_status = 403

    def __init__(self, amount_credits: int | None, limit_credits: int, instead: str = "Propose it instead") -> None:
        self.amount_credits = amount_credits
        self.limit_credits = limit_credits
        why = (
            "Another person must approve what becomes live"
            if amount_credits is None
            else f"Another person must approve more than {limit_credits:,} credits, and this moves {amount_credits:,}"
        )
        super().__init__(f"{why}. {instead}; nothing was changed.")
