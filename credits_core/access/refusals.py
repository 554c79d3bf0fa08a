"""The refusals about API keys."""

from credits_core.errors import CreditsError


class Unauthorized(CreditsError):
    """The caller did not say who it is with a key that is in force."""

    code = "unauthorized"
    http_status = 401

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Send a key that is in force as: Authorization: Bearer pfk_…")


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
