"""The days of many moments at once, as arrays. The same as `TimeZone.day_number` and `DayRange` give one by one."""

import numpy as np
import numpy.typing as npt

from credits_core.values.arrays import Credits
from credits_core.values.days import DayRange, number_of_day
from credits_core.values.time_zones import MICROSECONDS_PER_DAY, TimeZone


def day_numbers(moments_us: Credits, zone: TimeZone) -> Credits:
    """The numbers of the moments' days, counted from 1970-01-01, as `TimeZone.day_number` gives each.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> day_numbers(np.array([0, 86_399_999_999, 86_400_000_000]), UTC_ZONE).tolist()
    [0, 0, 1]
    """
    if not len(moments_us):
        return moments_us
    offsets = np.array(zone.offsets(int(moments_us.min()), int(moments_us.max())), np.int64)
    holds = np.searchsorted(offsets[1:, 0], moments_us, side="right")
    numbers: Credits = (moments_us + offsets[holds, 1]) // MICROSECONDS_PER_DAY
    return numbers


def is_within(day: Credits, days: DayRange) -> npt.NDArray[np.bool_]:
    """Which of these day numbers are in the range.

    >>> from datetime import date
    >>> is_within(np.array([0, 1, 2]), DayRange(date(1970, 1, 2), date(1970, 1, 2))).tolist()
    [False, True, False]
    """
    flags = np.ones(len(day), np.bool_)
    if days.first is not None:
        flags &= day >= number_of_day(days.first)
    if days.last is not None:
        flags &= day <= number_of_day(days.last)
    return flags
