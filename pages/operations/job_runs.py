"""The last runs of one job, with what each said."""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from credits_core.operations import runs
from credits_core.operations.runs import Run
from pages.parts import clock, tables

_OUTCOMES = {runs.OK: "Well", runs.FAILED: "Failed"}


def duration(took: timedelta | None) -> str:
    """How long a run took, in seconds with one digit behind the point; empty for one that has not ended."""
    return "" if took is None else f"{took.total_seconds():.1f} s"


def draw(found: Sequence[Run]) -> None:
    """Draw the runs, the newest first, or a sentence that there was none."""
    if not found:
        st.caption("It never ran. It does a while after the start of a server, or when you run it.")
        return
    tables.draw(
        [
            {
                clock.label("Began"): one.started_at,
                "Outcome": [_OUTCOMES.get(one.outcome or "", "Not ended")],
                "Took": duration(one.took),
                "By": one.actor,
                "Said": one.message,
                "Process": one.process,
            }
            for one in found
        ],
        {},
        alt="The last runs of this job",
        key="job_runs",
        opens={},
        if_wide=["By", "Process"],
    )
