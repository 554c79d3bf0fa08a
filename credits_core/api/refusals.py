"""The refusals that only a caller over HTTP can meet."""

from credits_core.errors import CreditsError


class IdempotencyKeyRequired(CreditsError):
    """A request that moves credits came without an idempotency key."""

    code = "idempotency_key_required"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "The header Idempotency-Key is missing, so nothing was charged or changed. Choose a key of 1 to 255 "
            "visible ASCII characters, and send the same key when you try the same request again."
        )


class Forbidden(CreditsError):
    """The caller's key is valid but may not do this. Does not tell whether the requested thing exists."""

    code = "forbidden"
    http_status = 403

    def __init__(self, role: str, allowed: str) -> None:
        self.role = role
        self.allowed = allowed
        super().__init__(f"A key with the role {role} may not do this. It is allowed for: {allowed}.")


class RateLimited(CreditsError):
    """Too many requests by one key or from one address."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Too many requests: the limit is {limit}. Send this one again in {retry_after_seconds} s.")


class BodyTooLarge(CreditsError):
    """The request's body is larger than any request needs."""

    code = "body_too_large"
    http_status = 413

    def __init__(self, maximum_bytes: int) -> None:
        self.maximum_bytes = maximum_bytes
        super().__init__(f"The body has more than {maximum_bytes:,} bytes. Send only the documented fields.")
