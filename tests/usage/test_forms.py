"""Numbers and times as people and spreadsheets write them: read as what they are, or asked about, never guessed."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from credits_core.usage.forms import BadCell, Forms, Question, read_cost_pico, read_count, read_moment, read_number


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("2162", 2_162),
        ("2162.0", 2_162),
        (" 2162 ", 2_162),
        ('"2,162"', 2_162),
        ("2,162", 2_162),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("2 162", 2_162),
        ("2\N{NARROW NO-BREAK SPACE}162", 2_162),
        ("1.2E+05", 120_000),
        ("1,2E+05", 120_000),
        (2_162, 2_162),
        (Decimal("2162.0"), 2_162),
        ("0", 0),
        ("", None),
        ("NULL", None),
        (None, None),
    ],
)
def test_a_count_is_understood_as_a_spreadsheet_saves_it(written: object, count: int | None) -> None:
    assert read_count(written, Forms()) == count


@pytest.mark.parametrize("written", ["12.5", "-1", "1000000001", "twelve", True, "1.2.3", "NaN1", "12 apples"])
def test_what_is_no_count_is_refused(written: object) -> None:
    with pytest.raises(BadCell):
        read_count(written, Forms())


def test_a_point_before_three_digits_is_asked_about_and_read_as_answered() -> None:
    with pytest.raises(BadCell, match=r"2\.162 may be 2162 or 2\.162") as asked:
        read_count("2.162", Forms())
    assert asked.value.question is Question.DECIMALS
    assert read_count("2.162", Forms({Question.DECIMALS: "comma"})) == 2_162
    with pytest.raises(BadCell, match="whole number"):
        read_count("2.162", Forms({Question.DECIMALS: "point"}))


def test_other_rows_tell_what_a_comma_means() -> None:
    forms = Forms()
    with pytest.raises(BadCell, match="1,234 may be"):
        read_number("1,234", forms)
    assert read_number("0,01234", forms) == Decimal("0.01234")
    assert read_number("1,234", forms.settled()) == Decimal("1.234")
    english = Forms()
    read_number("1,234.50", english)
    assert read_number("1,234", english.settled()) == Decimal(1_234)


def test_a_file_that_contradicts_itself_is_asked_about() -> None:
    forms = Forms()
    read_moment("13/10/2024", forms)
    read_moment("10/13/2024", forms)
    assert forms.settled().answers == {}


@pytest.mark.parametrize(
    ("written", "pico"),
    [("0.000001", 1_000_000), ("$1.50", 1_500_000_000_000), ("1.5e-05", 15_000_000), (0.1, 10**11), ("0", 0)],
)
def test_a_cost_is_exact_to_a_millionth_of_a_credit(written: object, pico: int) -> None:
    assert read_cost_pico(written, Forms()) == pico


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2023-11-16 18:17:03.9799600", datetime(2023, 11, 16, 18, 17, 3, 979_960, UTC)),
        ("2026-03-30T02:37:51.271Z", datetime(2026, 3, 30, 2, 37, 51, 271_000, UTC)),
        ("2026-03-30 02:37:51.271+00", datetime(2026, 3, 30, 2, 37, 51, 271_000, UTC)),
        ("2026-03-30 04:37:51 +02:00", datetime(2026, 3, 30, 2, 37, 51, 0, UTC)),
        ("2026-03-30 02:37:51 UTC", datetime(2026, 3, 30, 2, 37, 51, 0, UTC)),
        ("2026-03-30", datetime(2026, 3, 30, tzinfo=UTC)),
        ("2026/3/5 7:05", datetime(2026, 3, 5, 7, 5, tzinfo=UTC)),
        ("30/3/2026 2:37", datetime(2026, 3, 30, 2, 37, tzinfo=UTC)),
        ("3/30/26 2:37 PM", datetime(2026, 3, 30, 14, 37, tzinfo=UTC)),
        ("5.10.2024 00:00", datetime(2024, 10, 5, tzinfo=UTC)),
        ("Mar 30, 2026", datetime(2026, 3, 30, tzinfo=UTC)),
        ("1715299200", datetime(2024, 5, 10, tzinfo=UTC)),
        (1_715_299_200_000, datetime(2024, 5, 10, tzinfo=UTC)),
        ("1715299200.5", datetime(2024, 5, 10, 0, 0, 0, 500_000, UTC)),
        (1_715_299_200_000_000, datetime(2024, 5, 10, tzinfo=UTC)),
    ],
)
def test_a_time_is_understood(written: object, moment: datetime) -> None:
    assert read_moment(written, Forms()) == moment


def test_the_fifth_of_october_or_may_10_is_asked_about() -> None:
    with pytest.raises(BadCell, match="5/10/2024 0:00 may be October 5 or May 10") as asked:
        read_moment("5/10/2024 0:00", Forms())
    assert asked.value.question is Question.DATES
    forms = Forms()
    read_moment("13/10/2024 0:00", forms)
    assert read_moment("5/10/2024 0:00", forms.settled()) == datetime(2024, 10, 5, tzinfo=UTC)
    assert read_moment("5/10/2024", Forms({Question.DATES: "month-first"})) == datetime(2024, 5, 10, tzinfo=UTC)


def test_a_time_that_a_spreadsheet_rounded_is_refused() -> None:
    with pytest.raises(BadCell, match="rounded by a spreadsheet"):
        read_moment("1.7153E+09", Forms())


@pytest.mark.parametrize("written", ["31/31/2024", "2026-02-30", "yesterday", "45787", True, "1960-01-01"])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(BadCell):
        read_moment(written, Forms())
