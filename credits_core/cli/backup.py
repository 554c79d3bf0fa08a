"""What the commands about backups do."""

from datetime import UTC, datetime

import typer
from sqlalchemy import make_url

from credits_core import settings
from credits_core.cli.opened import actor, opened_ledger
from credits_core.operations.backup_jobs import place
from credits_core.operations.backups import create, drill, listing, reading, restore
from credits_core.operations.backups.manifest import Manifest
from credits_core.values.progress import finish
from credits_core.values.text import counted


def create_now() -> None:
    """Make a backup and print what it holds."""
    where = place()
    with opened_ledger() as engine:
        made = finish(
            create.creating(engine, where, recipients=settings.backup_recipients(), now=_now(), actor=actor())
        )
    typer.echo(f"{made.name} in {where.address}")
    typer.echo(_held(made))
    if not made.is_encrypted:
        typer.echo("It is not encrypted: set CREDITS_BACKUP_RECIPIENT to encrypt the next one.")


def list_all() -> None:
    """Print a line for each backup."""
    where = place()
    found = listing.listed(where)
    for one in found:
        drilled = "" if one.drilled is None else f", drilled {one.drilled.at:%Y-%m-%d %H:%M}: {one.drilled.message}"
        typer.echo(f"{one.backup.name} {one.state:<8} {_held(one.backup)}{drilled}")
    if not found:
        typer.echo(f"There is no backup in {where.address}. Make one: python -m credits_core backup create")


def verify(name: str) -> None:
    """Check a backup and print what it holds."""
    made = reading.check(place(), name, settings.backup_identity_file())
    typer.echo(f"ok    {made.name} is what its manifest says: {_held(made)}")


def restore_now(name: str, into: str | None, *, replace: bool) -> None:
    """Restore a backup and print where, and what to do next."""
    drilled = place().drilled(place().named(name).name)
    if drilled is not None and not drilled.is_good:
        typer.echo(f"A drill called this backup bad: {drilled.message}", err=True)
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


def drill_now(name: str) -> None:
    """Try a backup and print the result."""
    where = place()
    with opened_ledger() as engine:
        drilled = finish(
            drill.drilling(
                engine,
                where,
                name,
                scratch_url=settings.backup_scratch_url(),
                identity_file=settings.backup_identity_file(),
                models=settings.load_models(),
                clock=_now,
                actor=actor(),
            )
        )
    made = where.named(name)
    verdict = "ok   " if drilled.is_good else "WRONG"
    typer.echo(f"{verdict} {made.name}: {drilled.message} It took {drilled.took.total_seconds():.1f} s.")
    typer.echo(f"      It would have lost {_entries(drilled.lost_entries)} that came later.")
    if not drilled.is_good:
        raise typer.Exit(1)


def prune_now() -> None:
    """Delete old backups and print which."""
    pruned = listing.prune(place(), now=_now(), actor=actor())
    for name in pruned.names:
        typer.echo(f"deleted {name}")
    typer.echo(f"{counted(len(pruned.names), 'backup')} and {counted(pruned.halves, 'unfinished file')} deleted.")


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
