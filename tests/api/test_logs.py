"""The log's lines are written a little later, in their order, and none is lost."""

import io
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from credits_core.api import logs
from credits_core.api.logs import LaterHandler


class Stream(io.StringIO):
    """A stream that counts how often it is flushed, and waits while it is held."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = 0
        self.free = threading.Event()
        self.free.set()
        self.wrote = threading.Event()

    def write(self, text: str) -> int:
        assert self.free.wait(60)
        return super().write(text)

    def flush(self) -> None:
        self.flushed += 1
        self.wrote.set()


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def log(stream: Stream) -> Iterator[logging.Logger]:
    log = logging.getLogger("tests.later")
    handler = LaterHandler(stream)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    yield log
    stream.free.set()
    log.removeHandler(handler)


def test_lines_are_written_by_themselves_in_their_order(stream: Stream, log: logging.Logger) -> None:
    for number in range(50):
        log.info("line %d", number)
    assert stream.wrote.wait(60)
    log.handlers[0].flush()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(50)]


def test_who_logs_does_not_wait_for_the_stream(stream: Stream, log: logging.Logger) -> None:
    stream.free.clear()
    log.info("one")
    log.info("two")  # would never come back
    assert stream.getvalue() == ""
    stream.free.set()
    assert stream.wrote.wait(60)


def test_a_warning_is_written_at_once_after_what_waits(stream: Stream, log: logging.Logger) -> None:
    log.info("one")
    log.warning("two")
    assert stream.getvalue() == "one\ntwo\n"


def test_who_logs_waits_for_the_stream_when_too_many_lines_wait(
    stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_MOST_WAITING", 3)
    monkeypatch.setattr(logs, "_SECONDS", 600)
    for number in range(5):
        log.info("line %d", number)
    assert stream.getvalue() == "line 0\nline 1\nline 2\n"
    logging.shutdown([lambda: log.handlers[0]])  # type: ignore[list-item]
    assert stream.getvalue().splitlines()[3:] == ["line 3", "line 4"]


def test_a_closed_stream_stops_nobody(stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stream.close()
    log.warning("one")


class Broken(Exception):
    pass


class Bad:
    def __str__(self) -> str:
        raise Broken


@pytest.mark.parametrize(("text", "bad"), [("%d", "no number"), ("%s", Bad())])
def test_a_record_of_which_no_line_can_be_formed_takes_no_other_with_it(
    stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch, text: str, bad: object
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(logs, "_SECONDS", 600)
    log.info("one")
    log.info(text, bad)
    log.warning("two")
    assert stream.getvalue() == "one\ntwo\n"


@pytest.mark.parametrize(("text", "bad"), [("%d", "no number"), ("%s", Bad())])
def test_lines_are_still_written_by_themselves_after_a_bad_record(
    stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch, text: str, bad: object
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info(text, bad)
    time.sleep(0.2)
    log.info("two")
    for _ in range(300):
        if stream.getvalue():
            break
        time.sleep(0.1)
    assert stream.getvalue() == "two\n"
