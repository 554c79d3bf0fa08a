"""Days of a time zone: where they begin, also where clocks change, and that no moment is in two days or in none."""

import copy
import pickle
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from credits_core.values import time_zones
from credits_core.values.days import ALL_DAYS, DayRange, date_at, from_microseconds, number_of_day
from credits_core.values.time_zones import UTC_ZONE, zone_named

HOUR_US = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where clocks went back over midnight, so that a date was shown, left, and shown again.
BACK_OVER_MIDNIGHT = {"America/Goose_Bay", "America/Moncton", "America/St_Johns", "Antarctica/Casey"}


def moment_us(text: str) -> int:
    """The microseconds of a moment in UTC, such as `2026-03-28 23:00`."""
    return (datetime.fromisoformat(f"{text}+00:00") - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("name", "day", "begins", "next_begins"),
    [
        ("UTC", "2026-03-29", "2026-03-29 00:00", "2026-03-30 00:00"),
        ("Europe/Berlin", "2026-03-28", "2026-03-27 23:00", "2026-03-28 23:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28 23:00", "2026-03-29 22:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00"),  # 25 hours
        ("Europe/Berlin", "2026-10-26", "2026-10-25 23:00", "2026-10-26 23:00"),
        ("Asia/Kolkata", "2026-03-29", "2026-03-28 18:30", "2026-03-29 18:30"),
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28 18:15", "2026-03-29 18:15"),
        ("Asia/Kathmandu", "1985-12-31", "1985-12-30 18:30", "1985-12-31 18:30"),
        ("Asia/Kathmandu", "1986-01-01", "1985-12-31 18:30", "1986-01-01 18:15"),  # a quarter of an hour was left out
        ("America/St_Johns", "2026-03-08", "2026-03-08 03:30", "2026-03-09 02:30"),
        ("America/St_Johns", "2026-11-01", "2026-11-01 02:30", "2026-11-02 03:30"),
        ("America/St_Johns", "2010-11-06", "2010-11-06 02:30", "2010-11-07 02:30"),
        ("America/St_Johns", "2010-11-07", "2010-11-07 02:30", "2010-11-08 03:30"),  # at 00:01 back to 23:01
        ("Africa/Cairo", "2026-04-24", "2026-04-23 22:00", "2026-04-24 21:00"),  # without the hour after midnight
        ("Africa/Cairo", "2026-10-29", "2026-10-28 21:00", "2026-10-29 22:00"),  # at midnight back to 23:00
        ("America/Havana", "2025-11-02", "2025-11-02 04:00", "2025-11-03 05:00"),  # at 1:00 back to midnight
        ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00", "2011-12-30 10:00"),  # there was no such day
        ("Pacific/Apia", "2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00"),
        ("Africa/Monrovia", "1970-01-02", "1970-01-02 00:44:30", "1970-01-03 00:44:30"),
        ("America/New_York", "1970-01-01", "1970-01-01 05:00", "1970-01-02 05:00"),
        ("America/New_York", "1969-12-31", "1969-12-31 05:00", "1970-01-01 05:00"),
        ("Europe/Berlin", "9998-12-31", "9998-12-30 23:00", "9998-12-31 23:00"),
    ],
)
def test_a_day_begins_when_its_clocks_show_it_and_ends_when_the_next_one_begins(
    name: str, day: str, begins: str, next_begins: str
) -> None:
    zone, number = zone_named(name), number_of_day(date.fromisoformat(day))
    assert (zone.start_of_day(number), zone.start_of_day(number + 1)) == (moment_us(begins), moment_us(next_begins))
    days = DayRange(date.fromisoformat(day), date.fromisoformat(day), zone)
    assert (days.begin_us, days.end_us) == (moment_us(begins), moment_us(next_begins))
    if begins != next_begins:
        quarters = range(moment_us(begins), moment_us(next_begins), HOUR_US // 4)
        assert {zone.day_number(us) for us in (*quarters, moment_us(next_begins) - 1)} == {number}
        assert zone.day_number(moment_us(next_begins)) > number
        assert zone.day_number(moment_us(begins) - 1) < number


NAMES = st.sampled_from(sorted(time_zones.names()))
MOMENTS = st.integers(86_400_000_000, 2_840_140_800_000_000).map(from_microseconds)  # 1970 to 2059


@given(name=NAMES, moment=MOMENTS)
@example(name="Europe/Berlin", moment=datetime(2026, 3, 28, 22, 59, 59, 999_999, tzinfo=UTC))
@example(name="Europe/Berlin", moment=datetime(2026, 3, 28, 23, tzinfo=UTC))
def test_every_moment_is_in_the_day_that_its_clocks_show(name: str, moment: datetime) -> None:
    zone, us = zone_named(name), (moment - EPOCH) // timedelta(microseconds=1)
    number = zone.day_number(us)
    assert zone.start_of_day(number) <= us < zone.start_of_day(number + 1)
    if name not in BACK_OVER_MIDNIGHT | {"Canada/Newfoundland"}:
        assert date_at(moment, zone) == moment.astimezone(zone.clock).date()


@given(name=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]), data=st.data())
def test_offsets_for_a_long_time_give_the_same_days_as_for_one_moment(name: str, data: st.DataObject) -> None:
    zone = zone_named(name)
    many = sorted((one - EPOCH) // timedelta(microseconds=1) for one in data.draw(st.lists(MOMENTS, min_size=1)))
    offsets = zone.offsets(many[0], many[-1])
    for us in many:
        holding = [offset_us for begin_us, offset_us in offsets[1:] if begin_us <= us]
        assert (us + (holding or [offsets[0][1]])[-1]) // (24 * HOUR_US) == zone.day_number(us)


def test_a_year_has_two_changes_and_utc_none() -> None:
    first_us, last_us = moment_us("2026-01-01 00:00"), moment_us("2026-12-31 00:00")
    assert zone_named("Europe/Berlin").offsets(first_us, last_us)[1:] == (
        (moment_us("2026-03-29 01:00"), 2 * HOUR_US),
        (moment_us("2026-10-25 01:00"), HOUR_US),
    )
    assert zone_named("Europe/Berlin").offsets(first_us, last_us)[0][1] == HOUR_US
    assert zone_named("UTC").offsets(first_us, last_us) == ((0, 0),)
    assert zone_named("UTC") is UTC_ZONE


def test_all_days_have_no_limits() -> None:
    assert (ALL_DAYS.begin_us, ALL_DAYS.end_us, ALL_DAYS.is_all) == (None, None, True)
    assert not DayRange(None, date(2026, 3, 1)).is_all


@pytest.fixture
def other_machine(tmp_path: Path) -> Iterator[None]:
    """A machine on which the clocks of Berlin are those of Tokyo."""
    (tmp_path / "Europe").mkdir()
    tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    _forget_zones()
    yield
    zoneinfo.reset_tzpath()
    _forget_zones()


def _forget_zones() -> None:
    ZoneInfo.clear_cache()
    zone_named.cache_clear()
    time_zones._changes.cache_clear()


def test_the_rules_are_those_of_the_package_whatever_the_machine_has(other_machine: None) -> None:
    assert ZoneInfo("Europe/Berlin").utcoffset(datetime(2026, 1, 1, tzinfo=UTC)) == timedelta(hours=9)
    assert zone_named("Europe/Berlin").start_of_day(number_of_day(date(2026, 1, 1))) == moment_us("2025-12-31 23:00")


def test_a_stamp_is_a_name_with_its_rules() -> None:
    assert zone_named("UTC").stamp == "UTC"
    stamps = [zone_named(name).stamp for name in ("Europe/Berlin", "Europe/Paris")]
    assert [stamp.split()[0] for stamp in stamps] == ["Europe/Berlin", "Europe/Paris"]
    assert stamps[0].split()[1] != stamps[1].split()[1]
    assert max(len(zone_named(name).stamp) for name in time_zones.names()) <= 80  # the column


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin"])
def test_a_copy_is_the_same_time_zone(name: str) -> None:
    days = DayRange(date(2026, 3, 1), None, zone_named(name))
    assert copy.deepcopy(days).zone is days.zone
    assert pickle.loads(pickle.dumps(days)) == days


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("%%%", "Europe/Berlin"),
    ],
)
def test_what_was_meant_is_found(text: str, name: str) -> None:
    assert time_zones.most_like(text) == name
