"""What the commands about people do."""

from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from credits_core.access import people
from credits_core.access.people import PersonRecord
from credits_core.cli.opened import actor, opened_ledger
from credits_core.store import database
from credits_core.values.roles import PersonRole


def add(email: str, roles: Sequence[PersonRole]) -> None:
    """Let a person sign in with these roles."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: people.add(connection, email, roles, actor=actor(), now=now))
    typer.echo(f"{people.folded_email(email)} may sign in as {_named(roles)}")


def list_all() -> None:
    """Print everybody who has a role, by address."""
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in people.list_people(connection):
            typer.echo(_line(one))


def change_roles(email: str, roles: Sequence[PersonRole]) -> None:
    """Give a person these roles instead of the present ones."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: people.change_roles(connection, email, roles, actor=actor(), now=now))
    typer.echo(f"{people.folded_email(email)} now has: {_named(roles)}")


def remove(email: str) -> None:
    """Let a person in no more."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: people.remove(connection, email, actor=actor(), now=now))
    typer.echo(f"{people.folded_email(email)} is removed")


def _named(roles: Sequence[PersonRole]) -> str:
    return people.roles_text(roles).replace(",", ", ")


def _line(one: PersonRecord) -> str:
    seen = "never seen" if one.seen_at is None else f"seen {one.seen_at:%Y-%m-%d %H:%M} UTC"
    return f"{one.email}  {_named(list(one.roles))}  since {one.since:%Y-%m-%d}  by {one.added_by}  {seen}"
