"""Watches the credits: looks at new entries in steps, decides what is unusual, and keeps each finding once.

A step reads on a snapshot, so that no charge waits, and then keeps what it found and how far it came in one short unit
of work. A pass that is ended in between goes on where the last step ended. Entries are watched when the daily tables
cover them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.operations import watch_decide, watch_entries, watch_findings, watch_keys, watch_sums
from credits_core.operations.watch_decide import Found, KeyUse
from credits_core.operations.watch_rules import WatchRules
from credits_core.operations.watch_sums import Step
from credits_core.reports import sums
from credits_core.store import database
from credits_core.store.tables import WatchProgress
from credits_core.values.time_zones import TimeZone

ENTRIES_PER_STEP = 10_000


@dataclass(frozen=True, slots=True)
class Watched:
    """What was done: how many entry numbers it passed, and how many findings are new."""

    entries: int
    findings: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one step saw."""

    found: Sequence[Found]
    uses: Sequence[KeyUse]


def watch_step(engine: Engine, rules: WatchRules, *, now: datetime, zone: TimeZone) -> Watched | None:
    """Watch the next 10,000 entries; None when there are none, or another process has watched them meanwhile.

    Repeating it finds nothing twice.
    """
    with database.read(engine) as connection:
        after = _progress(connection)
        up_to = min(after + ENTRIES_PER_STEP, sums.watermark_for(connection, zone))
        if up_to <= after:
            return None
        of = watch_sums.step(connection, after, up_to, zone)
        seen = None if of is None else _see(connection, of, rules, zone)
    kept = database.write(engine, lambda connection: _keep(connection, after, up_to, seen, rules, now))
    return None if kept is None else Watched(up_to - after, kept)


def _progress(connection: Connection) -> int:
    return connection.execute(select(WatchProgress.entry_id)).scalar() or 0


def _see(connection: Connection, of: Step, rules: WatchRules, zone: TimeZone) -> _Seen:
    uses = list(watch_keys.uses(connection, of, rules.many_users, zone))
    found = [
        replace(one, entries=watch_entries.entries(connection, one, of, zone))
        for one in _found(connection, of, rules, uses)
        if one is not None
    ]
    return _Seen(found, uses)


def _found(connection: Connection, of: Step, rules: WatchRules, uses: Sequence[KeyUse]) -> Iterator[Found | None]:
    for spent in watch_sums.spent(connection, of, rules.spending):
        yield watch_decide.unusual_spending(spent, rules.spending)
    for refunded in watch_sums.refunded(connection, of, rules.refunds):
        yield watch_decide.many_refunds(refunded, rules.refunds)
    for payments in watch_sums.payments(connection, of, rules.payments.of_the_last_payments):
        yield watch_decide.one_payer(payments, rules.payments)
        yield watch_decide.own_runs(payments, rules.payments)
    for runs in watch_sums.cheap_runs(connection, of):
        yield watch_decide.below_cost(runs, rules.below_cost)
    for use in uses:
        yield watch_decide.many_users(use, rules.many_users)


def _keep(
    connection: Connection, after: int, up_to: int, seen: _Seen | None, rules: WatchRules, now: datetime
) -> int | None:
    """Keep what a step saw and how far it came, and return how many findings are new; None if another was there."""
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert_(WatchProgress).values(id=1, entry_id=0).on_conflict_do_nothing())
    if connection.execute(select(WatchProgress.entry_id).with_for_update()).scalar_one() != after:
        return None
    connection.execute(update(WatchProgress).values(entry_id=up_to))
    if seen is None:
        return 0
    watch_keys.keep(connection, seen.uses, rules.many_users)
    return sum(watch_findings.keep(connection, one, rules.again_after_days(one.rule), now=now) for one in seen.found)
