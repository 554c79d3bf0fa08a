"""Proposals on the screen: what would be done in words, what it does now, and the buttons that decide it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from credits_core.access import proposals, proposed
from credits_core.access.proposals import ProposalRecord, State
from credits_core.access.proposed import AddCredits, MakePlanLive, RefundEntry
from credits_core.access.refusals import UnknownProposal
from credits_core.errors import CreditsError
from credits_core.values.roles import Actor, who_may
from pages.parts import action, clock, done, links, resources, show, tables, words

_SCREEN = "Approvals"
_APPROVE, _DECLINE = "proposal:approve", "proposal:decline"
_NUMBER = re.compile("[1-9][0-9]{0,17}")
_LINKS: Mapping[str, tuple[str, str, str, Callable[[Any], dict[str, str | list[str]]]]] = {
    MakePlanLive.kind: (
        "plans/compare_plans.py",
        "Who loses?",
        ":material/compare:",
        lambda change: links.link_to(a=resources.book().plan.id, b=change.plan_id),
    ),
    AddCredits.kind: (
        "explore/balances.py",
        "See this user",
        ":material/person:",
        lambda change: links.carry_to(user=change.user_id),
    ),
    RefundEntry.kind: (
        "explore/history.py",
        "See this entry",
        ":material/receipt_long:",
        lambda change: links.carry_to(entry=str(change.entry_id)),
    ),
}


def found(connection: Connection, number: str, now: datetime) -> ProposalRecord | None:
    """The proposal that an address names by its number, or None when there is no such proposal."""
    if not _NUMBER.fullmatch(number):
        return None
    try:
        return proposals.proposal(connection, int(number)).at(now)
    except UnknownProposal:
        return None


def effect_now(connection: Connection, one: ProposalRecord) -> list[str] | CreditsError:
    """What the proposal would do now, a sentence a line, or why it cannot be done any more."""
    try:
        return one.change.effect(connection)
    except CreditsError as refusal:
        return refusal


def named(one: ProposalRecord) -> str:
    """What is proposed, as a short sentence for Markdown."""
    return proposed.title(one.change, name=words.plain)


def waiting(one: ProposalRecord, effect: list[str] | CreditsError, actor: Actor) -> None:
    """One open proposal as a card: what, by whom and why, what it does, and what the actor can do about it."""
    with st.container(border=True, gap="small"):
        st.markdown(f"**{named(one)}**")
        st.caption(
            f"Proposal {one.number}, made {clock.text(one.proposed_at, '%Y-%m-%d %H:%M')},"
            f" ends {clock.text(one.expires_at, '%Y-%m-%d %H:%M')}, by {words.by(one.proposed_by)}"
        )
        st.markdown(f"Reason: {words.plain(one.reason)}")
        if isinstance(effect, CreditsError):
            st.warning(words.refusal_text(effect), title="This cannot be done any more", icon=":material/sync_problem:")
        else:
            _lines("What it does", effect)
            if effect != list(one.effect):
                with st.expander("What it did when it was proposed"):
                    _lines("", one.effect)
        _link(one)
        _buttons(one, actor)


def _lines(title: str, lines: Sequence[str]) -> None:
    listed = "\n".join(f"- {words.plain(line)}" for line in lines)
    st.markdown(f"{title}\n{listed}" if title else listed)


def _link(one: ProposalRecord) -> None:
    if one.change.kind not in _LINKS:
        return
    file, label, icon, query = _LINKS[one.change.kind]
    st.page_link(file, label=label, icon=icon, query_params=query(one.change))


def _buttons(one: ProposalRecord, actor: Actor) -> None:
    action.performed(_APPROVE)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if proposals.may_decide(one, actor):
            if st.button("Approve", type="primary", icon=":material/check:", key=f"approve:{one.number}"):
                _approve(one)
            _closing(one, "Decline", ":material/close:")
        elif not proposals.is_known(one):
            st.caption("Another version made this. It ends by itself.")
        elif proposals.is_own(one, actor):
            _closing(one, "Withdraw", ":material/undo:")
            st.caption("You proposed this, so another person must approve it.")
        else:
            st.caption(f"Somebody with the role {' or '.join(who_may(one.change.approves))} can approve this.")


def _closing(one: ProposalRecord, label: str, icon: str) -> None:
    with st.popover(label, icon=icon, key=f"{label}:{one.number}"):
        reason = st.text_input("Reason", max_chars=500, key=f"{label}:reason:{one.number}", live=True)
        if st.button(f"{label} this", key=f"{label}:now:{one.number}", disabled=not (reason or "").strip()):
            _close(one, reason or "")


def _approve(one: ProposalRecord) -> None:
    outcome = action.perform(
        _APPROVE,
        one.number,
        lambda connection, _key, now, actor: proposals.approve(
            connection, one.number, book_at=resources.book_at, actor=actor, now=now
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was changed.")
        return
    assert outcome.result is not None, "what was not refused was decided"
    closed = outcome.result
    if closed.state is State.APPROVED:
        link = None if closed.entry_id is None else done.link_to_entry(closed.entry_id)
        done.add(_SCREEN, f"Approved proposal {one.number}: {named(one)}.", link=link)
    else:
        why = words.plain(closed.decision_reason or "")
        done.add(_SCREEN, f"Proposal {one.number} is {closed.state}, so nothing was changed. {why}")
    action.start_over(_APPROVE)
    st.rerun()


def _close(one: ProposalRecord, reason: str) -> None:
    outcome = action.perform(
        _DECLINE,
        (one.number, reason),
        lambda connection, _key, now, actor: proposals.decline(
            connection, one.number, reason=reason, actor=actor, now=now
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was changed.")
        return
    assert outcome.result is not None, "what was not refused was decided"
    done.add(_SCREEN, f"Proposal {one.number} is {outcome.result.state}: {named(one)}.")
    action.start_over(_DECLINE)
    st.rerun()


def decided(closed: Sequence[ProposalRecord]) -> None:
    """Proposals that were decided, the newest first."""
    rows = [
        {
            "Proposal": proposed.title(one.change),
            "Outcome": one.state.capitalize(),
            "Proposed by": words.actor_name(one.proposed_by),
            "Decided by": "nobody" if one.decided_by is None else words.actor_name(one.decided_by),
            clock.label("Decided"): "" if one.decided_at is None else f"{clock.shown(one.decided_at):%Y-%m-%d}",
            "Why": one.decision_reason or one.reason,
        }
        for one in closed
    ]
    tables.draw(
        rows,
        {},
        alt="Proposals that were decided, newest first",
        key="decided",
        opens={"Proposal": lambda row: show_one(closed[row].number)},
        if_wide=["Proposed by", "Why"],
    )


def show_one(number: int | None) -> None:
    """Show one proposal in full above the lists, or none."""
    st.query_params.pop("proposal", None)
    if number is not None:
        st.query_params["proposal"] = str(number)


def in_full(one: ProposalRecord) -> None:
    """A decided proposal as a card: what it did, who decided it and why, with the entry that it posted."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{named(one)}**")
            st.button("Close", icon=":material/close:", type="tertiary", on_click=show_one, args=(None,))
        by = words.by(one.decided_by) if one.decided_by else "nobody"
        decided_at = "" if one.decided_at is None else f", {clock.text(one.decided_at, '%Y-%m-%d %H:%M')}"
        st.caption(
            f"Proposal {one.number} by {words.by(one.proposed_by)},"
            f" {clock.text(one.proposed_at, '%Y-%m-%d %H:%M')}. {one.state.capitalize()} by {by}{decided_at}."
        )
        st.markdown(f"Reason: {words.plain(one.reason)}")
        if one.decision_reason:
            st.markdown(f"{one.state.capitalize()} because: {words.plain(one.decision_reason)}")
        _lines("What it said when it was proposed", one.effect)
        if one.entry_id is not None:
            link = done.link_to_entry(one.entry_id)
            st.page_link(link.page, label=link.label, icon=":material/receipt_long:", query_params=dict(link.query))
