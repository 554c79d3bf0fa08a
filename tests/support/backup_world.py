"""Backups of small ledgers for tests: made in a folder of the test, and read back."""

from datetime import UTC, datetime
from pathlib import Path

import pyrage
from sqlalchemy import Engine, make_url

from credits_core import settings, startup
from credits_core.operations.backups import create, drill, postgres_dump, restore
from credits_core.operations.backups.manifest import Drilled, Manifest
from credits_core.operations.backups.place import Place, place_at
from credits_core.operations.backups.restore import Restored
from credits_core.plans.book import PriceBooks
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.values.roles import Actor
from tests.support import world
from tests.support.actors import TESTER

NIGHT = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


def place(folder: Path) -> Place:
    return place_at(str(folder / "backups"))


def back_up(
    engine: Engine, where: Place, *, recipients: tuple[str, ...] = (), now: datetime = NIGHT, actor: Actor = TESTER
) -> Manifest:
    return finish(create.creating(engine, where, recipients=recipients, now=now, actor=actor))


def name_of(where: Place, name: str = "newest") -> str:
    """The name of a backup; for `newest`, of the newest one there, whosever it is and proved or not."""
    found = where.manifests()
    return found[0].name if name == "newest" and found else name


def bring_back(
    where: Place,
    into: str,
    *,
    name: str = "newest",
    replace: bool = False,
    identity_file: Path | None = None,
    now: datetime = NIGHT,
    actor: Actor = TESTER,
) -> Restored:
    return finish(
        restore.restoring(
            where, name_of(where, name), into=into, replace=replace, identity_file=identity_file, now=now, actor=actor
        )
    )


def try_it(
    engine: Engine,
    where: Place,
    *,
    name: str = "newest",
    identity_file: Path | None = None,
    scratch_url: str | None = None,
    actor: Actor = TESTER,
) -> Drilled:
    return finish(
        drill.drilling(
            engine,
            where,
            name,
            scratch_url=scratch_url,
            identity_file=identity_file,
            models=settings.load_models(),
            clock=lambda: NIGHT,
            actor=actor,
        )
    )


def new_key(file: Path) -> str:
    """The public key of a new age identity, which is written to a file as age-keygen does."""
    identity = pyrage.x25519.Identity.generate()
    file.write_text(f"# created by a test\n{identity}\n", encoding="utf-8")
    return str(identity.to_public())


def some_runs(engine: Engine, *, runs: int = 3, prefix: str = "run") -> None:
    """A purchase and runs at the prices of this version, of which an audit finds nothing wrong."""
    startup.migrate(engine)
    world.add(engine, "ada", 1_000_000, key=f"{prefix}-purchase")
    charge_more(engine, runs=runs, prefix=prefix)


def charge_more(engine: Engine, *, runs: int, prefix: str) -> None:
    with database.read(engine) as connection:
        book = PriceBooks(settings.load_models()).at(connection)
    for number in range(runs):
        world.charge(engine, world.HAIKU_WITH_FEE, key=f"{prefix}-{number}", book=book)


def databases(server_url: str, like: str) -> list[str]:
    """The names of the server's databases that are like this."""
    with postgres_dump.server_of(make_url(server_url)) as server:
        found = server.execute("SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY datname", [like])
        return [str(row[0]) for row in found]
