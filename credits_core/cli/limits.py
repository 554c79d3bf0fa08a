"""What the commands about spending limits do."""

from datetime import UTC, datetime

import typer

from credits_core import settings
from credits_core.cli.opened import actor, both, opened_ledger, written
from credits_core.errors import InvalidRequest
from credits_core.ledger import spending_limits
from credits_core.ledger.spending import key_of, subject_of_key
from credits_core.store import database
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.text import counted

_MOST_LISTED = 1_000


def list_all() -> None:
    """Print every limit; what is left first, because that is what one looks for."""
    now = datetime.now(UTC)
    with opened_ledger() as engine, database.read(engine) as connection:
        found = spending_limits.all_limits(connection, now=now, limit=_MOST_LISTED)
    for one in found:
        limit = one.limit
        held = f", {one.held_credits:,} held" if one.held_credits else ""
        typer.echo(
            f"{_whose(limit.subject)}  {limit.limit_credits:,} a {limit.period}  {one.left_credits:,} left"
            f"  ({limit.spent_credits:,} spent{held})  until {limit.resets_at:%Y-%m-%d %H:%M} UTC"
        )
    if len(found) == _MOST_LISTED:
        typer.echo(f"The first {counted(_MOST_LISTED, 'limit')}; there may be more.", err=True)


def set_limit(credits: int, period: SpendingPeriod, user: str, key: str) -> None:
    """Set the limit of a user or a key."""
    subject, zone = _subject(user, key), settings.time_zone()
    written(
        lambda connection: spending_limits.set_limit(
            connection, subject, period, credits, zone=zone, now=datetime.now(UTC), actor=actor()
        )
    )
    typer.echo(f"{_whose(subject)} may spend at most {both(credits)} a {period}")


def remove_limit(period: SpendingPeriod, user: str, key: str) -> None:
    """Remove the limit of a user or a key."""
    subject = _subject(user, key)
    written(lambda c: spending_limits.remove_limit(c, subject, period, now=datetime.now(UTC), actor=actor()))
    typer.echo(f"{_whose(subject)} has no limit a {period} any more")


def _subject(user: str, key: str) -> str:
    if bool(user) == bool(key):
        raise InvalidRequest("user", "must be given, or a key, and not both: --user ID or --key NAME")
    return user or subject_of_key(key)


def _whose(subject: str) -> str:
    name = key_of(subject)
    return subject if name is None else f"The key {name}"
