"""The log: lines of JSON, a little later, in their order, none lost; people are named only where they may be."""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from credits_core import logs
from credits_core.errors import InvalidRequest
from credits_core.logs import LaterHandler

Line = dict[str, Any]


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


@pytest.fixture
def lines(stream: Stream, log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Line]]]:
    """What was logged, as the product logs it, with the names of people unless `CREDITS_LOG_PEOPLE` is 0."""
    monkeypatch.setattr(logging.getLogger("promptflow"), "handlers", [])
    monkeypatch.setattr(logging.getLogger("promptflow"), "propagate", True)

    def logged() -> list[Line]:
        logging.getLogger("promptflow").handlers[0].flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield logged
    structlog.contextvars.clear_contextvars()


def fail(user_id: str) -> None:
    raise ValueError(f"{user_id} cannot be")


def log_a_failure(of: str = "ada") -> None:
    try:
        fail(of)
    except ValueError:
        logging.getLogger("promptflow.api").exception("the call failed")


def test_a_line_is_one_json_object_that_begins_with_when_where_and_what(
    stream: Stream, lines: Callable[[], list[Line]]
) -> None:
    logs.configure(stream)
    logs.know(request_id="r1")
    logging.getLogger("promptflow.api").info("written", extra={"entry_id": 4, "actor": "api/marketplace"})
    assert [*lines()[0]][:5] == ["time", "level", "logger", "message", "request_id"]
    (line,) = lines()
    assert datetime.now(UTC) - datetime.fromisoformat(line.pop("time")) < timedelta(minutes=1)
    assert line == {
        "level": "INFO",
        "logger": "promptflow.api",
        "message": "written",
        "request_id": "r1",
        "actor": "api/marketplace",
        "entry_id": 4,
    }


def test_a_second_configuration_writes_nothing_twice(stream: Stream, lines: Callable[[], list[Line]]) -> None:
    logs.configure(stream)
    logs.configure(stream)
    logging.getLogger("promptflow.dashboard").info("refused")
    assert len(lines()) == 1


def test_what_is_logged_in_one_request_has_its_id_and_the_next_one_another(
    stream: Stream, lines: Callable[[], list[Line]]
) -> None:
    logs.configure(stream)
    first = logs.begin(command="verify")
    logging.getLogger("promptflow.ledger").info("one")
    logging.getLogger("promptflow.api").info("two", extra={"request_id": "its own"})
    second = logs.begin()
    logging.getLogger("promptflow.ledger").info("three")
    found = [(line["message"], line["request_id"], line.get("command")) for line in lines()]
    assert found == [("one", first, "verify"), ("two", "its own", "verify"), ("three", second, None)]
    assert logs.request_id() == second != first


def test_a_failure_is_one_line_with_its_traceback(stream: Stream, lines: Callable[[], list[Line]]) -> None:
    logs.configure(stream)
    log_a_failure()
    (line,) = lines()
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert line["exception"].endswith("ValueError: ada cannot be")


def test_without_people_no_line_names_one(
    stream: Stream, lines: Callable[[], list[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_LOG_PEOPLE", "0")
    logs.configure(stream)
    of = {"user_id": "ada", "creator_id": "ada", "account_id": "ada", "refusal": "ada has 5 credits", "code": "poor"}
    of["said"] = "1 of 24 invariants is broken: ada has 5 credits"  # what a job says at its end
    logging.getLogger("promptflow.dashboard").info("refused", extra={**of, "actor": "dashboard/ada@example.org"})
    logging.getLogger("promptflow.api").info("written", extra={"actor": "api/marketplace"})
    log_a_failure()
    assert "ada" not in stream.getvalue() + json.dumps(lines())
    refused, written, failed = lines()
    assert (refused["code"], refused["actor"], written["actor"]) == ("poor", "dashboard", "api/marketplace")
    assert failed["exception"].endswith("ValueError")
    assert "in fail" in failed["exception"]
    assert "names_people" not in failed


@pytest.mark.usefixtures("lines")
def test_whether_people_are_named_is_zero_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_LOG_PEOPLE", "no")
    with pytest.raises(InvalidRequest, match="CREDITS_LOG_PEOPLE: must be 0 or 1"):
        logs.configure(io.StringIO())
