"""UTC days and moments: microseconds since 1970, numbers of days, ranges of days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest time of an entry, inclusive."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""The latest time of an entry, exclusive. A later time might not exist in another time zone."""
MICROSECONDS_PER_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC. The moment must have a time zone.

    >>> to_microseconds(datetime(2026, 1, 1, tzinfo=UTC))
    1767225600000000
    """
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment in UTC.

    >>> from_microseconds(1767225600000000).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    return _EPOCH + microseconds * _MICROSECOND


def start_of_day(day: date) -> int:
    """The first microsecond of a UTC day, counted from 1970-01-01.

    >>> start_of_day(date(1970, 1, 2))
    86400000000
    """
    return number_of_day(day) * MICROSECONDS_PER_DAY


def day_of(day_number: int) -> date:
    """The UTC day with this number, as `daily_totals` counts them from 1970-01-01.

    >>> day_of(20_454)
    datetime.date(2026, 1, 1)
    """
    return _EPOCH.date() + timedelta(days=day_number)


def number_of_day(day: date) -> int:
    """The number of a UTC day, counted from 1970-01-01, the inverse of `day_of`.

    >>> number_of_day(date(2026, 1, 1))
    20454
    """
    return (day - _EPOCH.date()).days


@dataclass(frozen=True, slots=True)
class DayRange:
    """A range of UTC days, both inclusive. None means no limit on that side."""

    first: date | None = None
    last: date | None = None
