"""Nothing that waits for the database waits past the deadline, and it is told whether anything was done."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from credits_core.store import database, deadline
from credits_core.store.deadline import Deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting
from credits_core.store.turns import Turns
from tests.support import world
from tests.support.plain_sql import balance
from tests.support.standing_still import standing_still

NOTHING_DONE = (
    "The database was busy for too long. Nothing was charged or changed. Send the same request again in a moment."
)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads to wait in."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


def _take_one(connection: Connection) -> None:
    # An update of one column, as the product's role may do.
    connection.execute(text("UPDATE user_credits SET balance_credits = balance_credits - 1 WHERE user_id = 'ada'"))


def _give_back(connection: Connection) -> None:
    connection.execute(text("UPDATE user_credits SET balance_credits = balance_credits + 1 WHERE user_id = 'ada'"))


@contextmanager
def _one_writes(engine: Engine, threads: ThreadPoolExecutor) -> Iterator[Future[None]]:
    """Somebody is amid a unit of work that has ada's row, without a deadline, until the block ends."""
    is_inside, may_end = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        _take_one(connection)
        is_inside.set()
        may_end.wait(120)
        _give_back(connection)

    writing = threads.submit(database.write, engine, slowly)
    assert is_inside.wait(120)
    try:
        yield writing
    finally:
        may_end.set()
        writing.result(120)


def _seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def test_a_writer_waits_for_another_one_until_the_deadline_and_no_longer(
    engine: Engine, threads: ThreadPoolExecutor
) -> None:
    world.add(engine, "ada", 100, key="fund")

    def write_in_time() -> None:
        with deadline.within(1), pytest.raises(DeadlinePassed) as caught:
            database.write(engine, _take_one)
        assert str(caught.value) == NOTHING_DONE
        assert not caught.value.may_have_happened

    with _one_writes(engine, threads):
        without_deadline = threads.submit(database.write, engine, _take_one)
        assert 1 <= _seconds(write_in_time) < 2
        assert not without_deadline.done()
    without_deadline.result(120)
    assert balance(engine, "ada") == 99
    with deadline.within(1):
        database.write(engine, _take_one)
    assert balance(engine, "ada") == 98
    database.write(engine, lambda connection: [_give_back(connection) for _ in range(2)])


def test_a_reader_does_not_wait_for_a_writer(engine: Engine, threads: ThreadPoolExecutor) -> None:
    world.add(engine, "ada", 100, key="fund")
    with _one_writes(engine, threads), deadline.within(1), database.read(engine) as connection:
        assert connection.execute(text("SELECT balance_credits FROM user_credits")).scalar_one() == 100


def test_a_file_that_another_program_keeps_locked_is_waited_for_until_the_deadline(sqlite_engine: Engine) -> None:
    other = database.sqlite_driver().connect(str(sqlite_engine.url.database), isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with deadline.within(1), pytest.raises(DeadlinePassed):
            database.write(sqlite_engine, _take_one)
        assert 1 <= time.monotonic() - begun < 2
        other.execute("ROLLBACK")
    with deadline.within(1):
        database.write(sqlite_engine, _take_one)


def _backend(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_server_that_stands_still_holds_nobody_past_the_deadline(postgres_engine: Engine) -> None:
    with database.read(postgres_engine) as connection:
        pid = _backend(connection)  # the connection that is used again

    def read_in_time() -> None:
        with deadline.within(1), pytest.raises(DeadlinePassed), database.read(postgres_engine) as connection:
            connection.execute(text("SELECT 1"))

    with standing_still([pid]):
        assert 1 <= _seconds(read_in_time) < 2
        with deadline.within(5), database.read(postgres_engine) as connection:
            assert _backend(connection) != pid  # the connection that gave no answer was thrown away


@pytest.mark.parametrize("through_the_driver", [True, False])
def test_a_server_that_stands_still_amid_a_unit_of_work_has_done_nothing(
    postgres_engine: Engine, through_the_driver: bool
) -> None:
    world.add(postgres_engine, "ada", 100, key="fund")
    stopped: list[int] = []

    def stop_and_ask(connection: Connection) -> None:
        _take_one(connection)
        stopped.append(_backend(connection))
        os.kill(stopped[0], signal.SIGSTOP)
        if through_the_driver:
            connection.connection.driver_connection.execute("SELECT 1")  # type: ignore[union-attr]
        connection.execute(text("SELECT 1"))

    try:
        with deadline.within(1), pytest.raises(DeadlinePassed) as caught:
            database.write(postgres_engine, stop_and_ask)
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    assert not caught.value.may_have_happened
    database.write(postgres_engine, _take_one)  # waits for the row, if that one still has it
    assert balance(postgres_engine, "ada") == 99
    database.write(postgres_engine, _give_back)


def test_a_server_that_stands_still_at_the_commit_may_have_carried_it_out(postgres_engine: Engine) -> None:
    world.add(postgres_engine, "ada", 100, key="fund")
    stopped: list[int] = []

    def stop_at_the_end(connection: Connection) -> None:
        _take_one(connection)
        _give_back(connection)
        connection.execute(text("UPDATE user_credits SET balance_credits = balance_credits WHERE user_id = 'ada'"))
        stopped.append(_backend(connection))
        os.kill(stopped[0], signal.SIGSTOP)

    try:
        with deadline.within(1), pytest.raises(DeadlinePassed) as caught:
            database.write(postgres_engine, stop_at_the_end)
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    assert caught.value.may_have_happened
    assert "not known yet whether this was carried out" in str(caught.value)


def test_a_unit_of_work_whose_process_stands_still_is_ended_by_the_server(
    postgres_engine: Engine, threads: ThreadPoolExecutor
) -> None:
    world.add(postgres_engine, "ada", 100, key="fund")
    is_inside, others_are_through = threading.Event(), threading.Event()

    def stand_still(connection: Connection) -> None:
        _take_one(connection)
        is_inside.set()
        others_are_through.wait(120)
        _give_back(connection)

    def write_and_stop() -> None:
        with deadline.within(1):
            database.write(postgres_engine, stand_still)

    stopped = threads.submit(write_and_stop)
    assert is_inside.wait(120)
    with deadline.within(60):
        database.write(postgres_engine, _take_one)
    others_are_through.set()
    with pytest.raises(DeadlinePassed) as caught:
        stopped.result(120)
    assert not caught.value.may_have_happened
    assert balance(postgres_engine, "ada") == 99
    database.write(postgres_engine, _give_back)


def test_what_is_done_too_late_is_not_committed(engine: Engine) -> None:
    world.add(engine, "ada", 100, key="fund")

    def take_your_time(connection: Connection) -> None:
        _take_one(connection)
        time.sleep(1.1)

    with deadline.within(1), pytest.raises(DeadlinePassed) as caught:
        database.write(engine, take_your_time)
    assert not caught.value.may_have_happened
    assert balance(engine, "ada") == 100


def _limits(connection: Connection) -> list[str]:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]


def test_the_server_knows_the_deadlines_and_is_told_them_once(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_engine.connect() as connection:
        assert _limits(connection) == ["0", "5min", "0"]
    with deadline.within(3), postgres_engine.connect() as connection:
        assert _limits(connection) == ["4s", "4s", "4s"]
    told: list[object] = []
    monkeypatch.setattr(psycopg.Connection, "execute", lambda *arguments: told.append(arguments))
    with deadline.within(3), postgres_engine.connect() as connection:
        assert _limits(connection) == ["4s", "4s", "4s"]
    assert told == []
    monkeypatch.undo()
    with postgres_engine.connect() as connection:
        assert _limits(connection) == ["0", "5min", "0"]


def test_a_connection_is_waited_for_until_the_deadline_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # which says nothing
        engine = database.create_engine_for(f"postgresql://nobody@127.0.0.1:{mute.getsockname()[1]}/nothing")

        def connect() -> None:
            with deadline.within(1), pytest.raises(DeadlinePassed), database.read(engine) as connection:
                connection.execute(text("SELECT 1"))

        assert 1 <= _seconds(connect) < 4  # the driver waits two seconds at least
        engine.dispose()


def test_so_many_write_at_once_so_many_wait_and_the_next_one_is_told_at_once(threads: ThreadPoolExecutor) -> None:
    turns = Turns(at_once=1, waiting=1)
    is_inside, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with turns.one():
            is_inside.set()
            may_end.wait(120)

    writing = threads.submit(write)
    assert is_inside.wait(120)
    waiting = threads.submit(write)
    until = time.monotonic() + 120
    while turns._inside < 2:
        assert time.monotonic() < until
        time.sleep(0.005)
    with pytest.raises(TooManyWaiting, match="1 requests wait"), turns.one():
        pytest.fail("nobody may be here")
    may_end.set()
    writing.result(120)
    waiting.result(120)
    with turns.one():
        pass


def test_a_turn_that_does_not_come_in_time_is_not_taken() -> None:
    turns = Turns(at_once=1, waiting=1)
    begun = time.monotonic()
    with turns.one(), deadline.within(0), pytest.raises(DeadlinePassed), turns.one():
        pytest.fail("nobody may be here")
    assert time.monotonic() - begun < 1
    with deadline.within(0), turns.one():
        pass  # one that is free is taken at any time


def test_many_who_write_leave_connections_to_those_who_read(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    with ThreadPoolExecutor(30) as threads:
        with _one_writes(engine, threads):
            waiting = [threads.submit(database.write, engine, _take_one) for _ in range(25)]
            with deadline.within(3), database.read(engine) as connection:
                assert connection.execute(text("SELECT balance_credits FROM user_credits")).scalar_one() == 1_000
        for one in waiting:
            one.result(120)
    assert balance(engine, "ada") == 975
    database.write(engine, lambda connection: [_give_back(connection) for _ in range(25)])


def test_a_deadline_holds_inside_of_its_block_and_for_whom_it_is_handed_to(threads: ThreadPoolExecutor) -> None:
    assert deadline.current() is None
    assert (deadline.has_passed(), deadline.remaining(7)) == (False, 7)
    with deadline.within(5):
        outer = deadline.current()
        assert 4 < deadline.remaining() <= 5
        assert deadline.remaining(3) == 3
        with deadline.by(Deadline(time.monotonic() - 1, 8)):
            assert (deadline.has_passed(), deadline.remaining()) == (True, 0)
            with pytest.raises(DeadlinePassed):
                deadline.require_time()
        assert deadline.current() is outer
        assert threads.submit(deadline.current).result(120) is None
    assert deadline.current() is None


def test_each_wait_may_have_a_time_of_its_own_however_long_all_of_it_takes(postgres_engine: Engine) -> None:
    with deadline.each_wait(1):
        time.sleep(1.1)
        assert (deadline.has_passed(), deadline.remaining()) == (False, 1)
        begun = time.monotonic()
        with pytest.raises(OperationalError) as caught:
            _ask_one_that_stands_still(postgres_engine)
        assert 1 <= time.monotonic() - begun < 1.9  # nor is the connection asked to roll back
        assert database.is_out_of_reach(caught.value)


def _ask_one_that_stands_still(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert _limits(connection) == ["2s", "2s", "0"]
        with standing_still([_backend(connection)]):
            connection.execute(text("SELECT 1"))


def test_a_later_deadline_is_as_long_as_before() -> None:
    assert deadline.later(Deadline(100, 8), 5) == Deadline(105, 8)
    assert deadline.later(Deadline(None, 8), 5) == Deadline(None, 8)


SQLITE = database.sqlite_driver()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("SELECT 1", {}, Exception("refused")), True),
        (NoFreeConnection("no connection is free"), True),
        (psycopg.OperationalError("the server is gone"), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (InternalError("INSERT", {}, psycopg.errors.ReadOnlySqlTransaction()), True),
        (SQLITE.OperationalError("attempt to write a readonly database"), True),
        (SQLITE.OperationalError("database or disk is full"), True),
        (PermissionError(13, "credits.db.lock"), True),
        (OSError(24, "Too many open files"), True),
        (SQLITE.DatabaseError("file is not a database"), False),
        (DBAPIError("SELECT 1", {}, SQLITE.DatabaseError("file is not a database")), False),
        (IntegrityError("INSERT", {}, SQLITE.IntegrityError("a rule of the table")), False),
        (psycopg.errors.UniqueViolation(), False),
        (RuntimeError("of ours"), False),
    ],
)
def test_what_says_that_the_database_cannot_be_used_now(error: Exception, expected: bool) -> None:
    assert database.is_out_of_reach(error) is expected
