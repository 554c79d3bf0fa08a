"""Numbers and times as people, programs and spreadsheets write them. Exact; what could be two things is asked. Pure.

A spreadsheet saves 2162 as `2162.0`, `"2,162"` or `2.162`, and the tenth of May as `5/10/2024`. Other rows of the same
file mostly tell which is meant; where none does, somebody has to say it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from credits_core.pricing.units import MAX_COUNT
from credits_core.values.days import EARLIEST, LATEST, from_microseconds
from credits_core.values.fields import cut_repr

PICO_PER_CREDIT = 1_000_000
"""Costs of other systems have more decimals than a credit has: they are kept in millionths of a credit."""
_LARGEST_COST_PICO = 2**53 * 1_000
_LONGEST_TELLING = 40
_LONGEST_COUNT = 10
_ISO = len("2026-03-01T10:00")
_NOTHING = {"", "null", "none", "nan", "na", "n/a", "nil", "-", "undefined", "\\n"}
_LONGEST_NOTHING = max(map(len, _NOTHING))
_SIMPLE = re.compile(r"[0-9]+(\.[0-9]+)?")
_PLAIN = re.compile(r"[+-]?([0-9]+|[0-9]*\.[0-9]+|[0-9]+\.)")
_POWER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_COMMA_POWER = re.compile(r"[+-]?[0-9]+(,[0-9]+)?[eE][+-]?[0-9]{1,3}")
_BY_COMMAS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_BY_POINTS = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?")
_COMMA_DECIMAL = re.compile(r"[+-]?[0-9]+,[0-9]+")
_ONE_GROUP = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_CURRENCY = re.compile(r"^[$€£]\s*|\s*(usd|\$)$", re.IGNORECASE)
_BLANKS = re.compile("[\\s'\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}]+(?=[0-9]{3})")
_DAY = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<mark>[/.-])(?P<second>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4}|[0-9]{2})"
    r"(?:,?[ T]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<rest>[0-9]{2}(?:[.,][0-9]{1,9})?))? ?"
    r"(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})[/.](?P<month>[0-9]{1,2})[/.](?P<day>[0-9]{1,2})(?P<time>.*)")
_EPOCH = re.compile(r"[0-9]{9,19}(\.[0-9]+)?")
_NAMED_MONTH = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y")
_EPOCH_UNITS = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
"""Numbers below the first are in units of so many microseconds: seconds, milliseconds, microseconds."""


class Question(StrEnum):
    """What a file does not say, so that a person has to. The value is the option that answers it."""

    DATES = "dates"
    DECIMALS = "decimals"
    PARTS = "parts"


ANSWERS = {
    Question.DATES: ("day-first", "month-first"),
    Question.DECIMALS: ("point", "comma"),
    Question.PARTS: ("inside", "outside"),
}
"""What can be answered: 5/10 is the fifth of October or May 10; 1,234 has a comma for thousands, or three decimals;
cached and reasoning tokens are counted in input and output, or beside them."""


class BadCell(Exception):
    """A cell cannot be read. `question` is set where an answer of a person would make it readable."""

    def __init__(self, reason: str, *, question: Question | None = None, column: str = "") -> None:
        self.reason = reason
        self.question = question
        self.column = column
        super().__init__(reason)


@dataclass(slots=True)
class Forms:
    """How a file writes numbers and times: what somebody answered, and what its rows have told so far.

    `told` counts, for each answer, the cells that can be read in no other way. `rounded` counts numbers that were
    written as a power of ten, which may have been rounded by a spreadsheet.
    """

    answers: dict[Question, str] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    rounded: int = 0

    def answer(self, question: Question) -> str | None:
        """What somebody answered, or what the rows tell when all agree; None when it is open.

        >>> forms = Forms()
        >>> forms.told["day-first"] += 1
        >>> forms.answer(Question.DATES), forms.answer(Question.DECIMALS)
        ('day-first', None)
        """
        if question in self.answers:
            return self.answers[question]
        told = [one for one in ANSWERS[question] if self.told[one]]
        return told[0] if len(told) == 1 else None

    def listen(self, cells: Iterable[Any]) -> None:
        """Let the cells of a row tell what they can about numbers and times, whatever they stand for."""
        for found in cells:
            for read in (read_number, read_moment):
                if isinstance(found, str) and len(found) < _LONGEST_TELLING:
                    try:
                        read(found, self)
                    except BadCell:
                        continue

    def settled(self) -> "Forms":
        """The same with everything answered that the rows have told."""
        found = {one: answer for one in Question if (answer := self.answer(one)) is not None}
        return Forms(found)


def is_nothing(found: Any) -> bool:
    """Whether a cell holds nothing, in any of the ways in which programs write it."""
    if found is None:
        return True
    if type(found) is not str or len(text := found.strip()) > _LONGEST_NOTHING:
        return False
    return text.lower() in _NOTHING


def read_number(found: Any, forms: Forms, *, is_count: bool = False) -> Decimal | None:
    """The number in a cell, exact; None when there is nothing in it. A count is read as a whole number where it can be.

    Raises:
        BadCell: it is no number, or could be two.

    >>> [str(read_number(one, Forms(), is_count=True)) for one in ("2162.0", "1.2E+05", '"2,162"', "0.5")]
    ['2162.0', '1.2E+5', '2162', '0.5']
    """
    if is_nothing(found):
        return None
    if isinstance(found, bool):
        raise BadCell(f"must be a number, not {found}")
    if isinstance(found, int | Decimal):
        return _finite(Decimal(found), found)
    if not isinstance(found, str):  # a Parquet file has its numbers in binary; as Python writes them they are exact
        return _finite(_decimal(repr(found), found), found)
    if _SIMPLE.fullmatch(found) and not _ONE_GROUP.fullmatch(found):  # as nearly every program writes it
        forms.told["point"] += "." in found and not found.rstrip("0").endswith(".")
        return Decimal(found)
    text = _BLANKS.sub("", _CURRENCY.sub("", found.strip().strip('"').strip()))
    if _ONE_GROUP.fullmatch(text):
        return _one_group(text, forms, is_count=is_count)
    if _PLAIN.fullmatch(text):
        if "." in text:
            forms.told["point"] += not text.rstrip("0").endswith(".")
        return Decimal(text)
    if _POWER.fullmatch(text):
        forms.rounded += 1
        return Decimal(text)
    if _COMMA_POWER.fullmatch(text):
        forms.rounded += 1
        forms.told["comma"] += 1
        return Decimal(text.replace(",", "."))
    if _BY_COMMAS.fullmatch(text):
        forms.told["point"] += 1
        return Decimal(text.replace(",", ""))
    if _BY_POINTS.fullmatch(text):
        forms.told["comma"] += 1
        return Decimal(text.replace(".", "").replace(",", "."))
    if _COMMA_DECIMAL.fullmatch(text):
        forms.told["comma"] += 1
        return Decimal(text.replace(",", "."))
    raise BadCell(f"must be a number, not {cut_repr(found)}")


def _one_group(text: str, forms: Forms, *, is_count: bool) -> Decimal:
    """`2,162` or `2.162`: thousands, or three decimals."""
    mark = "," if "," in text else "."
    grouped, decimal = Decimal(text.replace(mark, "")), Decimal(text.replace(",", "."))
    answer = forms.answer(Question.DECIMALS)
    if answer is None:
        if mark == "," and is_count:
            return grouped  # nobody uses a part of a token
        if mark == "." and not is_count:
            return decimal  # as every program writes it
        raise BadCell(f"{text} may be {grouped} or {decimal}: say how decimals are written", question=Question.DECIMALS)
    return grouped if (answer == "point") == (mark == ",") else decimal


def _decimal(text: str, found: Any) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadCell(f"must be a number, not {cut_repr(found)}") from None


def _finite(number: Decimal, found: Any) -> Decimal:
    if not number.is_finite():
        raise BadCell(f"must be a number, not {cut_repr(found)}")
    return number


def read_count(found: Any, forms: Forms) -> int | None:
    """A whole number from 0 to 10^9, or None when there is nothing in the cell.

    Raises:
        BadCell: it is no such number.

    >>> [read_count(one, Forms()) for one in ("2162.0", "1.2E+05", "2,162", "", 7)]
    [2162, 120000, 2162, None, 7]
    """
    if type(found) is str and len(found) < _LONGEST_COUNT and found.isascii() and found.isdecimal():
        return int(found)
    number = read_number(found, forms, is_count=True)
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number <= MAX_COUNT:
        raise BadCell(f"must be a whole number from 0 to {MAX_COUNT:,}, not {cut_repr(found)}")
    return int(number)


def read_cost_pico(found: Any, forms: Forms) -> int | None:
    """A cost in dollars as millionths of a credit ($0.000000000001 each), rounded to the nearest; None without one.

    Raises:
        BadCell: it is no number, below 0, or above nine billion dollars.

    >>> read_cost_pico("$0.0123456", Forms()), read_cost_pico("1.5e-05", Forms()), read_cost_pico("", Forms())
    (12345600000, 15000000, None)
    """
    number = read_number(found, forms)
    if number is None:
        return None
    pico = (number * 10**12).to_integral_value()
    if not 0 <= pico <= _LARGEST_COST_PICO:
        raise BadCell(f"must be dollars from 0 to 9,000,000, not {cut_repr(found)}")
    return int(pico)


def read_moment(found: Any, forms: Forms) -> datetime | None:
    """The moment in a cell, in UTC; one without a time zone is taken as UTC. None when there is nothing in the cell.

    Numbers are seconds, milliseconds or microseconds since 1970, which their size tells.

    Raises:
        BadCell: it is no time from 1970 to 9998, or could be two.

    >>> [str(read_moment(one, Forms())) for one in ("2023-11-16 18:17:03.9799600", 1715299200, "1715299200000")]
    ['2023-11-16 18:17:03.979960+00:00', '2024-05-10 00:00:00+00:00', '2024-05-10 00:00:00+00:00']
    """
    if is_nothing(found):
        return None
    if isinstance(found, datetime):
        return _in_utc(found, found)
    if isinstance(found, date):
        return _in_utc(datetime(found.year, found.month, found.day, tzinfo=UTC), found)
    if isinstance(found, bool):
        raise BadCell(f"must be a time, not {found}")
    text = (found if isinstance(found, str) else str(found)).strip().strip('"').strip()
    if text[4:5] == "-" and len(text) >= _ISO:
        try:
            return _in_utc(datetime.fromisoformat(text), found)
        except (ValueError, OverflowError):
            pass
    if _EPOCH.fullmatch(text):
        return _from_epoch(Decimal(text), found)
    if _POWER.fullmatch(text) or _COMMA_POWER.fullmatch(text):
        raise BadCell(f"{text} was rounded by a spreadsheet. Format the column as a number and save the file again")
    if match := _DAY.fullmatch(text):
        return _in_utc(_of_parts(match, text, forms), found)
    if match := _YEAR_FIRST.fullmatch(text):
        text = f"{match['year']}-{match['month']:0>2}-{match['day']:0>2}{match['time']}"
    text = re.sub(r" ?(UTC|GMT|Z)$", "+00:00", text)
    text = re.sub(r"^([0-9-]{10})[T ]([0-9]:)", r"\1 0\2", text)
    try:
        return _in_utc(datetime.fromisoformat(re.sub(r"(?<=[0-9]) (?=[+-][0-9]{2}:?[0-9]{2}$)", "", text)), found)
    except (ValueError, OverflowError):
        pass
    for form in _NAMED_MONTH:
        for clock in ("", " %H:%M:%S", ", %I:%M:%S %p", " %H:%M", ", %H:%M:%S"):
            try:
                return _in_utc(datetime.strptime(text, f"{form}{clock}").replace(tzinfo=UTC), found)
            except ValueError:
                continue
    raise BadCell(f"must be a time such as 2026-03-01 18:15:46, not {cut_repr(found)}")


def _from_epoch(number: Decimal, found: Any) -> datetime:
    for below, microseconds in _EPOCH_UNITS:
        if number < below:
            return _in_utc(from_microseconds(int(number * microseconds)), found)
    if number < 10**20:  # nanoseconds
        return _in_utc(from_microseconds(int(number.scaleb(-3))), found)
    raise BadCell(f"must be a time, not {cut_repr(found)}")


def _of_parts(match: re.Match[str], text: str, forms: Forms) -> datetime:
    """A time that begins with day and month, or month and day."""
    first, second = int(match["first"]), int(match["second"])
    if match["mark"] == ".":
        is_day_first = True
    elif first > 12 or second > 12:
        is_day_first = first > 12
        forms.told["day-first" if is_day_first else "month-first"] += 1
    elif first == second:
        is_day_first = True
    else:
        answer = forms.answer(Question.DATES)
        if answer is None:
            raise BadCell(
                f"{text[:20]} may be {_named(second, first)} or {_named(first, second)}: say which comes first",
                question=Question.DATES,
            )
        is_day_first = answer == "day-first"
    day, month = (first, second) if is_day_first else (second, first)
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    hour, half = int(match["hour"] or 0), (match["half"] or "").replace(".", "").lower()
    if half:
        hour = (0 if hour == 12 else hour) + (12 if half == "pm" else 0)
    seconds = (match["rest"] or "00").replace(",", ".")
    try:
        return datetime.fromisoformat(f"{year:04}-{month:02}-{day:02} {hour:02}:{match['minute'] or '00'}:{seconds}")
    except ValueError:
        raise BadCell(f"must be a time that exists, not {cut_repr(text)}") from None


def _named(month: int, day: int) -> str:
    return f"{date(2000, month, 1):%B} {day}"


def _in_utc(moment: datetime, found: Any) -> datetime:
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadCell(f"must be a time from 1970 to 9998, not {cut_repr(found)}") from None
    if not EARLIEST <= moment < LATEST:
        raise BadCell(f"must be a time from 1970 to 9998, not {cut_repr(found)}")
    return moment
