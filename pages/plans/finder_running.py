"""Carries a search out for the page: progress, the best so far, a button to stop. Whole answers are kept for all."""

from collections.abc import Callable
from contextlib import closing
from time import monotonic

import streamlit as st

from credits_core.lab.finder.measures import Assessor
from credits_core.lab.finder.search import Answer, Question, Search, with_ids
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import to_line
from credits_core.values.text import counted
from pages.parts import long_work, resources
from pages.parts.long_work import Kept
from pages.plans.month import Month

_RUNNING, _PARTIAL, _ASKED = "finder:running", "finder:partial", "finder:asked"
_SECONDS_BETWEEN, _SECONDS_BETWEEN_CHARTS = 0.2, 1.0


def place(month: Month, today: PricePlan, question: Question) -> Kept[Answer]:
    """Where the answer to this question is kept; its result is None until a search came to its end."""
    return _kept(f"{month.newest_entry} {month.recent.days} {to_line(today)} {question}")


def ask(kept: Kept[Answer]) -> None:
    """Begin a search at the next run of the page. Meant as a callback."""
    st.session_state[_RUNNING] = kept.key
    st.session_state[_ASKED] = True
    st.session_state.pop(_PARTIAL, None)


def is_asked(kept: Kept[Answer]) -> bool:
    """Whether a search for this answer was begun, and neither stopped nor finished."""
    return kept.result is None and st.session_state.get(_RUNNING) == kept.key


def has_answered() -> bool:
    """Whether somebody looked for plans here, so that the question can be folded away."""
    return _RUNNING in st.session_state or _ASKED in st.session_state


def stopped(kept: Kept[Answer]) -> Answer | None:
    """The best plans of a search for this answer that somebody stopped."""
    key, answer = st.session_state.get(_PARTIAL, (None, None))
    return answer if key == kept.key and st.session_state.get(_RUNNING) != kept.key else None


def carry_out(
    kept: Kept[Answer], month: Month, today: PricePlan, question: Question, *, draw: Callable[[Answer], None]
) -> None:
    """Search to the end, and draw the best so far meanwhile; then draw the page again, with the whole answer.

    Raises:
        InvalidRequest: as `Search`.
    """
    line, best = st.empty(), st.empty()
    search = Search(assessor(month, today), question)
    stored, begun = {name: one.plan for name, one in resources.plans().items()}, monotonic()
    shown, drawn = begun, begun
    with line.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, "Trying plans")
        st.button("Stop", icon=":material/stop:", key="finder:stop", on_click=_stop)
    with closing(search.steps()) as steps:
        for progress in steps:
            now = monotonic()
            if now - shown < _SECONDS_BETWEEN:
                continue
            shown, so_far = now, with_ids(search.answer(), today, stored)
            st.session_state[_PARTIAL] = (kept.key, so_far)
            left = long_work.time_left(progress, since_done=0, seconds=now - begun)
            bar.progress(
                min(1.0, progress.done / progress.total),
                f"Trying plans: {progress.done:,} of {progress.total:,}, {counted(len(so_far.best), 'plan')} "
                f"best so far{left}",
            )
            if so_far.best and now - drawn >= _SECONDS_BETWEEN_CHARTS:
                drawn = now
                with best.container():
                    draw(so_far)
    kept.result = search.answer()
    st.session_state.pop(_RUNNING, None)
    st.rerun()


def assessor(month: Month, today: PricePlan) -> Assessor:
    """What prices plans on last month's runs; kept, because condensing them takes a moment."""
    return _assessor(month, today, (month.newest_entry, to_line(today)))


def _stop() -> None:
    st.session_state.pop(_RUNNING, None)


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(key: str) -> Kept[Answer]:
    return Kept(key)


@st.cache_resource(max_entries=2, show_spinner=False)
def _assessor(_month: Month, _today: PricePlan, key: tuple[object, str]) -> Assessor:
    assert key, "under which it is kept"
    return Assessor(_month.history, _today)
