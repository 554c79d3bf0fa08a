"""Reads a backup back: fetches it, checks it, and gives its content or a scratch ledger made of it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from sqlalchemy import URL, Engine

from credits_core.errors import InvalidRequest
from credits_core.operations.backups import figures, packing, postgres_dump, sqlite_copy, using
from credits_core.operations.backups.create import SCRATCH_PREFIX
from credits_core.operations.backups.manifest import Kind, Manifest
from credits_core.operations.backups.place import Place
from credits_core.operations.backups.refusals import BackupDamaged, BackupFromNewerVersion
from credits_core.store import database


def check(place: Place, name: str, identity_file: Path | None) -> Manifest:
    """Fetch a backup, and check that it can be read from beginning to end; return its manifest.

    A PostgreSQL backup is proved by a drill alone: here only its table of contents is read.

    Raises:
        UnknownBackup, BackupDamaged, BackupLocked, BackupFromNewerVersion, BackupImpossible: as `content`.
    """
    made = place.named(name)
    with content(place, made, identity_file) as file:
        if made.kind is Kind.POSTGRESQL:
            postgres_dump.check(file, made.name)
        else:
            sqlite_copy.check(made.name, file)
            with database.opened(f"sqlite:///{file}") as engine:
                require_figures(made, engine)
    return made


@contextmanager
def content(place: Place, made: Manifest, identity_file: Path | None, beside: Path | None = None) -> Iterator[Path]:
    """A file with the content of a backup, deleted at the end; in the folder `beside`, or a temporary one.

    Raises:
        BackupFromNewerVersion: this version does not know its schema.
        UnknownBackup: its file is gone.
        BackupDamaged: it is not what its manifest says.
        BackupLocked: it is encrypted, and the identity is missing or another one.
        BackupImpossible: the folder for it is missing or full.
    """
    if not database.knows_migration(made.figures.schema):
        raise BackupFromNewerVersion(made.name, made.figures.schema, database.newest_migration())
    scratch_folder = beside or gettempdir()
    with using.place_named("unpacked in", scratch_folder):
        scratch = TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=beside)
    with scratch as folder:
        stored, file = Path(folder, made.file), Path(folder, "content")
        with using.place_named(f"fetched from {place.address} to", scratch_folder):
            place.fetch(made, stored)
        with using.place_named("unpacked in", scratch_folder):
            packing.unpack(made, stored, file, identity_file)
            stored.unlink()
        yield file


@contextmanager
def restored(made: Manifest, file: Path, server: URL) -> Iterator[Engine]:
    """The content of a backup as a scratch database: this file, or a new database on the PostgreSQL `server`.

    It comes to what the manifest says, and is at the migration that it was made at. A PostgreSQL database is deleted
    at the end, unless it was renamed meanwhile.

    Raises:
        BackupDamaged: it cannot be restored, or comes to something else.
        BackupImpossible: `pg_restore` is missing, or the role may not make databases.
    """
    if made.kind is Kind.SQLITE:
        sqlite_copy.check(made.name, file)
        with database.opened(f"sqlite:///{file}") as engine:
            require_figures(made, engine)
            yield engine
        return
    with postgres_dump.made(server, scratch_name(server, made)) as url:
        postgres_dump.restore(file, url, made.name)
        with database.opened(url.render_as_string(hide_password=False)) as engine:
            require_figures(made, engine)
            yield engine


def require_figures(made: Manifest, engine: Engine) -> None:
    """Do nothing where a restored ledger comes to what the manifest says.

    Raises:
        BackupDamaged: it does not.
    """
    with database.read(engine) as connection:
        differs = figures.difference(made.figures, figures.read(connection))
    if differs is not None:
        raise BackupDamaged(made.name, differs)


def require_kind(made: Manifest, url: URL) -> None:
    """Do nothing where the backup is of this kind of database.

    Raises:
        InvalidRequest: it is of the other kind.
    """
    if url.get_backend_name() != made.kind.value:
        raise InvalidRequest(
            "database", f"must be {made.kind.value}, as the backup {made.name} is; nothing was changed"
        )


def scratch_name(server: URL, made: Manifest) -> str:
    """The name of the database that a backup is restored into first; at most 63 characters.

    Databases with the same beginning have different ones.
    """
    name = str(server.database)
    own = hashlib.sha256(name.encode()).hexdigest()[:6]
    stamp = "".join(letter for letter in made.name if letter.isdigit())
    return f"{name[:20]}_{own}{postgres_dump.MARK}{stamp}"
