"""Opens the database: engines, the unit of work and migrations. The only place that commits.

SQLite is driven by `pysqlite3` where it has a wheel, because SQLite before 3.51.3 can corrupt a database in WAL mode
(two connections writing and checkpointing at once); with an older SQLite the journal is a rollback journal and
`synchronous=EXTRA`. Writers begin with `BEGIN IMMEDIATE` under one file lock beside the database, in turn: SQLite's own
busy handler starves writers, and its deferred transactions let two writers read the same balance.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from credits_core.errors import InvalidRequest
from credits_core.store import deadline, file_lock, turns
from credits_core.store.postgres import create_postgres_engine
from credits_core.store.refusals import DatabaseNotReady, DeadlinePassed

try:
    import pysqlite3 as _newer_sqlite
except ImportError:  # no wheel for this platform
    _newer_sqlite = sqlite3

Result = TypeVar("Result")
_WAL_IS_SAFE_FROM = (3, 51, 3)
_POSTGRES_ATTEMPTS = 5
_POOL = {"pool_size": 10, "max_overflow": 10, "pool_timeout": 5}
_SQLITE_WAIT_SECONDS = 30
_LONGEST_WAIT_SECONDS, _BETWEEN_LOOKS_SECONDS = 5, 0.005
_OWN_ALONE = 0o600
_MIGRATION_LOCK = 7_267_473  # any number that nothing else locks
_KEY_CONSTRAINTS = {"uq_journal_entries_idempotency_key", "uq_purchases_idempotency_key"}
_RETRIED_SQLSTATES = {"40001", "40P01"}  # serialization failure, deadlock
_READ_ONLY_SQLSTATE = "25006"
FAILURES = (SQLAlchemyError, psycopg.Error, sqlite3.Error, _newer_sqlite.Error, OSError)
"""What a database raises that cannot do what it was asked: SQLAlchemy, the drivers, and the files."""


def sqlite_driver() -> ModuleType:
    """The driver module for SQLite: `pysqlite3` or `sqlite3`, whichever has the newer SQLite."""
    if _newer_sqlite.sqlite_version_info > sqlite3.sqlite_version_info:
        driver: ModuleType = _newer_sqlite
        return driver
    return sqlite3


def is_wal_safe() -> bool:
    """Whether the driver's SQLite cannot damage a database in WAL mode."""
    return bool(sqlite_driver().sqlite_version_info >= _WAL_IS_SAFE_FROM)


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another kind of database, or an address that cannot be read."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


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
        return create_postgres_engine(parsed.set(drivername="postgresql+psycopg"), **_POOL)
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
        parsed.set(drivername="sqlite"),
        module=sqlite_driver(),
        pool_reset_on_return=None,
        hide_parameters=True,
        **_POOL,
    )
    event.listen(engine, "do_connect", _wait_until_the_deadline)
    event.listen(engine, "connect", set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _wait_until_the_deadline(_dialect: object, _record: object, _unnamed: object, named: dict[str, Any]) -> None:
    named["timeout"] = deadline.remaining(_SQLITE_WAIT_SECONDS)


def set_up_sqlite(connection: Any, _record: object = None) -> None:
    """Set up a new connection of the SQLite driver for the ledger: durable writes, foreign keys and triggers on."""
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute(f"PRAGMA journal_mode = {'WAL' if is_wal_safe() else 'DELETE'}")
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_wal_safe() else 'EXTRA'}")
    connection.execute("PRAGMA cache_size = -64000")  # 64 MB: 2 MB, the default, does not hold 100,000 entries' keys
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")


def _begin_sqlite(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("credits_writer", False)
    driver_connection: Any = connection.connection.driver_connection  # exec_driver_sql costs 40 µs more
    statement = "BEGIN IMMEDIATE" if is_writer else "BEGIN"
    wait_seconds = ceil(deadline.remaining(_SQLITE_WAIT_SECONDS))
    try:
        if connection.info.get("wait_seconds") != wait_seconds:  # mostly a whole deadline, which is one number
            driver_connection.execute(f"PRAGMA busy_timeout = {wait_seconds * 1_000}")
            connection.info["wait_seconds"] = wait_seconds
        driver_connection.execute(statement)
    except sqlite_driver().OperationalError as error:  # SQLAlchemy would have wrapped it like this
        raise OperationalError(statement, None, error) from error


def write(engine: Engine, action: Callable[[Connection], Result]) -> Result:
    """Run the action in one unit of work and return its result once that is durably committed. An error undoes it all.

    On PostgreSQL an action that lost a deadlock, a serialization race or a race for an idempotency key runs again, at
    most five times in all; it must therefore have no effect outside the database. Do nothing slow in it, and no `st.*`
    call.

    Raises:
        DeadlinePassed: the database did not answer in time; says whether the commit may have happened.
        TooManyWaiting: many others of this process wait to write.
    """
    with turns.of(engine).one():
        for attempt in range(1, _POSTGRES_ATTEMPTS + 1):
            deadline.require_time()
            is_committing = False
            try:
                with _write_lock(engine), _writer(engine).begin() as connection:
                    result = action(connection)
                    deadline.require_time()  # who asked has gone, and was told that nothing happened
                    is_committing = True
            except FAILURES as error:
                if deadline.has_passed():
                    raise DeadlinePassed(may_have_happened=is_committing) from error
                if not _is_lost_race(error) or attempt == _POSTGRES_ATTEMPTS:
                    raise
                # A random wait, so that two that collided do not collide again.
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - not a secret
            else:
                return result
    raise AssertionError("the last attempt returns or raises")


def is_out_of_reach(error: BaseException) -> bool:
    """Whether this error says that the database cannot be used now: not reached, not writable, full or too busy."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if getattr(cause, "sqlstate", None) == _READ_ONLY_SQLSTATE:
        return True
    operational = (psycopg.OperationalError, sqlite3.OperationalError, _newer_sqlite.OperationalError)
    return isinstance(error, OperationalError | NoFreeConnection | OSError) or isinstance(cause, operational)


def _is_lost_race(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return cause.diag.constraint_name in _KEY_CONSTRAINTS
    return getattr(cause, "sqlstate", None) in _RETRIED_SQLSTATES


def is_overflow(error: Exception) -> bool:
    """Whether a statement failed because a number, or a sum, passed 64 bits."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.NumericValueOutOfRange) or str(cause) == "integer overflow"


@lru_cache(maxsize=16)
def _writer(engine: Engine) -> Engine:
    return engine.execution_options(credits_writer=True)


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; everything read through it is one consistent snapshot.

    Raises:
        DeadlinePassed: the database did not answer in time.
    """
    deadline.require_time()
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
    except FAILURES as error:
        if deadline.has_passed():
            raise DeadlinePassed from error
        raise


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
    with file_lock.if_free(f"{engine.url.database}.{name}") as is_free:
        yield is_free


def _write_lock(engine: Engine) -> AbstractContextManager[None]:
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return file_lock.one_writer(str(engine.url.database))


def _alembic_config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest migration. Safe to repeat and to run twice at once; on an up-to-date database it
    changes nothing. A new SQLite file is for its own user alone.
    """
    if _migration_of(engine) == _newest_migration():
        return
    if _is_missing_file(engine):  # SQLite would let others of this machine read it; what it puts beside is as private
        Path(str(engine.url.database)).touch(mode=_OWN_ALONE)

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
    if (found := _migration_of(engine)) != _newest_migration():
        raise DatabaseNotReady(found, _newest_migration())


def _migration_of(engine: Engine) -> str | None:
    if _is_missing_file(engine):  # connecting would create the file
        return None
    with read(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


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
