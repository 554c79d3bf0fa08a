"""Lists what waits for a second person, with what it would do, and what was decided before."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.access import proposals
from credits_core.access.proposals import State
from pages.parts import filters, head, links, resources, who
from pages.people import cards

PAGE, WAITING_PAGE = 25, 10
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
    mine, others = proposals.waiting(connection, actor, now=now)
    first: int = filters.page_start("approvals:waiting", "", 0)
    shown = [*mine, *others][first : first + WAITING_PAGE]
    waiting = {number: proposals.proposal(connection, number) for number in shown}
    decided = proposals.proposals(connection, is_open=False, now=now, before=start, limit=PAGE + 1)
    opened = cards.found(connection, asked, now)
    if opened is not None and opened.number in [*mine, *others]:
        waiting[opened.number] = opened
    effects = {number: cards.effect_now(connection, one) for number, one in waiting.items()}

if opened is not None and opened.state is not State.OPEN:
    cards.in_full(opened)
elif opened is not None and opened.number not in shown:
    cards.waiting(opened, effects[opened.number], actor)
for title, numbers in (("For you to decide", mine), ("Waiting for others", others)):
    on_page = [number for number in shown if number in numbers]
    if on_page:
        st.header(title, anchor=False)
    for number in on_page:
        cards.waiting(waiting[number], effects[number], actor)
if shown or first:
    end = first + len(shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.page_buttons("approvals:waiting", end if end < len(mine) + len(others) else None)
if not mine and not others:
    st.info(
        "When somebody proposes to make a plan live, or to move many credits, it stands here.",
        title="Nothing waits for approval",
        icon=":material/task_alt:",
    )

if decided:
    st.header("Decided", anchor=False)
    cards.decided(decided[:PAGE])
    filters.page_buttons("approvals:page", decided[PAGE - 1].number if len(decided) > PAGE else None)
