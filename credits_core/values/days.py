"""Days and moments: microseconds since 1970, numbers of days, and ranges of days in a time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from credits_core.values.time_zones import UTC_ZONE, TimeZone

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest time of an entry, inclusive."""
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""The latest time of an entry, exclusive. A later time might not exist in another time zone."""
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


def day_of(day_number: int) -> date:
    """The day with this number, as `daily_totals` counts them from 1970-01-01.

    >>> day_of(20_454)
    datetime.date(2026, 1, 1)
    """
    return _EPOCH.date() + timedelta(days=day_number)


def number_of_day(day: date) -> int:
    """The number of a day, counted from 1970-01-01, the inverse of `day_of`.

    >>> number_of_day(date(2026, 1, 1))
    20454
    """
    return (day - _EPOCH.date()).days


def date_at(moment: datetime, zone: TimeZone) -> date:
    """The day on which a moment counts in a time zone.

    >>> date_at(datetime(2026, 1, 1, tzinfo=UTC), UTC_ZONE)
    datetime.date(2026, 1, 1)
    """
    return day_of(zone.day_number(to_microseconds(moment)))


@dataclass(frozen=True, slots=True)
class DayRange:
    """A range of days in a time zone, both inclusive. None means no limit on that side."""

    first: date | None = None
    last: date | None = None
    zone: TimeZone = UTC_ZONE

    @property
    def is_all(self) -> bool:
        """Whether no day is left out."""
        return self.first is None and self.last is None

    @property
    def begin_us(self) -> int | None:
        """The first microsecond of the first day, counted from 1970-01-01 UTC.

        >>> DayRange(date(1970, 1, 2), None).begin_us
        86400000000
        """
        return None if self.first is None else self.zone.start_of_day(number_of_day(self.first))

    @property
    def end_us(self) -> int | None:
        """The first microsecond after the last day.

        >>> DayRange(None, date(1970, 1, 2)).end_us
        172800000000
        """
        return None if self.last is None else self.zone.start_of_day(number_of_day(self.last) + 1)


ALL_DAYS = DayRange()
"""No limit. What is summed up by day is so in UTC."""
