"""Ends a command in order when the system asks it to end: what it started ends with it, and its job is on record."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


@contextmanager
def in_order() -> Iterator[None]:
    """Within the block SIGTERM leaves the program as an exception does, with the status 143, and not at once.

    So `pg_dump` and whatever else was started is ended, and nothing half-made stays. Does nothing outside of the main
    thread, which alone hears of signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_ENDED_BY_SIGTERM)
