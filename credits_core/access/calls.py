"""Keeps the last 200 calls that this process answered over HTTP, in memory, for the dashboard to show."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime

KEPT_CALLS = 200
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call. `code` is empty when nothing was refused, `key_name` when there was no valid key."""

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
    """Keep the call, with at most 200 characters of its path; the 201st call drops the oldest."""
    _calls.append(replace(call, path=call.path[:_LONGEST_PATH]))


def last_calls() -> list[Call]:
    """The calls that are kept, newest first."""
    return list(reversed(_calls.copy()))
