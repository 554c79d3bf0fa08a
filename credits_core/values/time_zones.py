"""The time zones whose days can count: their names, their rules, and the day of any moment, in whole microseconds.

The rules come from the package `tzdata`, never from the machine, so that every process of a ledger agrees. A day is one
stretch of time: it begins when the clocks of the zone first show its date and ends when the next day begins. So it is
as long as its clocks make it, 23 or 25 hours too, and no moment is in two days or in none.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

MICROSECONDS_PER_DAY = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
# No clock is further from UTC than this, before or after a change.
_AROUND_US = 2 * MICROSECONDS_PER_DAY

Offset = tuple[int, int]
"""The moment from which an offset holds (inclusive), and the offset, both in microseconds."""


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A time zone by its IANA name. `rules` is a hash of its rules, which change when a country changes its clocks."""

    name: str
    rules: str
    clock: tzinfo = field(compare=False, repr=False)

    @property
    def stamp(self) -> str:
        """The name and the rules as one text: what was summed up by these days has to be summed up anew by others."""
        return f"{self.name} {self.rules}".strip()

    def __reduce__(self) -> tuple[Callable[[str], "TimeZone"], tuple[str]]:
        """A copy is the same time zone; the rules from a file cannot be copied."""
        return zone_named, (self.name,)

    def day_number(self, moment_us: int) -> int:
        """The number of the moment's day, counted from 1970-01-01 as number 0.

        >>> zone_named("Asia/Kolkata").day_number(20 * 3_600_000_000)  # 20:00 UTC, where it is 1:30 already
        1
        """
        return (moment_us + self.offsets(moment_us, moment_us)[-1][1]) // MICROSECONDS_PER_DAY

    def start_of_day(self, day_number: int) -> int:
        """The first microsecond of a day; the next day's, where the clocks of the zone left the day out.

        >>> zone_named("Asia/Kolkata").start_of_day(1) // 60_000_000  # minutes: 18:30 UTC of the day before
        1110
        """
        midnight_us = day_number * MICROSECONDS_PER_DAY
        pieces = self.offsets(midnight_us - _AROUND_US, midnight_us + _AROUND_US)
        start_us = midnight_us - pieces[0][1]
        for next_begin_us, next_offset_us in pieces[1:]:
            if start_us < next_begin_us:
                break
            start_us = max(next_begin_us, midnight_us - next_offset_us)
        return start_us

    def offsets(self, first_us: int, last_us: int) -> tuple[Offset, ...]:
        """The offsets by which the days of the moments from the first to the last (both inclusive) are found, in order.

        A moment's day is `(moment + offset) // day`, rounded down, with the last offset that begins at or before it;
        the first one also holds before its beginning. An offset is what the clocks show more than UTC. Where clocks go
        back over midnight, the new offset begins when they show midnight again, because the new day has begun already.
        """
        if not self.rules:
            return ((0, 0),)
        years = range(_year(first_us - _AROUND_US), _year(last_us + _AROUND_US) + 1)
        begin = datetime(years[0], 1, 1, tzinfo=UTC)
        pieces = [(_microseconds(begin), _offset(self, begin))]
        for change in (change for year in years for change in _changes(self, year)):
            if change[0] <= first_us:
                pieces = [change]
            elif change[0] <= last_us:
                pieces.append(change)
        return tuple(pieces)


UTC_ZONE = TimeZone("UTC", "", UTC)
"""The time zone without rules."""


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all time zones, such as `Europe/Berlin`."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def most_like(text: str) -> str:
    """The name that somebody may have meant.

    >>> most_like("Berlin"), most_like("america/new york")
    ('Europe/Berlin', 'America/New_York')
    """
    towns = {name.rpartition("/")[2].casefold(): name for name in sorted(names())}
    meant = towns | {name.casefold(): name for name in names()}
    found = get_close_matches(text.strip().replace(" ", "_").casefold(), meant, 1)
    return meant[found[0]] if found else "Europe/Berlin"


@lru_cache(maxsize=64)
def zone_named(name: str) -> TimeZone:
    """The time zone with one of the `names`."""
    if name == UTC_ZONE.name:
        return UTC_ZONE
    assert name in names()
    file = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with file.open("rb") as rules:
        clock = ZoneInfo.from_file(rules, key=name)
    return TimeZone(name, hashlib.sha256(file.read_bytes()).hexdigest()[:12], clock)


@lru_cache(maxsize=4096)
def _changes(zone: TimeZone, year: int) -> tuple[Offset, ...]:
    """The offsets that begin in a year of UTC. In no time zone do clocks change twice within a day."""
    found = []
    moment, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    before_us = _offset(zone, moment)
    while moment < end:
        next_day = moment + timedelta(days=1)
        after_us = _offset(zone, next_day)
        if after_us != before_us:
            found.append(_change(zone, moment, before_us, after_us))
        moment, before_us = next_day, after_us
    return tuple(found)


def _change(zone: TimeZone, moment: datetime, before_us: int, after_us: int) -> Offset:
    """The offset that begins within a day of this moment, when the clocks change from one to the other."""
    last, first = moment, moment + timedelta(days=1)  # the last known moment before the change, and the first after it
    while first - last > _SECOND:
        middle = last + (first - last) // (2 * _SECOND) * _SECOND
        if _offset(zone, middle) == before_us:
            last = middle
        else:
            first = middle
    begin_us = _microseconds(first)
    shown_before_us, shown_us = begin_us + before_us, begin_us + after_us
    midnight_us = (shown_before_us - 1) // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY
    if shown_us < midnight_us:  # the clocks have shown the midnight, and go back behind it
        begin_us = midnight_us - after_us
    return begin_us, after_us


def _offset(zone: TimeZone, moment: datetime) -> int:
    offset = moment.astimezone(zone.clock).utcoffset()
    assert offset is not None, "a time zone knows how far it is from UTC"
    return offset // _MICROSECOND


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _year(moment_us: int) -> int:
    last_us = _microseconds(datetime(_LAST_YEAR, 12, 31, tzinfo=UTC))
    return (_EPOCH + min(max(moment_us, 0), last_us) * _MICROSECOND).year
