"""What is known about the call in progress: its id, the caller, what it wrote, and its refusal."""

from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request

from credits_core.access.calls import Call, Content
from credits_core.access.keys import KeyRecord
from credits_core.api.answer_copy import AnswerCopy
from credits_core.errors import CreditsError
from credits_core.ledger.receipts import Receipt

SCOPE_NAME = "promptflow.exchange"


@dataclass(slots=True)
class Exchange:
    """One call and its answer, filled in on the way."""

    request_id: str
    at: datetime
    method: str
    path: str
    query: str = ""
    idempotency_key: str = ""
    body: bytes = b""
    caller: KeyRecord | None = None
    receipt: Receipt | None = None
    code: str = ""
    detail: str = ""
    answer: AnswerCopy = field(default_factory=AnswerCopy)

    def refuse(self, refusal: CreditsError) -> None:
        """Note why the call is refused."""
        self.code, self.detail = refusal.code, str(refusal)

    def as_call(self, seconds: float) -> Call:
        """The call for the list of calls; what was said in it only when the caller has a valid key."""
        content = None
        if self.caller is not None:
            content = Content(
                self.caller.name,
                query=self.query,
                idempotency_key=self.idempotency_key,
                request_body=self.body,
                answer_body=bytes(self.answer.beginning),
                answer_bytes=self.answer.sent_bytes,
                detail=self.detail,
                entry_id=None if self.receipt is None else self.receipt.entry_id,
            )
        return Call(
            self.at, self.method, self.path, self.answer.status, self.code, seconds * 1000, self.request_id, content
        )


def exchange_of(request: Request) -> Exchange:
    """The exchange of a request."""
    exchange: Exchange = request.scope[SCOPE_NAME]
    return exchange
