"""Calls are written in the background: soon, at the end, and without holding anybody up."""

import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from credits_core.access import call_log
from credits_core.access.call_log import CallLog
from credits_core.access.calls import Call
from credits_core.errors import InvalidRequest
from credits_core.store import database
from tests.support.plain_sql import rows
from tests.support.waiting import wait_until

AT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def call(request_id: str) -> Call:
    return Call(AT, "GET", "/models", 200, "", 1.0, request_id)


def kept(engine: Engine) -> list[object]:
    return [request_id for (request_id,) in rows(engine, "SELECT request_id FROM api_calls ORDER BY id")]


def test_calls_are_written_within_a_moment_and_the_last_ones_at_the_end(engine: Engine) -> None:
    log = CallLog(lambda: engine, kept=10)
    log.note(call("r1"))
    wait_until(lambda: kept(engine) == ["r1"])
    log.note(call("r2"))
    log.note(call("r3"))
    log.close()
    assert kept(engine) == ["r1", "r2", "r3"]


def test_two_processes_keep_the_newest_of_both(engine: Engine) -> None:
    for number in range(1, 4):
        log = CallLog(lambda: engine, kept=4)
        log.note(call(f"a{number}"))
        log.note(call(f"b{number}"))
        log.close()
    assert kept(engine) == ["a2", "b2", "a3", "b3"]


def test_none_is_kept_where_none_shall_be(engine: Engine) -> None:
    log = CallLog(lambda: engine, kept=0)
    log.note(call("r1"))
    log.close()
    assert kept(engine) == []


def test_nobody_waits_for_a_database_that_stands_still(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "_SECONDS_TO_END", 0.1)
    monkeypatch.setattr(call_log, "_SECONDS_BETWEEN", 0.01)
    held, let_go = threading.Event(), threading.Event()

    def stand_still() -> None:
        def lock(connection: object) -> None:
            if engine.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE api_calls IN ACCESS EXCLUSIVE MODE"))  # type: ignore[attr-defined]
            held.set()
            let_go.wait(120)

        database.write(engine, lock)

    holder = threading.Thread(target=stand_still)
    holder.start()
    assert held.wait(120)
    log = CallLog(lambda: engine, kept=5_000)
    try:
        began = time.perf_counter()
        for number in range(3_000):
            log.note(call(f"r{number}"))
        log.close()
        assert time.perf_counter() - began < 5
        assert log._thread is not None
        assert log._thread.is_alive()
    finally:
        let_go.set()
        holder.join(120)
    log._thread.join(120)
    assert "r2999" in kept(engine)


def test_the_oldest_drop_out_while_the_database_cannot_be_written(
    sqlite_engine: Engine, api_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_log, "_SECONDS_BETWEEN", 0.01)
    asked, is_open = threading.Semaphore(0), threading.Event()

    def engine() -> Engine:
        asked.release()
        if not is_open.is_set():
            raise InvalidRequest("CREDITS_DATABASE_URL", "cannot be opened")
        return sqlite_engine

    log = CallLog(engine, kept=5_000)
    for number in range(3):
        log.note(call(f"r{number}"))
        assert asked.acquire(timeout=120)  # it has tried
    for number in range(3, 2_004):
        log.note(call(f"r{number}"))
        if number % 500 == 0:
            wait_until(lambda: not log._waiting)
    wait_until(lambda: not log._waiting)
    is_open.set()
    log.note(call("last"))
    log.close()
    # 2,005 were noted and 2,000 may wait.
    assert kept(sqlite_engine) == [*(f"r{number}" for number in range(5, 2_004)), "last"]
    records = dict.fromkeys(api_log.records)  # the fixture may hear each of them twice
    said = [(record.getMessage(), getattr(record, "dropped_calls", None)) for record in records]
    assert said == [
        ("the calls cannot be written to the list of calls", None),
        ("calls are missing in the list of calls", 5),
    ]


def test_a_call_that_cannot_be_noted_in_time_drops_the_oldest(sqlite_engine: Engine) -> None:
    log = CallLog(lambda: sqlite_engine, kept=5_000)
    log._closing.set()  # it writes once, at the end
    log._thread = threading.Thread(target=log._write_now_and_then)
    for number in range(call_log.MOST_WAITING + 2):
        log.note(call(f"r{number}"))
    log._thread.start()
    log.close()
    assert kept(sqlite_engine)[0] == "r2"
    assert len(kept(sqlite_engine)) == 2_000
