"""What was done in this visit: the confirmation that stays on the screen, with its link and undo, and the list of all.

An action that succeeded says so with `add`. The screen's head shows the last one until somebody puts it away or undoes
it; the sidebar lists them all. Nothing here is written to the database, and a new visit begins empty.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

import streamlit as st

from credits_core.errors import CreditsError
from pages.parts import clock, links, words

_KEY, _SHOWN = "done", "done:shown"
_MOST = 50
TICK, NEUTRAL, FAILED = ":material/check_circle:", ":material/info:", ":material/error:"


@dataclass(frozen=True, slots=True)
class Link:
    """Where one can see what was done: a page's file, the words of the link and the query."""

    page: str
    label: str
    query: Mapping[str, str | list[str]]


def link_to_entry(entry_id: int) -> Link:
    """The link to an entry in the history."""
    return Link("explore/history.py", f"Entry {entry_id}", links.carry_to(entry=str(entry_id)))


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done. `undo` is carried out at most once and says in words what it did, for Markdown.

    What is undone only after a question has `asks` instead, which opens the question.
    """

    screen: str
    said: str
    link: Link | None = None
    undo: Callable[[], str] | None = None
    asks: Callable[[], None] | None = None
    undo_label: str = "Undo"
    undo_help: str | None = None
    undone: str | None = None
    name: str | None = None
    icon: str = TICK
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid4().hex)


def add(
    screen: str,
    said: str,
    *,
    link: Link | None = None,
    undo: Callable[[], str] | None = None,
    asks: Callable[[], None] | None = None,
    undo_label: str = "Undo",
    undo_help: str | None = None,
    is_shown: bool = True,
    name: str | None = None,
    icon: str = TICK,
) -> None:
    """Note what was done on the screen with this title; `said` is Markdown in the past tense.

    With `is_shown` false it is listed in the sidebar alone, because the screen has a place of its own for it. `undo`
    must refuse by raising a `CreditsError` when the thing cannot be undone any more; `undo_help` says what it would do.
    `icon` is `NEUTRAL` for what was done and is no success, such as a card that was declined; `FAILED` for a failure.
    What was done under a `name` takes the place of what was done under it before, such as the first half of a batch.
    """
    one = Done(screen, said, link, undo, asks, undo_label, undo_help, name=name, icon=icon)
    kept = [other for other in all_done() if name is None or other.name != name]
    st.session_state[_KEY] = [*kept, one][-_MOST:]
    if is_shown:
        st.session_state[_SHOWN] = one.id


def undone(name: str, said: str) -> bool:
    """Say in the list of this visit that what was done under this name was undone. Whether it was in the list."""
    done = all_done()
    st.session_state[_KEY] = [replace(one, undone=said) if one.name == name else one for one in done]
    return any(one.name == name for one in done)


def all_done() -> list[Done]:
    """What was done in this visit, the oldest first."""
    done: list[Done] = st.session_state.get(_KEY, [])
    return done


def last(screen: str) -> None:
    """Show what was done last, when that was on this screen and nobody has put it away."""
    shown = st.session_state.get(_SHOWN)
    one = next((one for one in all_done() if one.id == shown and one.screen == screen), None)
    if one is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="done"):
        icon, said = (":material/undo:", one.undone) if one.undone else (one.icon, one.said)
        with st.container(width="stretch"):  # long words break inside it, and do not push the buttons below
            st.markdown(f"{icon} {said}")
        _link(one)
        _undo_button(one, place="head")
        st.button(
            "", icon=":material/close:", type="tertiary", help="Put this away", on_click=put_away, key="done:close"
        )


def activity() -> list[Done]:
    """A button that opens the list of what was done in this visit, the newest first; and what it lists."""
    done = all_done()
    with st.popover(f"This visit: {len(done)}", icon=":material/checklist:", width="stretch", key="activity"):
        if not done:
            st.caption("Nothing yet. What you add, run, refund or change is listed here.")
        for one in reversed(done):
            with st.container(gap="xxsmall"):
                st.markdown(f"~~{one.said}~~ {one.undone}" if one.undone else one.said)
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.caption(f"{clock.text(one.at, '%H:%M')} · {one.screen}", width="content")
                    _link(one)
                    _undo_button(one, place="list")
    return done


def _link(one: Done) -> None:
    if one.link is not None:
        st.page_link(one.link.page, label=one.link.label, query_params=dict(one.link.query), width="content")


def _undo_button(one: Done, *, place: str) -> None:
    if one.undone is None and (one.undo or one.asks):
        st.button(
            one.undo_label,
            icon=":material/undo:",
            help=one.undo_help,
            key=f"undo:{place}:{one.id}",
            on_click=one.asks or _undo,
            args=None if one.asks else (one.id,),
        )


def put_away() -> None:
    """Show no longer what was done last; it stays in the list. Meant as an `on_click` callback."""
    st.session_state.pop(_SHOWN, None)


def _undo(id_: str) -> None:
    one = next(one for one in all_done() if one.id == id_)
    if one.undo is None or one.undone is not None:
        return  # a second click on a button that has not been drawn anew
    try:
        undone = replace(one, undone=one.undo())
    except CreditsError as refusal:
        undone = replace(one, undone=f"Not undone: {words.refusal_text(refusal)}", undo=None)
    st.session_state[_KEY] = [undone if other.id == id_ else other for other in all_done()]
