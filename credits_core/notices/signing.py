"""Signs what is sent to an endpoint, as Standard Webhooks says, and makes the secrets for that."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that nobody can guess, which is to be shown once."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def headers(event_id: str, body: str, signed_with: Sequence[str], *, now: datetime) -> dict[str, str]:
    """The three headers of an event: its id, the time in seconds, and one signature for each secret.

    While a secret is being replaced there are two, and the receiver accepts either.
    """
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in signed_with),
    }
