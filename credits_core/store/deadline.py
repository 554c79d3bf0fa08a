"""The moment by which a request must be answered, for everything below that waits: locks, statements, queues.

The edge that takes the request says it once. It holds for the thread, or the task, in which it is said; work that is
handed to another thread takes it along by `current` and `by`. Jobs and the command line say none.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from credits_core.store.refusals import DeadlinePassed

LONGEST_WAIT_SECONDS = 300
"""How long a lock is waited for where no deadline is said."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, in seconds, and how many seconds there were in all.

    Without a moment each wait has so many seconds of its own.
    """

    until: float | None
    seconds: int


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """The deadline that holds here, or None."""
    return _current.get()


def after(seconds: int) -> Deadline:
    """The deadline that is so many seconds from now."""
    return Deadline(time.monotonic() + seconds, seconds)


def later(deadline: Deadline, seconds: float) -> Deadline:
    """The same deadline so many seconds later."""
    return deadline if deadline.until is None else replace(deadline, until=deadline.until + seconds)


@contextmanager
def by(deadline: Deadline | None) -> Iterator[None]:
    """Let this deadline hold inside of the block, and no other one; with None, none."""
    before = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(before)


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Let a deadline that is so many seconds from now hold inside of the block."""
    with by(after(seconds)):
        yield


@contextmanager
def each_wait(seconds: int) -> Iterator[None]:
    """Let nothing inside of the block wait for longer than so many seconds at once, however long all of it takes."""
    with by(Deadline(None, seconds)):
        yield


def remaining(at_most: float = LONGEST_WAIT_SECONDS) -> float:
    """The seconds to the deadline, at least 0 and at most so many; that many where no deadline holds."""
    deadline = _current.get()
    if deadline is None:
        return at_most
    return min(at_most, deadline.seconds if deadline.until is None else max(0, deadline.until - time.monotonic()))


def has_passed() -> bool:
    """Whether there is a deadline here and it has passed."""
    deadline = _current.get()
    return deadline is not None and deadline.until is not None and time.monotonic() >= deadline.until


def require_time() -> None:
    """Check that the deadline has not passed.

    Raises:
        DeadlinePassed: it has.
    """
    if has_passed():
        raise DeadlinePassed
