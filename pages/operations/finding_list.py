"""The tables of findings on the screen Watching."""

from collections.abc import Sequence

import streamlit as st

from credits_core.operations.watch_findings import Finding
from pages.operations import finding_card, finding_words
from pages.parts import clock, tables

MOST_WAITING = 100


def waiting(listed: Sequence[Finding]) -> None:
    """Findings that nobody has looked at, the newest first."""
    rows = [_row(one) for one in listed]
    _draw(rows, listed, alt="Findings that nobody has looked at, newest first", key="waiting")
    if len(listed) == MOST_WAITING:
        st.caption(f"These are the newest {MOST_WAITING:,}. Older ones come up when you have looked at some.")


def looked_at(listed: Sequence[Finding]) -> None:
    """Findings that somebody has looked at, with who and what they noted."""
    rows = [{**_row(one), "Looked at by": one.look.by, "Note": one.look.note} for one in listed if one.look is not None]
    _draw(rows, listed, alt="Findings that somebody has looked at, newest first", key="looked-at")


def _row(one: Finding) -> dict[str, object]:
    return {
        "Finding": finding_words.NAMES[one.rule],
        "About": one.subject,
        "Day": one.day.isoformat(),
        clock.label("Found"): one.found_at,
    }


def _draw(rows: Sequence[dict[str, object]], listed: Sequence[Finding], *, alt: str, key: str) -> None:
    tables.draw(
        rows,
        {},
        alt=alt,
        key=key,
        opens={"Finding": lambda row: finding_card.choose(listed[row].number)},
        if_wide=[clock.label("Found"), "Looked at by"],
    )
