"""The first rows as they were understood, and what all rows come to."""

import streamlit as st

from credits_core.usage.reading import HowToRead, Opened, Survey, previewed
from credits_core.usage.runs import LoggedRun, ReadRow, RefusedRow
from credits_core.values.text import counted, pico_usd_text
from pages.parts import clock, show, words

_ROWS = 5


def draw(found: Opened, how: HowToRead) -> None:
    """The first rows of the file: each a run with its parts, or why it is none."""
    rows = [_row(one) for one in previewed(found, how, _ROWS)]
    table = show.small_table(
        rows, {name: "{:,}" for name in ("Line", "Input", "Cached", "Output", "Requests") if name in rows[0]}
    )
    st.table(table, border="horizontal", hide_index=True, alt="The first rows as they are understood")


def counts(survey: Survey) -> None:
    """What all rows come to."""
    said = [
        f"**{counted(survey.rows, 'row')}**: {survey.used:,} can be read, {survey.refused:,} cannot.",
        f"{counted(len(survey.users), 'user')}, {counted(len(survey.models), 'model')}.",
    ]
    if survey.first_at is not None and survey.last_at is not None:
        said.append(f"{clock.shown(survey.first_at):%Y-%m-%d} to {clock.shown(survey.last_at):%Y-%m-%d}.")
    if survey.has_sums:
        said.append("Rows are sums of several requests: a replay asks what runs they are taken as.")
    if survey.rounded:
        said.append(
            f"{survey.rounded:,} numbers are powers of ten, such as 1.2E+05: a spreadsheet may have rounded them."
        )
    st.markdown(" ".join(said))


def _row(one: ReadRow) -> show.Row:
    nothing = dict.fromkeys(("Time", "Model", "Input", "Cached", "Output", "User", "Cost", "Note"))
    if isinstance(one, RefusedRow):
        column = f"{one.column}: " if one.column else ""
        return {"Line": one.line, **nothing, "Note": f":material/block: {words.plain(column + one.reason)}"}
    if not isinstance(one, LoggedRun):
        return {"Line": one.line, **nothing, "Note": f":material/remove: {words.plain(one.why)}"}
    usage = dict(one.usage)
    note = "free, from a cache" if one.is_free else f"sum of {one.requests:,} requests" if one.requests > 1 else ""
    if one.requests == 0:
        note = "a sum of requests"
    if one.service_tier not in (None, "default", "standard"):
        note = f"{note}{', ' if note else ''}{one.service_tier}"
    return {
        "Line": one.line,
        "Time": clock.text(one.at, "%Y-%m-%d %H:%M:%S").removesuffix(" UTC"),
        "Model": words.plain(one.model),
        "Input": usage.get("input_tokens", 0),
        "Cached": usage.get("cache_read_tokens"),
        "Output": usage.get("output_tokens", 0),
        "User": words.plain(one.user),
        "Cost": None if one.own_cost_pico is None else f"\\${pico_usd_text(one.own_cost_pico)}",
        "Note": words.plain(note),
    }
