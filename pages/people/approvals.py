"""Lists what waits for a second person, with what it would do, and what was decided before."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.access import proposals
from credits_core.access.proposals import State
from pages.parts import filters, head, links, resources, who
from pages.people import cards

PAGE = 25
ABOUT = """
Some changes need two people: one proposes, another approves. Those are a plan or prices that become live, and credits
above a limit. Nothing changes until somebody else approves.
A proposal ends after seven days, or when what it was based on has changed.
"""

with head.line("Approvals", "What waits for a second person.", about=ABOUT):
    pass

links.follow_link("proposal")
now, actor = datetime.now(UTC), who.actor()
start: int | None = filters.page_start("approvals:page", "", None)
asked = st.query_params.get("proposal", "")
with resources.reading() as connection:
    waiting = proposals.proposals(connection, is_open=True, now=now)
    decided = proposals.proposals(connection, is_open=False, now=now, before=start, limit=PAGE + 1)
    for_you, others = cards.sorted_for(waiting, actor)
    opened = cards.found(connection, asked, now)
    effects = {one.number: cards.effect_now(connection, one) for one in waiting}

if opened is not None and opened.state is not State.OPEN:
    cards.in_full(opened)
if for_you:
    st.header("For you to decide", anchor=False)
for one in for_you:
    cards.waiting(one, effects[one.number], actor)
if others:
    st.header("Waiting for others", anchor=False)
for one in others:
    cards.waiting(one, effects[one.number], actor)
if not waiting:
    st.info(
        "When somebody proposes to make a plan live, or to move many credits, it stands here.",
        title="Nothing waits for approval",
        icon=":material/task_alt:",
    )

if decided:
    st.header("Decided", anchor=False)
    cards.decided(decided[:PAGE])
    filters.page_buttons("approvals:page", decided[PAGE - 1].number if len(decided) > PAGE else None)
