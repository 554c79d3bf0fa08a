"""Counts for how many users each API key charges at once, and keeps the most of each day to compare with later."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, FromClause, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.operations import watch_sums
from credits_core.operations.watch_decide import KeyUse
from credits_core.operations.watch_rules import KeyRule
from credits_core.operations.watch_sums import Step
from credits_core.store.tables import JournalEntry, WatchKeyDay
from credits_core.values.roles import Way
from credits_core.values.time_zones import TimeZone

_MINUTE_US = 60_000_000
_LOOKED_BACK = 20_000
_KEYS = f"{Way.API}/"


def uses(connection: Connection, of: Step, rule: KeyRule, zone: TimeZone) -> Iterator[KeyUse]:
    """For each key and day of these entries: the most users within the rule's minutes, and the most on a day before.

    The minutes may have begun before these entries, so that up to 20,000 earlier entries are counted with them.
    """
    first = select(func.min(JournalEntry.created_at_us)).where(of.has(JournalEntry.id))
    first_us = connection.execute(first).scalar_one()
    by_window = _by_window(of, rule.window_minutes * _MINUTE_US, first_us)
    most: dict[tuple[str, int], int] = {}
    for actor, users, at_us in connection.execute(by_window.select()):
        key = (str(actor), zone.day_number(int(at_us)))
        most[key] = max(most.get(key, 0), int(users))
    for (actor, day), users in sorted(most.items()):
        before = select(func.coalesce(func.max(WatchKeyDay.most_users), 0), func.count()).where(
            WatchKeyDay.actor == actor, WatchKeyDay.day >= day - rule.past_days, WatchKeyDay.day < day
        )
        most_before, past_days = connection.execute(before).one()
        yield KeyUse(actor, day, users, int(most_before), int(past_days))


def _by_window(of: Step, window_us: int, first_us: int) -> FromClause:
    used = watch_sums.used(replace(of, after=max(0, of.after - _LOOKED_BACK)))
    window = used.c.created_at_us // window_us
    return (
        select(JournalEntry.actor, func.count(used.c.user_id.distinct()), func.max(used.c.created_at_us))
        .join(used, used.c.entry_id == JournalEntry.id)
        .where(JournalEntry.actor.startswith(_KEYS), window >= first_us // window_us)
        .group_by(JournalEntry.actor, window)
        .subquery()
    )


def keep(connection: Connection, uses_: Sequence[KeyUse], rule: KeyRule) -> None:
    """Keep the most users of each key and day, and forget the days that no rule asks for any more."""
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for one in uses_:
        row = insert_(WatchKeyDay).values(actor=one.actor, day=one.day, most_users=one.users)
        larger = row.on_conflict_do_update(
            index_elements=["actor", "day"],
            set_={"most_users": row.excluded.most_users},
            where=WatchKeyDay.most_users < row.excluded.most_users,
        )
        connection.execute(larger)
        old = (WatchKeyDay.actor == one.actor) & (WatchKeyDay.day < one.day - rule.past_days)
        connection.execute(delete(WatchKeyDay).where(old))
