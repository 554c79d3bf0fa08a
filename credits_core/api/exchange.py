"""What is known of the call under way: its number, who calls, what it wrote and how it was refused."""

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
