"""One rule for amounts: credits, with dollars beside them, or dollars alone; one switch for the whole dashboard."""

import streamlit as st

from credits_core.values.text import format_credits, format_usd, format_usd_rounded
from pages.parts import pick

_CREDITS, _DOLLARS = "Credits", "Dollars"
_KEY = "amounts"


def switch() -> None:
    """The switch between credits and dollars, kept while one goes from screen to screen."""
    pick.one("Amounts in", (_CREDITS, _DOLLARS), key=_KEY, is_in_link=False, is_labelled=False)


def in_dollars() -> bool:
    """Whether amounts are shown in dollars."""
    return st.session_state.get(_KEY) == _DOLLARS


def first(credits: int) -> str:
    """The amount as it is shown large: whole credits, or dollars with two to four significant digits."""
    return format_usd_rounded(credits) if in_dollars() else f"{format_credits(credits)}"


def second(credits: int) -> str:
    """The same amount in the other unit, as it stands beside it."""
    return f"{format_credits(credits)} credits" if in_dollars() else format_usd_rounded(credits)


def unit() -> str:
    """The name of the unit, for an axis."""
    return "dollars" if in_dollars() else "credits"


def exact(credits: int) -> str:
    """The exact amount in the unit of the switch.

    >>> exact(-1_500)
    '-1,500'
    """
    return format_usd(credits) if in_dollars() else format_credits(credits)


def signed(credits: int) -> str:
    """A gain or a loss as it is shown large, with its sign.

    >>> signed(-83_000), signed(0), signed(5)
    ('−83,000', '0', '+5')
    """
    return f"{_sign(credits)}{first(abs(credits))}"


def signed_second(credits: int) -> str:
    """The same gain or loss in the other unit.

    >>> signed_second(-83_000), signed_second(1_500_000)
    ('−$0.083', '+$1.50')
    """
    return f"{_sign(credits)}{second(abs(credits))}"


def in_words(credits: int) -> str:
    """The amount within a sentence: credits with dollars beside them, or dollars alone.

    >>> in_words(5_680), in_words(1)
    ('5,680 credits ($0.00568)', '1 credit ($0.000001)')
    """
    if in_dollars():
        return exact(credits)
    return f"{first(credits)} {'credit' if credits == 1 else 'credits'} ({second(credits)})"


def _sign(credits: int) -> str:
    return "−" if credits < 0 else "+" if credits else ""
