"""Writes down an event that is no entry, in the unit of work that brings it about: a payout, a low balance."""

import json
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.ledger import locks
from credits_core.notices.events import Content
from credits_core.store.kinds import EventKind
from credits_core.store.tables import WebhookEvent
from credits_core.values.days import to_microseconds


def tell(
    connection: Connection, kind: EventKind, user_id: str, content: Content, *, about: str, now: datetime
) -> int | None:
    """Write the event down and return its number; None when something of this name was told before.

    `about` names what happened, such as `payout 7`. Who subscribed to the kind is told once this is committed.
    """
    # Whoever reads events waits for those who have this lock, and so misses none that is committed late.
    locks.lock_users(connection, ())
    if connection.execute(select(WebhookEvent.id).where(WebhookEvent.about == about)).first() is not None:
        return None
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert_(WebhookEvent).values(
        kind=kind.value,
        user_id=user_id,
        about=about,
        content=json.dumps(content, ensure_ascii=False),
        happened_at_us=to_microseconds(now),
    )
    added = connection.execute(row.on_conflict_do_nothing(index_elements=["about"]).returning(WebhookEvent.id))
    return added.scalar_one_or_none()
