"""The log of the API, the dashboard and the command line: a line of JSON for each event. Keys are never in it.

What is true of a whole request stands once, by `structlog.contextvars`: each of its lines has the same `request_id`.
"""

import io
import logging
import sys
import time
import traceback
import uuid
from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from credits_core import settings

_MOST_WAITING = 10_000
_SECONDS = timedelta(milliseconds=50).total_seconds()
_PEOPLE = ("user_id", "creator_id", "account_id", "refusal", "email", "said")
"""The fields that hold ids of people, or a text that may name one."""
_FIRST = ("time", "level", "logger", "message", "request_id")


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send what the product logs from this level on to a stream, by default stdout. Calling it again does nothing."""
    log = logging.getLogger("promptflow")
    if log.handlers:
        return
    handler = LaterHandler(stream or sys.stdout)
    handler.addFilter(_with_context)
    handler.setFormatter(formatter(names_people=settings.log_people()))
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False


def formatter(*, names_people: bool) -> logging.Formatter:
    """What makes a record a line of JSON; without the ids of people, unless it names them."""
    shown = [_failure] if names_people else [_without_people, _failure_without_message]
    made: logging.Formatter = ProcessorFormatter(
        processors=[
            _time_and_place,
            ExtraAdder(),
            *shown,
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            _in_order,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    return made


def know(**known: str) -> None:
    """Say what is true of everything that is logged from now on in this request: its thread, or its task."""
    structlog.contextvars.bind_contextvars(**known)


def begin(**known: str) -> str:
    """Begin a request in this thread, forget what was known of the one before, and return its new request id."""
    structlog.contextvars.clear_contextvars()
    request_id = uuid.uuid4().hex
    know(request_id=request_id, **known)
    return request_id


def request_id() -> str:
    """The id of the request that is served here; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def _with_context(record: logging.LogRecord) -> bool:
    # Here and not when the line is formed: that happens in another thread.
    for name, value in structlog.contextvars.get_contextvars().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


_Event = MutableMapping[str, Any]


def _time_and_place(_logger: object, _method: str, event: _Event) -> _Event:
    record: logging.LogRecord = event["_record"]
    event["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
    event["level"], event["logger"] = record.levelname, record.name
    return event


def _without_people(_logger: object, _method: str, event: _Event) -> _Event:
    for name in _PEOPLE:
        event.pop(name, None)
    if "actor" in event:  # what comes after the way is a person's address; but behind `api`, the name of a key
        way, _, _ = str(event["actor"]).partition("/")
        event["actor"] = event["actor"] if way == "api" else way
    return event


def _failure(_logger: object, _method: str, event: _Event) -> _Event:
    if failure := _taken(event):
        event["exception"] = "".join(traceback.format_exception(*failure)).rstrip()
    return event


def _failure_without_message(_logger: object, _method: str, event: _Event) -> _Event:
    if failure := _taken(event):  # whose message may name whom it was about
        kind, _, places = failure
        event["exception"] = "".join([*traceback.format_tb(places), kind.__name__])
    return event


def _taken(event: _Event) -> Any:
    return event.pop("exc_info", None) or event["_record"].exc_info


def _in_order(_logger: object, _method: str, event: _Event) -> _Event:
    return {name: event[name] for name in _FIRST if name in event} | dict(event)


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
