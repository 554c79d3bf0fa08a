"""The actions on endpoints, the addresses that are told of events: add, remove, enable, and replace the secret.

Whoever is added is told of everything that is committed after the endpoint is, and of nothing before.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, func, insert, select, update

from credits_core.errors import InvalidRequest
from credits_core.ledger import locks
from credits_core.notices import addresses, holding_back
from credits_core.notices.events import kinds_of
from credits_core.notices.refusals import TooManyEndpoints, UnknownEndpoint
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.kinds import EventKind
from credits_core.store.tables import JournalEntry, PlanActivation, WebhookEndpoint, WebhookEvent
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import Actor, May

MOST = 20
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `secrets` are those that sign now, the newest first; they do not show when it is printed."""

    id: int
    address: str
    kinds: tuple[EventKind, ...]
    secrets: tuple[str, ...] = field(repr=False)
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None


def add(
    connection: Connection,
    address: str,
    kinds: Collection[EventKind],
    *,
    secret: str,
    listed: Collection[str] = (),
    now: datetime,
    actor: Actor,
) -> Endpoint:
    """Add an address that is told of events of these kinds from now on. `secret` is made by `signing.new_secret`.

    Waits for those who are writing entries, so that what they write is before the endpoint, and all else after it.

    Raises:
        NotAllowed: the actor may not manage this product.
        InvalidRequest: the address may not be told, or no kind is named.
        TooManyEndpoints: there are 20.
    """
    actor.require(May.MANAGE)
    addresses.parsed(address, listed)
    if not kinds:
        raise InvalidRequest("events", "must name at least one kind of event")
    locks.lock_everyone(connection)
    if len(endpoints(connection, now=now)) >= MOST:
        raise TooManyEndpoints(MOST)
    before = [
        select(func.coalesce(func.max(column), 0)).scalar_subquery()
        for column in (JournalEntry.id, WebhookEvent.id, PlanActivation.id)
    ]
    values = {
        "address": address,
        "events": ",".join(kind.value for kind in EventKind if kind in kinds),
        "secret": secret,
        **dict(zip(("after_entry_id", "after_event_id", "after_activation_id"), before, strict=True)),
        "actor": actor.recorded,
        "created_at_us": to_microseconds(now),
    }
    (added,) = connection.execute(insert(WebhookEndpoint).values(values).returning(WebhookEndpoint.id)).one()
    # Whoever knows a whole address may be able to write to it, and everybody reads the record of changes.
    detail = {"address": urlsplit(address).netloc, "events": str(values["events"])}
    activity.note(connection, Change.WEBHOOK_ADDED, str(added), actor=actor.recorded, now=now, detail=detail)
    return endpoint(connection, added, now=now)


def endpoints(connection: Connection, *, now: datetime) -> list[Endpoint]:
    """Those that were not removed, in the order of their numbers."""
    return [_endpoint(row, now) for row in connection.execute(_select().order_by(WebhookEndpoint.id))]


def endpoint(connection: Connection, endpoint_id: int, *, now: datetime) -> Endpoint:
    """One of them.

    Raises:
        UnknownEndpoint: there is none, or it was removed.
    """
    row = connection.execute(_select().where(WebhookEndpoint.id == endpoint_id)).one_or_none()
    if row is None:
        raise UnknownEndpoint(endpoint_id)
    return _endpoint(row, now)


def remove(connection: Connection, endpoint_id: int, *, now: datetime, actor: Actor) -> None:
    """Tell it nothing any more. What was tried stays on record; what waits is not sent.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownEndpoint: there is none, or it was removed.
    """
    actor.require(May.MANAGE)
    _change(connection, endpoint_id, now, actor, Change.WEBHOOK_REMOVED, removed_at_us=to_microseconds(now))
    holding_back.forget(connection, endpoint_id)


def enable(connection: Connection, endpoint_id: int, *, now: datetime, actor: Actor) -> None:
    """Go on with an endpoint that was disabled. It is told what waits and what happened meanwhile, no dead letters.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownEndpoint: there is none, or it was removed.
    """
    actor.require(May.MANAGE)
    values = {"disabled_at_us": None, "disabled_because": None, "failing_since_us": None}
    _change(connection, endpoint_id, now, actor, Change.WEBHOOK_ENABLED, **values)


def rotate(
    connection: Connection, endpoint_id: int, *, secret: str, overlap: timedelta, now: datetime, actor: Actor
) -> None:
    """Sign with a new secret; the old one signs as well until the overlap, at most 30 days, is over.

    Raises:
        NotAllowed: the actor may not manage this product.
        InvalidRequest: the overlap is longer, or negative.
        UnknownEndpoint: there is none, or it was removed.
    """
    actor.require(May.MANAGE)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest("overlap", f"must be 0 to {LONGEST_OVERLAP.days} days")
    old = endpoint(connection, endpoint_id, now=now).secrets[0]
    values: dict[str, Any] = {"old_secret": None, "old_until_us": None}
    if overlap:
        values = {"old_secret": old, "old_until_us": to_microseconds(now + overlap)}
    _change(connection, endpoint_id, now, actor, Change.WEBHOOK_SECRET_REPLACED, secret=secret, **values)


def _change(
    connection: Connection, endpoint_id: int, now: datetime, actor: Actor, change: Change, **values: object
) -> None:
    of_it = (WebhookEndpoint.id == endpoint_id, WebhookEndpoint.removed_at_us.is_(None))
    if connection.execute(update(WebhookEndpoint).where(*of_it).values(values)).rowcount == 0:
        raise UnknownEndpoint(endpoint_id)
    activity.note(connection, change, str(endpoint_id), actor=actor.recorded, now=now)


def _select() -> Any:
    row = WebhookEndpoint
    kept = (row.id, row.address, row.events, row.secret, row.old_secret, row.old_until_us, row.created_at_us)
    return select(*kept, row.failing_since_us, row.disabled_at_us, row.disabled_because).where(
        row.removed_at_us.is_(None)
    )


def _endpoint(row: Any, now: datetime) -> Endpoint:
    is_overlapping = row.old_until_us is not None and row.old_until_us > to_microseconds(now)
    return Endpoint(
        row.id,
        row.address,
        kinds_of(row.events),
        (row.secret, row.old_secret) if is_overlapping else (row.secret,),
        from_microseconds(row.created_at_us),
        _moment(row.failing_since_us),
        _moment(row.disabled_at_us),
        row.disabled_because,
    )


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else from_microseconds(moment_us)
