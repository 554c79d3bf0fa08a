"""Which days are the last month that is replayed: the newest ones, and not too many runs. Writes nothing."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select

from credits_core.reports import sums
from credits_core.store.tables import PromptRun, UnlockedFlow
from credits_core.values.days import DayRange, date_at, from_microseconds
from credits_core.values.time_zones import UTC_ZONE, TimeZone


@dataclass(frozen=True, slots=True)
class RecentDays:
    """The days to replay: the newest of a period that have at most so many runs, and at least one day.

    `runs` are those of `days`, and `runs_of_period` those of the whole `period`.
    """

    days: DayRange
    period: DayRange
    runs: int
    runs_of_period: int


def recent_days(connection: Connection, *, days: int, most_runs: int, zone: TimeZone = UTC_ZONE) -> RecentDays | None:
    """The period of so many days that ends with the newest run or unlock, and what of it has at most `most_runs` runs.

    Days are those of the zone, and a charge counts on the day when it was posted. None when nothing was ever charged.
    """
    newest = [
        select(kind.created_at_us).order_by(kind.entry_id.desc()).limit(1).scalar_subquery()
        for kind in (PromptRun, UnlockedFlow)
    ]
    moments = [moment for moment in connection.execute(select(*newest)).one() if moment is not None]
    if not moments:
        return None
    last = date_at(from_microseconds(max(moments)), zone)
    period = DayRange(last - timedelta(days=days - 1), last, zone)
    totals = sums.totals_by_day(connection, period)
    first, runs = last, 0
    for day in reversed(totals):
        if runs and runs + day.runs > most_runs:
            break
        first, runs = day.day, runs + day.runs
    else:
        first = last - timedelta(days=days - 1)
    return RecentDays(DayRange(first, last, zone), period, runs, sum(day.runs for day in totals))
