"""The edge to the database: how connections are set up, and what a unit of work and a snapshot promise."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from credits_core.errors import InvalidRequest
from credits_core.ledger import writer
from credits_core.store import database, deadline
from tests.support import plain_sql, world
from tests.support.plain_sql import balance, rows, scalar
from tests.support.world import HAIKU

WAL_IS_SAFE_FROM = (3, 51, 3)


# --- connections ----------------------------------------------------------------------------------------------------


def _pragmas(connection: Connection) -> dict[str, object]:
    names = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
    return {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names}


@pytest.mark.skipif(
    database.sqlite_driver().sqlite_version_info < WAL_IS_SAFE_FROM, reason="no SQLite here whose WAL mode is safe"
)
def test_every_sqlite_connection_is_durable_and_keeps_its_rules(sqlite_engine: Engine) -> None:
    with ExitStack() as open_at_once:
        for connection in [open_at_once.enter_context(sqlite_engine.connect()) for _ in range(3)]:
            # synchronous 2 is FULL: an acknowledged charge survives a power failure.
            assert _pragmas(connection) == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "recursive_triggers": 1,
            }


@pytest.mark.skipif(sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM, reason="Python's own SQLite is a newer one here")
def test_an_sqlite_whose_wal_can_corrupt_gets_a_rollback_journal(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_newer_sqlite", sqlite3)  # as where pysqlite3 has no wheel
    engine = database.create_engine_for(sqlite_url)
    try:
        world.add(engine, "ada", 1_000, key="k-1")
        assert world.charge(engine, HAIKU, key="k-2").balance_after("ada") == 700
        with engine.connect() as connection:
            # synchronous 3 is EXTRA, which a rollback journal needs to be durable.
            assert _pragmas(connection) == {
                "journal_mode": "delete",
                "synchronous": 3,
                "foreign_keys": 1,
                "recursive_triggers": 1,
            }
        assert plain_sql.contradictions(engine) == []
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "credits.db",
        "data/credits.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////no/such/folder/credits.db",
        "mysql://localhost/credits",
        "postgres://localhost/credits",
        "postgresql://localhost:many/credits",
        "://",
        "sqlite:///credits.db?uri=true",
        "sqlite:///credits.db?timeout=1",
    ],
)
def test_a_url_that_names_no_sqlite_file_and_no_postgres_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        database.create_engine_for(url)
    assert caught.value.field == "CREDITS_DATABASE_URL"


def test_a_postgres_url_is_used_with_the_installed_driver_whatever_driver_it_names(postgres_url: str) -> None:
    for scheme in ("postgresql", "postgresql+psycopg2", "postgresql+psycopg"):
        engine = database.create_engine_for(postgres_url.replace("postgresql:", f"{scheme}:"))
        assert engine.url.drivername == "postgresql+psycopg"
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        engine.dispose()


def test_a_server_that_dropped_our_connections_is_connected_to_again(postgres_engine: Engine) -> None:
    world.add(postgres_engine, "ada", 1_000, key="k-1")
    url = postgres_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with closing(psycopg.connect(url, autocommit=True)) as admin:
        admin.execute(f"SELECT pg_terminate_backend(pid) {others}")
        until = time.monotonic() + 120
        while admin.execute(f"SELECT COUNT(*) {others}").fetchone() != (0,):
            assert time.monotonic() < until, "the server does not end our connections"
            time.sleep(0.01)
    assert world.charge(postgres_engine, HAIKU, key="k-2").balance_after("ada") == 700


# --- a unit of work -------------------------------------------------------------------------------------------------


def _open(user_id: str) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(
        text("INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES (:id, 0, 0)"), {"id": user_id}
    )


def test_a_unit_of_work_is_committed_when_the_action_returns(engine: Engine) -> None:
    assert database.write(engine, lambda connection: (_open("ada")(connection), "done")[1]) == "done"
    assert rows(engine, "SELECT user_id FROM user_credits") == [("ada",)]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_unit_of_work_that_fails_leaves_nothing(engine: Engine, failure: type[BaseException]) -> None:
    def open_and_fail(connection: Connection) -> None:
        _open("ada")(connection)
        raise failure

    with pytest.raises(failure):
        database.write(engine, open_and_fail)
    assert rows(engine, "SELECT user_id FROM user_credits") == []
    database.write(engine, _open("ben"))  # and nothing is left locked
    assert rows(engine, "SELECT user_id FROM user_credits") == [("ben",)]


def test_a_statement_that_the_database_refuses_is_not_tried_again(engine: Engine) -> None:
    attempts = []

    def open_twice(connection: Connection) -> None:
        attempts.append(1)
        for _ in range(2):
            connection.execute(
                text("INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', 0, 0)")
            )

    with pytest.raises(IntegrityError):
        database.write(engine, open_twice)
    assert len(attempts) == 1
    assert rows(engine, "SELECT user_id FROM user_credits") == []


def _through_sqlalchemy(connection: Connection, sql: str) -> None:
    connection.execute(text(sql))


def _through_the_driver(connection: Connection, sql: str) -> None:
    driver_connection = connection.connection.driver_connection
    assert isinstance(driver_connection, psycopg.Connection)
    driver_connection.execute(sql.encode())


@pytest.mark.parametrize("execute", [_through_sqlalchemy, _through_the_driver])
@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_lost_race_on_postgres_is_run_again_up_to_five_times(
    postgres_engine: Engine, sqlstate: str, execute: Callable[[Connection, str], None]
) -> None:
    lose = f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{sqlstate}'; END $$"
    attempts: list[str] = []

    def lose_four_times(connection: Connection) -> str:
        attempts.append(f"user-{len(attempts)}")
        _open(attempts[-1])(connection)
        if len(attempts) < 5:
            execute(connection, lose)
        return attempts[-1]

    assert database.write(postgres_engine, lose_four_times) == "user-4"
    assert rows(postgres_engine, "SELECT user_id FROM user_credits") == [("user-4",)]

    def always_lose(connection: Connection) -> None:
        attempts.append("again")
        _open("again")(connection)
        execute(connection, lose)

    attempts.clear()
    with pytest.raises((DBAPIError, psycopg.Error), match="lost"):
        database.write(postgres_engine, always_lose)
    assert attempts == ["again"] * 5
    assert rows(postgres_engine, "SELECT user_id FROM user_credits") == [("user-4",)]


@pytest.mark.parametrize("execute", [_through_sqlalchemy, _through_the_driver])
def test_another_failure_on_postgres_is_not_run_again(
    postgres_engine: Engine, execute: Callable[[Connection, str], None]
) -> None:
    attempts = []

    def fail(connection: Connection) -> None:
        attempts.append(1)
        execute(connection, "SELECT 1 / 0")

    with pytest.raises((DBAPIError, psycopg.Error), match="division by zero"):
        database.write(postgres_engine, fail)
    assert len(attempts) == 1


@pytest.mark.as_owner
def test_a_real_deadlock_on_postgres_ends_with_both_units_of_work_done(postgres_engine: Engine) -> None:
    for user_id in ("ada", "ben"):
        world.add(postgres_engine, user_id, 100, key=f"fund-{user_id}")
    both_hold_one = threading.Barrier(2)
    waits = {"ada": True, "ben": True}

    def take_two(first: str, second: str) -> None:
        def take(connection: Connection) -> None:
            connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            for user_id in (first, second):
                connection.execute(
                    text("UPDATE user_credits SET balance_credits = balance_credits - 1 WHERE user_id = :user"),
                    {"user": user_id},
                )
                if waits.pop(first, False):  # in the first attempt alone
                    both_hold_one.wait(120)

        database.write(postgres_engine, take)

    other = threading.Thread(target=take_two, args=("ben", "ada"))
    other.start()
    take_two("ada", "ben")
    other.join()
    assert (balance(postgres_engine, "ada"), balance(postgres_engine, "ben")) == (98, 98)


def test_writers_on_one_sqlite_file_wait_for_each_other(sqlite_engine: Engine) -> None:
    steps = []
    entered, may_leave = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        entered.set()
        may_leave.wait(120)
        steps.append("slow")

    first = threading.Thread(target=database.write, args=(sqlite_engine, slow))
    second = threading.Thread(target=database.write, args=(sqlite_engine, lambda _: steps.append("quick")))
    first.start()
    assert entered.wait(120)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert steps == []
    may_leave.set()
    first.join()
    second.join()
    assert steps == ["slow", "quick"]


def test_a_writer_holds_the_sqlite_file_from_its_beginning(sqlite_engine: Engine) -> None:
    # Before its first statement, so that nobody else can change what it is about to read.
    path = str(sqlite_engine.url.database)

    def look_from_outside(_: Connection) -> None:
        driver = database.sqlite_driver()
        plain = driver.connect(path, timeout=0, isolation_level=None)
        with closing(plain), pytest.raises(driver.OperationalError, match="locked"):
            plain.execute("BEGIN IMMEDIATE")

    database.write(sqlite_engine, look_from_outside)


def test_a_file_that_another_program_keeps_locked_is_named_as_every_failure_of_the_database(
    sqlite_engine: Engine,
) -> None:
    driver = database.sqlite_driver()
    other = driver.connect(str(sqlite_engine.url.database), isolation_level=None)
    with closing(other), sqlite_engine.connect() as ours:
        other.execute("BEGIN IMMEDIATE")
        with deadline.within(0), pytest.raises(OperationalError, match="locked"):
            ours.execution_options(credits_writer=True).begin()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_writers_queue_at_a_lock_file_that_a_killed_one_cannot_leave_locked(sqlite_engine: Engine) -> None:
    import fcntl  # not on Windows

    with Path(f"{sqlite_engine.url.database}.lock").open("w") as lock_file:

        def try_the_lock(_: Connection) -> None:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)

        database.write(sqlite_engine, try_the_lock)
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_a_writer_that_comes_again_at_once_comes_after_the_one_that_waits(sqlite_engine: Engine) -> None:
    steps: list[str] = []
    waiting = threading.Thread(target=database.write, args=(sqlite_engine, lambda _: steps.append("who waited")))

    def first(_: Connection) -> None:
        waiting.start()
        _wait_for_a_queue(sqlite_engine)
        steps.append("first")

    database.write(sqlite_engine, first)
    database.write(sqlite_engine, lambda _: steps.append("again"))
    waiting.join()
    assert steps == ["first", "who waited", "again"]


def _wait_for_a_queue(engine: Engine) -> None:
    """Until a unit of work waits for the lock."""
    import fcntl  # not on Windows

    until = time.monotonic() + 120
    while True:
        with Path(f"{engine.url.database}.queue").open("w") as queue:
            try:
                fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        assert time.monotonic() < until, "nobody waits"
        time.sleep(0.005)


# --- a snapshot -----------------------------------------------------------------------------------------------------


def test_everything_read_together_is_one_snapshot(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    with database.read(engine) as connection:
        assert writer.balance_of(connection, "ada") == 1_000
        world.charge(engine, HAIKU, key="k-2")
        world.add(engine, "ben", 5, key="k-3")
        assert writer.balance_of(connection, "ada") == 1_000
        assert writer.circulating_credits(connection) == 1_000
        assert connection.execute(text("SELECT COUNT(*) FROM prompt_runs")).scalar_one() == 0
    with database.read(engine) as connection:
        assert writer.balance_of(connection, "ada") == 700
        assert writer.circulating_credits(connection) == 705


def test_a_reader_is_not_held_up_by_a_writer_and_sees_nothing_unfinished(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="k-1")

    def charge_and_look(connection: Connection) -> None:
        connection.execute(text("UPDATE user_credits SET balance_credits = 1"))
        with database.read(engine) as reader:
            assert writer.balance_of(reader, "ada") == 1_000
        connection.execute(text("UPDATE user_credits SET balance_credits = 1000"))

    database.write(engine, charge_and_look)


def test_a_write_after_a_snapshot_is_at_the_usual_isolation_again(postgres_engine: Engine) -> None:
    with database.read(postgres_engine) as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
    isolation = database.write(
        postgres_engine, lambda connection: connection.execute(text("SHOW transaction_isolation")).scalar_one()
    )
    assert isolation == "read committed"


# --- beside the dashboard -------------------------------------------------------------------------------------------


def test_a_process_that_only_imports_the_ledger_opens_no_database(tmp_path: Path) -> None:
    script = "import credits_core.ledger.actions, credits_core.audit.invariants, credits_core.reports.daily_totals"
    folder = Path(database.__file__).parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(folder), "CREDITS_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=tmp_path, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_the_driver_is_the_newer_of_the_two_sqlites() -> None:
    assert database.sqlite_driver().sqlite_version_info >= sqlite3.sqlite_version_info


def test_a_write_survives_closing_every_connection(sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 1_000, key="k-1")
    sqlite_engine.dispose()
    plain = database.sqlite_driver().connect(f"file:{sqlite_engine.url.database}?mode=ro", uri=True)
    with closing(plain):
        assert plain.execute("SELECT balance_credits FROM user_credits").fetchall() == [(1_000,)]
    assert scalar(sqlite_engine, "SELECT COUNT(*) FROM journal_entries") == 1
