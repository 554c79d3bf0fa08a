"""What is wrong now and since when, and which jobs failed at last, for the top of the screen Operations."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.operations import alerts, jobs, runs
from credits_core.operations.alerts import Fault
from credits_core.operations.runs import Run
from pages.operations import runbook
from pages.parts import clock, resources, words

_FAILING = "JobFailing"


def show() -> None:
    """One line for each fault with since when it is there, the urgent first; or one line that nothing is wrong.

    A job that failed, but not often enough to be a fault, has a line of its own.
    """
    with resources.reading() as connection:
        last = runs.newest_of_each(connection, jobs.NAMES, limit=runs.FAILURES_UNTIL_RED)
        faults = alerts.look(connection, jobs.NAMES, now=datetime.now(UTC), zone=resources.zone())
    urgent = [fault for fault in faults if fault.rule.is_urgent]
    others = [fault for fault in faults if not fault.rule.is_urgent]
    if urgent:
        st.error(_lines(urgent), title="Wrong now, and urgent", icon=":material/emergency_home:")
    if others:
        st.warning(_lines(others), title="Wrong now", icon=":material/warning:")
    are_told = any(fault.rule.name == _FAILING for fault in faults)
    failed = _failed_at_last(last, most=runs.FAILURES_UNTIL_RED - 1 if are_told else runs.FAILURES_UNTIL_RED)
    if failed:
        st.warning("\n".join(failed), title="Failed at the last run", icon=":material/sync_problem:")
    if not faults and not any(map(runs.failures_in_a_row, last.values())):
        st.success("Nothing is wrong.", icon=":material/check_circle:")
    if not faults:
        return
    for fault in faults:
        runbook.draw(fault.rule.name)
    if not settings.notify_urls():
        st.caption(words.plain("Nobody is told of this: CREDITS_NOTIFY_URLS is empty."))


def _failed_at_last(last: Mapping[str, Sequence[Run]], *, most: int) -> list[str]:
    """A line for each job that failed last, and at `most` so often. Once judged, more failures are among the faults."""
    return [
        f"- {jobs.named(name).title}, {clock.text(found[0].started_at, '%Y-%m-%d %H:%M')}: "
        f"{words.plain(runs.last_failure(found))}"
        for name, found in last.items()
        if 0 < runs.failures_in_a_row(found) <= most
    ]


def _lines(faults: list[Fault]) -> str:
    return "\n".join(f"- {words.plain(fault.said)} {_since(fault)} ({fault.rule.name})" for fault in faults)


def _since(fault: Fault) -> str:
    if fault.since is None:
        return "Nobody has kept since when."
    told = "" if fault.told_at is None else f", told {clock.text(fault.told_at, '%H:%M')}"
    return f"Since {clock.text(fault.since, '%Y-%m-%d %H:%M')}{told}."
