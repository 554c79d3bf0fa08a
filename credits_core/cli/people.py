"""What the commands about people do."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import typer

from credits_core import settings
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
    """Print everybody who may sign in, by address."""
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in people.list_people(connection, domains=settings.sign_in_domains()):
            typer.echo(_line(one))


def change_roles(email: str, roles: Sequence[PersonRole]) -> None:
    """Give a person these roles instead of the present ones."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: people.change_roles(connection, email, roles, actor=actor(), now=now))
    typer.echo(f"{people.folded_email(email)} now has: {_named(roles)}")


def remove(email: str) -> None:
    """Let a person in no more."""
    now, domains = datetime.now(UTC), settings.sign_in_domains()
    with opened_ledger() as engine:
        database.write(
            engine, lambda connection: people.remove(connection, email, actor=actor(), now=now, domains=domains)
        )
    typer.echo(f"{people.folded_email(email)} is removed")


def _named(roles: Iterable[PersonRole]) -> str:
    return people.roles_text(roles).replace(",", ", ")


def _line(one: PersonRecord) -> str:
    seen = "never seen" if one.seen_at is None else f"seen {one.seen_at:%Y-%m-%d %H:%M} UTC"
    by = "by the domain" if one.added_by is None else f"by {one.added_by}"
    unknown = f"  unknown roles: {', '.join(one.unknown_roles)}" if one.unknown_roles else ""
    return f"{one.email}  {_named(one.roles) or '-'}  since {one.since:%Y-%m-%d}  {by}  {seen}{unknown}"
