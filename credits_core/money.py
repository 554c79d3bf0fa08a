"""Credits and dollars: exact integer arithmetic with the rounding direction in the name, and display.

The only module that divides credits one by one; `quote_arrays` does the same to whole arrays and is proved equal. No
price is here, and no rule of the business beyond "1 credit is a millionth of a dollar" (specification, section 1).
"""

import re
from fractions import Fraction
from typing import TypeGuard

from credits_core.errors import InvalidRequest

CREDITS_PER_USD = 1_000_000
MAX_CREDITS = 2**53 - 1
"""Largest amount and largest balance, in credits: the last whole number that a browser's number holds exactly."""
BPS_PER_WHOLE = 10_000
_USD = re.compile(r"\$? ?(?=\.?[0-9])(?P<whole>[0-9]{1,40}|[0-9]{1,3}(,[0-9]{3}){1,12})?(\.(?P<decimals>[0-9]{0,40}))?")
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@/|+-]{0,127}"
ID_FORM = "1 to 128 characters: a letter or digit, then letters, digits or . _ @ / | + -"
"""The form of an id, as `require_id` explains it."""
_ID = re.compile(ID_PATTERN)


def div_floor(numerator: int, denominator: int) -> int:
    """The quotient rounded down, towards minus infinity.

    >>> div_floor(9_999 * 2_000, 10_000)
    1999
    """
    return numerator // denominator


def div_ceil(numerator: int, denominator: int) -> int:
    """The quotient rounded up, towards plus infinity.

    >>> div_ceil(3_500_001, 1_000_000)
    4
    """
    return -(-numerator // denominator)


def div_nearest(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest whole number, a half away from zero. The denominator is positive.

    >>> div_nearest(5, 2), div_nearest(-5, 2), div_nearest(4, 3)
    (3, -3, 1)
    """
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def require_credits(field: str, number: object, *, minimum: int = 1) -> int:
    """The number itself when it is a whole number of credits from `minimum` to 2^53-1, both inclusive.

    Raises:
        InvalidRequest: it is not an int (True, 1.0 and "5" are not), or out of bounds.

    >>> require_credits("amount_credits", 250)
    250
    """
    if type(number) is not int:
        raise InvalidRequest(field, f"must be a whole number of credits, not {number!r}")
    if not minimum <= number <= MAX_CREDITS:
        raise InvalidRequest(field, f"must be from {minimum:,} to {MAX_CREDITS:,}, not {number:,}")
    return number


def is_id(text: object) -> TypeGuard[str]:
    """Whether `require_id` accepts the text.

    >>> is_id("ada"), is_id("platform:revenue"), is_id(None)
    (True, False, False)
    """
    return type(text) is str and _ID.fullmatch(text) is not None


def require_id(field: str, text: object) -> str:
    """The text itself when it can name a user, prompt, flow, model or actor.

    An id has 1 to 128 characters: a letter or digit, then letters, digits and `. _ @ / | + -`. The colon is kept for
    the platform's own accounts, and a first character that a spreadsheet takes for a formula is not possible.

    Raises:
        InvalidRequest: it is not a string of that form.

    >>> require_id("user_id", "ada@example.org")
    'ada@example.org'
    """
    # A subclass of str may print as something else than its text, and the hash of a request is taken of what it prints.
    if type(text) is not str or not _ID.fullmatch(text):
        raise InvalidRequest(
            field,
            f"must be {ID_FORM}, not {text if isinstance(text, int) else str(text)[:140]!r}",
        )
    return text


def credits_from_usd(text: str) -> int:
    """Whole credits for a dollar amount written in decimal, with or without `$` and thousands commas.

    Raises:
        InvalidRequest: it is not a number, not positive, above 2^53-1 credits, has more than six decimals (a part of a
            credit cannot be held), or a comma that does not group thousands (in "1,50" it is somebody's decimal point).

    >>> credits_from_usd("$1,234.5")
    1234500000
    """
    match = _USD.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest("amount_usd", f"must be a dollar amount such as 1,250 or 12.50, not {text[:40]!r}")
    whole, decimals = (match["whole"] or "0").replace(",", ""), (match["decimals"] or "").rstrip("0")
    if len(decimals) > 6:
        raise InvalidRequest("amount_usd", f"has at most six decimals (1 credit is $0.000001), not {text[:40]!r}")
    amount_credits = int(whole) * CREDITS_PER_USD + int(decimals.ljust(6, "0"))
    if not 1 <= amount_credits <= MAX_CREDITS:
        raise InvalidRequest(
            "amount_usd", f"must be from {format_usd(1)} to {format_usd(MAX_CREDITS)}, not {text[:40]!r}"
        )
    return amount_credits


def usd_text(credits: int) -> str:
    """The exact dollar value with six decimals and no grouping, as the API and CSV files give it.

    >>> usd_text(-12_345)
    '-0.012345'
    """
    whole, millionths = divmod(abs(credits), CREDITS_PER_USD)
    return f"{'-' if credits < 0 else ''}{whole}.{millionths:06d}"


def format_credits(credits: int) -> str:
    """Credits for reading, grouped by thousands.

    >>> format_credits(1_234_567)
    '1,234,567'
    """
    return f"{credits:,}"


def format_fraction(numerator: int, denominator: int) -> str:
    """A fraction of credits for reading, exact, where the denominator is a power of ten.

    >>> format_fraction(130_075, 10), format_fraction(13_000, 10)
    ('13,007.5', '1,300')
    """
    whole, rest = divmod(numerator, denominator)
    decimals = f"{rest:0{len(str(denominator)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole:,}.{decimals}" if decimals else f"{whole:,}"


def format_exact(numerator: int, denominator: int) -> str:
    """A fraction of credits for reading, as a decimal and, where it is not whole, in lowest terms beside it.

    The denominator is a power of ten, as those of prices and shares are.

    >>> format_exact(38_425, 10), format_exact(38_420, 10)
    ('3,842.5 = 7,685/2', '3,842')
    """
    exact = Fraction(numerator, denominator)
    decimal = format_fraction(numerator, denominator)
    return decimal if exact.denominator == 1 else f"{decimal} = {exact.numerator:,}/{exact.denominator:,}"


def format_usd(credits: int, *, decimals: int = 2) -> str:
    """The exact dollar value for reading: at least that many decimals (2 to 6), as many as needed, never rounded.

    >>> format_usd(12_345), format_usd(1_500_000), format_usd(-1), format_usd(1_500_000, decimals=6)
    ('$0.012345', '$1.50', '-$0.000001', '$1.500000')
    """
    whole, millionths = divmod(abs(credits), CREDITS_PER_USD)
    fraction = f"{millionths:06d}".rstrip("0").ljust(decimals, "0")
    return f"{'-' if credits < 0 else ''}${whole:,}.{fraction}"


def format_usd_rounded(credits: int) -> str:
    """The dollar value for a headline: from $1 to the nearest cent, a half away from zero; else exact, never 0.

    >>> format_usd_rounded(1_235_000), format_usd_rounded(1_234_999), format_usd_rounded(12_345)
    ('$1.24', '$1.23', '$0.012345')
    """
    if abs(credits) < CREDITS_PER_USD:
        return format_usd(credits)
    cent_credits = CREDITS_PER_USD // 100
    cents = div_floor(2 * abs(credits) + cent_credits, 2 * cent_credits)
    return format_usd((-1 if credits < 0 else 1) * cents * cent_credits)


def counted(count: int, noun: str) -> str:
    """How many there are of something, for reading.

    >>> counted(1, "run"), counted(1_000, "run")
    ('1 run', '1,000 runs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_bps(bps: int) -> str:
    """Basis points as per cent, exact.

    >>> format_bps(8_000), format_bps(1_250), format_bps(5), format_bps(-150)
    ('80 %', '12.5 %', '0.05 %', '-1.5 %')
    """
    whole, hundredths = divmod(abs(bps), 100)
    decimals = f"{hundredths:02d}".rstrip("0")
    return f"{'-' if bps < 0 else ''}{whole}{'.' if decimals else ''}{decimals} %"
