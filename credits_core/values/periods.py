"""Periods: some days by a name that stays true tomorrow, or by their dates, and the period before each. Pure."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from credits_core.values.days import DayRange
from credits_core.values.time_zones import TimeZone

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
"""The days between which a period can be chosen, both inclusive."""


class Preset(Enum):
    """A period by its name; its value stands in links. All but `ALL` end today."""

    WEEK = "7d"
    THIRTY_DAYS = "30d"
    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Period:
    """The days that a screen is about. `preset` is None when they were chosen by their dates."""

    days: DayRange
    preset: Preset | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The days to compare a period with, and what to say behind a difference: `on the month before`."""

    days: DayRange
    in_words: str


def of_preset(preset: Preset, today: date, zone: TimeZone) -> Period:
    """The days of a preset; today is the last of them, or in the month after it.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> days = of_preset(Preset.WEEK, date(2026, 3, 3), UTC_ZONE).days
    >>> str(days.first), str(days.last)
    ('2026-02-25', '2026-03-03')
    """
    first_of_month = today.replace(day=1)
    first, last = {
        Preset.WEEK: (today - timedelta(days=6), today),
        Preset.THIRTY_DAYS: (today - timedelta(days=29), today),
        Preset.THIS_MONTH: (first_of_month, today),
        Preset.LAST_MONTH: _month_of(first_of_month - timedelta(days=1)),
        Preset.ALL: (None, None),
    }[preset]
    return Period(DayRange(first, last, zone), preset)


def of_text(text: str, today: date, zone: TimeZone) -> Period | None:
    """The period that `as_text` wrote, or that somebody typed into a link; None when it makes no sense.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> str(of_text("2026-11-01,2026-11-22", date(2026, 11, 26), UTC_ZONE).days.last)
    '2026-11-22'
    """
    if text in {preset.value for preset in Preset}:
        return of_preset(Preset(text), today, zone)
    try:
        first, *rest = map(date.fromisoformat, text.split(","))
    except ValueError:
        return None
    last = rest[-1] if rest else first
    if len(rest) > 1 or not FIRST_DAY <= first <= last <= LAST_DAY:
        return None
    return Period(DayRange(first, last, zone))


def as_text(period: Period) -> str:
    """The period in a few characters: its preset, or its first and last day.

    >>> as_text(Period(DayRange(date(2026, 11, 1), date(2026, 11, 1))))
    '2026-11-01,2026-11-01'
    """
    return period.preset.value if period.preset else f"{period.days.first},{period.days.last}"


def before(period: Period) -> Before | None:
    """The days just before a period, as many as it has; None before all days.

    Before a month it is the month before, and before this month until today the same days of the month before, or all
    of it where it has fewer.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> found = before(of_preset(Preset.THIS_MONTH, date(2026, 3, 30), UTC_ZONE))
    >>> str(found.days.first), str(found.days.last), found.in_words
    ('2026-02-01', '2026-02-28', 'on the same days of the month before')
    """
    first, last = period.days.first, period.days.last
    if first is None or last is None:
        return None
    day_before = first - timedelta(days=1)
    if period.preset is Preset.THIS_MONTH or (first, last) == _month_of(first):
        first_before, last_before = _month_of(day_before)
        if (first, last) == _month_of(first):
            return Before(DayRange(first_before, last_before, period.days.zone), "on the month before")
        same_days = min(last_before, first_before + (last - first))
        return Before(DayRange(first_before, same_days, period.days.zone), "on the same days of the month before")
    count = (last - first).days + 1
    days = DayRange(first - timedelta(days=count), day_before, period.days.zone)
    return Before(days, "on the day before" if count == 1 else f"on the {count:,} days before")


def comparable(period: Period, first_known: date | None) -> Before | None:
    """The days before a period; None where only a part of them is known, because that would pass for growth.

    `first_known` is the first day that is known, None for no day.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> week = of_preset(Preset.WEEK, date(2026, 3, 14), UTC_ZONE)
    >>> comparable(week, date(2026, 3, 1)).in_words, comparable(week, date(2026, 3, 2))
    ('on the 7 days before', None)
    """
    found = before(period)
    if found is None or found.days.first is None or first_known is None or found.days.first < first_known:
        return None
    return found


def _month_of(day: date) -> tuple[date, date]:
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
