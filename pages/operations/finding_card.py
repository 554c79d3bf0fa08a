"""One finding in full: what was found, the entries that led to it, and the note of who looked at it."""

import re
from collections.abc import Sequence

import streamlit as st
from sqlalchemy import Connection

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter
from credits_core.operations import watch_findings
from credits_core.operations.watch_findings import Finding
from credits_core.operations.watch_refusals import UnknownFinding
from credits_core.values.roles import May
from pages.operations import finding_words
from pages.parts import action, clock, done, links, show, tables, who, words

_SCREEN = "Watching"
_LOOK = "finding:look"
_NUMBER = re.compile("[1-9][0-9]{0,17}")


def asked(connection: Connection, number: str) -> Finding | None:
    """The finding that an address names by its number, or None when there is no such finding."""
    if not _NUMBER.fullmatch(number):
        return None
    try:
        return watch_findings.finding(connection, int(number))
    except UnknownFinding:
        return None


def entries(connection: Connection, one: Finding) -> list[ListedTransaction]:
    """What led to it, an entry a line, the newest first."""
    listed = []
    for number in one.entries:
        wanted = TransactionFilter(entry_id=number, headline_only=True)
        listed += accounts.transactions(connection, wanted, limit=1)
    return listed


def choose(number: int | None) -> None:
    """Show one finding in full above the lists, or none."""
    st.query_params.pop("finding", None)
    if number is not None:
        st.query_params["finding"] = str(number)


def in_full(one: Finding, listed: Sequence[ListedTransaction]) -> None:
    """The finding as a card."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{finding_words.NAMES[one.rule]}**", width="stretch")
            st.button("Close", icon=":material/close:", type="tertiary", on_click=choose, args=(None,))
        st.markdown(finding_words.sentence(one))
        st.caption(f"Finding {one.number}, about {one.day}, found {clock.text(one.found_at, '%Y-%m-%d %H:%M')}")
        place = finding_words.place(one)
        if place is not None:
            file, label, chosen = place
            query = links.carry_to(**chosen) if file == "explore/balances.py" else links.link_to(**chosen)
            st.page_link(file, label=label, icon=":material/arrow_forward:", query_params=query)
        if listed:
            tables.activity(
                listed,
                alt="The entries that led to this finding",
                key="finding-entries",
                opens=_open_entry,
            )
        if one.look is not None:
            at = clock.text(one.look.at, "%Y-%m-%d %H:%M")
            st.markdown(f"{words.plain(one.look.by)} looked at it {at}: {words.plain(one.look.note)}")
        elif who.may_or_told(May.LOOK_INTO):
            _note(one)


def _open_entry(one: ListedTransaction) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(entry=str(one.entry_id)))


def _note(one: Finding) -> None:
    action.performed(_LOOK)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        note = st.text_input("What was it?", max_chars=500, key=f"note:{one.number}", live=True)
        is_given = bool((note or "").strip())
        if not st.button("Looked at", type="primary", icon=":material/check:", disabled=not is_given):
            return
    outcome = action.perform(
        _LOOK,
        (one.number, note),
        lambda connection, _key, now, actor: watch_findings.look_at(
            connection, one.number, note=note or "", now=now, actor=actor
        ),
    )
    if outcome.refusal is not None:
        show.refusal(outcome.refusal, undone="Nothing was changed.")
        return
    done.add(_SCREEN, f"Looked at finding {one.number}: {finding_words.NAMES[one.rule]}, {words.plain(one.subject)}.")
    action.start_over(_LOOK)
    choose(None)
    st.rerun()
