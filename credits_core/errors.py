"""One class per refusal: message, stable code, HTTP status and the numbers involved.

A refusal is an answer, not a failure: the database is exactly as it was before the call. Refusals are shown in two
places only, the API's handler and the dashboard's action runner; everything else lets them pass.
"""

from typing import ClassVar


class CreditsError(Exception):
    """Base of every refusal. `code` and `http_status` are stable; the message is for people."""

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


class UnknownUser(CreditsError):
    """The user holds no account here."""

    code = "unknown_user"
    http_status = 404

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        super().__init__(f"There is no user {user_id!r}. Add credits to create the user first.")


class UnknownModel(CreditsError):
    """The model is not in the registry, so it has no price."""

    code = "unknown_model"
    http_status = 404

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(
            f"There is no model {model_id!r} in the registry. Choose one of GET /api/models or of data/models.toml."
        )


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


class UnknownEntry(CreditsError):
    """No journal entry has this id."""

    code = "unknown_entry"
    http_status = 404

    def __init__(self, entry_id: int) -> None:
        self.entry_id = entry_id
        super().__init__(f"There is no journal entry {entry_id}. Look its number up in the user's transactions.")


class InsufficientCredits(CreditsError):
    """The account holds less than the action takes. Both numbers are in credits."""

    code = "insufficient_credits"
    http_status = 402

    def __init__(self, user_id: str, balance_credits: int, required_credits: int) -> None:
        self.user_id = user_id
        self.balance_credits = balance_credits
        self.required_credits = required_credits
        super().__init__(
            f"{user_id} has {balance_credits:,} credits and this takes {required_credits:,}. {self.advice}"
        )

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        return f"Add at least {self.required_credits - self.balance_credits:,} credits and try again."


class AddedCreditsSpent(InsufficientCredits):
    """Credits that were added cannot be taken back, because the user has spent them since."""

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        return "Added credits are refunded only while the user holds them: refund what they were spent on first."


class BalanceTooLarge(CreditsError):
    """The account would hold more than 2^53-1 credits, the largest whole number that every browser shows exactly."""

    code = "balance_too_large"
    http_status = 422

    def __init__(self, user_id: str, amount_credits: int, maximum_credits: int) -> None:
        self.user_id = user_id
        self.amount_credits = amount_credits
        self.maximum_credits = maximum_credits
        super().__init__(
            f"{amount_credits:,} more credits would take {user_id} above the largest balance of {maximum_credits:,}. "
            "Use a smaller amount."
        )


class CirculationTooLarge(CreditsError):
    """All users together would hold more credits than a 64-bit sum can carry with room to spare."""

    code = "circulation_too_large"
    http_status = 422

    def __init__(self, amount_credits: int, maximum_credits: int) -> None:
        self.amount_credits = amount_credits
        self.maximum_credits = maximum_credits
        super().__init__(
            f"{amount_credits:,} more credits would take all balances together above {maximum_credits:,}. "
            "Use a smaller amount."
        )


class IdempotencyKeyReused(CreditsError):
    """The key was used before, for a different request."""

    code = "idempotency_key_reused"
    http_status = 422

    def __init__(self, key: str, entry_id: int) -> None:
        self.key = key
        self.entry_id = entry_id
        super().__init__(
            f"The idempotency key {key!r} belongs to entry {entry_id}, which was a different request. "
            "Send a new key for a new request."
        )


class PriceChanged(CreditsError):
    """The caller named the total it expects, and the price is another one now. Both are in credits."""

    code = "price_changed"
    http_status = 409

    def __init__(self, expected_total_credits: int, total_credits: int) -> None:
        self.expected_total_credits = expected_total_credits
        self.total_credits = total_credits
        super().__init__(
            f"The run costs {total_credits:,} credits, not the expected {expected_total_credits:,}. "
            "Show the new price and send the request again with it."
        )


class AlreadyRefunded(CreditsError):
    """The entry was refunded before; an entry is refunded once."""

    code = "already_refunded"
    http_status = 409

    def __init__(self, entry_id: int, refund_entry_id: int) -> None:
        self.entry_id = entry_id
        self.refund_entry_id = refund_entry_id
        super().__init__(f"Entry {entry_id} was refunded before, by entry {refund_entry_id}.")


class NotRefundable(CreditsError):
    """The entry is itself a refund."""

    code = "not_refundable"
    http_status = 409

    def __init__(self, entry_id: int) -> None:
        self.entry_id = entry_id
        super().__init__(f"Entry {entry_id} is itself a refund. To take the credits again, charge again.")


class NotExplainable(CreditsError):
    """The entry has no price: only prompt runs and flow unlocks do. `refunds_entry_id` is set when it is a refund."""

    code = "not_explainable"
    http_status = 409

    def __init__(self, entry_id: int, entry_type: str, refunds_entry_id: int | None) -> None:
        self.entry_id = entry_id
        self.entry_type = entry_type
        self.refunds_entry_id = refunds_entry_id
        kind = f"{'an' if entry_type == 'adjustment' else 'a'} {entry_type.replace('_', ' ')}"
        of = "" if refunds_entry_id is None else f" of entry {refunds_entry_id}"
        super().__init__(
            f"Entry {entry_id} is {kind}{of}; only prompt runs and flow unlocks have a price to explain. "
            f"See entry {entry_id} in the history."
        )


class IdempotencyKeyRequired(CreditsError):
    """A request that moves credits came without an idempotency key."""

    code = "idempotency_key_required"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "A request that moves credits needs the header Idempotency-Key, 1 to 255 visible ASCII characters. "
            "Send the same one when you try the same request again."
        )


class Unauthorized(CreditsError):
    """The caller did not say who it is with a key that is in force."""

    code = "unauthorized"
    http_status = 401

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Send a key that is in force as: Authorization: Bearer pfk_…")


class Forbidden(CreditsError):
    """The caller is known and may not do this. Says nothing about whether what was asked for exists."""

    code = "forbidden"
    http_status = 403

    def __init__(self, role: str, allowed: str) -> None:
        self.role = role
        self.allowed = allowed
        super().__init__(f"A key with the role {role} may not do this. It is for: {allowed}.")


class KeyNameTaken(CreditsError):
    """An API key with this name was not revoked."""

    code = "key_name_taken"
    http_status = 409

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"A key named {name!r} is in force or expired. Choose another name, or revoke that one first.")


class UnknownKey(CreditsError):
    """No API key with this name is in force."""

    code = "unknown_key"
    http_status = 404

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"No key named {name!r} is in force. List them with: python -m credits_core api-key list")


class RateLimited(CreditsError):
    """Too many requests by one key or from one address."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"The limit is {limit}. Try again in {retry_after_seconds} s.")


class BodyTooLarge(CreditsError):
    """The request's body is larger than any request needs."""

    code = "body_too_large"
    http_status = 413

    def __init__(self, maximum_bytes: int) -> None:
        self.maximum_bytes = maximum_bytes
        super().__init__(f"The body has more than {maximum_bytes:,} bytes. Send the fields of the request alone.")


class DataFileInvalid(CreditsError):
    """A file under `data/`, or one the caller named, cannot be used. `problems` holds one sentence each."""

    code = "data_file_invalid"
    http_status = 422

    def __init__(self, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        super().__init__(f"{path}: " + "; ".join(problems))


class DatabaseNotReady(CreditsError):
    """The database is not at the newest migration."""

    code = "database_not_ready"
    http_status = 503

    def __init__(self, found: str | None, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"The database is at migration {found or 'none'}, this version needs {expected}. "
            "Run: python -m credits_core migrate"
        )
