"""Work that takes longer than a moment: what is done, how much of it, the time left, and a button to stop.

The button ends the run of the page at the next sign of progress, because a click always does; what was stopped stays
stopped until somebody goes on. So the work computes and reads, or writes in pieces that nobody writes twice.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.values.progress import Progress, Work

Result = TypeVar("Result")


@dataclass(slots=True)
class Kept(Generic[Result]):
    """A place for the result of long work. A cached function gives the same place for the same key to everybody.

    A cached function cannot do the work itself, because what it draws meanwhile would be kept as well.
    """

    key: str
    result: Result | None = None


_QUIET_SECONDS, _SECONDS_BETWEEN = 0.5, 0.2


def carried_out(
    name: str, request: object, work: Callable[[], Work[Result]], *, what: str, of: str, undone: str
) -> Result | None:
    """The result of the work, or None when somebody stopped it, which is shown with a button to go on.

    `what` is being done with `of`: "Pricing and charging", "5,000,000 runs". `undone` says what is missing after a
    stop. `request` tells this work from another one under the same name.
    """
    if st.session_state.get(f"{name}:stopped") == request:
        st.warning(undone, title="You stopped this", icon=":material/pause_circle:")
        st.button("Go on", icon=":material/resume:", key=f"{name}:on", on_click=_go_on, args=(name,))
        return None
    place, begun = st.empty(), monotonic()
    bar, drawn, first = None, begun, None
    with closing(work()) as running:
        while True:
            try:
                progress = next(running)
            except StopIteration as end:
                place.empty()
                result: Result = end.value
                return result
            except CreditsError:
                place.empty()
                raise
            now = monotonic()
            if first is None:
                first = (now, progress.done)  # a part may have been done already, which tells nothing about the rest
            if now - begun < _QUIET_SECONDS or (bar is not None and now - drawn < _SECONDS_BETWEEN):
                continue
            drawn = now
            share = min(1.0, progress.done / progress.total)
            seconds = now - first[0]
            speed = f" · {progress.rows / (now - begun):,.0f} rows a second" if progress.rows else ""
            said = f"{what}: {share:.0%} of {of}{speed}{time_left(progress, since_done=first[1], seconds=seconds)}"
            if bar is None:
                with place.container(horizontal=True, vertical_alignment="center"):
                    bar = st.progress(share, said)
                    st.button("Stop", icon=":material/stop:", key=f"{name}:stop", on_click=_stop, args=(name, request))
            else:
                bar.progress(share, said)


def time_left(progress: Progress, *, since_done: int, seconds: float) -> str:
    """How long the rest takes, in words; nothing as long as that cannot be told.

    So many `seconds` ago so much was done: `since_done`.

    >>> time_left(Progress(2, 4), since_done=1, seconds=5.0), time_left(Progress(9, 10), since_done=0, seconds=1.0)
    (' · about 10 s left', ' · about 1 s left')
    >>> time_left(Progress(1, 100), since_done=0, seconds=2.0), time_left(Progress(1, 4), since_done=1, seconds=0.0)
    (' · about 3 min left', '')
    """
    if progress.done <= since_done:
        return ""
    left = seconds / (progress.done - since_done) * (progress.total - progress.done)
    return f" · about {max(1, round(left))} s left" if left < 90 else f" · about {round(left / 60)} min left"


def _stop(name: str, request: object) -> None:
    st.session_state[f"{name}:stopped"] = request


def _go_on(name: str) -> None:
    st.session_state.pop(f"{name}:stopped", None)
