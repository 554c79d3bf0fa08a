"""The spending limits of one unit of work: read and locked, asked before each payment, then written. For the writer."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from credits_core.ledger import locks
from credits_core.ledger.refusals import SpendingLimitReached
from credits_core.ledger.spending import SpendingLimit, key_of, recorded_of_key
from credits_core.store import tables
from credits_core.store.kinds import Part, SpendingPeriod, part_account
from credits_core.store.tables import Hold, JournalEntry
from credits_core.values import time_zones
from credits_core.values.days import to_microseconds

_row = tables.SpendingLimit


class SpendingBook:
    """The limits of those who spend in this unit of work and have any; of all others nothing is kept.

    Users are locked already. Keys that have a limit are locked here, in one order for all, so that payments with one
    key follow each other.
    """

    def __init__(self, connection: Connection, balances: Mapping[str, int], limited: Collection[str]) -> None:
        """Read the limits of these subjects. `balances` are the posting's, with what users have on hold."""
        self._connection = connection
        self._balances = balances
        self._before: dict[tuple[str, SpendingPeriod], SpendingLimit] = {}
        self._held_by_keys: dict[str, int] = {}
        if limited:
            locks.lock(connection, sorted({subject for subject in limited if key_of(subject) is not None}))
            self._before = {(one.subject, one.period): one for one in limits_of(connection, limited)}
        self._limits = dict(self._before)

    def refusal(
        self, subjects: Sequence[str], amount_credits: int, now: datetime, *, overdue_credits: int = 0
    ) -> SpendingLimitReached | None:
        """The refusal when one of these may not spend so much more now: of the limit that lasts longest; None else.

        `overdue_credits` are held for the first of them by holds whose time is over.
        """
        if not self._limits:
            return None
        refused = []
        for limit in self._at(subjects, now):
            held_credits = self._held_credits(limit.subject, now)
            if limit.subject == subjects[0]:
                held_credits -= overdue_credits
            if not limit.allows(amount_credits, held_credits=held_credits):
                refused.append((limit, held_credits))
        if not refused:
            return None
        limit, held_credits = max(refused, key=lambda one: one[0].ends_us)
        return SpendingLimitReached(limit, held_credits=held_credits, required_credits=amount_credits)

    def spent(self, subjects: Sequence[str], amount_credits: int, now: datetime) -> None:
        """Count what these have spent."""
        if not self._limits:
            return
        for limit in self._at(subjects, now):
            self._limits[limit.subject, limit.period] = limit.plus(amount_credits)

    def write(self) -> None:
        """Write what was spent, each on the condition that it was as it was read."""
        for (subject, period), limit in self._limits.items():
            before = self._before[subject, period]
            if limit == before:
                continue
            as_read = (
                _row.subject == subject,
                _row.period == period.value,
                _row.begins_us == before.begins_us,
                _row.spent_credits == before.spent_credits,
            )
            changed = {"begins_us": limit.begins_us, "ends_us": limit.ends_us, "spent_credits": limit.spent_credits}
            if self._connection.execute(update(_row).where(*as_read).values(**changed)).rowcount != 1:
                raise RuntimeError("a spending limit has changed although whoever spends was locked")

    def _at(self, subjects: Sequence[str], now: datetime) -> list[SpendingLimit]:
        """The limits of these subjects as they are at this moment."""
        kept = (self._limits.get((subject, period)) for subject in subjects for period in SpendingPeriod)
        return [limit.at(to_microseconds(now)) for limit in kept if limit is not None]

    def _held_credits(self, subject: str, now: datetime) -> int:
        name = key_of(subject)
        if name is None:
            return self._balances.get(part_account(subject, Part.HELD), 0)
        if subject not in self._held_by_keys:
            self._held_by_keys[subject] = held_by(self._connection, name, now)
        return self._held_by_keys[subject]


def limits_of(connection: Connection, subjects: Collection[str]) -> list[SpendingLimit]:
    """The limits of these subjects, as they were written last: a period that is over may stand there still."""
    found = connection.execute(_LIMITS.where(_row.subject.in_(subjects)).order_by(_row.subject, _row.period))
    return [limit_in(row) for row in found]


def limit_in(row: Any) -> SpendingLimit:
    """The limit that a row holds."""
    return SpendingLimit(
        row.subject,
        SpendingPeriod(row.period),
        row.limit_credits,
        time_zones.zone_named(row.time_zone),
        row.begins_us,
        row.ends_us,
        row.spent_credits,
    )


def held_by(connection: Connection, name: str, now: datetime) -> int:
    """What is held for runs by holds that were made with this key, in credits; nothing of those whose time is over."""
    of_open = select(func.coalesce(func.sum(Hold.held_credits), 0)).where(
        Hold.ended_by_entry_id.is_(None), Hold.expires_at_us > to_microseconds(now)
    )
    made_by = of_open.join(JournalEntry, JournalEntry.id == Hold.id).where(JournalEntry.actor == recorded_of_key(name))
    return int(connection.execute(made_by).scalar_one())


_LIMITS = select(_row.__table__)
