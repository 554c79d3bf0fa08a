"""What the commands about webhooks and low balances do."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from credits_core import settings
from credits_core.cli.keys import duration
from credits_core.cli.opened import actor, both, opened_ledger, written
from credits_core.errors import InvalidRequest
from credits_core.notices import addresses, deliveries, endpoints, low_balance, signing
from credits_core.notices.deliveries import Delivery
from credits_core.notices.endpoints import Endpoint
from credits_core.store import database
from credits_core.store.kinds import DeliveryState, EventKind
from credits_core.values.text import counted


def list_all() -> None:
    """Print every endpoint."""
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in endpoints.endpoints(connection, now=_now()):
            typer.echo(_line(one))
        dead = deliveries.dead_letters(connection)
    if dead:
        typer.echo(f"{counted(dead, 'dead letter')}: webhooks deliveries --dead")


def add(address: str, kinds: Sequence[str]) -> None:
    """Add an endpoint and print its secret, once."""
    secret, listed, wanted = signing.new_secret(), settings.webhook_hosts(), _kinds(kinds)
    addresses.require_found(address, listed)
    one = written(lambda c: endpoints.add(c, address, wanted, secret=secret, listed=listed, now=_now(), actor=actor()))
    typer.echo(f"Endpoint {one.id} is told from now on. Its secret, shown only now:", err=True)
    typer.echo(secret)


def remove(endpoint_id: int) -> None:
    """Tell it nothing any more."""
    written(lambda connection: endpoints.remove(connection, endpoint_id, now=_now(), actor=actor()))
    typer.echo(f"Endpoint {endpoint_id} is told nothing any more")


def enable(endpoint_id: int) -> None:
    """Go on with it."""
    written(lambda connection: endpoints.enable(connection, endpoint_id, now=_now(), actor=actor()))
    typer.echo(f"Endpoint {endpoint_id} is told again: what waits and what happened since, no dead letters")


def rotate(endpoint_id: int, overlap: str) -> None:
    """Replace its secret and print the new one, once."""
    secret, lasts = signing.new_secret(), duration(overlap)
    written(lambda c: endpoints.rotate(c, endpoint_id, secret=secret, overlap=lasts, now=_now(), actor=actor()))
    typer.echo(secret)


def send_test(endpoint_id: int) -> None:
    """Send it a test event."""
    key = uuid.uuid4().hex
    written(lambda connection: deliveries.send_test(connection, endpoint_id, key=key, now=_now(), actor=actor()))
    typer.echo(f"A test event for endpoint {endpoint_id} waits: webhooks deliveries shows what becomes of it")


def deliveries_list(*, is_dead: bool, limit: int) -> None:
    """Print the newest deliveries."""
    state = DeliveryState.DEAD if is_dead else None
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in deliveries.newest(connection, state=state, limit=limit):
            typer.echo(_delivery(one))


def send_again(delivery_id: int) -> None:
    """Send a dead letter again."""
    to = written(lambda connection: deliveries.send_again(connection, delivery_id, now=_now(), actor=actor()))
    typer.echo(f"Delivery {delivery_id} is sent to endpoint {to} again")


def list_levels() -> None:
    """Print every level."""
    with opened_ledger() as engine, database.read(engine) as connection:
        for one in low_balance.levels(connection):
            typer.echo(f"{one.user_id or 'everybody'}  {both(one.level_credits)}")


def set_level(level_credits: int, user_id: str) -> None:
    """Have it told when a balance falls below the level."""
    written(lambda c: low_balance.set_level(c, user_id, level_credits, now=_now(), actor=actor()))
    whose = f"the balance of {user_id}" if user_id else "anybody's balance"
    typer.echo(f"Level set: we tell when {whose} falls below {both(level_credits)}")


def remove_level(level_credits: int, user_id: str) -> None:
    """Have nothing told of the level any more."""
    written(lambda c: low_balance.remove_level(c, user_id, level_credits, now=_now(), actor=actor()))
    typer.echo(f"Not told below {both(level_credits)} any more: {user_id or 'everybody'}")


def _now() -> datetime:
    return datetime.now(UTC)


def _kinds(named: Sequence[str]) -> list[EventKind]:
    unknown = sorted(set(named) - {kind.value for kind in EventKind})
    if unknown:
        raise InvalidRequest("event", f"must be one of {', '.join(EventKind)}, not {unknown[0]!r}")
    return [kind for kind in EventKind if not named or kind.value in named]


def _line(one: Endpoint) -> str:
    state = "active"
    if one.disabled_at is not None:
        state = f"disabled {one.disabled_at:%Y-%m-%d}: {one.disabled_because}"
    elif one.failing_since is not None:
        state = f"failing since {one.failing_since:%Y-%m-%d %H:%M} UTC"
    return f"{one.id}  {one.address}  {', '.join(kind.value for kind in one.kinds)}  {state}"


def _delivery(one: Delivery) -> str:
    whom = " (test)" if one.is_test else f" of {one.user_id}" if one.user_id else ""
    answer = "not tried yet" if one.tried_at is None else f"{one.status or 'no status'}: {one.answer}"
    tries = f"{one.tries} tries" if one.tries != 1 else "1 try"
    return f"{one.id}  {one.kind}{whom}  to endpoint {one.endpoint_id}  {one.state}  {tries}  {answer}"
