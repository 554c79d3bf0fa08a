"""Makes a backup: copies the ledger as it is at one moment, packs the copy, and takes it into the place of backups."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from sqlalchemy import Engine, select

from credits_core.audit import seals
from credits_core.operations.backups import figures, packing, postgres_dump, sqlite_copy, using
from credits_core.operations.backups.manifest import Figures, Kind, Manifest, name_at
from credits_core.operations.backups.place import Place
from credits_core.store import database
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import Actor, May

SCRATCH_PREFIX = "credits-backup-"
_ENDINGS = {Kind.SQLITE: "db", Kind.POSTGRESQL: "dump"}
_STEPS = 3
_DOING = "put together in"


def creating(
    engine: Engine, place: Place, *, recipients: tuple[str, ...], now: datetime, actor: Actor
) -> Work[Manifest]:
    """Make a backup of the ledger while charges go on, and return its manifest. What is new is sealed before.

    `recipients` are public keys of age; without any the backup is not encrypted.

    Raises:
        NotAllowed: the actor may not manage this product.
        InvalidRequest: a recipient is no public key.
        BackupImpossible: a disk is full, or, on PostgreSQL, `pg_dump` is missing or fails.
    """
    actor.require(May.MANAGE)
    seals.catch_up_quietly(engine, now=now)
    kind, name = Kind(engine.dialect.name), name_at(now)
    file = f"{name}.{_ENDINGS[kind]}.zst{'.age' if recipients else ''}"
    with using.place_named(_DOING, gettempdir()):
        scratch = TemporaryDirectory(prefix=SCRATCH_PREFIX)
    with scratch as folder:
        content, stored = Path(folder, "content"), Path(folder, file)
        yield Progress(0, _STEPS)
        with using.place_named(_DOING, gettempdir()):
            found = _copied(engine, kind, content)
        yield Progress(1, _STEPS)
        with using.place_named(_DOING, gettempdir()):
            packing.pack(content, stored, recipients)
        yield Progress(2, _STEPS)
        made = Manifest(
            name=name,
            kind=kind,
            made_at=now,
            file=file,
            stored_bytes=stored.stat().st_size,
            content_bytes=content.stat().st_size,
            sha256=packing.sha256_of(stored),
            is_encrypted=bool(recipients),
            figures=found,
        )
        # The last look at the lease of a job: whoever was stopped for long takes nothing in.
        with database.read(engine) as connection:
            connection.execute(select(1))
            place.keep(made, stored)
    return made


def _copied(engine: Engine, kind: Kind, content: Path) -> Figures:
    if kind is Kind.POSTGRESQL:
        return postgres_dump.dump(engine, content)
    sqlite_copy.copy(engine, content)
    with database.opened(f"sqlite:///{content}") as copied, database.read(copied) as connection:
        return figures.read(connection)
