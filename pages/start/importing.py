"""Imports opening balances: the box for the file, what it would write or which lines are refused, and the import."""

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from credits_core.bulk import opening_balances
from credits_core.bulk.csv_rows import SentFile
from credits_core.bulk.opening_balances import EXAMPLE_FILE, ONLY_IN_CASE, ImportPlan, ImportSummary
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.values.roles import May
from credits_core.values.text import counted, format_credits
from pages.parts import done, long_work, resources, show, who, words

_NAME, _UNDER_WAY, _FILES = "start:import", "start:import:under-way", "start:import:files"
_DISTINCT = "start:import:distinct"
_MOST_MEGABYTES = 50
_MOST_PROBLEMS = 20
_UNDONE = "Nothing was imported."


@dataclass(frozen=True, slots=True)
class _Import:
    """An import that somebody has begun."""

    sent: SentFile
    rows: int
    is_distinct: bool


def file_box() -> SentFile | None:
    """The box for a CSV file, with an example to download."""
    if not who.may_or_told(May.MOVE_CREDITS):
        return None
    file = st.file_uploader(
        "CSV file with user_id and credits",
        type="csv",
        max_upload_size=_MOST_MEGABYTES,
        key=f"start:file:{st.session_state.get(_FILES, 0)}",
    )
    st.download_button(
        "Download an example",
        EXAMPLE_FILE,
        "opening-balances.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
    return None if file is None else SentFile(file.name, file.getvalue())


def offer(sent: SentFile) -> None:
    """What the file would write, with the button that imports it; or why it cannot be imported, line by line."""
    with st.container(border=True):
        st.header(f"Import {words.plain(sent.name)}", anchor=False)
        is_distinct = bool(st.session_state.get(_DISTINCT))
        try:
            with st.spinner("Checking every line…"), resources.reading() as connection:
                plan = opening_balances.plan_import(connection, sent, distinct=is_distinct)
        except DataFileInvalid as refusal:
            _say_what_is_wrong(refusal)
            return
        except CreditsError as refusal:
            show.refusal(refusal, undone=_UNDONE)
            return
        st.markdown(_said(plan))
        if is_distinct:
            _distinct_box()
        if not plan.rows:
            return
        st.button(
            f"Import {counted(plan.rows, 'line')}",
            type="primary",
            icon=":material/upload:",
            key="start:import:begin",
            on_click=_begin,
            args=(_Import(sent, plan.rows, is_distinct),),
        )
        rows: list[show.Row] = [
            {"Line": line, "User": words.plain(user_id), "Credits": credits, "Dollars": words.aligned_dollars(credits)}
            for line, user_id, credits in plan.first
        ]
        table = show.small_table(rows, {"Line": "{:,}", "Credits": "{:,}"})
        st.table(table, border="horizontal", hide_index=True, width="content", alt="The first lines of the file")
        if plan.rows > len(plan.first):
            st.caption(f"The first {len(plan.first)} of {plan.rows:,} lines.")


def is_under_way() -> bool:
    """Whether somebody has begun an import in this visit, and neither finished nor left it."""
    return _UNDER_WAY in st.session_state


def carry_on() -> None:
    """Carry out the import that was begun, with its progress, and say what was written."""
    begun: _Import = st.session_state[_UNDER_WAY]
    actor = who.actor()
    with st.container(border=True):
        st.header(f"Import {words.plain(begun.sent.name)}", anchor=False)
        try:
            summary = long_work.carried_out(
                _NAME,
                begun,
                lambda: opening_balances.importing(
                    resources.engine(),
                    begun.sent,
                    now=datetime.now(UTC),
                    actor=actor,
                    distinct=begun.is_distinct,
                ),
                what="Importing",
                of=counted(begun.rows, "line"),
                undone="What was imported so far stays. Go on to import the rest; nothing is imported twice.",
            )
        except DataFileInvalid as refusal:
            _say_what_is_wrong(refusal)
            summary = None
        except CreditsError as refusal:
            show.refusal(refusal, undone=_UNDONE)
            summary = None
        if summary is None:
            st.button("Leave it", icon=":material/close:", type="tertiary", on_click=_leave)
            return
    _leave()
    st.cache_data.clear()  # what was read before
    done.add("Start", _report(summary), link=done.Link("explore/balances.py", "Balances", {}))
    st.rerun()


def _begin(begun: _Import) -> None:
    st.session_state[_UNDER_WAY] = begun
    st.session_state.pop(f"{_NAME}:stopped", None)


def _leave() -> None:
    st.session_state.pop(_UNDER_WAY, None)
    st.session_state[_FILES] = st.session_state.get(_FILES, 0) + 1  # an empty box


def _said(plan: ImportPlan) -> str:
    if not plan.rows:
        return "This file has no lines below its header."
    said = [f"This adds **{counted(plan.new, 'opening balance')}**, {words.both(plan.new_credits)} in all."]
    if plan.empty:
        said.append(f"{counted(plan.empty, 'account')} with 0 credits will be open and empty.")
    if plan.imported_before:
        said.append(f"{counted(plan.imported_before, 'line')} imported before will stay as they are.")
    return " ".join(said)


def _report(summary: ImportSummary) -> str:
    said = f"Imported {counted(summary.imported, 'opening balance')}, {words.both(summary.imported_credits)} in all"
    rest = [
        f"{format_credits(count)} {what}"
        for count, what in ((summary.imported_before, "imported before"), (summary.empty, "with 0 credits"))
        if count
    ]
    return f"{said}; {', '.join(rest)}." if rest else f"{said}."


def _say_what_is_wrong(refusal: DataFileInvalid) -> None:
    problems = refusal.problems
    if not problems[0].startswith("line "):
        st.error(words.plain(problems[0].capitalize()) + f". {_UNDONE}", title="This file cannot be read")
        return
    st.error(
        f"{_UNDONE} Correct the file and choose it again.",
        title=f"{counted(len(problems), 'line')} cannot be imported",
        icon=":material/block:",
    )
    st.markdown("\n".join(f"- {words.plain(problem)}" for problem in problems[:_MOST_PROBLEMS]))
    if len(problems) > _MOST_PROBLEMS:
        st.caption(f"And {len(problems) - _MOST_PROBLEMS:,} more.")
    if any(problem.endswith(ONLY_IN_CASE) for problem in problems):
        _distinct_box()


def _distinct_box() -> None:
    st.checkbox(
        f"Ids that differ {ONLY_IN_CASE} are different people",
        key=_DISTINCT,
        help="Otherwise such lines are refused, because they are mostly the same person.",
    )
