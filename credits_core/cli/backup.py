"""What the commands about backups do."""

from collections.abc import Callable
from dataclasses import replace as replace_
from datetime import UTC, datetime
from typing import TypeVar

import typer
from sqlalchemy import Engine, make_url

from credits_core import settings
from credits_core.cli import ending
from credits_core.cli.opened import actor, opened_ledger, price_books
from credits_core.operations import jobs, running
from credits_core.operations.backup_jobs import place
from credits_core.operations.backups import create, drill, listing, reading, restore
from credits_core.operations.backups.listing import Pruned
from credits_core.operations.backups.manifest import Drilled, Manifest
from credits_core.operations.backups.place import Place
from credits_core.operations.refusals import JobFailed
from credits_core.operations.surroundings import Surroundings
from credits_core.values.progress import Progress, Work, finish
from credits_core.values.text import counted

Result = TypeVar("Result")


def create_now() -> None:
    """Make a backup and print what it holds."""
    where = place()

    def work(around: Surroundings) -> Work[Manifest]:
        recipients = settings.backup_recipients()
        return create.creating(around.engine, where, recipients=recipients, now=_now(), actor=actor())

    made = _as_job("backup", work, lambda made: f"{made.name}: {_held(made)}.")
    typer.echo(f"{made.name} in {where.address}")
    typer.echo(_held(made))
    if not made.is_encrypted:
        typer.echo("It is not encrypted: set CREDITS_BACKUP_RECIPIENT to encrypt the next one.")


def list_all() -> None:
    """Print a line for each backup."""
    where = place()
    found = listing.by_url(where, settings.database_url())
    for one in found:
        other = "" if one.is_own else ", of another ledger"
        drilled = "" if one.drilled is None else f", drilled {one.drilled.at:%Y-%m-%d %H:%M}: {one.drilled.message}"
        typer.echo(f"{one.backup.name} {one.state:<8} {_held(one.backup)}{drilled}{other}")
    if not found:
        typer.echo(f"There is no backup in {where.address}. Make one: python -m credits_core backup create")


def verify(name: str) -> None:
    """Check a backup and print what it holds."""
    where = place()
    if name == listing.NEWEST:
        found = listing.by_url(where, settings.database_url())
        name = listing.newest(found, where).name
    made = reading.check(where, name, settings.backup_identity_file())
    typer.echo(f"ok    {made.name} is what its manifest says: {_held(made)}")


def restore_now(name: str, into: str | None, *, replace: bool, unproved: bool) -> None:
    """Restore a backup and print where, and what to do next."""
    if name == listing.NEWEST:
        name = _to_restore(is_unproved_taken=unproved)
    drilled = place().drilled(place().named(name).name)
    if drilled is not None and not drilled.is_good:
        typer.echo(f"A drill called this backup bad: {drilled.message}", err=True)
    with ending.in_order():
        done = finish(
            restore.restoring(
                place(),
                name,
                into=into or settings.database_url(),
                replace=replace,
                identity_file=settings.backup_identity_file(),
                now=_now(),
                actor=actor(),
            )
        )
    typer.echo(f"{done.database} is restored from {done.backup.name}: {_held(done.backup)}")
    if done.kept_as is not None:
        typer.echo(f"What was there is kept as {done.kept_as}.")
    ledger = "" if into is None else f", with CREDITS_DATABASE_URL set to {_without_password(into)}"
    typer.echo(f"Now run{ledger}: python -m credits_core verify")
    if done.backup.kind == "postgresql":
        typer.echo("Then, as before, for the role of the product: python -m credits_core grant-app-role NAME")


def drill_now(name: str, *, elsewhere: bool) -> None:
    """Try a backup and print the result. `elsewhere`: on a machine without the ledger."""
    where = place()
    if elsewhere:
        made = listing.chosen(where, name, None)
        with ending.in_order():
            drilled = finish(_drilling(None, where, made.name))
    else:
        with opened_ledger() as engine:
            made = listing.chosen(where, name, engine)
        drilled = _as_job("drill", lambda around: _drilling(around.engine, where, made.name), _said_of_drill)
    verdict = "ok   " if drilled.is_good else "WRONG"
    typer.echo(f"{verdict} {made.name}: {drilled.message} It took {drilled.took.total_seconds():.1f} s.")
    if drilled.lost_entries is not None:
        typer.echo(f"      It would have lost {_entries(drilled.lost_entries)} that came later.")
    if not drilled.is_good:
        raise typer.Exit(1)


def prune_now() -> None:
    """Delete old backups and print which."""
    where = place()

    def work(around: Surroundings) -> Work[Pruned]:
        yield Progress(0, 1)
        return listing.prune(around.engine, where, now=_now(), actor=actor())

    pruned = _as_job("prune", work, lambda pruned: f"{counted(len(pruned.names), 'backup')} deleted.")
    for name in pruned.names:
        typer.echo(f"deleted {name}")
    typer.echo(f"{counted(len(pruned.names), 'backup')} and {counted(pruned.halves, 'unfinished file')} deleted.")


def _to_restore(*, is_unproved_taken: bool) -> str:
    where = place()
    found = listing.by_url(where, settings.database_url())
    made = listing.to_restore(found, where, is_unproved_taken=is_unproved_taken)
    newest = listing.newest(found, where)
    if newest.made_at > made.made_at:
        typer.echo(f"A newer backup, {newest.name}, is not proved. To take it, name it.", err=True)
    return made.name


def _drilling(engine: Engine | None, where: Place, name: str) -> Work[Drilled]:
    return drill.drilling(
        engine,
        where,
        name,
        scratch_url=settings.backup_scratch_url(),
        identity_file=settings.backup_identity_file(),
        models=settings.load_models(),
        clock=_now,
        actor=actor(),
    )


def _said_of_drill(drilled: Drilled) -> str:
    if not drilled.is_good:
        raise JobFailed(f"The backup is bad: {drilled.message}")
    return drilled.message


def _as_job(name: str, work: Callable[[Surroundings], Work[Result]], said: Callable[[Result], str]) -> Result:
    """Do this with the lease of the job of this name, so that nobody does the same meanwhile, and keep it on record.

    Raises:
        JobIsRunning: somebody does.
        JobFailed: it could not be done.
    """
    results: list[Result] = []

    def kept(around: Surroundings) -> Work[str]:
        results.append((yield from work(around)))
        return said(results[0])

    with ending.in_order(), opened_ledger() as engine:
        around = Surroundings(engine, price_books(), settings.time_zone(), _now)
        run = running.run(replace_(jobs.named(name), work=kept), around, actor=actor())
    if not results:
        raise JobFailed(run.message)
    return results[0]


def _without_password(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _held(made: Manifest) -> str:
    figures = made.figures
    seal = f"seal {figures.seal_number:,}" if figures.seal_number else "no seal"
    locked = ", encrypted" if made.is_encrypted else ""
    return (
        f"{_entries(figures.entries)}, {figures.sum_of_balances_credits:,} credits held by users, {seal}, "
        f"{made.stored_bytes:,} bytes{locked}"
    )


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _now() -> datetime:
    return datetime.now(UTC)
