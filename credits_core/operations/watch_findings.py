"""Keeps what watching found, lists it, and notes who looked at it. A finding is never deleted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from credits_core.operations import watch_entries
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_refusals import AlreadyLookedAt, UnknownFinding
from credits_core.operations.watch_rules import WatchRule
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import WatchFinding
from credits_core.values.days import day_of, from_microseconds, to_microseconds
from credits_core.values.fields import require_text
from credits_core.values.roles import Actor, May

_ADDED_UP = frozenset({WatchRule.BELOW_COST})
"""Rules that say what one step saw alone; the others look at all days that matter each time."""


@dataclass(frozen=True, slots=True)
class Look:
    """Who looked at a finding, when, and what they noted."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual, with what led to it: numbers by name, and the newest entries."""

    number: int
    rule: WatchRule
    subject: str
    day: date
    numbers: Mapping[str, int | str]
    entries: Sequence[int]
    found_at: datetime
    look: Look | None


def keep(connection: Connection, found: Found, again_after_days: int, *, now: datetime) -> bool:
    """Keep a finding and say whether it is new. For `watch` alone, within its unit of work.

    One about the same subject that is less than so many days away is not new: while nobody has looked at it, it takes
    the newest numbers.
    """
    near = (WatchFinding.day > found.day - again_after_days) & (WatchFinding.day < found.day + again_after_days)
    same = (WatchFinding.rule == found.rule.value) & (WatchFinding.subject == found.subject)
    row = connection.execute(
        select(WatchFinding.id, WatchFinding.numbers, WatchFinding.entries, WatchFinding.looked_at_us)
        .where(same, near)
        .order_by(WatchFinding.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        connection.execute(
            insert(WatchFinding).values(
                rule=found.rule.value,
                subject=found.subject,
                day=found.day,
                numbers=json.dumps(dict(found.numbers), sort_keys=True),
                entries=json.dumps(found.entries),
                found_at_us=to_microseconds(now),
            )
        )
    elif row.looked_at_us is None:
        numbers = _added(json.loads(row.numbers), found) if found.rule in _ADDED_UP else dict(found.numbers)
        entries = watch_entries.joined(found.entries, json.loads(row.entries))
        connection.execute(
            update(WatchFinding)
            .where(WatchFinding.id == row.id)
            .values(numbers=json.dumps(numbers, sort_keys=True), entries=json.dumps(entries))
        )
    return row is None


def _added(kept: Mapping[str, int], found: Found) -> dict[str, int]:
    return {name: kept[name] + int(number) for name, number in found.numbers.items()}


def findings(connection: Connection, *, is_waiting: bool, before: int | None = None, limit: int = 25) -> list[Finding]:
    """The findings that nobody has looked at, or those that somebody has, the newest first, below a number."""
    looked_at = WatchFinding.looked_at_us
    asked = select(WatchFinding.__table__).where(looked_at.is_(None) if is_waiting else looked_at.is_not(None))
    if before is not None:
        asked = asked.where(WatchFinding.id < before)
    return [_finding(row) for row in connection.execute(asked.order_by(WatchFinding.id.desc()).limit(limit))]


def finding(connection: Connection, number: int) -> Finding:
    """The finding with this number.

    Raises:
        UnknownFinding: there is none.
    """
    row = connection.execute(select(WatchFinding.__table__).where(WatchFinding.id == number)).one_or_none()
    if row is None:
        raise UnknownFinding(number)
    return _finding(row)


def look_at(connection: Connection, number: int, *, note: str, now: datetime, actor: Actor) -> None:
    """Note that somebody looked at a finding, and what it was.

    Raises:
        NotAllowed: the actor may not look into findings.
        InvalidRequest: the note does not have 1 to 500 characters.
        UnknownFinding: there is no finding with this number.
        AlreadyLookedAt: somebody has looked at it before.
    """
    actor.require(May.LOOK_INTO)
    note = require_text("note", note)
    row = connection.execute(
        select(WatchFinding.rule, WatchFinding.subject, WatchFinding.looked_by)
        .where(WatchFinding.id == number)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise UnknownFinding(number)
    if row.looked_by is not None:
        raise AlreadyLookedAt(number, row.looked_by)
    connection.execute(
        update(WatchFinding)
        .where(WatchFinding.id == number)
        .values(looked_at_us=to_microseconds(now), looked_by=actor.recorded, note=note)
    )
    detail = {"rule": row.rule, "about": row.subject, "note": note}
    activity.note(connection, Change.FINDING_LOOKED_AT, str(number), actor=actor.recorded, now=now, detail=detail)


def _finding(row: Any) -> Finding:
    look = None
    if row.looked_at_us is not None:
        look = Look(row.looked_by, from_microseconds(row.looked_at_us), row.note)
    return Finding(
        row.id,
        WatchRule(row.rule),
        row.subject,
        day_of(row.day),
        json.loads(row.numbers),
        json.loads(row.entries),
        from_microseconds(row.found_at_us),
        look,
    )
