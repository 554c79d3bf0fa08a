"""The command line for the API's keys: `python -m credits_core api-key create | list | revoke`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import Engine

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.store.kinds import Role


def commands(ledger: Callable[[], AbstractContextManager[Engine]]) -> typer.Typer:
    """The commands for the database that `ledger` opens."""
    app = typer.Typer(help="The keys of the API: make, list and revoke them.", no_args_is_help=True)

    @app.command()
    def create(
        name: Annotated[str, typer.Option(help="Who uses the key; entries name it as api/NAME.")],
        role: Annotated[Role, typer.Option(help="admin: everything; service: charge and read; user: read one user.")],
        user_id: Annotated[str | None, typer.Option(help="Whose data a key with the role user may see.")] = None,
        expires: Annotated[
            str | None, typer.Option(help="UTC day from which the key is refused, e.g. 2027-01-31.")
        ] = None,
    ) -> None:
        """Make a key and print it. It is shown only now: only its hash is stored."""
        key, now = api_keys.new_key(), datetime.now(UTC)
        with ledger() as engine:
            database.write(
                engine,
                lambda connection: api_keys.create_key(
                    connection, name, key=key, role=role, user_id=user_id, expires_at=_day(expires), now=now
                ),
            )
        typer.echo(key)

    @app.command("list")
    def list_() -> None:
        """List every key that was ever made, newest first."""
        now = datetime.now(UTC)
        with ledger() as engine, database.read(engine) as connection:
            for record in api_keys.list_keys(connection):
                typer.echo(_line(record, now))

    @app.command()
    def revoke(name: Annotated[str, typer.Option(help="The key's name.")]) -> None:
        """Refuse a key from now on."""
        now = datetime.now(UTC)
        with ledger() as engine:
            database.write(engine, lambda connection: api_keys.revoke_key(connection, name, now=now))
        typer.echo(f"{name} is revoked")

    return app


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("expires", f"must be a day such as 2027-01-31, not {text!r}") from None


def _line(record: KeyRecord, now: datetime) -> str:
    whose = record.role.value if record.user_id is None else f"{record.role.value} {record.user_id}"
    until = "" if record.expires_at is None else f"  until {record.expires_at:%Y-%m-%d}"
    state = record.problem(now) or "in force"
    return f"{record.name}  {record.beginning}…  {whose}  made {record.created_at:%Y-%m-%d}{until}  {state}"
