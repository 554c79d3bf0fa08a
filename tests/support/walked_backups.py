"""Actions on jobs and backups that the walk through all roles carries out."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from credits_core.operations import jobs, running
from credits_core.operations.backups import listing
from credits_core.operations.backups.refusals import BackupImpossible
from credits_core.values.progress import finish
from credits_core.values.roles import Actor
from tests.support import backup_world, job_world
from tests.support.world import NOW


def run_job(engine: Engine, actor: Actor, _: Path) -> object:
    return running.run(jobs.named("seals"), job_world.around(engine), actor=actor)


def run_job_in_steps(engine: Engine, actor: Actor, _: Path) -> object:
    return finish(running.running(jobs.named("seals"), job_world.around(engine), actor=actor))


def create(engine: Engine, actor: Actor, folder: Path) -> object:
    return backup_world.back_up(engine, backup_world.place(folder), actor=actor)


def restore(engine: Engine, actor: Actor, folder: Path) -> None:
    backup_world.back_up(engine, backup_world.place(folder))
    name = str(folder / f"{actor.recorded.replace('/', '-')}.db")
    url = engine.url.set(database=name if engine.dialect.name == "sqlite" else "elsewhere")
    with suppress(BackupImpossible):  # the product's role makes no databases on PostgreSQL
        backup_world.bring_back(backup_world.place(folder), url.render_as_string(hide_password=False), actor=actor)


def drill(engine: Engine, actor: Actor, folder: Path) -> None:
    backup_world.back_up(engine, backup_world.place(folder))
    with suppress(BackupImpossible):
        backup_world.try_it(engine, backup_world.place(folder), actor=actor)


def prune(engine: Engine, actor: Actor, folder: Path) -> object:
    return listing.prune(engine, backup_world.place(folder), now=NOW, actor=actor)


# Actions that leave the ledger as it is.
ALL: dict[str, Callable[[Engine, Actor, Path], object]] = {
    "operations.backups.create.creating": create,
    "operations.backups.restore.restoring": restore,
    "operations.backups.drill.drilling": drill,
    "operations.backups.listing.prune": prune,
}
