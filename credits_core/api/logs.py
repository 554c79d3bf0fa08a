"""The API's log: a JSON line on stderr for each write, failure and refusal of a known key. Keys are never in it."""

import io
import logging
import sys
import time
from collections import deque
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

_MOST_WAITING = 10_000
_SECONDS = timedelta(milliseconds=50).total_seconds()


def configure() -> None:
    """Send the log of the API and of the ledger to stderr as JSON. Calling it again does nothing."""
    logs = [logging.getLogger(f"promptflow.{name}") for name in ("api", "ledger")]
    if logs[0].handlers:
        return
    handler = LaterHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )
    )
    for log in logs:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False


class LaterHandler(logging.Handler):
    """Forms and writes lines in a thread of its own, a twentieth of a second later, so that no request waits for it.

    A warning or an error is written at once, after what waited before it. When the process ends, `logging` writes what
    waits. Where 10,000 lines wait, because nobody reads the stream, whoever logs waits for the stream. A record that
    cannot be made a line is left out, and `logging` says so.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream. The thread starts with the first line."""
        super().__init__()
        self._stream = stream
        self._forming = logging.StreamHandler(io.StringIO())
        self._waiting: deque[logging.LogRecord] = deque()
        self._has_news = Event()
        self._writing = Lock()
        self._thread: Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record. `logging` lets in one thread at a time."""
        self._waiting.append(record)
        if record.levelno >= logging.WARNING or len(self._waiting) >= _MOST_WAITING:
            self.flush()
            return
        if self._thread is None:
            self._thread = Thread(target=self._write_now_and_then, name="credits-log", daemon=True)
            self._thread.start()
        self._has_news.set()

    def flush(self) -> None:
        """Write every line that waits."""
        with self._writing:
            records = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if not records:
                return
            self._forming.stream = lines = io.StringIO()
            self._forming.formatter = self.formatter
            for record in records:  # each on its own, so that one cannot take the others with it
                self._forming.emit(record)
            try:
                self._stream.write(lines.getvalue())
                self._stream.flush()
            except (OSError, ValueError):
                self.handleError(records[0])  # as every handler: the work goes on without the log

    def _write_now_and_then(self) -> None:
        while self._has_news.wait():
            time.sleep(_SECONDS)
            self._has_news.clear()
            self.flush()
