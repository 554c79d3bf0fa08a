"""Lists what was changed that is no movement of credits: the record that `store.activity` writes. Writes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from credits_core.store.activity import Change
from credits_core.store.tables import ActivityRecord
from credits_core.values.days import from_microseconds


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes to list. None means no restriction."""

    kind: Change | None = None
    actor: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class ListedChange:
    """One change: what was changed, by whom and when. `kind` is a text where a later version has written it."""

    number: int
    kind: Change | str
    subject: str
    detail: Mapping[str, str | int | None]
    actor: str
    happened_at: datetime


def changes(
    connection: Connection, wanted: ChangeFilter, *, before: int | None = None, limit: int = 50
) -> list[ListedChange]:
    """The newest changes that match the filter; with a number, those before it."""
    found = select(ActivityRecord.__table__).order_by(ActivityRecord.id.desc()).limit(limit)
    if wanted.kind is not None:
        found = found.where(ActivityRecord.kind == wanted.kind.value)
    if wanted.actor is not None:
        found = found.where(ActivityRecord.actor == wanted.actor)
    if wanted.subject is not None:
        found = found.where(ActivityRecord.subject == wanted.subject)
    if before is not None:
        found = found.where(ActivityRecord.id < before)
    return [
        ListedChange(
            row.id,
            Change(row.kind) if row.kind in list(Change) else row.kind,
            row.subject,
            json.loads(row.detail),
            row.actor,
            from_microseconds(row.happened_at_us),
        )
        for row in connection.execute(found)
    ]


def newest_actors(connection: Connection, *, of_newest: int = 500) -> list[str]:
    """Who made the newest changes, each once, in alphabetical order."""
    newest = select(ActivityRecord.actor).order_by(ActivityRecord.id.desc()).limit(of_newest).subquery()
    return sorted(connection.execute(select(newest.c.actor).distinct()).scalars())
