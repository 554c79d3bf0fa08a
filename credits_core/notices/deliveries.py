"""What is tried when: the deliveries that are due, what became of a try, and dead letters that are sent again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from credits_core.notices import collecting
from credits_core.notices.events import event
from credits_core.notices.posting import Answer
from credits_core.notices.refusals import UnknownDelivery, UnknownEndpoint
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.kinds import DeliveryState, EventKind
from credits_core.store.tables import WebhookDelivery, WebhookEndpoint
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import Actor, May
from credits_core.values.text import counted

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""How long after each failed try the next one comes: those that Standard Webhooks recommends, three days in all."""
DISABLED_AFTER = timedelta(days=5)
KEPT = timedelta(days=30)
_GONE = 410
_TEST = ":"
"""How what stands in the place of the user of a test event begins, which no user's id does: it waits for nobody."""
_WAITING, _DELIVERED, _DEAD = (state.value for state in DeliveryState)


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be tried now. `tries` says how many there were."""

    id: int
    event_id: str
    user_id: str
    body: str
    tries: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery for people to look at. `next_at` is None for one that is not to be tried, or waits for another.

    `is_test`: somebody asked for it, and nothing happened.
    """

    id: int
    endpoint_id: int
    event_id: str
    kind: EventKind
    user_id: str
    body: str
    made_at: datetime
    state: DeliveryState
    tries: int
    next_at: datetime | None
    tried_at: datetime | None
    status: int | None
    answer: str | None
    is_test: bool


def due(connection: Connection, endpoint_id: int, *, now: datetime, limit: int) -> list[Due]:
    """The deliveries whose time has come, at most one of each user, the longest overdue first."""
    row = WebhookDelivery
    found = connection.execute(
        select(row.id, row.event_id, row.user_id, row.body, row.tries)
        .where(row.endpoint_id == endpoint_id, row.next_at_us <= to_microseconds(now))
        .order_by(row.next_at_us, row.id)
        .limit(limit)
    )
    return [Due(*one) for one in found]


def keep(connection: Connection, endpoint_id: int, tried: Sequence[tuple[Due, Answer]], *, now: datetime) -> None:
    """Keep what became of these tries: taken, tried again later, or dead; and let the users' next events go.

    A receiver that answers 410, or takes nothing for five days, is disabled.
    """
    at = collecting.locked(connection, endpoint_id)
    if at is None:
        return
    for one, answer in tried:
        _keep_one(connection, endpoint_id, one, answer, now)
    since_us = at.failing_since_us
    if any(answer.is_taken for _, answer in tried):
        since_us = None
    elif tried and since_us is None:
        since_us = to_microseconds(now)
    values: dict[str, object] = {"failing_since_us": since_us} if since_us != at.failing_since_us else {}
    if any(answer.status == _GONE for _, answer in tried):
        values |= {"disabled_at_us": to_microseconds(now), "disabled_because": "It answered 410: it is gone for good."}
    elif since_us is not None and from_microseconds(since_us) <= now - DISABLED_AFTER:
        because = f"It has taken nothing for {counted(DISABLED_AFTER.days, 'day')}."
        values |= {"disabled_at_us": to_microseconds(now), "disabled_because": because}
    if values:
        connection.execute(update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).values(values))


def _keep_one(connection: Connection, endpoint_id: int, one: Due, answer: Answer, now: datetime) -> None:
    tries = one.tries + 1
    values: dict[str, object] = {
        "tries": tries,
        "tried_at_us": to_microseconds(now),
        "status": answer.status,
        "answer": answer.said,
        "next_at_us": None,
    }
    if answer.is_taken:
        values["state"] = _DELIVERED
    elif tries > len(PAUSES):
        values["state"] = _DEAD
    else:
        values["next_at_us"] = to_microseconds(now + PAUSES[tries - 1])
    row = WebhookDelivery
    as_seen = (row.id == one.id, row.state == _WAITING, row.tries == one.tries)
    done = connection.execute(update(row).where(*as_seen).values(values)).rowcount
    if done and values["next_at_us"] is None:
        _let_next_go(connection, endpoint_id, one.user_id, to_microseconds(now))


def _let_next_go(connection: Connection, endpoint_id: int, user_id: str, now_us: int) -> None:
    """Have the earliest waiting event of the user tried, if none is."""
    row = WebhookDelivery
    of_user = (row.endpoint_id == endpoint_id, row.user_id == user_id, row.state == _WAITING)
    first = connection.execute(select(row.id, row.next_at_us).where(*of_user).order_by(row.id).limit(1)).one_or_none()
    others = select(row.id).where(*of_user, row.next_at_us.is_not(None)).limit(1)
    if first is not None and connection.execute(others).first() is None:
        connection.execute(update(row).where(row.id == first.id).values(next_at_us=now_us))


def send_again(connection: Connection, delivery_id: int, *, now: datetime, actor: Actor) -> int:
    """Try a dead letter anew, ten times if need be, and return its endpoint.

    It goes before all that waits, but after the event of the user that is being tried already. What was sent since it
    died came before it.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownDelivery: there is no dead letter of this number.
        UnknownEndpoint: its endpoint was removed.
    """
    actor.require(May.MANAGE)
    row = WebhookDelivery
    asked = select(row.endpoint_id, row.user_id).where(row.id == delivery_id, row.state == _DEAD)
    found = connection.execute(asked).one_or_none()
    if found is None:
        raise UnknownDelivery(delivery_id)
    if collecting.locked(connection, found.endpoint_id) is None:
        raise UnknownEndpoint(found.endpoint_id)
    dead = (row.id == delivery_id, row.state == _DEAD)
    if connection.execute(update(row).where(*dead).values(state=_WAITING, tries=0)).rowcount == 0:
        raise UnknownDelivery(delivery_id)
    _let_next_go(connection, found.endpoint_id, found.user_id, to_microseconds(now))
    activity.note(
        connection, Change.DELIVERY_SENT_AGAIN, str(delivery_id), actor=actor.recorded, now=now, detail={"tries": 0}
    )
    return int(found.endpoint_id)


def send_test(connection: Connection, endpoint_id: int, *, key: str, now: datetime, actor: Actor) -> None:
    """Send an event of the first kind that the endpoint wants, which says `is_test`. `key` tells it from others.

    Raises:
        NotAllowed: the actor may not manage this product.
        UnknownEndpoint: there is none, or it was removed.
    """
    actor.require(May.MANAGE)
    at = collecting.locked(connection, endpoint_id)
    if at is None:
        raise UnknownEndpoint(endpoint_id)
    kind = EventKind(at.events.partition(",")[0])
    test = event(kind, "", {"is_test": True}, happened_at=now, named=f"test {key}")
    collecting.add(connection, endpoint_id, [replace(test, user_id=f"{_TEST}{test.id}")], now=now)


def newest(
    connection: Connection,
    *,
    endpoint_id: int | None = None,
    state: DeliveryState | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """The newest deliveries, of an endpoint or a state where one is given, before a number.

    Dead ones are those that can be sent again: not those of endpoints that were removed.
    """
    row = WebhookDelivery
    asked = _select().order_by(row.id.desc()).limit(limit)
    if endpoint_id is not None:
        asked = asked.where(row.endpoint_id == endpoint_id)
    if state is not None:
        asked = asked.where(row.state == state.value)
    if state is DeliveryState.DEAD:
        asked = asked.where(row.endpoint_id.in_(_STILL_THERE))
    if before is not None:
        asked = asked.where(row.id < before)
    return [_delivery(one) for one in connection.execute(asked)]


def dead_letters(connection: Connection) -> int:
    """How many deliveries are dead, without those of endpoints that were removed."""
    dead = (WebhookDelivery.state == _DEAD, WebhookDelivery.endpoint_id.in_(_STILL_THERE))
    return connection.execute(select(func.count()).where(*dead)).scalar_one()


def delete_old(connection: Connection, *, now: datetime, limit: int = 10_000) -> int:
    """Delete deliveries that ended more than 30 days ago, at most so many, and return how many."""
    row = WebhookDelivery
    ended = (row.state != _WAITING, row.tried_at_us < to_microseconds(now - KEPT))
    some = select(row.id).where(*ended).limit(limit)
    return connection.execute(delete(row).where(row.id.in_(some))).rowcount


_STILL_THERE = select(WebhookEndpoint.id).where(WebhookEndpoint.removed_at_us.is_(None))


def _select() -> Any:
    row = WebhookDelivery
    first = (row.id, row.endpoint_id, row.event_id, row.kind, row.user_id, row.body, row.made_at_us, row.state)
    return select(*first, row.tries, row.next_at_us, row.tried_at_us, row.status, row.answer)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        row.id,
        row.endpoint_id,
        row.event_id,
        EventKind(row.kind),
        "" if row.user_id.startswith(_TEST) else row.user_id,
        row.body,
        from_microseconds(row.made_at_us),
        DeliveryState(row.state),
        row.tries,
        None if row.next_at_us is None else from_microseconds(row.next_at_us),
        None if row.tried_at_us is None else from_microseconds(row.tried_at_us),
        row.status,
        row.answer,
        is_test=row.user_id.startswith(_TEST),
    )
