"""Filters that are kept in the URL, and the current page of a long list, which is kept for the session.

A link opens as it was sent, and a value in it that makes no sense counts as no filter. The names in the URL are the
same wherever they mean the same: `user`, `creator`, `entry`. A page that is opened again from the sidebar is as it was
left; a link from another page (`link_to`, `follow_link`) shows what the link says and nothing else. The period is in
`pages.parts.periods`.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from pages.parts import words

_ENTRY = re.compile("[1-9][0-9]{0,14}")
_NOT_A_NUMBER = "Enter a whole number, such as 17."
Cursor = TypeVar("Cursor")


def one_of(
    label: str, known: Sequence[str], *, key: str, anyone: str, on_change: Callable[[], None] | None = None
) -> str | None:
    """A person chosen from those listed, or typed in, from `?key=…`; None is everyone."""
    chosen = st.selectbox(
        label,
        known,
        index=None,
        placeholder=anyone,
        accept_new_options=True,
        filter_mode="contains",
        key=key,
        bind="query-params",
        on_change=on_change or "rerun",
    )
    return typed(chosen) or None


def who_acted(known: Sequence[str], *, anyone: str, on_change: Callable[[], None] | None = None) -> str | None:
    """Who did something, as it is on record, from `?by=…`, where a person is an address; None is everyone."""
    name = one_of("By", [*map(words.actor_name, known)], key="by", anyone=anyone, on_change=on_change)
    return words.recorded_actor(name) if name else None


def typed(text: str | None) -> str:
    r"""Text from a person or a URL, without blanks around it and without the one character that no database takes.

    >>> typed(" ada\0 ")
    'ada'
    """
    return (text or "").replace("\0", "").strip()


def is_entry_number(text: str) -> bool:
    """Whether an entry may have this number.

    >>> is_entry_number("17"), is_entry_number("017"), is_entry_number("ada")
    (True, False, False)
    """
    return _ENTRY.fullmatch(text) is not None


def entry_number() -> int | None:
    """The number of the entry to open, from `?entry=…`; what is not the number of an entry opens none."""
    text = st.text_input(
        "Entry",
        type="search",
        placeholder="Entry no.",
        key="entry",
        bind="query-params",
        validate=(_ENTRY.pattern, _NOT_A_NUMBER),
        width=180,
    )
    if text and not _ENTRY.fullmatch(text):
        st.caption(f":red[{_NOT_A_NUMBER}]")
    return int(text) if _ENTRY.fullmatch(text) else None


def page_start(name: str, wanted: object, first: Cursor) -> Cursor:
    """Where the current page of a list begins: `first`, or where `page_buttons` went since the same was wanted."""
    listed, starts = st.session_state.get(name, (None, []))
    if listed != wanted:
        starts = []
    st.session_state[name] = (wanted, starts)
    return starts[-1] if starts else first


def page_buttons(name: str, next_start: Cursor | None) -> None:
    """Buttons to the previous and the next page of the list, for a row; without `next_start` this is the last one."""
    _, starts = st.session_state[name]
    if not starts and next_start is None:
        return
    st.button(
        "Previous",
        icon=":material/chevron_left:",
        key=f"{name}:previous",
        disabled=not starts,
        on_click=_back,
        args=(name, len(starts)),
    )
    st.button(
        "Next",
        icon=":material/chevron_right:",
        icon_position="right",
        key=f"{name}:next",
        disabled=next_start is None,
        on_click=_forward,
        args=(name, next_start, len(starts)),
    )
    st.caption(f"Page {len(starts) + 1:,}", width="content")


# A second click on a button that has not been drawn anew comes with the page it was drawn on, and is not counted.


def _back(name: str, drawn_on: int) -> None:
    wanted, starts = st.session_state[name]
    if len(starts) == drawn_on:
        st.session_state[name] = (wanted, starts[:-1])


def _forward(name: str, next_start: object, drawn_on: int) -> None:
    wanted, starts = st.session_state[name]
    if len(starts) == drawn_on:
        st.session_state[name] = (wanted, [*starts, next_start])
