"""Opens the database: engines, the unit of work and migrations. The only place that commits.

SQLite is driven by `pysqlite3` where it has a wheel, because SQLite before 3.51.3 can corrupt a database in WAL mode
(two connections writing and checkpointing at once); with an older SQLite the journal is a rollback journal and
`synchronous=EXTRA`. Writers begin with `BEGIN IMMEDIATE` under one file lock beside the database, in turn: SQLite's own
busy handler starves writers, and its deferred transactions let two writers read the same balance.
"""

import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import ModuleType
from typing import Any, TypeVar

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from credits_core.errors import InvalidRequest
from credits_core.store.refusals import DatabaseNotReady

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

try:
    import pysqlite3 as _newer_sqlite
except ImportError:  # no wheel for this platform
    _newer_sqlite = sqlite3

Result = TypeVar("Result")
_WAL_IS_SAFE_FROM = (3, 51, 3)
_POSTGRES_ATTEMPTS = 5
_IDLE_SECONDS = 1
_LONGEST_WAIT_SECONDS, _BETWEEN_LOOKS_SECONDS = 5, 0.005
_MIGRATION_LOCK = 7_267_473  # any number that nothing else locks
_KEY_CONSTRAINT = "uq_journal_entries_idempotency_key"
_RETRIED_SQLSTATES = {"40001", "40P01"}  # serialization failure, deadlock


def sqlite_driver() -> ModuleType:
    """The driver module for SQLite: `pysqlite3` or `sqlite3`, whichever has the newer SQLite."""
    if _newer_sqlite.sqlite_version_info > sqlite3.sqlite_version_info:
        driver: ModuleType = _newer_sqlite
        return driver
    return sqlite3


def create_engine_for(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql://…`, whose connections are set up for the ledger.

    Raises:
        InvalidRequest: the URL cannot be read, names another kind of database, or a file in a missing folder.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a ValueError when the port is no number
        raise InvalidRequest("CREDITS_DATABASE_URL", "must be a URL such as sqlite:///data/credits.db") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return _postgres_engine(parsed.set(drivername="postgresql+psycopg"))
    if backend != "sqlite":
        raise InvalidRequest(
            "CREDITS_DATABASE_URL", f"must begin with sqlite:/// or postgresql://, not {parsed.drivername}"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InvalidRequest(
            "CREDITS_DATABASE_URL", "must name a file, so that every connection uses the same database"
        )
    if parsed.query:  # with uri=true the file would not be the one whose lock is taken
        raise InvalidRequest(
            "CREDITS_DATABASE_URL", "must end after the file name: the ledger sets SQLite's options itself"
        )
    if not Path(parsed.database).parent.is_dir():
        raise InvalidRequest(
            "CREDITS_DATABASE_URL", f"names {parsed.database}, but its folder does not exist: create the folder"
        )
    engine = create_engine(
        parsed.set(drivername="sqlite"), module=sqlite_driver(), connect_args={"timeout": 30}, pool_reset_on_return=None
    )
    event.listen(engine, "connect", set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres_engine(url: URL) -> Engine:
    engine = create_engine(url)

    # A connection may have been lost while nobody used it. One that was just in use is asked only if the server has
    # said something by itself, as it does when it ends: to ask takes as long as a statement of a charge.
    @event.listens_for(engine, "checkin")
    def note_when(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask_after_idling(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        has_idled = time.monotonic() - record.info.get("used_at", time.monotonic()) > _IDLE_SECONDS
        if has_idled or connection.closed or _has_news(connection):
            try:
                engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise DisconnectionError from error  # the pool makes a new connection

    return engine


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    with DefaultSelector() as selector:
        selector.register(connection.fileno(), EVENT_READ)
        return bool(selector.select(0))


def set_up_sqlite(connection: Any, _record: object = None) -> None:
    """Set up a new connection of the SQLite driver for the ledger: durable writes, foreign keys and triggers on."""
    connection.isolation_level = None  # the driver must not begin transactions of its own
    is_wal_safe = sqlite_driver().sqlite_version_info >= _WAL_IS_SAFE_FROM
    connection.execute(f"PRAGMA journal_mode = {'WAL' if is_wal_safe else 'DELETE'}")
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_wal_safe else 'EXTRA'}")
    connection.execute("PRAGMA cache_size = -64000")  # 64 MB: 2 MB, the default, does not hold 100,000 entries' keys
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")


def _begin_sqlite(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("credits_writer", False)
    driver_connection: Any = connection.connection.driver_connection  # exec_driver_sql costs 40 µs more
    statement = "BEGIN IMMEDIATE" if is_writer else "BEGIN"
    try:
        driver_connection.execute(statement)
    except sqlite_driver().OperationalError as error:  # SQLAlchemy would have wrapped it like this
        raise OperationalError(statement, None, error) from error


def write(engine: Engine, action: Callable[[Connection], Result]) -> Result:
    """Run the action in one unit of work and return its result once that is durably committed. An error undoes it all.

    On PostgreSQL an action that lost a deadlock, a serialization race or a race for an idempotency key runs again, at
    most five times in all; it must therefore have no effect outside the database. Do nothing slow in it, and no `st.*`
    call.
    """
    for attempt in range(1, _POSTGRES_ATTEMPTS + 1):
        try:
            with _write_lock(engine), _writer(engine).begin() as connection:
                return action(connection)
        except (psycopg.Error, DBAPIError) as error:
            if not _is_lost_race(error) or attempt == _POSTGRES_ATTEMPTS:
                raise
            # A random wait, so that two that collided do not collide again.
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - not a secret
    raise AssertionError("the last attempt returns or raises")


def _is_lost_race(error: psycopg.Error | DBAPIError) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return cause.diag.constraint_name == _KEY_CONSTRAINT
    return getattr(cause, "sqlstate", None) in _RETRIED_SQLSTATES


@lru_cache(maxsize=16)
def _writer(engine: Engine) -> Engine:
    return engine.execution_options(credits_writer=True)


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; everything read through it is one consistent snapshot."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def read_twice(engine: Engine) -> Iterator[tuple[Connection, Connection]]:
    """Two connections for reading in two threads, with the same snapshot. Writers wait a moment until both have it."""
    with read(engine) as one, read(engine) as other:
        if engine.dialect.name == "postgresql":
            snapshot = one.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            other.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshot}'"))
        else:
            with _write_lock(engine):
                for connection in (one, other):
                    connection.execute(text("SELECT 1 FROM sqlite_master")).first()
        yield one, other


def outlasts(under_way: Callable[[], set[str]]) -> bool:
    """Wait for those that are under way now, not for who comes later; False when one of them is for very long.

    `under_way` names those of each moment.
    """
    waited_for, until = under_way(), time.monotonic() + _LONGEST_WAIT_SECONDS
    while waited_for := waited_for & under_way():
        if time.monotonic() > until:
            return False
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    return True


@contextmanager
def alone(engine: Engine, name: str, number: int) -> Iterator[bool]:
    """Whether nobody else, in any process, is in such a block of this name; then nobody enters one until it ends.

    A process that is killed is out of it. `number` says the same as the name, on PostgreSQL.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_alone = connection.execute(text(f"SELECT pg_try_advisory_lock({number})")).scalar_one()
            try:
                yield bool(is_alone)
            finally:
                if is_alone:
                    connection.execute(text(f"SELECT pg_advisory_unlock({number})"))
        return
    if fcntl is None:
        yield True
        return
    lock_file = os.open(f"{engine.url.database}.{name}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _takes(lock_file)
    finally:
        os.close(lock_file)


def _takes(lock_file: int) -> bool:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _write_lock(engine: Engine) -> Iterator[None]:
    # Whoever waits for the lock holds the queue: a writer that has just given the lock back, and wants it again before
    # the one that waits has woken up, comes after that one.
    if engine.dialect.name != "sqlite" or fcntl is None:
        yield
        return
    with ExitStack() as queue:
        queue.enter_context(_file_lock(f"{engine.url.database}.queue"))
        with _file_lock(f"{engine.url.database}.lock"):
            queue.close()
            yield


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    # A lock of the file's own open description: it excludes threads as well as processes, and the kernel drops it when
    # a process dies.
    lock_file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock_file)


def _alembic_config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest migration. Safe to repeat and to run twice at once; on an up-to-date database it
    changes nothing.
    """

    def to_head(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        upgrade(connection, "head")

    write(engine, to_head)
    if engine.dialect.name == "sqlite":
        # The connection that has changed the schema stays slow: on it a charge takes twice as long as on a new one.
        engine.dispose()


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the schema up to this migration, or to the newest ("head"), in the caller's unit of work."""
    command.upgrade(_alembic_config(connection), revision)


def require_migrated(engine: Engine) -> None:
    """Check that the schema is at the newest migration.

    Raises:
        DatabaseNotReady: it is not; the message says what to run.
    """
    found = None
    if not _is_missing_file(engine):  # connecting would create the file
        with read(engine) as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    if found != _newest_migration():
        raise DatabaseNotReady(found, _newest_migration())


@lru_cache(maxsize=1)
def _newest_migration() -> str:
    return str(ScriptDirectory.from_config(_alembic_config()).get_current_head())


def newest_migration() -> str:
    """The newest migration that this version knows, such as 0018."""
    return _newest_migration()


def knows_migration(revision: str) -> bool:
    """Whether this version can bring a database at this migration to the newest one."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_alembic_config()).walk_revisions()}


def _is_missing_file(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists()


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """An engine for this database, at any migration. Its connections are closed at the end."""
    engine = create_engine_for(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_ledger(url: str) -> Iterator[Engine]:
    """An engine as `opened` gives, for a database at the newest migration.

    Raises:
        DatabaseNotReady: it is not; the message says what to run.
    """
    with opened(url) as engine:
        require_migrated(engine)
        yield engine
