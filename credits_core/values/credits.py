"""Exact integer arithmetic on credits, with the rounding direction in each name.

All division of credits goes through here; `pricing.quote_many` does the same to whole arrays and is tested to be equal.
No price is here, and no rule except "1 credit is a millionth of a dollar" (specification, section 1).
"""

from credits_core.errors import InvalidRequest

CREDITS_PER_USD = 1_000_000
MAX_CREDITS = 2**53 - 1
"""Largest amount and largest balance, in credits: the last whole number that a browser's number holds exactly."""
BPS_PER_WHOLE = 10_000


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
