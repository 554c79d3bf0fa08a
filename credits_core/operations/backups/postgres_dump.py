"""Dumps a PostgreSQL database in one snapshot, and restores a dump into a new one. Needs `pg_dump`, `pg_restore`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, Engine, text

from credits_core.operations.backups import figures, programs
from credits_core.operations.backups.manifest import Figures
from credits_core.operations.backups.refusals import BackupDamaged, BackupImpossible
from credits_core.store import database, deadline
from credits_core.store.postgres import PunctualConnection

MARK = "_restoring_"
"""What stands in the name of a database that a backup is restored into first."""
_LEFT = """
SELECT datname FROM pg_database WHERE starts_with(datname, %s)
    AND NOT EXISTS (SELECT 1 FROM pg_stat_activity AS a WHERE a.datname = pg_database.datname)
    AND pg_has_role(datdba, 'USAGE')
"""
_MAY_MAKE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
_LONGEST_WAIT_SECONDS, _LONGEST_CONNECT_SECONDS = 300, 30


def may_make_databases(connection: Connection) -> bool:
    """Whether the role of this connection may make databases, which drills and restores need."""
    return bool(connection.execute(text(_MAY_MAKE)).scalar_one())


def dump(engine: Engine, to: Path) -> Figures:
    """Dump the database of this engine into a file, and return what it came to in the same snapshot.

    Raises:
        BackupImpossible: there is no `pg_dump`, it hung, or it failed; the message has what it said.
    """
    with database.read(engine) as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        found = figures.read(connection)
        # Uncompressed, because zstandard does that later, and better.
        asked = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        asked += [f"--lock-wait-timeout={_LONGEST_WAIT_SECONDS}s", f"--file={to}", f"--dbname={engine.url.database}"]
        failure = programs.run("pg_dump", asked, url=engine.url)
    if failure is not None:
        raise BackupImpossible(f"{failure}. Nothing was backed up.")
    return found


def restore(dumped: Path, into: URL, name: str) -> None:
    """Restore a dump into this database, which is empty.

    Raises:
        BackupImpossible: there is no `pg_restore`, it hung, or it could not work here: the dump may be whole.
        BackupDamaged: it could not restore the dump.
    """
    asked = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--dbname={into.database}"]
    failure = programs.run("pg_restore", [*asked, str(dumped)], url=into)
    if failure is not None:
        raise BackupDamaged(name, failure)


def check(dumped: Path, name: str) -> None:
    """Let `pg_restore` read a dump's table of contents.

    Raises:
        BackupImpossible: there is no `pg_restore`, it hung, or it could not work here.
        BackupDamaged: it cannot read it.
    """
    failure = programs.run("pg_restore", ["--list", str(dumped)])
    if failure is not None:
        raise BackupDamaged(name, failure)


@contextmanager
def server_of(url: URL) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to the server's database `postgres`, from which others are made and renamed.

    Raises:
        BackupImpossible: the server cannot be reached, or gives no answer for five minutes.
    """
    asked: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": "postgres",
        "connect_timeout": _LONGEST_CONNECT_SECONDS,
    }
    asked |= {name: value for name, value in url.query.items() if isinstance(value, str)}
    given = {name: value for name, value in asked.items() if value}
    with (
        _answering(url),
        deadline.each_wait(_LONGEST_WAIT_SECONDS),
        closing(PunctualConnection.connect(**given, autocommit=True)) as opened,
    ):
        yield opened


@contextmanager
def _answering(url: URL) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise BackupImpossible(
            f"The server of {url.render_as_string(hide_password=True)} cannot be used: {said}. Nothing was changed."
        ) from None


@contextmanager
def made(url: URL, name: str) -> Iterator[URL]:
    """A new, empty database on the server of this URL. It is deleted at the end, unless it was renamed meanwhile.

    Those that a process left which was killed are deleted before.

    Raises:
        BackupImpossible: the role may not make databases.
    """
    new = url.set(database=name)
    with server_of(url) as server:
        for (left,) in server.execute(_LEFT, [f"{name.partition(MARK)[0]}{MARK}"]).fetchall():
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(left)))
        try:
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            raise BackupImpossible(
                f"The role {url.username} may not make databases, which restoring needs. Use a role that may; "
                "for drills, set CREDITS_BACKUP_SCRATCH_URL. Nothing was changed."
            ) from None
    try:
        yield new
    finally:
        with server_of(url) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
