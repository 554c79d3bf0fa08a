"""Which backups are kept: 7 daily, 5 weekly and 12 monthly ones. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime

DAILY, WEEKLY, MONTHLY = 7, 5, 12


def kept(made_at: Sequence[datetime]) -> set[datetime]:
    """The times of the backups to keep, by their days in UTC.

    Of each of the last 7 days, 5 weeks (Monday to Sunday) and 12 months that have backups the newest one is kept. The
    newest of all is always among them.

    >>> two = [datetime(2026, 11, 27, 3), datetime(2026, 11, 27, 9)]
    >>> kept(two) == {two[1]}
    True
    """
    newest_first = sorted(made_at, reverse=True)
    return {
        *_newest_of_each(newest_first, lambda moment: moment.date(), DAILY),
        *_newest_of_each(newest_first, lambda moment: moment.isocalendar()[:2], WEEKLY),
        *_newest_of_each(newest_first, lambda moment: (moment.year, moment.month), MONTHLY),
    }


def _newest_of_each(newest_first: list[datetime], period: Callable[[datetime], object], most: int) -> list[datetime]:
    found: dict[object, datetime] = {}
    for moment in newest_first:
        found.setdefault(period(moment), moment)
    return list(found.values())[:most]
