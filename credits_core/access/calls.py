"""The last calls that this process answered over HTTP, in memory, for people who watch. Knows no web framework."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime

KEPT_CALLS = 200
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call. Without a refusal `code` is empty, without a key `key_name` is."""

    at: datetime
    method: str
    path: str
    status: int
    code: str
    key_name: str
    latency_ms: float
    request_id: str


# A deque takes and drops at its ends atomically, so threads need no lock.
_calls: deque[Call] = deque(maxlen=KEPT_CALLS)


def note(call: Call) -> None:
    """Keep the call, of a path its first 200 characters; the oldest is forgotten when there are 200 calls already."""
    _calls.append(replace(call, path=call.path[:_LONGEST_PATH]))


def last_calls() -> list[Call]:
    """The calls that are kept, newest first."""
    return list(reversed(_calls.copy()))
