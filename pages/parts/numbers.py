"""Boxes for whole numbers and percentages, which are read here and not in the browser.

A number box of Streamlit keeps its last good number and goes on sending that while something else stands in it in red;
what stands here in the box is what is read, or nothing is.
"""

import re
from collections.abc import Callable

import streamlit as st

from credits_core.values.text import format_bps

_PERCENTAGE = re.compile(r"(-?)([0-9]{1,5})(?:\.([0-9]{1,2}))? ?%?")
WRONG = "Enter a whole number from {:,} to {:,}."
_WHOLE_NUMBER = re.compile(r"[0-9]{1,20}|[0-9]{1,3}(?:[ ,_'][0-9]{3}){1,6}")


def parse(text: str) -> int | None:
    """The number that was written with digits, in groups of thousands or not; None when it is no whole number.

    >>> parse("250000"), parse("250,000"), parse("1.5"), parse("-5"), parse("25,00")
    (250000, 250000, None, None, None)
    """
    text = text.strip()
    return int(re.sub(r"[^0-9]", "", text)) if _WHOLE_NUMBER.fullmatch(text) else None


def whole(
    label: str,
    minimum: int,
    maximum: int,
    *,
    key: str,
    usual: int | None = None,
    placeholder: str | None = None,
    says: Callable[[int | None], str],
    in_url: bool = True,
    live: bool = False,
) -> int | None:
    """A box for a whole number in these bounds, both inclusive, from `?key=…`; an empty one is `usual`.

    None as long as there is none, or none that can be accepted. The line under the box is what `says` makes of the
    number, or what is wrong: always one line, because a button that moves away under the mouse is not clicked. A `live`
    box is read while one types.
    """
    text = st.text_input(
        label,
        placeholder=f"{usual:,}" if usual is not None else placeholder,
        key=key,
        bind="query-params" if in_url else None,
        live=live,
    )
    number = parse(text) if text.strip() else usual
    if text.strip() and (number is None or not minimum <= number <= maximum):
        st.caption(f":red[{WRONG.format(minimum, maximum)}]")
        return None
    st.caption(says(number))
    return number


def parse_bps(text: str) -> int | None:
    """The basis points of a percentage with at most two decimals; None when it is none.

    >>> parse_bps("80"), parse_bps("2.9 %"), parse_bps("0.05"), parse_bps("-1.5"), parse_bps("1.005"), parse_bps("--1")
    (8000, 290, 5, -150, None, None)
    """
    found = _PERCENTAGE.fullmatch(text.strip())
    if found is None:
        return None
    bps = int(found[2]) * 100 + int((found[3] or "").ljust(2, "0"))
    return -bps if found[1] else bps


def percentage(
    label: str,
    minimum_bps: int,
    maximum_bps: int,
    *,
    key: str,
    usual_bps: int,
    says: str,
    in_url: bool = True,
    live: bool = False,
) -> int | None:
    """A box for a percentage in these bounds, read in basis points, from `?key=…`; an empty one is the usual.

    None as long as it holds nothing that can be accepted. `says` stands behind the percentage in the line under it.
    """
    text = st.text_input(
        f"{label}, %",
        placeholder=format_bps(usual_bps).removesuffix(" %"),
        key=key,
        bind="query-params" if in_url else None,
        live=live,
    )
    bps = parse_bps(text) if text.strip() else usual_bps
    if bps is None or not minimum_bps <= bps <= maximum_bps:
        least = format_bps(minimum_bps).removesuffix(" %")
        st.caption(f":red[Enter a percentage from {least} to {format_bps(maximum_bps)}, with at most two decimals.]")
        return None
    st.caption(f"{format_bps(bps)} {says}")
    return bps
