"""What the commands about people do."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import typer

from credits_core import settings
from credits_core.access import people
from credits_core.access.people import PersonRecord
from credits_core.cli.opened import actor, opened_ledger, print_json
from credits_core.store import database
from credits_core.values.roles import PersonRole


def add(email: str, roles: Sequence[PersonRole]) -> None:
    """Let a person sign in with these roles."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: people.add(connection, email, roles, actor=actor(), now=now))
    typer.echo(f"{people.folded_email(email)} may sign in as {_named(roles)}")


def list_all(*, as_json: bool) -> None:
    """Print everybody who may sign in, by address: a line each in columns, or as JSON."""
    with opened_ledger() as engine, database.read(engine) as connection:
        everybody = people.list_people(connection, domains=settings.sign_in_domains())
    if as_json:
        print_json([_fields(one) for one in everybody])
        return
    rows = [_cells(one) for one in everybody]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


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


def _cells(one: PersonRecord) -> tuple[str, ...]:
    seen = "never seen" if one.seen_at is None else f"seen {one.seen_at:%Y-%m-%d %H:%M} UTC"
    by = "by the domain" if one.added_by is None else f"by {one.added_by}"
    unknown = f"unknown roles: {', '.join(one.unknown_roles)}" if one.unknown_roles else ""
    return one.email, _named(list(one.roles)) or "-", f"since {one.since:%Y-%m-%d}", by, seen, unknown


def _fields(one: PersonRecord) -> dict[str, str | list[str] | None]:
    return {
        "email": one.email,
        "roles": [role.value for role in PersonRole if role in one.roles],
        "unknown_roles": list(one.unknown_roles),
        "since": one.since.isoformat(),
        "added_by": one.added_by,
        "seen_at": None if one.seen_at is None else one.seen_at.isoformat(),
    }
