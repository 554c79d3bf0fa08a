"""Periods by name and by dates, and what each is compared with."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.values import periods
from credits_core.values.days import DayRange
from credits_core.values.periods import FIRST_DAY, LAST_DAY, Period, Preset
from credits_core.values.time_zones import UTC_ZONE, zone_named

BERLIN = zone_named("Europe/Berlin")
DAYS = st.dates(FIRST_DAY, LAST_DAY)


def day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@pytest.mark.parametrize(
    ("preset", "today", "first", "last"),
    [
        ("7d", "2026-11-26", "2026-11-20", "2026-11-26"),
        ("7d", "2026-03-03", "2026-02-25", "2026-03-03"),
        ("30d", "2026-11-26", "2026-10-28", "2026-11-26"),
        ("this-month", "2026-11-26", "2026-11-01", "2026-11-26"),
        ("this-month", "2026-11-01", "2026-11-01", "2026-11-01"),
        ("last-month", "2026-11-26", "2026-10-01", "2026-10-31"),
        ("last-month", "2026-01-31", "2025-12-01", "2025-12-31"),
        ("last-month", "2028-03-31", "2028-02-01", "2028-02-29"),
        ("all", "2026-11-26", "", ""),
    ],
)
def test_a_preset_ends_today_or_with_the_month_before(preset: str, today: str, first: str, last: str) -> None:
    found = periods.of_preset(Preset(preset), date.fromisoformat(today), BERLIN)
    assert found == Period(DayRange(day(first), day(last), BERLIN), Preset(preset))


@pytest.mark.parametrize(
    ("text", "first", "last", "in_words"),
    [
        ("7d", "2026-03-17", "2026-03-23", "on the 7 days before"),
        ("30d", "2026-01-30", "2026-02-28", "on the 30 days before"),
        ("this-month", "2026-02-01", "2026-02-28", "on the same days of the month before"),  # it has no 29th and 30th
        ("last-month", "2026-01-01", "2026-01-31", "on the month before"),
        ("2026-03-01,2026-03-31", "2026-02-01", "2026-02-28", "on the month before"),
        ("2024-03-01,2024-03-31", "2024-02-01", "2024-02-29", "on the month before"),
        ("2026-03-01,2026-03-30", "2026-01-30", "2026-02-28", "on the 30 days before"),
        ("2026-03-05,2026-03-06", "2026-03-03", "2026-03-04", "on the 2 days before"),
        ("2026-03-01", "2026-02-28", "2026-02-28", "on the day before"),
    ],
)
def test_before_a_period_are_as_many_days_and_before_a_month_the_month(
    text: str, first: str, last: str, in_words: str
) -> None:
    period = periods.of_text(text, date(2026, 3, 30), BERLIN)
    assert period is not None
    assert periods.before(period) == periods.Before(DayRange(day(first), day(last), BERLIN), in_words)


def test_a_month_until_today_is_compared_with_the_same_days_of_the_month_before() -> None:
    found = periods.before(periods.of_preset(Preset.THIS_MONTH, date(2026, 11, 26), UTC_ZONE))
    assert found is not None
    assert (found.days.first, found.days.last) == (date(2026, 10, 1), date(2026, 10, 26))
    whole = periods.before(periods.of_preset(Preset.THIS_MONTH, date(2026, 11, 30), UTC_ZONE))
    assert whole == periods.Before(DayRange(date(2026, 10, 1), date(2026, 10, 31)), "on the month before")


def test_nothing_is_before_all_days() -> None:
    assert periods.before(periods.of_preset(Preset.ALL, date(2026, 11, 26), UTC_ZONE)) is None


@given(first=DAYS, last=DAYS, today=DAYS)
def test_a_text_means_the_period_that_it_was_written_for(first: date, last: date, today: date) -> None:
    chosen = [Period(DayRange(min(first, last), max(first, last), BERLIN))]
    chosen += [periods.of_preset(preset, today, BERLIN) for preset in Preset]
    for period in chosen:
        assert periods.of_text(periods.as_text(period), today, BERLIN) == period


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "7", "7D", "1e999", "2026-11-03,", "1999-12-31", "2100-01-01", "2026-99-99,2026-11-09"),
        *("2026-11-09,2026-11-03", "2026-11-03,2026-11-04,2026-11-05", "0001-01-01,9999-12-31"),
    ],
)
def test_what_makes_no_sense_is_no_period(text: str) -> None:
    assert periods.of_text(text, date(2026, 11, 26), UTC_ZONE) is None
