"""Proposes a change where a second person must approve it: one action, the link to it, and what waits for you."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.access import proposals
from credits_core.access.approving import ProposedChange
from credits_core.errors import CreditsError
from credits_core.values.text import counted
from pages.parts import action, done, links, resources, who


def propose(name: str, screen: str, change: ProposedChange, *, reason: str, said: str) -> CreditsError | None:
    """Propose the change, say so on the screen with this title, and return why it was refused, if it was.

    `said` names the change as the end of a sentence for Markdown: "to make promptflow-v2 live".
    """
    outcome = action.perform(
        name,
        (change, reason),
        lambda connection, _key, now, actor: proposals.propose(connection, change, reason=reason, actor=actor, now=now),
    )
    if outcome.refusal is None and outcome.result is not None and not outcome.repeated:
        say(screen, outcome.result.number, said)
        action.start_over(name)
    return outcome.refusal


def say(screen: str, number: int, said: str) -> None:
    """Say on the screen with this title that a proposal was made, with the link to it. `said` as for `propose`."""
    done.add(
        screen,
        f"Proposed {said}. It waits for another person; nothing has changed yet.",
        link=done.Link("people/approvals.py", f"Proposal {number}", links.carry_to(proposal=str(number))),
    )


def note() -> None:
    """One sentence above a button that proposes instead of doing."""
    st.caption("Another person must approve this. It waits under Approvals for seven days.")


def waiting_link() -> None:
    """For the sidebar: how many proposals wait for the one who acts, as a link to them; nothing when none does."""
    actor = who.actor()
    if not actor.needs_second():
        return
    with resources.reading() as connection:
        waiting = proposals.waiting_for(connection, actor, now=datetime.now(UTC))
    if waiting:
        st.page_link(
            "people/approvals.py",
            label=f"{counted(waiting, 'proposal')} to decide",
            icon=":material/how_to_reg:",
            help="Others proposed this. You may approve or decline it.",
        )
