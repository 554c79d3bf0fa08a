"""Days of a time zone in SQL: the day of a column of moments, and the condition that a moment is within some days."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case

from credits_core.values.days import DayRange
from credits_core.values.time_zones import MICROSECONDS_PER_DAY, Offset


def day_number(moment_us: Any, offsets: Sequence[Offset]) -> ColumnElement[int]:
    """The number of a moment's day, counted from 1970-01-01 as number 0.

    `offsets` are those of `TimeZone.offsets` for the earliest and the latest moment, or for a longer time. The newest
    ones are compared first.
    """
    (_, first_offset_us), *later = offsets
    # A database divides towards zero. One day more keeps what is divided above it, also west of UTC early in 1970.
    whens = [(moment_us >= begin_us, offset_us + MICROSECONDS_PER_DAY) for begin_us, offset_us in reversed(later)]
    first_us = first_offset_us + MICROSECONDS_PER_DAY
    added_us = case(*whens, else_=first_us) if whens else first_us
    number: ColumnElement[int] = (moment_us + added_us) // MICROSECONDS_PER_DAY - 1
    return number


def within(moment_us: Any, days: DayRange) -> list[ColumnElement[bool]]:
    """The conditions that a moment is within the days; none when they have no limit."""
    conditions: list[ColumnElement[bool]] = []
    if days.begin_us is not None:
        conditions.append(moment_us >= days.begin_us)
    if days.end_us is not None:
        conditions.append(moment_us < days.end_us)
    return conditions
