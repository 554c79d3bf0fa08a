"""The group `backup` of the command line: its commands with their options and help, as `main` has those of others."""

from typing import Annotated

import typer

backup_app = typer.Typer(help="Backups: made while charges go on, and proved by restoring them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A backup, as backup list names it; newest for the newest.")]


@backup_app.command("create")
def create_backup() -> None:
    """Make a backup, in CREDITS_BACKUP_URL or the folder backups/. Charges go on meanwhile."""
    from credits_core.cli import backup

    backup.create_now()


@backup_app.command("list")
def list_backups() -> None:
    """List every backup, newest first: good after a drill that proved it, bad, or unproved."""
    from credits_core.cli import backup

    backup.list_all()


@backup_app.command("verify")
def verify_backup(name: Name = "newest") -> None:
    """Read a backup from beginning to end. Exit 0 when it is what its manifest says."""
    from credits_core.cli import backup

    backup.verify(name)


@backup_app.command("restore")
def restore_backup(
    name: Name,
    into: Annotated[
        str | None, typer.Option(help="URL of the database to restore to; default: CREDITS_DATABASE_URL.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the database that is there; it is kept beside.")
    ] = False,
    unproved: Annotated[
        bool,
        typer.Option("--unproved", help="newest may be one that no drill has tried; default: the newest good one."),
    ] = False,
) -> None:
    """Restore a backup as the ledger. Stop the product first; what is there is never overwritten."""
    from credits_core.cli import backup

    backup.restore_now(name, into, replace=replace, unproved=unproved)


@backup_app.command("drill")
def drill_backup(
    name: Name = "newest",
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="On a machine without the ledger, such as where the secret key is.")
    ] = False,
) -> None:
    """Restore a backup into a scratch place and prove it. Exit 0 when it is good. The ledger is only read."""
    from credits_core.cli import backup

    backup.drill_now(name, elsewhere=elsewhere)


@backup_app.command("prune")
def prune_backups() -> None:
    """Delete old backups: 7 daily, 5 weekly and 12 monthly ones stay, and always the newest good one."""
    from credits_core.cli import backup

    backup.prune_now()
