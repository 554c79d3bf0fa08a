"""What is wrong now and since when, for the top of the screen Operations."""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.operations import alerts, jobs
from credits_core.operations.alerts import Fault
from pages.parts import clock, resources, words


def show() -> None:
    """One line for each fault with since when it is there, the urgent first; or one line that nothing is wrong."""
    with resources.reading() as connection:
        faults = alerts.look(connection, jobs.NAMES, now=datetime.now(UTC), zone=resources.zone())
    urgent = [fault for fault in faults if fault.rule.is_urgent]
    others = [fault for fault in faults if not fault.rule.is_urgent]
    if urgent:
        st.error(_lines(urgent), title="Wrong now, and urgent", icon=":material/emergency_home:")
    if others:
        st.warning(_lines(others), title="Wrong now", icon=":material/warning:")
    if not faults:
        st.success("Nothing is wrong.", icon=":material/check_circle:")
        return
    told = "" if settings.notify_urls() else " Nobody is told: CREDITS_NOTIFY_URLS is empty."
    st.caption(words.plain(f"docs/runbook.md says what to do about each.{told}"))


def _lines(faults: list[Fault]) -> str:
    return "\n".join(f"- {words.plain(fault.said)} {_since(fault)} ({fault.rule.name})" for fault in faults)


def _since(fault: Fault) -> str:
    if fault.since is None:
        return "Nobody has kept since when."
    told = "" if fault.told_at is None else f", told {clock.text(fault.told_at, '%H:%M')}"
    return f"Since {clock.text(fault.since, '%Y-%m-%d %H:%M')}{told}."
