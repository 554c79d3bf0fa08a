"""What the commands about test users do."""

from datetime import UTC, datetime

import typer

from credits_core.access import trial_users
from credits_core.cli.opened import actor, opened_ledger
from credits_core.store import database


def add(user_id: str) -> None:
    """Make somebody a test user."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        is_new = database.write(engine, lambda connection: trial_users.add(connection, user_id, now=now, actor=actor()))
    typer.echo(f"{user_id} is a test user" if is_new else f"{user_id} was a test user before; nothing was changed")


def remove(user_id: str) -> None:
    """Make somebody a test user no more."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        was_one = database.write(
            engine, lambda connection: trial_users.remove(connection, user_id, now=now, actor=actor())
        )
    typer.echo(f"{user_id} is a test user no more" if was_one else f"{user_id} was not made a test user")


def list_all() -> None:
    """Print everybody who was made a test user."""
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in trial_users.listed(connection):
            typer.echo(f"{one.user_id}  since {one.since:%Y-%m-%d %H:%M:%S}Z  {one.actor}")
