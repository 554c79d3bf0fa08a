"""Dumps a PostgreSQL database in one snapshot, and restores a dump into a new one. Needs `pg_dump`, `pg_restore`."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, Engine, text

from credits_core import settings
from credits_core.operations.backups import figures
from credits_core.operations.backups.manifest import Figures
from credits_core.operations.backups.refusals import BackupDamaged, BackupImpossible
from credits_core.store import database

_CONNECTION = {"host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "password": "PGPASSWORD"}
MARK = "_restoring_"
"""What stands in the name of a database that a backup is restored into first."""
_LEFT = """
SELECT datname FROM pg_database WHERE starts_with(datname, %s)
    AND NOT EXISTS (SELECT 1 FROM pg_stat_activity AS a WHERE a.datname = pg_database.datname)
    AND pg_has_role(datdba, 'USAGE')
"""
_MAY_MAKE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
_DEBIANS = Path("/usr/lib/postgresql")


def require_programs() -> None:
    """Do nothing where the programs are that make and restore backups.

    Raises:
        BackupImpossible: one is missing on this machine.
    """
    for name in ("pg_dump", "pg_restore"):
        _program(name)


def may_make_databases(connection: Connection) -> bool:
    """Whether the role of this connection may make databases, which drills and restores need."""
    return bool(connection.execute(text(_MAY_MAKE)).scalar_one())


def dump(engine: Engine, to: Path) -> Figures:
    """Dump the database of this engine into a file, and return what it came to in the same snapshot.

    Raises:
        BackupImpossible: there is no `pg_dump`, or it failed; the message has what it said.
    """
    program = _program("pg_dump")
    with database.read(engine) as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        found = figures.read(connection)
        # Uncompressed, because zstandard does that later, and better.
        asked = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        _call(program, engine.url, [*asked, f"--file={to}", f"--dbname={engine.url.database}"])
    return found


def restore(dumped: Path, into: URL, name: str) -> None:
    """Restore a dump into this database, which is empty.

    Raises:
        BackupImpossible: there is no `pg_restore`.
        BackupDamaged: it could not restore the dump.
    """
    program = _program("pg_restore")
    asked = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--dbname={into.database}"]
    try:
        _call(program, into, [*asked, str(dumped)])
    except BackupImpossible as failure:
        raise BackupDamaged(name, str(failure)) from None


def check(dumped: Path, name: str) -> None:
    """Let `pg_restore` read a dump's table of contents.

    Raises:
        BackupImpossible: there is no `pg_restore`.
        BackupDamaged: it cannot read it.
    """
    program = _program("pg_restore")
    done = subprocess.run([program, "--list", str(dumped)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BackupDamaged(name, f"pg_restore says: {_last_line(done.stderr)}")


@contextmanager
def server_of(url: URL) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to the server's database `postgres`, from which others are made and renamed."""
    asked: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": "postgres",
    }
    asked |= {name: value for name, value in url.query.items() if isinstance(value, str)}
    with closing(psycopg.connect(**{name: value for name, value in asked.items() if value}, autocommit=True)) as opened:
        yield opened


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


def _program(name: str) -> str:
    """The newest of these programs on this machine: an older one refuses to dump a newer server."""
    debians = sorted(_DEBIANS.glob(f"*/bin/{name}"), key=lambda path: path.parent.parent.name.zfill(3))
    found = str(debians[-1]) if debians else shutil.which(name)
    if found is None:
        raise BackupImpossible(
            f"{name} is missing on this machine. Install Debian's package postgresql-client; nothing was backed up or "
            "restored."
        )
    return found


def _call(program: str, url: URL, arguments: list[str]) -> None:
    told = {variable: str(value) for name, variable in _CONNECTION.items() if (value := getattr(url, name)) is not None}
    told |= {f"PG{name.upper()}": value for name, value in url.query.items() if isinstance(value, str)}
    done = subprocess.run(  # noqa: S603
        [program, "--no-password", *arguments],
        env=settings.environment_of_a_process() | told,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise BackupImpossible(f"{Path(program).name} says: {_last_line(done.stderr)}")


def _last_line(said: str) -> str:
    return next((line for line in reversed(said.splitlines()) if line.strip()), "nothing")
