"""Runs a job for a page, with progress and a button to stop."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.operations import jobs, running, runs
from pages.parts import done, long_work, resources, who, words

_ASKED = "operations:asked"


def ask(name: str) -> None:
    """Let a job run, as a callback. Each click is a run of its own."""
    st.session_state[_ASKED] = (name, datetime.now(UTC))


def ask_chosen() -> None:
    """The same for the job that is chosen on the screen."""
    ask(st.session_state["operations:job"])


def carry_out() -> None:
    """Run the job that somebody asked for, if any, and show the page anew."""
    asked = st.session_state.get(_ASKED)
    if asked is None:
        return
    job = jobs.named(asked[0])
    actor = who.actor()
    try:
        run = long_work.carried_out(
            "operations",
            asked,
            lambda: running.running(job, resources.surroundings(), actor=actor),
            what=job.title,
            of="the job",
            undone="The run counts as failed. Whatever it did before can be done again.",
        )
    except CreditsError as refusal:
        st.session_state.pop(_ASKED)
        st.warning(words.plain(str(refusal)), title="Nothing was started", icon=":material/block:")
        return
    if run is None:
        return
    st.session_state.pop(_ASKED)
    if run.outcome == runs.OK:
        done.add("Operations", f"{job.title} ended well: {words.plain(run.message)}")
    else:
        done.add("Operations", f"{job.title} failed: {words.plain(run.message)}", icon=done.FAILED)
    st.rerun()
