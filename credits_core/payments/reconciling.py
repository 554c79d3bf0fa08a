"""Compares what a gateway has in its books with what it told the product, fact by fact and day by day. Pure but `here`.

A fact is one payment, refund or dispute with what happened to it. Events that were told twice are one fact.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, select

from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.standing import OF_MONEY
from credits_core.store.kinds import Happened
from credits_core.store.tables import Purchase, PurchaseEvent
from credits_core.values.days import DayRange, date_at, to_microseconds
from credits_core.values.time_zones import TimeZone

_CORRECTION = "~"
"""How the id of a correction begins: after every id of a gateway, so that of the same moment it counts."""


class Match(StrEnum):
    """How a fact of the gateway's books and one of ours agree."""

    MATCHED = "matched"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    DIFFERENT_AMOUNT = "different_amount"


class Fact(NamedTuple):
    """What a fact is known by."""

    purchase_id: int
    kind: Happened
    about: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One fact on both sides; None on the side where it is missing. The day is the gateway's where it has one."""

    fact: Fact
    match: Match
    here: GatewayEvent | None
    there: GatewayEvent | None

    @property
    def side(self) -> GatewayEvent:
        """The fact as it stands in the gateway's books, or else in ours."""
        one = self.there or self.here
        assert one is not None, "a fact is on one side at least"
        return one

    @property
    def happened_at(self) -> datetime:
        """When it happened, by the gateway's books where it stands there."""
        return self.side.happened_at

    @property
    def mending(self) -> GatewayEvent | None:
        """The event that makes our side agree with the gateway's books; None where both agree.

        What the gateway does not know becomes a fact of 0.
        """
        if self.match is Match.MATCHED:
            return None
        if self.match is Match.MISSING_HERE:
            return self.there
        known = self.here
        assert known is not None, "only a fact that is missing here has none"
        amount_minor = 0 if self.there is None else self.there.amount_minor
        happened_at = max(known.happened_at, self.happened_at)
        event_id = f"{_CORRECTION}{known.event_id[:200]}:{amount_minor}"
        return replace(known, event_id=event_id, amount_minor=amount_minor, happened_at=happened_at)


@dataclass(slots=True)
class DaySums:
    """The facts of one day: how many of each match, and the money by what happened, on both sides, in minor units."""

    day: date
    currency: str
    matches: dict[Match, int]
    here_minor: dict[Happened, int]
    there_minor: dict[Happened, int]
    fees_minor: int = 0


def comparable(days: DayRange, earliest: datetime | None) -> DayRange | None:
    """Of these days, those of which the gateway lists its books from their first moment on; None where it is none.

    >>> from datetime import UTC
    >>> str(comparable(DayRange(date(2026, 3, 1), date(2026, 3, 9)), datetime(2026, 3, 4, 12, tzinfo=UTC)).first)
    '2026-03-05'
    """
    if earliest is None:
        return days
    first = date_at(earliest, days.zone) + timedelta(days=1)
    if days.first is not None and days.first >= first:
        return days
    return None if days.last is not None and days.last < first else DayRange(first, days.last, days.zone)


def compare(here: Iterable[GatewayEvent], there: Iterable[GatewayEvent]) -> list[Compared]:
    """Both sides, fact by fact, in the order of the gateway's time. A fact of 0 is as good as none."""
    ours, theirs = _facts(here), _facts(there)
    found = []
    for fact in ours.keys() | theirs.keys():
        one, other = ours.get(fact), theirs.get(fact)
        if one is not None and other is not None:
            match = Match.MATCHED if one.amount_minor == other.amount_minor else Match.DIFFERENT_AMOUNT
        elif one is None:
            match = Match.MISSING_HERE
        elif one.amount_minor == 0:
            continue
        else:
            match = Match.MISSING_THERE
        found.append(Compared(fact, match, one, other))
    return sorted(found, key=lambda one: (one.happened_at, one.fact))


def by_day(compared: Iterable[Compared], zone: TimeZone) -> list[DaySums]:
    """The sums of each day of the time zone and each currency that has facts, the newest day first."""
    days: dict[tuple[date, str], DaySums] = {}
    for one in compared:
        side = one.side
        day = date_at(one.happened_at, zone)
        sums = days.setdefault(
            (day, side.currency),
            DaySums(day, side.currency, dict.fromkeys(Match, 0), defaultdict(int), defaultdict(int)),
        )
        sums.matches[one.match] += 1
        if one.here is not None:
            sums.here_minor[one.fact.kind] += one.here.amount_minor
        if one.there is not None:
            sums.there_minor[one.fact.kind] += one.there.amount_minor
            sums.fees_minor += one.there.fee_minor
    return sorted(days.values(), key=lambda sums: (sums.day, sums.currency), reverse=True)


def told_here(connection: Connection, gateway: str, since: datetime) -> list[GatewayEvent]:
    """What this gateway told us of what has happened since then."""
    rows = connection.execute(
        select(PurchaseEvent.__table__, Purchase.currency)
        .join(Purchase, Purchase.id == PurchaseEvent.purchase_id)
        .where(PurchaseEvent.gateway == gateway, PurchaseEvent.happened_at_us >= to_microseconds(since))
    )
    return [GatewayEvent.of_row(gateway, row.event_id, row) for row in rows]


def _facts(events: Iterable[GatewayEvent]) -> Mapping[Fact, GatewayEvent]:
    found: dict[Fact, GatewayEvent] = {}
    for one in events:
        if one.kind in OF_MONEY:
            fact = Fact(one.purchase_id, one.kind, one.about)
            if fact not in found or _place(found[fact]) < _place(one):
                found[fact] = one
    return found


def _place(one: GatewayEvent) -> tuple[datetime, bool, int, str]:
    # Of the same moment, the event that knows the gateway's fee; a correction comes after all of them.
    return one.happened_at, one.event_id.startswith(_CORRECTION), one.fee_minor, one.event_id
