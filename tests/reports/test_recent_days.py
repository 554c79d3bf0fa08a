"""Which days are replayed as the last month: they end with the newest charge, and have so many runs at most."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from credits_core.reports.recent_days import RecentDays, recent_days
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.time_zones import zone_named
from tests.support import world
from tests.support.world import HAIKU, NOW, UNLOCK

LAST = NOW.date()  # 2026-03-01


def recent(engine: Engine, *, days: int = 30, most_runs: int = 100) -> RecentDays | None:
    with database.read(engine) as connection:
        return recent_days(connection, days=days, most_runs=most_runs)


def runs_on(engine: Engine, *days_before: int) -> None:
    world.add(engine, "ada", 1_000_000, key="fund", now=NOW - timedelta(days=90))
    for number, days in enumerate(days_before):
        world.charge(engine, HAIKU, key=f"run-{number}", now=NOW - timedelta(days=days))


def test_without_a_charge_there_is_no_month(engine: Engine) -> None:
    assert recent(engine) is None
    world.add(engine, "ada", 1_000, key="fund")
    assert recent(engine) is None


def test_the_month_ends_with_the_newest_charge_and_has_thirty_days(engine: Engine) -> None:
    runs_on(engine, 30, 29, 3, 0)
    world.add(engine, "ada", 5, key="later", now=NOW + timedelta(days=10))
    month = DayRange(date(2026, 1, 31), LAST)
    assert recent(engine) == RecentDays(month, month, 3, 3)


def test_an_unlock_is_a_charge_too(engine: Engine) -> None:
    runs_on(engine, 5)
    world.unlock(engine, UNLOCK, key="unlock")
    month = DayRange(LAST - timedelta(days=29), LAST)
    assert recent(engine) == RecentDays(month, month, 1, 1)


@pytest.mark.parametrize(
    ("most_runs", "first_days_before", "runs"),
    [(6, 29, 6), (5, 3, 5), (4, 2, 2), (2, 2, 2), (1, 0, 1)],
)
def test_of_too_many_runs_the_newest_days_are_kept(
    engine: Engine, most_runs: int, first_days_before: int, runs: int
) -> None:
    runs_on(engine, 20, 3, 3, 3, 2, 0)
    found = recent(engine, most_runs=most_runs)
    assert found is not None
    assert found.days == DayRange(LAST - timedelta(days=first_days_before), LAST)
    assert (found.runs, found.runs_of_period) == (runs, 6)


def test_a_day_with_more_runs_than_that_is_kept_whole(engine: Engine) -> None:
    runs_on(engine, 1, 0, 0, 0)
    found = recent(engine, most_runs=2)
    assert found is not None
    assert (found.days, found.runs, found.runs_of_period) == (DayRange(LAST, LAST), 3, 4)


def test_the_days_are_those_of_the_time_zone(engine: Engine) -> None:
    world.add(engine, "ada", 1_000_000, key="fund", now=NOW - timedelta(days=90))
    # 2026-03-01 20:00 UTC is the 2nd in Tokyo, nine hours ahead.
    world.charge(engine, HAIKU, key="run", now=NOW.replace(hour=20))
    tokyo = zone_named("Asia/Tokyo")
    with database.read(engine) as connection:
        found = recent_days(connection, days=2, most_runs=9, zone=tokyo)
    month = DayRange(date(2026, 3, 1), date(2026, 3, 2), tokyo)
    assert found == RecentDays(month, month, 1, 1)


def test_refunded_runs_count_as_what_is_read(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    run = world.charge(engine, HAIKU, key="run")
    world.refund(engine, run.entry_id, key="back")
    found = recent(engine)
    assert found is not None
    assert found.runs == 1
