"""The refusals about price plans."""

from credits_core.errors import CreditsError


class UnknownPlan(CreditsError):
    """No price plan has this id."""

    code = "unknown_plan"
    http_status = 404

    def __init__(self, plan_id: str, known_ids: list[str]) -> None:
        self.plan_id = plan_id
        self.known_ids = known_ids
        super().__init__(f"There is no price plan {plan_id!r}. Known are {', '.join(known_ids)}, or name a .toml file.")


class PlanActivated(CreditsError):
    """The plan was activated, so it never changes."""

    code = "plan_activated"
    http_status = 409

    def __init__(self, plan_id: str) -> None:
        self.plan_id = plan_id
        super().__init__(
            f"The price plan {plan_id!r} was activated, so it never changes. Save the change under another id."
        )


class PlanInForce(CreditsError):
    """The plan that shall be activated is the one in force."""

    code = "plan_in_force"
    http_status = 409

    def __init__(self, plan_id: str) -> None:
        self.plan_id = plan_id
        super().__init__(f"The price plan {plan_id!r} is in force already. Nothing was changed.")


class DraftChanged(CreditsError):
    """A draft is not as it was when it was read. A revision of 0 means that there is none."""

    code = "draft_changed"
    http_status = 409

    def __init__(self, plan_id: str, expected_revision: int, found_revision: int) -> None:
        self.plan_id = plan_id
        self.expected_revision = expected_revision
        self.found_revision = found_revision
        if not expected_revision:
            problem = f"There is a price plan {plan_id!r} already. Choose another id."
        elif not found_revision:
            problem = f"The draft {plan_id!r} was discarded meanwhile. Save it under another id to keep yours."
        else:
            problem = f"The draft {plan_id!r} was saved by somebody else meanwhile. Open it again and see the change."
        super().__init__(problem)
