"""Credits and dollars: where roundings go, what is accepted as an amount or an id, and how amounts are shown."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.values.credits import div_ceil, div_floor, require_credits
from credits_core.values.fields import require_id
from credits_core.values.text import (
    credits_from_usd,
    format_bps,
    format_credits,
    format_usd,
    format_usd_rounded,
    usd_text,
)

LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1
amounts = st.integers(min_value=0, max_value=LARGEST_CREDITS)


# --- dividing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numerator", "down", "up"),
    [(0, 0, 0), (1, 0, 1), (9, 0, 1), (10, 1, 1), (11, 1, 2), (-1, -1, 0), (-10, -1, -1), (-11, -2, -1)],
)
def test_the_direction_of_a_rounding_is_in_its_name(numerator: int, down: int, up: int) -> None:
    assert (div_floor(numerator, 10), div_ceil(numerator, 10)) == (down, up)


@given(st.integers(), st.integers(min_value=1, max_value=10**30))
def test_the_exact_quotient_lies_between_the_two_roundings_less_than_one_apart(n: int, d: int) -> None:
    assert div_floor(n, d) <= Fraction(n, d) <= div_ceil(n, d)
    assert div_ceil(n, d) - div_floor(n, d) == (0 if n % d == 0 else 1)


# --- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, LARGEST_CREDITS])
def test_a_whole_number_of_credits_is_itself(number: int) -> None:
    assert require_credits("amount_credits", number) == number


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (True, "must be a whole number of credits, not True"),
        (1.0, "must be a whole number of credits, not 1.0"),
        ("5", "must be a whole number of credits, not '5'"),
        (None, "must be a whole number of credits, not None"),
        (Decimal(5), "must be a whole number of credits, not Decimal('5')"),
        (0, "must be from 1 to 9,007,199,254,740,991, not 0"),
        (-1, "must be from 1 to 9,007,199,254,740,991, not -1"),
        (LARGEST_CREDITS + 1, "must be from 1 to 9,007,199,254,740,991, not 9,007,199,254,740,992"),
    ],
)
def test_anything_else_is_refused_as_an_amount(number: object, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_credits("amount_credits", number)
    assert (caught.value.field, caught.value.problem) == ("amount_credits", problem)


def test_an_amount_that_may_be_nothing_may_be_0_and_not_less() -> None:
    assert require_credits("creator_fee_credits", 0, minimum=0) == 0
    with pytest.raises(InvalidRequest, match="must be from 0 to"):
        require_credits("creator_fee_credits", -1, minimum=0)


@pytest.mark.parametrize("text", ["a", "7", "ada@example.org", "openai/gpt-4o", "a.b_c|d+e-f", "a" * 128])
def test_an_id_of_letters_digits_and_a_few_signs_is_accepted(text: str) -> None:
    assert require_id("user_id", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 129,
        "platform:revenue",  # would pass for one of the platform's own accounts
        "=1+1",  # would be a formula in a spreadsheet
        "+1",
        "-1",
        "@a",
        "/a",
        "ada lovelace",
        " ada",
        "ada\n",
        "adä",
        "<b>",
        7,
        None,
    ],
)
def test_an_id_that_could_be_taken_for_something_else_is_refused(text: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_id("user_id", text)
    assert caught.value.field == "user_id"


# --- dollars in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "credits"),
    [
        ("1", 1_000_000),
        ("$1", 1_000_000),
        (" $ 1 ", 1_000_000),
        ("12.50", 12_500_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("$1,234.5", 1_234_500_000),
        ("1,234,567", 1_234_567_000_000),
        ("0.000001", 1),
        ("0.0000010000", 1),
        ("9007199254.740991", LARGEST_CREDITS),
    ],
)
def test_a_dollar_amount_becomes_whole_credits(text: str, credits: int) -> None:
    assert credits_from_usd(text) == credits


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a dollar amount"),
        ("$", "must be a dollar amount"),
        (".", "must be a dollar amount"),
        ("five", "must be a dollar amount"),
        ("NaN", "must be a dollar amount"),
        ("Infinity", "must be a dollar amount"),
        ("1e3", "must be a dollar amount"),
        ("-1", "must be a dollar amount"),
        ("1,50", "must be a dollar amount"),  # a decimal comma, not a hundred and fifty dollars
        ("1,2345", "must be a dollar amount"),
        ("1234,567", "must be a dollar amount"),
        ("1.234.567", "must be a dollar amount"),
        ("1" * 5_000, "must be a dollar amount"),
        ("0.0000001", "must have at most six decimals"),
        ("1.0000000000000000000000000000000001", "must have at most six decimals"),
        ("0", "must be from $0.000001 to $9,007,199,254.740991, not '0'"),
        ("9007199254.740992", "must be from $0.000001 to $9,007,199,254.740991, not '9007199254.740992'"),
    ],
)
def test_a_dollar_amount_that_is_unclear_or_no_whole_number_of_credits_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        credits_from_usd(text)
    assert caught.value.problem.startswith(problem)


@given(st.integers(min_value=1, max_value=LARGEST_CREDITS))
def test_every_way_of_writing_an_exact_dollar_value_reads_back_as_the_same_credits(credits: int) -> None:
    assert credits_from_usd(usd_text(credits)) == credits
    assert credits_from_usd(format_usd(credits)) == credits


# --- credits out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credits", "grouped", "plain", "exact", "headline"),
    [
        (0, "0", "0.000000", "$0.00", "$0.00"),
        (1, "1", "0.000001", "$0.000001", "$0.000001"),
        (-1, "-1", "-0.000001", "-$0.000001", "-$0.000001"),
        (9_999, "9,999", "0.009999", "$0.009999", "$0.009999"),
        (10_000, "10,000", "0.010000", "$0.01", "$0.01"),
        (12_345, "12,345", "0.012345", "$0.012345", "$0.01235"),
        (123_449, "123,449", "0.123449", "$0.123449", "$0.1234"),
        (-123_450, "-123,450", "-0.123450", "-$0.12345", "-$0.1235"),
        (999_949, "999,949", "0.999949", "$0.999949", "$0.9999"),
        (999_999, "999,999", "0.999999", "$0.999999", "$1.00"),
        (1_000_000, "1,000,000", "1.000000", "$1.00", "$1.00"),
        (1_000_001, "1,000,001", "1.000001", "$1.000001", "$1.00"),
        (1_239_999, "1,239,999", "1.239999", "$1.239999", "$1.24"),
        (1_234_999, "1,234,999", "1.234999", "$1.234999", "$1.23"),
        (1_235_000, "1,235,000", "1.235000", "$1.235", "$1.24"),
        (-1_239_999, "-1,239,999", "-1.239999", "-$1.239999", "-$1.24"),
        (1_234_500_000, "1,234,500,000", "1234.500000", "$1,234.50", "$1,234.50"),
        (
            LARGEST_CREDITS,
            "9,007,199,254,740,991",
            "9007199254.740991",
            "$9,007,199,254.740991",
            "$9,007,199,254.74",
        ),
    ],
)
def test_an_amount_is_shown_exactly_and_in_a_headline_to_a_cent_or_four_digits(
    credits: int, grouped: str, plain: str, exact: str, headline: str
) -> None:
    assert format_credits(credits) == grouped
    assert usd_text(credits) == plain
    assert format_usd(credits) == exact
    assert format_usd_rounded(credits) == headline


@given(st.integers(min_value=1, max_value=LARGEST_CREDITS))
def test_a_positive_amount_never_shows_as_nothing(credits: int) -> None:
    for shown in (format_credits(credits), usd_text(credits), format_usd(credits), format_usd_rounded(credits)):
        assert set(shown) & set("123456789")


@pytest.mark.parametrize(
    ("bps", "shown"),
    [(0, "0 %"), (5, "0.05 %"), (50, "0.5 %"), (100, "1 %"), (1_250, "12.5 %"), (8_000, "80 %"), (10_000, "100 %")],
)
def test_basis_points_are_shown_as_exact_per_cent(bps: int, shown: str) -> None:
    assert format_bps(bps) == shown
