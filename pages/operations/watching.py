"""Lists what watching the credits found, opens one finding with the entries that led to it, and takes a note."""

import streamlit as st

from credits_core.operations import runs, watch_findings
from pages.operations import finding_card, finding_list
from pages.parts import clock, filters, head, links, resources

PAGE = 25
ABOUT = """
Every ten minutes new entries are looked through for what is unusual: spending, refunds, payments, prices and keys. What
counts as unusual stands in the file `data/watch.toml`.
A finding is no proof. Look at the entries that led to it, and note what it was.
"""

with head.line("Watching", "What is unusual in the credits.", about=ABOUT):
    pass

links.follow_link("finding")
start: int | None = filters.page_start("watching:page", "", None)
with resources.reading() as connection:
    opened = finding_card.asked(connection, st.query_params.get("finding", ""))
    entries = [] if opened is None else finding_card.entries(connection, opened)
    waiting = watch_findings.findings(connection, is_waiting=True, limit=finding_list.MOST_WAITING)
    last = runs.last_ended(connection, "watch", is_ok=True)
    looked_at = watch_findings.findings(connection, is_waiting=False, before=start, limit=PAGE + 1)

if opened is not None:
    finding_card.in_full(opened, entries)
if waiting:
    st.header("Nobody has looked at these", anchor=False)
    finding_list.waiting(waiting)
elif last is None and not looked_at:
    st.warning(
        "A server does it every ten minutes. *Operations* has the job *Watching*, and says what keeps it.",
        title="Nobody has looked through the entries yet",
        icon=":material/hourglass_empty:",
    )
else:
    st.info(
        "When somebody spends, earns or charges in an unusual way, it stands here.",
        title="Nothing waits to be looked at",
        icon=":material/task_alt:",
    )
if last is not None:
    st.caption(f"Last looked through {clock.text(last.started_at, '%Y-%m-%d %H:%M')}.")
if looked_at:
    st.header("Looked at", anchor=False)
    finding_list.looked_at(looked_at[:PAGE])
    filters.page_buttons("watching:page", looked_at[PAGE - 1].number if len(looked_at) > PAGE else None)
