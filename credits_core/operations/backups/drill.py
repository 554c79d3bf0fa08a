"""A drill: restores a backup into a scratch place, proves it there, and says what would have been lost.

Only a backup that was drilled is called good. The running ledger is not touched.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Engine, func, make_url, select

from credits_core import startup
from credits_core.audit import heads, invariants
from credits_core.audit.heads import Head
from credits_core.operations.backups import ledgers, listing, reading
from credits_core.operations.backups.manifest import Drilled, Kind, Manifest
from credits_core.operations.backups.place import Place
from credits_core.operations.backups.refusals import BackupDamaged, BackupImpossible
from credits_core.plans.book import PriceBooks
from credits_core.pricing.models import ModelRegistry
from credits_core.store import database
from credits_core.store.tables import JournalEntry
from credits_core.values.progress import Progress, Work
from credits_core.values.roles import Actor, May

_STEPS = 3


def drilling(
    engine: Engine | None,
    place: Place,
    name: str,
    *,
    scratch_url: str | None,
    identity_file: Path | None,
    models: ModelRegistry,
    clock: Callable[[], datetime],
    actor: Actor,
) -> Work[Drilled]:
    """Restore a backup into a scratch place, migrate and verify it, and keep and return the result.

    `scratch_url` is a PostgreSQL server where databases may be made; None for the ledger's own. `engine` is None on a
    machine without the ledger, such as the one that has the secret key. What would have been lost is not known there.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownBackup, NoOwnBackup, BackupLocked, BackupFromNewerVersion, BackupImpossible: it cannot be tried here.
    """
    actor.require(May.MANAGE)
    made, begun = listing.chosen(place, name, engine), clock()
    server = _server(made, engine, scratch_url)
    try:
        yield Progress(0, _STEPS)
        with reading.content(place, made, identity_file) as content:
            yield Progress(1, _STEPS)
            with reading.restored(made, content, server) as scratch:
                yield Progress(2, _STEPS)
                wrong = _proved(made, scratch, models)
    except BackupDamaged as damage:
        wrong = damage.problem
    ended = clock()
    drilled = Drilled(ended, wrong is None, ended - begun, _lost_entries(made, engine), wrong or "Restored and proved.")
    place.keep_drill(made.name, drilled)
    return drilled


def _server(made: Manifest, engine: Engine | None, scratch_url: str | None) -> URL:
    if scratch_url is not None:
        return make_url(scratch_url)
    if engine is not None:
        return engine.url
    if made.kind is Kind.POSTGRESQL:
        raise BackupImpossible(
            "CREDITS_BACKUP_SCRATCH_URL is not set. Set it to a PostgreSQL server where databases may be made; nothing "
            "was changed."
        )
    return make_url("sqlite://")


def _proved(made: Manifest, scratch: Engine, models: ModelRegistry) -> str | None:
    """What is wrong with a restored ledger, or None."""
    startup.migrate(scratch)
    with database.read(scratch) as connection:
        plans = PriceBooks(models).at(connection).plans
        if made.figures.seal_number:
            head = Head(made.figures.seal_number, made.figures.seal_hash)
            other = heads.against(connection, head)
            if other is not None:
                return other
    # The head that is kept beside the key is newer than a backup, by rights: the one of the manifest counts.
    findings, _ = invariants.audit(scratch, plans, of_copy=True)
    broken = [str(finding) for finding in findings if not finding.ok]
    return broken[0] if broken else None


def _lost_entries(made: Manifest, engine: Engine | None) -> int | None:
    if engine is None or not ledgers.own([made], engine):
        return None
    with database.read(engine) as connection:
        now = int(connection.execute(select(func.count(JournalEntry.id))).scalar_one())
    return max(now - made.figures.entries, 0)
