"""Writes answered calls to the database in the background, so that no call waits for it or fails by it.

A call is only put into a queue, which is bounded. A thread writes what waits about once a second, in short units of
work. While the database cannot be written the oldest calls drop out. The log says once that it cannot be written, and
afterwards how many are missing.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Engine

from credits_core.access import calls
from credits_core.access.calls import Call
from credits_core.errors import CreditsError
from credits_core.store import database, deadline

MOST_WAITING = 2_000
"""How many calls may wait. A call with the largest body takes 68 KiB."""
_AT_ONCE = 100
_SECONDS_BETWEEN, _SECONDS_TO_END = 1, 5
_LONGEST_SECONDS = 30
_log = logging.getLogger("promptflow.api")


class CallLog:
    """Keeps the newest `kept` calls of all processes; with 0 it keeps none. `engine` opens the database when asked."""

    def __init__(self, engine: Callable[[], Engine], *, kept: int) -> None:
        """Nothing is opened or started before the first call."""
        self._engine = engine
        self._kept = kept
        self._waiting: deque[Call] = deque(maxlen=MOST_WAITING)
        self._dropped = self._told_dropped = 0
        self._rows: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._is_failing = False
        self._closing = Event()
        self._starting = Lock()
        self._thread: Thread | None = None

    def note(self, call: Call) -> None:
        """Let the call be written soon. Takes microseconds, whatever the database does."""
        if not self._kept:
            return
        if self._thread is None:
            self._start()
        if len(self._waiting) == MOST_WAITING:
            self._dropped += 1
        self._waiting.append(call)

    def close(self) -> None:
        """Write what waits, and end the thread; at most for five seconds."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_SECONDS_TO_END)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._write_now_and_then, name="credits-calls", daemon=True)
                self._thread.start()

    def _write_now_and_then(self) -> None:
        while not self._closing.wait(_SECONDS_BETWEEN):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._waiting:
            if len(self._rows) == MOST_WAITING:
                self._dropped += 1
            self._rows.append(calls.row_of(self._waiting.popleft()))
        while self._rows:
            rows = list(islice(self._rows, _AT_ONCE))
            try:
                with deadline.within(_LONGEST_SECONDS):
                    database.write(self._engine(), partial(calls.keep, rows=rows, most=self._kept))
            except (CreditsError, *database.FAILURES) as error:
                if not self._is_failing:
                    _log.error("the calls cannot be written to the list of calls", exc_info=error)
                self._is_failing = True
                return
            self._is_failing = False
            for _ in rows:
                self._rows.popleft()
        if self._dropped != self._told_dropped:
            dropped, self._told_dropped = self._dropped - self._told_dropped, self._dropped
            _log.warning("calls are missing in the list of calls", extra={"dropped_calls": dropped})
