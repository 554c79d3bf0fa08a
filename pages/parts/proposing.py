"""Proposes a change where a second person must approve it: one action, and the link to where it waits."""

import streamlit as st

from credits_core.access import proposals
from credits_core.access.proposed import ProposedChange
from credits_core.errors import CreditsError
from pages.parts import action, done, links


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
