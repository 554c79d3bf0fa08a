"""The day of a moment in SQL is the day of the moment, on both databases."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Engine, column, literal, select, union_all

from credits_core.store.day_columns import day_number, within
from credits_core.values.days import ALL_DAYS, DayRange, number_of_day
from credits_core.values.time_zones import MICROSECONDS_PER_DAY, zone_named

NAMES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")
LATEST_US = 4_102_444_800_000_000  # 2100-01-01


def days_in_sql(engine: Engine, name: str, moments_us: list[int]) -> list[int]:
    rows = [select(literal(us, BigInteger).label("us")) for us in moments_us]
    moments = union_all(*rows).subquery()
    offsets = zone_named(name).offsets(min(moments_us), max(moments_us))
    with engine.connect() as connection:
        found = connection.execute(select(moments.c.us, day_number(moments.c.us, offsets)))
        return [int(day) for _, day in sorted(map(tuple, found))]


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25), ("America/St_Johns", "2010-11-07", 25)],
)
def test_a_day_is_as_long_as_its_clocks_make_it(shared_engine: Engine, name: str, day: str, hours: int) -> None:
    number = number_of_day(date.fromisoformat(day))
    begin_us = zone_named(name).start_of_day(number)
    every_hour = [begin_us + hour * 3_600_000_000 for hour in range(-24, hours + 24)]
    assert days_in_sql(shared_engine, name, every_hour) == ([number - 1] * 24 + [number] * hours + [number + 1] * 24)


def test_before_the_first_day_of_utc_it_is_the_day_before_west_of_it(shared_engine: Engine) -> None:
    moments = [0, 5 * 3_600_000_000 - 1, 5 * 3_600_000_000]
    assert days_in_sql(shared_engine, "America/New_York", moments) == [-1, -1, 0]


def test_the_day_in_sql_is_the_day_of_the_moment(shared_engine: Engine) -> None:
    @given(name=st.sampled_from(NAMES), moments=st.lists(st.integers(0, LATEST_US), min_size=1, max_size=20))
    def law(name: str, moments: list[int]) -> None:
        days = [zone_named(name).day_number(us) for us in sorted(moments)]
        assert days_in_sql(shared_engine, name, moments) == days

    law()


def test_within_is_from_the_first_moment_of_the_first_day_to_the_last_of_the_last() -> None:
    moment: object = column("at_us", BigInteger)
    assert within(moment, ALL_DAYS) == []
    conditions = within(moment, DayRange(date(1970, 1, 2), date(1970, 1, 3), zone_named("Asia/Kolkata")))
    assert [str(condition.compile(compile_kwargs={"literal_binds": True})) for condition in conditions] == [
        f"at_us >= {MICROSECONDS_PER_DAY - 19_800_000_000}",
        f"at_us < {3 * MICROSECONDS_PER_DAY - 19_800_000_000}",
    ]
