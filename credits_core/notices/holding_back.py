"""Holds back the events of users of whom too many wait at an endpoint, so that one user stops nobody else.

No more deliveries are made of such a user; a mark says from where on. The journal keeps what follows. Once all that
wait are taken or dead, the next of them are read from there, in the same order.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from credits_core.notices import journal
from credits_core.notices.events import Event
from credits_core.notices.journal import Numbered
from credits_core.store.kinds import DeliveryState, EventKind
from credits_core.store.tables import WebhookDelivery, WebhookHeldUser

MOST_OF_USER = 20
"""So many events of a user wait at an endpoint at most, before the user is held back."""
_USERS_AT_ONCE = 50
_ASKED_AT_ONCE = 500
_WAITS = WebhookDelivery.state == DeliveryState.WAITING.value


def not_held(
    connection: Connection,
    endpoint_id: int,
    at: Any,
    entries: Iterable[Numbered],
    others: Iterable[Numbered],
    last_entry_id: int,
) -> list[Event]:
    """Those of these events that are to be sent now, in order. Of the others it is kept from where on they were left.

    `at` is the endpoint's row before this step, which reads entries up to `last_entry_id`.
    """
    left_at = [(one, (number - 1, at.after_event_id)) for number, one in entries]
    left_at += [(one, (last_entry_id, number - 1)) for number, one in others]
    users = {one.user_id for one, _ in left_at}
    held, waiting = _held(connection, endpoint_id, users), Counter(waiting_of(connection, endpoint_id, users))
    sent, marks = [], []
    for one, (entry_id, event_id) in left_at:
        if one.user_id in held:
            continue
        if one.user_id and waiting[one.user_id] >= MOST_OF_USER:
            held.add(one.user_id)
            mark = {"user_id": one.user_id, "after_entry_id": entry_id, "after_event_id": event_id}
            marks.append({"endpoint_id": endpoint_id, **mark})
            continue
        waiting[one.user_id] += 1
        sent.append(one)
    if marks:
        connection.execute(insert(WebhookHeldUser), marks)
    return sent


def caught_up(
    connection: Connection, endpoint_id: int, at: Any, kinds: Collection[EventKind], *, limit: int
) -> tuple[list[Event], bool]:
    """The next events of users who were held back and of whom nothing waits any more, and whether more can be read.

    Reads `limit` entries of a user at most. A user of whom all is read up to where the endpoint is, is held no more.
    """
    row = WebhookHeldUser
    waits = select(WebhookDelivery.id).where(
        WebhookDelivery.endpoint_id == endpoint_id, _WAITS, WebhookDelivery.user_id == row.user_id
    )
    free = select(row.user_id, row.after_entry_id, row.after_event_id).where(
        row.endpoint_id == endpoint_id, ~waits.exists()
    )
    sent, is_more = list[Event](), False
    for user_id, after, after_event in connection.execute(free.order_by(row.user_id).limit(_USERS_AT_ONCE)).all():
        found, last = journal.of_entries_of(connection, user_id, after, at.after_entry_id, kinds, limit=limit)
        event_id = after_event
        if len(found) > MOST_OF_USER:
            found = found[:MOST_OF_USER]
            last = found[-1][0]
        is_whole = last >= at.after_entry_id
        if is_whole:
            room = MOST_OF_USER - len(found)
            more = journal.of_others(connection, after_event, at.after_event_id, kinds, user_id=user_id)
            others = list(islice(more, room + 1))
            is_whole = len(others) <= room
            found += others[:room]
            event_id = others[room - 1][0] if room and not is_whole else after_event
        of_user = (row.endpoint_id == endpoint_id, row.user_id == user_id)
        if is_whole:
            connection.execute(delete(row).where(*of_user))
        else:
            connection.execute(update(row).where(*of_user).values(after_entry_id=last, after_event_id=event_id))
            is_more = is_more or not found
        sent += [one for _, one in found]
    return sent, is_more


def forget(connection: Connection, endpoint_id: int) -> None:
    """Hold nobody back at this endpoint, which is told nothing any more."""
    connection.execute(delete(WebhookHeldUser).where(WebhookHeldUser.endpoint_id == endpoint_id))


def waiting_of(connection: Connection, endpoint_id: int, users: Collection[str]) -> dict[str, int]:
    """How many events of each of these users wait at the endpoint; nothing of those of whom none does."""
    row, found = WebhookDelivery, dict[str, int]()
    left = iter(sorted(users))
    while some := list(islice(left, _ASKED_AT_ONCE)):
        asked = select(row.user_id, func.count()).where(row.endpoint_id == endpoint_id, _WAITS, row.user_id.in_(some))
        found |= {user_id: count for user_id, count in connection.execute(asked.group_by(row.user_id))}  # noqa: C416
    return found


def _held(connection: Connection, endpoint_id: int, users: Collection[str]) -> set[str]:
    row, found = WebhookHeldUser, set[str]()
    left = iter(sorted(users))
    while some := list(islice(left, _ASKED_AT_ONCE)):
        asked = select(row.user_id).where(row.endpoint_id == endpoint_id, row.user_id.in_(some))
        found |= set(connection.execute(asked).scalars())
    return found
