"""What the commands about API keys do."""

import re
from datetime import UTC, datetime, timedelta

import typer

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.cli.opened import actor, opened_ledger
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.values.roles import Role

_DURATION = re.compile(r"0|([0-9]{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def create(name: str, role: Role, user_id: str | None, expires: str | None) -> None:
    """Make a key and print it, once."""
    key, now = api_keys.new_key(), datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(
            engine,
            lambda connection: api_keys.create_key(
                connection, name, key=key, role=role, user_id=user_id, expires_at=_day(expires), now=now, actor=actor()
            ),
        )
    typer.echo(key)


def list_all() -> None:
    """Print every key that was ever made, newest first."""
    now = datetime.now(UTC)
    with opened_ledger() as engine, database.read(engine) as connection:
        for record in api_keys.list_keys(connection):
            typer.echo(_line(record, now))


def rotate(name: str, overlap: str, expires: str | None) -> None:
    """Replace a key and print the new one, once."""
    key, now = api_keys.new_key(), datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(
            engine,
            lambda connection: api_keys.rotate_key(
                connection, name, key=key, overlap=duration(overlap), expires_at=_day(expires), now=now, actor=actor()
            ),
        )
    typer.echo(key)


def revoke(name: str) -> None:
    """Refuse every key with this name from now on."""
    now = datetime.now(UTC)
    with opened_ledger() as engine:
        database.write(engine, lambda connection: api_keys.revoke_key(connection, name, now=now, actor=actor()))
    typer.echo(f"{name} is revoked")


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("expires", f"must be a day such as 2027-01-31, not {text!r}") from None


def duration(text: str) -> timedelta:
    """How long something is, such as 90m, 24h or 7d, or 0.

    Raises:
        InvalidRequest: it is none of these.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidRequest("overlap", f"must be a duration such as 90m, 24h or 7d, or 0, not {text!r}")
    count, unit = match.groups()
    return timedelta() if unit is None else int(count) * _UNITS[unit]


def _line(record: KeyRecord, now: datetime) -> str:
    whose = record.role.value if record.user_id is None else f"{record.role.value} {record.user_id}"
    until = ""
    if record.expires_at is not None and record.replaced_at is None:
        until = f"  until {record.expires_at:%Y-%m-%d}"
    state = record.problem(now) or "active"
    if record.replaced_at is not None and state == "active":
        state = f"replaced, works until {record.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{record.name}  {record.beginning}…  {whose}  made {record.created_at:%Y-%m-%d}{until}  {state}"
