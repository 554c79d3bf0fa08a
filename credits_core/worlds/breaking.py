"""Damages a scratch ledger, lets the audit look at it, and says which check found it in which words."""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, update

from credits_core.audit import invariants, seal_keys, seals
from credits_core.audit.finding import Finding
from credits_core.errors import CreditsError
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.tables import DailySum, DailyTotal, DailyWork, RollupWatermark
from credits_core.values.time_zones import TimeZone
from credits_core.worlds import damages
from credits_core.worlds.damages import Damage
from credits_core.worlds.scratch import Scratch, scratch

_log = logging.getLogger("promptflow.ledger")


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a damage: what it was done to, what was done, and what the audit found, which may be nothing.

    `checks` is how many invariants looked. `was_wrong` names those that were broken before the damage.
    """

    damage: Damage
    ledger: str
    done: str
    checks: int
    found: tuple[Finding, ...]
    was_wrong: tuple[str, ...] = ()


def try_damage(engine: Engine, books: PriceBooks, damage: Damage, *, zone: TimeZone, now: datetime) -> Tried:
    """Do this damage to a scratch copy of the ledger, audit the copy, and throw it away. The ledger is only read.

    What was not sealed yet is sealed in the copy first.
    """
    with scratch(engine, books, zone=zone, now=now) as copy:
        seal_copy(copy.engine, now=now)
        before = _audited(copy, books)
        done = damages.do(copy, damage)
        if damage.rebuilds_sums:
            _rebuild_sums(copy, zone)
        after = _audited(copy, books)
    was_wrong = tuple(finding.invariant for finding in before if not finding.ok)
    found = tuple(finding for finding in after if not finding.ok and finding.invariant not in was_wrong)
    return Tried(damage, copy.what, done, len(after), found, was_wrong)


def seal_copy(engine: Engine, *, now: datetime) -> None:
    """Seal what is new in a copy of a ledger that is thrown away. Nothing is kept of it, and no real key signs it."""
    try:
        seals.catch_up(engine, now=now, key=seal_keys.of_a_copy(), begins_signing=True)
    except CreditsError as refusal:
        _log.error("a copy cannot be sealed: %s", refusal)


def _audited(copy: Scratch, books: PriceBooks) -> list[Finding]:
    with database.read(copy.engine) as connection:
        plans = books.at(connection).plans
    return invariants.audit(copy.engine, plans, of_copy=True)[0]


def _rebuild_sums(copy: Scratch, zone: TimeZone) -> None:
    with copy.engine.begin() as connection:
        for table in (DailyTotal, DailySum, DailyWork):
            connection.execute(delete(table))
        connection.execute(update(RollupWatermark).values(entry_id=0, circulating_credits=0))
    daily_totals.catch_up(copy.engine, zone)
