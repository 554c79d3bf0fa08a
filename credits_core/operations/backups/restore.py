"""Restores a backup as the ledger. Never over what is there, unless asked to; then what was there is kept beside."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from credits_core import startup
from credits_core.access import sessions
from credits_core.errors import InvalidRequest
from credits_core.operations.backups import postgres_dump, reading, sqlite_copy
from credits_core.operations.backups.manifest import Kind, Manifest
from credits_core.operations.backups.place import Place
from credits_core.operations.backups.refusals import BackupImpossible, LedgerExists, LedgerInUse
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import Actor, May

_USERS = """
SELECT count(*), coalesce(string_agg(DISTINCT nullif(application_name, ''), ', '), '') FROM pg_stat_activity
WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored where. `kept_as` is the name of what was there before, None where nothing was."""

    backup: Manifest
    database: str
    kept_as: str | None


def restoring(
    place: Place,
    name: str,
    *,
    into: str,
    replace: bool,
    identity_file: Path | None,
    now: datetime,
    actor: Actor,
) -> Work[Restored]:
    """Restore a backup as the database of this URL, at the newest migration, and return where.

    Everybody has to sign in again: a session may have been ended since the backup was made.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownBackup, BackupDamaged, BackupLocked, BackupFromNewerVersion: the backup cannot be used.
        LedgerExists: there is a database already, and `replace` is false.
        LedgerInUse: a running process uses it.
        InvalidRequest: the URL cannot be read, or is of another kind of database than the backup.
        BackupImpossible: on PostgreSQL, a program or a permission is missing.
    """
    actor.require(May.MANAGE)
    made, url = place.named(name), _url(into)
    reading.require_kind(made, url)
    yield Progress(0, 1)
    if made.kind is Kind.SQLITE:
        return _into_file(place, made, url, replace=replace, identity_file=identity_file, now=now, actor=actor)
    return _into_server(place, made, url, replace=replace, identity_file=identity_file, now=now, actor=actor)


def _url(into: str) -> URL:
    try:
        return make_url(into)
    except (ArgumentError, ValueError):
        example = "such as sqlite:////srv/rehearsal.db or postgresql://USER@HOST/DATABASE"
        raise InvalidRequest("database", f"must be a URL {example}; nothing was changed") from None


def _into_file(
    place: Place, made: Manifest, url: URL, *, replace: bool, identity_file: Path | None, now: datetime, actor: Actor
) -> Restored:
    file = Path(str(url.database)).absolute()
    is_there = file.exists()
    if is_there and not replace:
        raise LedgerExists(str(file))
    if is_there:
        _require_unused(file)
    aside = file.with_name(f"{file.name}.before-{now:%Y%m%dT%H%M%SZ}")
    with reading.content(place, made, identity_file, beside=file.parent) as content:
        with reading.restored(made, content, url) as engine:
            _make_ready(engine, made, now=now, actor=actor)
        was_there = sqlite_copy.put(content, file, aside=aside)
    return Restored(made, str(file), str(aside) if was_there else None)


def _require_unused(file: Path) -> None:
    try:
        with sqlite_copy.to_itself(file):
            return
    except database.sqlite_driver().OperationalError as error:
        raise BackupImpossible(f"{file} cannot be read: {error}. Nothing was changed.") from None
    except database.sqlite_driver().DatabaseError:  # no database any more
        return


def _into_server(
    place: Place, made: Manifest, url: URL, *, replace: bool, identity_file: Path | None, now: datetime, actor: Actor
) -> Restored:
    name = str(url.database)
    shown = url.render_as_string(hide_password=True)
    with postgres_dump.server_of(url) as server:
        is_there = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
        if is_there and not replace:
            raise LedgerExists(shown)
        _require_nobody(server, name, shown)
    aside = f"{name[:36]}_before_{now:%Y%m%dT%H%M%SZ}" if is_there else None
    with reading.content(place, made, identity_file) as content, reading.restored(made, content, url) as engine:
        _make_ready(engine, made, now=now, actor=actor)
        restored = str(engine.url.database)
        engine.dispose()
        with postgres_dump.server_of(url) as server:
            _require_nobody(server, name, shown)
            _swap(server, name, restored, aside, shown)
    return Restored(made, shown, aside)


def _require_nobody(server: "psycopg.Connection[Any]", name: str, shown: str) -> None:
    row = server.execute(_USERS, [name]).fetchone()
    assert row is not None
    if row[0]:
        raise LedgerInUse(shown, f"{row[0]:,} connections{f' of {row[1]}' if row[1] else ''}")


def _swap(server: "psycopg.Connection[Any]", name: str, restored: str, aside: str | None, shown: str) -> None:
    """Both names change at one moment, or none does."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with server.transaction():
            if aside is not None:
                server.execute(rename.format(sql.Identifier(name), sql.Identifier(aside)))
            server.execute(rename.format(sql.Identifier(restored), sql.Identifier(name)))
    except psycopg.errors.ObjectInUse:
        raise LedgerInUse(shown, "another connection") from None


def _make_ready(engine: Engine, made: Manifest, *, now: datetime, actor: Actor) -> None:
    startup.migrate(engine)
    database.write(engine, partial(_leave_a_line, made=made, now=now, actor=actor))


def _leave_a_line(connection: Connection, *, made: Manifest, now: datetime, actor: Actor) -> None:
    ended = sessions.end_all(connection, now=now)
    detail = {"entries": made.figures.entries, "sessions ended": ended}
    activity.note(connection, Change.RESTORED, made.name, actor=actor.recorded, now=now, detail=detail)
