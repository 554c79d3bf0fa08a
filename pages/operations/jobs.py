"""The section of jobs: each one's state, last run and next time, the last runs of one, and a button to run it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from credits_core import settings
from credits_core.operations import jobs, lease, runs
from credits_core.operations.jobs import Job
from credits_core.operations.lease import Held
from credits_core.operations.runs import Run
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.operations import job_runs, running
from pages.parts import clock, resources, tables, who, words

_SHOWN = 20


def draw() -> None:
    """Draw the section."""
    with resources.reading() as connection:
        found = runs.newest_of_each(connection, jobs.NAMES, limit=_SHOWN)
        held = lease.held(connection)
    _leading(held.get(lease.LEADER))
    for job in jobs.ALL:
        if runs.failures_in_a_row(found[job.name]) >= runs.FAILURES_UNTIL_RED:
            st.error(
                words.plain(next(one.message for one in found[job.name] if one.outcome == runs.FAILED)),
                title=f"{job.title} failed {runs.failures_in_a_row(found[job.name])} times in a row",
                icon=":material/error:",
            )
    tables.draw(
        [_row(job, found[job.name], held) for job in jobs.ALL],
        {},
        alt="Every job with its last run and its next one",
        key="jobs",
        opens={},
        if_wide=["Runs", "Took", "Said"],
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        failing = (place for place, name in enumerate(jobs.NAMES) if runs.failures_in_a_row(found[name]))
        chosen = st.selectbox(
            "Job",
            jobs.NAMES,
            index=next(failing, 0),
            format_func=lambda name: jobs.named(name).title,
            key="operations:job",
            width=320,
        )
        if who.may_or_told(May.MANAGE):
            st.button("Run now", icon=":material/play_arrow:", on_click=running.ask_chosen)
    job = jobs.named(chosen)
    st.caption(f"This job {job.says}, {job.runs}.")
    with st.expander(f"Last runs of {job.title}", icon=":material/history:"):
        job_runs.draw(found[chosen])


def _leading(found: Held | None) -> None:
    if found is not None and found.is_running:
        st.caption(":material/check_circle: A server runs the jobs.", help=words.plain(found.holder))
    elif settings.jobs_enabled():
        st.warning(
            "A server that has started takes over within a minute. If this stays, read its log.",
            title="No server runs the jobs now",
            icon=":material/hourglass_empty:",
        )
    else:
        st.info(
            "`CREDITS_JOBS` is 0. Whoever may, runs jobs here, or with `python -m credits_core jobs run`.",
            title="Jobs do not run by themselves",
            icon=":material/info:",
        )


def _row(job: Job, found: Sequence[Run], held: Mapping[str, Held]) -> Mapping[str, object]:
    leader = held.get(lease.LEADER)
    within = counted(job.first_after // timedelta(minutes=1), "minute")
    soon = f"Begins within {within} of a server's start." if leader is not None and leader.is_running else ""
    last = found[0] if found else None
    next_time = job.next_time(
        resources.zone(), last_started=None if last is None else last.started_at, now=datetime.now(UTC)
    )
    return {
        "Job": job.title,
        "State": [_state(found, held.get(job.name))],
        clock.label("Last run"): None if last is None else last.started_at,
        "Took": "" if last is None else job_runs.duration(last.took),
        "Runs": job.runs,
        clock.label("Next"): None if last is None else next_time,
        "Said": soon if last is None else last.message,
    }


def _state(found: Sequence[Run], held: Held | None) -> str:
    if not found:
        return "Never ran"
    if found[0].outcome is None:
        return "Running" if held is not None and held.is_running else "Died"
    if runs.failures_in_a_row(found) >= runs.FAILURES_UNTIL_RED:
        return "Broken"
    return "Well" if found[0].outcome == runs.OK else "Failed"
