"""Makes the deliveries of one endpoint from what was recorded, in steps: what to send, and who has to wait for whom.

A step adds its deliveries and how far it came in one unit of work, so every event becomes one delivery of an endpoint,
whatever ends in between. Users of whom too much waits are held back, so that they stop nobody else.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from credits_core.notices import holding_back, journal
from credits_core.notices.events import Event, kinds_of
from credits_core.notices.journal import Settled
from credits_core.store.kinds import DeliveryState, EventKind
from credits_core.store.tables import WebhookDelivery, WebhookEndpoint
from credits_core.values.days import to_microseconds

ENTRIES_PER_STEP = 500
MOST_WAITING, MOST_IN_ALL = 5_000, 50_000
"""Beyond so many that were not tried yet, or in all, an endpoint gets no more: the journal keeps what comes after."""


def collect(connection: Connection, endpoint_id: int, up_to: Settled, *, now: datetime) -> bool:
    """Make the deliveries of the next 500 entries, and say whether more is left."""
    at = locked(connection, endpoint_id)
    if at is None or _is_full(connection, endpoint_id) or not journal.is_still_there(connection, up_to):
        return False
    kinds = kinds_of(at.events)
    found, is_more = holding_back.caught_up(connection, endpoint_id, at, kinds, limit=ENTRIES_PER_STEP)
    last = min(at.after_entry_id + ENTRIES_PER_STEP, max(up_to.entry_id, at.after_entry_id))
    after: dict[str, int] = {"after_entry_id": last}
    entries = list(journal.of_entries(connection, at.after_entry_id, last, kinds))
    others, is_last = list[journal.Numbered](), last >= up_to.entry_id
    if is_last:
        others = list(journal.of_others(connection, at.after_event_id, up_to.event_id, kinds))
        after["after_event_id"] = max(up_to.event_id, at.after_event_id)
    add(connection, endpoint_id, found, now=now)
    found = holding_back.not_held(connection, endpoint_id, at, entries, others, last)
    if is_last and EventKind.PLAN_ACTIVATED in kinds:
        activated = journal.of_activations(connection, at.after_activation_id)
        found += [event for _, event in activated]
        after["after_activation_id"] = max([at.after_activation_id, *(number for number, _ in activated)])
    if any(getattr(at, name) != number for name, number in after.items()):
        connection.execute(update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).values(after))
    add(connection, endpoint_id, found, now=now)
    return is_more or not is_last


def locked(connection: Connection, endpoint_id: int) -> Any:
    """The endpoint's row, locked: deliveries are made, ended and sent again by one at a time. None once it is gone."""
    return connection.execute(
        select(
            WebhookEndpoint.events,
            WebhookEndpoint.after_entry_id,
            WebhookEndpoint.after_event_id,
            WebhookEndpoint.after_activation_id,
            WebhookEndpoint.failing_since_us,
        )
        .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.removed_at_us.is_(None))
        .with_for_update()
    ).one_or_none()


def add(connection: Connection, endpoint_id: int, events: Sequence[Event], *, now: datetime) -> None:
    """Add deliveries of these events, after all that the endpoint has. The first of each user is tried at once."""
    now_us = to_microseconds(now)
    busy = set(holding_back.waiting_of(connection, endpoint_id, {one.user_id for one in events}))
    rows = []
    for one in events:
        rows.append(
            {
                "endpoint_id": endpoint_id,
                "event_id": one.id,
                "kind": one.kind.value,
                "user_id": one.user_id,
                "body": one.body,
                "made_at_us": now_us,
                "state": DeliveryState.WAITING.value,
                "tries": 0,
                "next_at_us": None if one.user_id in busy else now_us,
            }
        )
        busy.add(one.user_id)
    if rows:
        connection.execute(insert(WebhookDelivery), rows)


def _is_full(connection: Connection, endpoint_id: int) -> bool:
    """Whether so many wait that no more are to be made. What failed waits for a time, and is counted only in all."""
    waits = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == DeliveryState.WAITING.value)
    for most, where in ((MOST_WAITING, (*waits, WebhookDelivery.tries == 0)), (MOST_IN_ALL, waits)):
        some = select(WebhookDelivery.id).where(*where).limit(most).subquery()
        if connection.execute(select(func.count()).select_from(some)).scalar_one() >= most:
            return True
    return False
