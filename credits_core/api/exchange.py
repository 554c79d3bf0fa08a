"""What is known about the call in progress: its id, the caller, what it wrote, and the code of its refusal."""

from dataclasses import dataclass

from starlette.requests import Request

from credits_core.access.keys import KeyRecord
from credits_core.ledger.receipts import Receipt

SCOPE_NAME = "promptflow.exchange"


@dataclass(slots=True)
class Exchange:
    """One call and its answer, filled in on the way."""

    request_id: str
    caller: KeyRecord | None = None
    receipt: Receipt | None = None
    code: str = ""


def exchange_of(request: Request) -> Exchange:
    """The exchange of a request."""
    exchange: Exchange = request.scope[SCOPE_NAME]
    return exchange
