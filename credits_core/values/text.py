"""Reads and writes credits, dollars and shares as people do. Exact, unless the name says that it rounds."""

import re
from collections.abc import Sequence
from fractions import Fraction

from credits_core.errors import InvalidRequest
from credits_core.values.credits import CREDITS_PER_USD, MAX_CREDITS, div_floor

_USD = re.compile(r"\$? ?(?=\.?[0-9])(?P<whole>[0-9]{1,40}|[0-9]{1,3}(,[0-9]{3}){1,12})?(\.(?P<decimals>[0-9]{0,40}))?")


def credits_from_usd(text: str) -> int:
    """Whole credits for a dollar amount written in decimal, with or without `$` and thousands commas.

    Raises:
        InvalidRequest: it is not a number, not positive, above 2^53-1 credits, has more than six decimals (there are no
            parts of a credit), or has a comma that does not group thousands ("1,50" may mean 1.50).

    >>> credits_from_usd("$1,234.5")
    1234500000
    """
    match = _USD.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest("amount_usd", f"must be a dollar amount such as 1,250 or 12.50, not {text[:40]!r}")
    whole, decimals = (match["whole"] or "0").replace(",", ""), (match["decimals"] or "").rstrip("0")
    if len(decimals) > 6:
        raise InvalidRequest("amount_usd", f"must have at most six decimals (1 credit is $0.000001), not {text[:40]!r}")
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


def pico_usd_text(pico: int) -> str:
    """The exact dollar value of millionths of a credit, without zeros at its end beyond a credit.

    >>> pico_usd_text(12_345_600_000), pico_usd_text(-1), pico_usd_text(1_000_000_000_000)
    ('0.0123456', '-0.000000000001', '1.000000')
    """
    whole, rest = divmod(abs(pico), CREDITS_PER_USD * 10**6)
    decimals = f"{rest:012d}".rstrip("0").ljust(6, "0")
    return f"{'-' if pico < 0 else ''}{whole}.{decimals}"


def format_credits(credits: int) -> str:
    """Credits for reading, grouped by thousands.

    >>> format_credits(1_234_567)
    '1,234,567'
    """
    return f"{credits:,}"


def format_fraction(numerator: int, denominator: int) -> str:
    """A fraction for reading: exact as a decimal where it ends, else its first six decimals and an ellipsis.

    >>> format_fraction(130_075, 10), format_fraction(13_000, 10), format_fraction(185, 6)
    ('13,007.5', '1,300', '30.833333…')
    """
    exact = Fraction(numerator, denominator)
    whole, rest = divmod(exact.numerator, exact.denominator)
    if not rest:
        return f"{whole:,}"
    twos_and_fives = exact.denominator
    for prime in (2, 5):
        while twos_and_fives % prime == 0:
            twos_and_fives //= prime
    if twos_and_fives > 1:
        return f"{whole:,}.{rest * 10**6 // exact.denominator:06d}…"
    places = len(str(exact.denominator)) * 4  # enough for 1 / 2^n, which has n decimals
    return f"{whole:,}.{rest * 10**places // exact.denominator:0{places}d}".rstrip("0")


def exact_text(exact: Fraction) -> str:
    """A fraction as programs read it: a decimal without grouping where it ends, else numerator/denominator.

    >>> exact_text(Fraction(26_015, 2)), exact_text(Fraction(925, 3))
    ('13007.5', '925/3')
    """
    decimal = format_fraction(exact.numerator, exact.denominator)
    return str(exact) if decimal.endswith("…") else decimal.replace(",", "")


def format_exact(numerator: int, denominator: int) -> str:
    """A fraction for reading, as a decimal and, where it is not whole, in lowest terms beside it.

    >>> format_exact(38_425, 10), format_exact(38_420, 10)
    ('3,842.5 = 7,685/2', '3,842')
    """
    exact = Fraction(numerator, denominator)
    decimal = format_fraction(numerator, denominator)
    return decimal if exact.denominator == 1 else f"{decimal} = {exact.numerator:,}/{exact.denominator:,}"


def format_usd(credits: int, *, decimals: int = 2) -> str:
    """The exact dollar value for reading, never rounded: as many decimals as needed, and at least `decimals` (2 to 6).

    >>> format_usd(12_345), format_usd(1_500_000), format_usd(-1), format_usd(1_500_000, decimals=6)
    ('$0.012345', '$1.50', '-$0.000001', '$1.500000')
    """
    whole, millionths = divmod(abs(credits), CREDITS_PER_USD)
    fraction = f"{millionths:06d}".rstrip("0").ljust(decimals, "0")
    return f"{'-' if credits < 0 else ''}${whole:,}.{fraction}"


def format_usd_rounded(credits: int) -> str:
    """The dollar value beside credits: from $1 on to the nearest cent, below $1 with at most four significant digits.

    Halves are rounded away from zero. An amount other than 0 never shows as 0.

    >>> format_usd_rounded(1_235_000), format_usd_rounded(1_234_999), format_usd_rounded(12_345), format_usd_rounded(7)
    ('$1.24', '$1.23', '$0.01235', '$0.000007')
    >>> format_usd_rounded(999_949), format_usd_rounded(999_950), format_usd_rounded(-123_456)
    ('$0.9999', '$1.00', '-$0.1235')
    """
    digits = len(str(abs(credits)))
    step_credits = 10 ** max(digits - 4, 0) if abs(credits) < CREDITS_PER_USD else CREDITS_PER_USD // 100
    steps = div_floor(2 * abs(credits) + step_credits, 2 * step_credits)
    return format_usd((-1 if credits < 0 else 1) * steps * step_credits)


def both(credits: int) -> str:
    """Credits with their exact dollar value.

    >>> both(1), both(12_345)
    ('1 credit ($0.000001)', '12,345 credits ($0.012345)')
    """
    return f"{counted(credits, 'credit')} ({format_usd(credits)})"


def both_rounded(credits: int) -> str:
    """Credits with their dollars as `format_usd_rounded` gives them.

    >>> both_rounded(12_345), both_rounded(28_708_818)
    ('12,345 credits ($0.01235)', '28,708,818 credits ($28.71)')
    """
    return f"{counted(credits, 'credit')} ({format_usd_rounded(credits)})"


def rounded_parts(parts: Sequence[int], step: int) -> list[int]:
    """The parts in whole steps, so that they add up to their rounded sum, by the method of the largest remainder.

    A sum half between two steps goes up, and of equal remainders the first part comes first.

    >>> rounded_parts([7_854_000, 5_464_000, 1_624_000], 10_000)
    [7860000, 5460000, 1620000]
    >>> rounded_parts([-4, 4, 5], 10)
    [0, 0, 10]
    """
    down = [part // step for part in parts]
    missing = (2 * sum(parts) + step) // (2 * step) - sum(down)
    by_remainder = sorted(range(len(parts)), key=lambda place: down[place] * step - parts[place])
    return [(steps + (place in by_remainder[:missing])) * step for place, steps in enumerate(down)]


def format_change(now: int, before: int) -> str | None:
    """How much more `now` is than `before`, in whole per cent, a half away from zero; None when there was nothing.

    >>> format_change(112, 100), format_change(995, 1_000), format_change(100, 100), format_change(5, 0)
    ('+12 %', '-1 %', '0 %', None)
    """
    if before <= 0:
        return None
    change = now - before
    percent = div_floor(200 * abs(change) + before, 2 * before)
    return f"{'' if percent == 0 else '+' if change > 0 else '-'}{percent} %"


def counted(count: int, noun: str) -> str:
    """A count with its noun, for reading.

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
