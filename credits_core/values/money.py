"""Reads and writes money as people do, in minor units of its currency, such as cents. Exact."""

import re

from credits_core.errors import InvalidRequest

_SIGNS = {"usd": "$", "eur": "€", "gbp": "£"}
_WITHOUT_PARTS = frozenset({"jpy", "krw", "vnd", "clp"})
"""Currencies whose minor unit is the whole one (https://docs.stripe.com/currencies, 2026-11-27)."""
_MONEY = re.compile(r"[$€£]? ?(?P<whole>[0-9]{1,12}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.(?P<parts>[0-9]{1,2}))?")


def format_money(amount_minor: int, currency: str) -> str:
    """An amount for reading, with the sign of its currency, or its code behind it.

    >>> format_money(2_000, "usd"), format_money(-123_456, "usd"), format_money(5, "eur")
    ('$20.00', '-$1,234.56', '€0.05')
    >>> format_money(2_000, "chf"), format_money(2_000, "jpy")
    ('20.00 CHF', '2,000 JPY')
    """
    return _written(amount_minor, decimals_of(currency), currency)


def format_rate(hundredths_of_minor: int, currency: str) -> str:
    """A price in hundredths of the minor unit, for reading: two decimals more than an amount has.

    >>> format_rate(9_524, "usd"), format_rate(10_000, "usd")
    ('$0.9524', '$1.0000')
    """
    return _written(hundredths_of_minor, decimals_of(currency) + 2, currency)


def money_from_text(text: str, currency: str) -> int:
    """The minor units of an amount above 0 that somebody typed, with or without a sign and commas between thousands.

    >>> money_from_text("$1,250.5", "usd"), money_from_text("20", "usd"), money_from_text("2000", "jpy")
    (125050, 2000, 2000)

    Raises:
        InvalidRequest: it is no amount above 0, or has more decimals than the currency.
    """
    found, decimals = _MONEY.fullmatch(text.strip()), decimals_of(currency)
    parts = (found["parts"] or "") if found else ""
    if found is None or len(parts) > decimals:
        raise InvalidRequest("amount", f"must be an amount such as {format_money(1_250, currency)}, not {text[:40]!r}")
    amount_minor = int(found["whole"].replace(",", "") + parts.ljust(decimals, "0"))
    if not amount_minor:
        raise InvalidRequest("amount", "must be above 0")
    return amount_minor


def decimals_of(currency: str) -> int:
    """How many decimals an amount of this currency has."""
    return 0 if currency in _WITHOUT_PARTS else 2


def _written(amount: int, decimals: int, currency: str) -> str:
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    whole, parts = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    text = f"{int(whole):,}{'.' if parts else ''}{parts}"
    minus = "-" if amount < 0 else ""
    sign = _SIGNS.get(currency)
    return f"{minus}{sign}{text}" if sign else f"{minus}{text} {currency.upper()}"
