"""The refusals about price plans."""

from datetime import datetime

from credits_core.errors import CreditsError


class UnknownPlan(CreditsError):
    """No price plan has this id."""

    code = "unknown_plan"
    http_status = 404

    def __init__(self, plan_id: str, known_ids: list[str]) -> None:
        self.plan_id = plan_id
        self.known_ids = known_ids
        super().__init__(
            f"There is no price plan {plan_id!r}. Choose one of {', '.join(known_ids)}, or name a .toml file."
        )


class PlanActivated(CreditsError):
    """The plan is live or was live before, so it can never change."""

    code = "plan_activated"
    http_status = 409

    def __init__(self, plan_id: str) -> None:
        self.plan_id = plan_id
        super().__init__(
            f"The price plan {plan_id!r} was made live, so it can never be changed. Save your change under another id."
        )


class PlanInForce(CreditsError):
    """The plan to be made live is live already."""

    code = "plan_in_force"
    http_status = 409

    def __init__(self, plan_id: str) -> None:
        self.plan_id = plan_id
        super().__init__(f"The price plan {plan_id!r} is already live. Nothing was changed.")


class LivePlanChanged(CreditsError):
    """A plan was to take the place of the live one, and meanwhile another plan is live."""

    code = "live_plan_changed"
    http_status = 409

    def __init__(self, expected_plan_id: str, live_plan_id: str) -> None:
        self.expected_plan_id = expected_plan_id
        self.live_plan_id = live_plan_id
        super().__init__(
            f"The price plan {live_plan_id!r} was made live meanwhile, in place of {expected_plan_id!r}. "
            "Nothing was changed. Look at it, then decide again."
        )


class DraftChanged(CreditsError):
    """A draft was saved, discarded or created since it was read. A revision of 0 means that there is no draft."""

    code = "draft_changed"
    http_status = 409

    def __init__(self, plan_id: str, expected_revision: int, found_revision: int) -> None:
        self.plan_id = plan_id
        self.expected_revision = expected_revision
        self.found_revision = found_revision
        if not expected_revision:
            problem = f"There is already a price plan {plan_id!r}. Choose another id."
        elif not found_revision:
            problem = f"The draft {plan_id!r} was discarded meanwhile. To keep your version, save it under another id."
        else:
            problem = (
                f"The draft {plan_id!r} was saved by somebody else meanwhile, so nothing was changed. "
                "Open it again to see the new version."
            )
        super().__init__(problem)


class DraftNotSeen(CreditsError):
    """Somebody wants to replace, discard or activate a draft, and does not name the revision that it has now.

    `named_revision` is None when none was named.
    """

    code = "draft_not_seen"
    http_status = 409

    def __init__(
        self, plan_id: str, named_revision: int | None, revision: int, *, saved_by: str, saved_at: datetime
    ) -> None:
        self.plan_id = plan_id
        self.named_revision = named_revision
        self.revision = revision
        self.saved_by = saved_by
        self.saved_at = saved_at
        named = "" if named_revision is None else f", not at revision {named_revision}"
        super().__init__(
            f"The draft {plan_id!r} is at revision {revision}{named}; {saved_by} saved it on "
            f"{saved_at:%Y-%m-%d at %H:%M:%S} UTC. Nothing was changed. Look at it with 'plan show {plan_id}', then "
            f"name the revision that you saw: --revision {revision}."
        )


class PriceNotKnown(CreditsError):
    """What a run would have cost at a time in the past is not known. The message is the reason alone."""

    code = "price_not_known"
    http_status = 422
