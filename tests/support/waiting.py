"""Waits for what another thread or process does."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Return as soon as it holds; it must within these seconds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)
