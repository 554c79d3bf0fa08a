"""The invariant of spending limits: each is as it was set, counts what was spent, and nobody has spent more.

The periods and the sums are worked out a second time here, from the entries and the calendar of the limit's time zone.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.activity import Change
from credits_core.store.kinds import EntryType
from credits_core.store.tables import ActivityRecord, CreditTransaction, HoldEnding, JournalEntry, SpendingLimit
from credits_core.values.days import from_microseconds, number_of_day
from credits_core.values.time_zones import TimeZone, names, zone_named

_KEY = "key:"
_MAKER = aliased(JournalEntry)


class _Paid(NamedTuple):
    """A run or an unlock: what it cost, and whether it was held before."""

    entry_id: int
    credits: int
    at_us: int
    is_captured: int | bool


def spending_limits_hold(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every limit is as the record of changes says, and has counted what was spent in its period.

    No run or unlock since then went beyond it, but for one that was held before. After an earlier audit: the limits of
    those who have spent something since, or whose limit was set since; each is counted from when it was set.
    """
    found = connection.execute(select(SpendingLimit.__table__).order_by(SpendingLimit.subject, SpendingLimit.period))
    limits, violations = found.all(), list[str]()
    recorded = _recorded(connection) if since.is_beginning or limits else {}
    for limit in limits:
        name = f"the limit of {limit.subject} for a {limit.period}"
        if limit.time_zone not in names():
            violations.append(f"{name} has the time zone {limit.time_zone}, which is none")
            continue
        set_as = recorded.pop((limit.subject, limit.period), None)
        if set_as != _as_set(limit):
            violations.append(f"{name} is not as the record of changes says")
        has_news = limit.after_entry_id >= since.entry_id or _has_paid_since(connection, limit.subject, since.entry_id)
        if has_news:
            violations += _counted(connection, limit, name)
    if since.is_beginning:
        violations += [f"the limit of {subject} for a {period} is on record and gone" for subject, period in recorded]
    return Finding("nobody has spent more than a limit", len(limits), tuple(violations))


def _as_set(limit: Row[Any]) -> dict[str, object]:
    names_ = ("limit_credits", "time_zone", "after_entry_id", "actor", "set_at_us")
    return {name: getattr(limit, name) for name in names_}


def _recorded(connection: Connection) -> dict[tuple[str, str], dict[str, object]]:
    """The limits that the record of changes leaves, by subject and period."""
    record = ActivityRecord
    rows = connection.execute(
        select(record.kind, record.subject, record.detail, record.actor, record.happened_at_us)
        .where(or_(*(record.kind == kind.value for kind in (Change.SPENDING_LIMIT_SET, Change.SPENDING_LIMIT_REMOVED))))
        .order_by(record.id)
    )
    left: dict[tuple[str, str], dict[str, object]] = {}
    for kind, subject, detail, actor, at_us in rows:
        try:
            said = json.loads(detail)
            period = str(said["period"])
        except (ValueError, TypeError, KeyError, RecursionError):
            left[subject, "period that cannot be read"] = {}
            continue
        left.pop((subject, period), None)
        if kind == Change.SPENDING_LIMIT_SET.value:
            of_limit = {name: said.get(name) for name in ("limit_credits", "time_zone", "after_entry_id")}
            left[subject, period] = of_limit | {"actor": actor, "set_at_us": at_us}
    return left


def _counted(connection: Connection, limit: Row[Any], name: str) -> Iterator[str]:
    """Count again what was spent, one entry after the other, from the period in which the limit was set."""
    zone = zone_named(limit.time_zone)
    begins_us, ends_us = _period(limit.period, limit.set_at_us, zone)
    spent_credits = 0
    for paid in map(_Paid._make, chain.from_iterable(blocks(connection, _paid(limit.subject, begins_us, limit)))):
        if paid.at_us >= ends_us:
            begins_us, ends_us = _period(limit.period, paid.at_us, zone)
            spent_credits = 0
        spent_credits += paid.credits
        is_asked = paid.entry_id > limit.after_entry_id and not paid.is_captured
        if is_asked and spent_credits > limit.limit_credits:
            yield f"{name} allows {limit.limit_credits}, but entry {paid.entry_id} makes it {spent_credits}"
    kept, due = (limit.begins_us, limit.ends_us, limit.spent_credits), (begins_us, ends_us, spent_credits)
    if kept != due:
        yield f"{name} has {kept} as beginning, end and credits spent, but the entries give {due}"


def _period(period: str, moment_us: int, zone: TimeZone) -> tuple[int, int]:
    """The beginning and the end of the day or month that the clocks of the zone show at a moment."""
    shown: datetime = from_microseconds(moment_us).astimezone(zone.clock)
    first, days = (shown.date(), 1) if period == "day" else (shown.date().replace(day=1), 31)
    after = first + timedelta(days=days)
    if period != "day":
        after = after.replace(day=1)
    return zone.start_of_day(number_of_day(first)), zone.start_of_day(number_of_day(after))


def _is_of(subject: str) -> Any:
    if not subject.startswith(_KEY):
        return CreditTransaction.account_id == subject
    return func.coalesce(_MAKER.actor, JournalEntry.actor) == f"api/{subject.removeprefix(_KEY)}"


def _payments() -> Select[*tuple[Any, ...]]:
    """Runs and unlocks, with the entry that made the hold of a captured one."""
    return (
        select(
            CreditTransaction.entry_id,
            -CreditTransaction.amount_credits,
            CreditTransaction.created_at_us,
            HoldEnding.id.is_not(None),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .outerjoin(HoldEnding, HoldEnding.run_entry_id == CreditTransaction.entry_id)
        .outerjoin(_MAKER, _MAKER.id == HoldEnding.hold_id)
        .where(
            CreditTransaction.position == 0,
            or_(*(JournalEntry.type == kind.value for kind in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK))),
        )
        .order_by(CreditTransaction.entry_id)
    )


def _paid(subject: str, begins_us: int, limit: Row[Any]) -> Select[*tuple[Any, ...]]:
    """What the limit counts: what was spent in its first period before it was set, and everything after."""
    before = and_(CreditTransaction.entry_id <= limit.after_entry_id, CreditTransaction.created_at_us >= begins_us)
    return _payments().where(_is_of(subject), or_(before, CreditTransaction.entry_id > limit.after_entry_id))


def _has_paid_since(connection: Connection, subject: str, entry_id: int) -> bool:
    paid = _payments().where(_is_of(subject), CreditTransaction.entry_id > entry_id).limit(1)
    return connection.execute(paid).first() is not None
