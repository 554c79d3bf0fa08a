"""What an event is that other systems are told: its id, its kind, whom it concerns, and the text that is sent. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from credits_core.store.kinds import EventKind

VERSION = 1
"""Which form of `data` an event has. A field may be added to it; for any other change the number rises."""
Content = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `user_id` is whose order it keeps, empty for what concerns everybody; `body` is what is
    sent.
    """

    id: str
    kind: EventKind
    user_id: str
    body: str


def event(kind: EventKind, user_id: str, content: Content, *, happened_at: datetime, named: str) -> Event:
    """An event in the form of Standard Webhooks. `named` names what happened; the id follows from it and the kind.

    The same happening has the same id for every endpoint and at every try.

    >>> from datetime import UTC
    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> one = event(EventKind.RUN_CHARGED, "ada", {"entry_id": 7}, happened_at=at, named="7")
    >>> len(one.id), one.id[:4]
    (36, 'msg_')
    >>> one.body
    '{"type":"run.charged","version":1,"timestamp":"2026-03-01T00:00:00Z","data":{"entry_id":7}}'
    """
    hashed = hashlib.sha256(f"{kind.value}\n{named}\n{happened_at.isoformat()}".encode()).hexdigest()
    moment = happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    sent = {"type": kind.value, "version": VERSION, "timestamp": moment, "data": content}
    body = json.dumps(sent, separators=(",", ":"), ensure_ascii=False)
    return Event(f"msg_{hashed[:32]}", kind, user_id, body)


def kinds_of(text: str) -> tuple[EventKind, ...]:
    """The kinds that an endpoint is stored with, in their order.

    >>> kinds_of("balance.low,run.charged")
    (<EventKind.RUN_CHARGED: 'run.charged'>, <EventKind.BALANCE_LOW: 'balance.low'>)
    """
    named = set(text.split(","))
    return tuple(kind for kind in EventKind if kind.value in named)
