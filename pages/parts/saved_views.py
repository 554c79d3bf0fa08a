"""Views that people keep by name: a button in the head of a screen that lists, opens, saves, renames and deletes them.

A view is the query of the screen's address. Everybody who uses the database has the same ones.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st
from sqlalchemy import Connection

from credits_core.errors import CreditsError
from credits_core.reports import saved_views
from credits_core.reports.refusals import UnknownView, ViewNameTaken
from credits_core.reports.saved_views import MAX_NAME, Query, View
from credits_core.values.roles import Actor
from pages.parts import done, resources, show, who, words

_PIXELS = 340
"""Without a width of its own, the list would be as wide as its longest sentence."""
_NAME, _ASKED, _REFUSED = "view:name", "view:asked", "view:refused"


def button(title: str, query: Query, take: Callable[[Query], None]) -> None:
    """The button, for the block of `head.line` of the screen with this title.

    `query` is what is chosen now, and `take` chooses what a view holds, as a callback.
    """
    with resources.reading() as connection:
        listed = saved_views.views(connection, _screen(title))
    with (
        st.popover("Views", icon=":material/bookmarks:", help="Saved views", key="views"),
        st.container(width=_PIXELS),
    ):
        if not listed:
            st.caption("No view yet. Save what you see now under a name.")
        for view in listed:
            _line(title, view, query, take)
        with st.form("view:form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Save this view as", max_chars=MAX_NAME, placeholder="Last month", key=_NAME)
            st.form_submit_button("Save", icon=":material/bookmark_add:", on_click=_save, args=(title, dict(query)))
        refused: CreditsError | None = st.session_state.pop(_REFUSED, None)
        if refused is not None:
            show.refusal(refused, undone="Nothing was saved.")
        st.caption("Everybody sees it. Periods such as last month move on.")
    asked = next((view for view in listed if view.id == st.session_state.get(_ASKED)), None)
    if asked is not None:
        _rename(title, asked)


def _line(title: str, view: View, query: Query, take: Callable[[Query], None]) -> None:
    is_shown = view.query == query
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key=f"view:{view.id}"):
        st.button(
            words.plain(view.name),
            icon=":material/check:" if is_shown else ":material/bookmark:",
            type="tertiary",
            help="You see this view now." if is_shown else None,
            key=f"view:open:{view.id}",
            on_click=take,
            args=(view.query,),
        )
        st.space("stretch")
        st.button(
            "",
            icon=":material/edit:",
            type="tertiary",
            help="Rename",
            key=f"view:rename:{view.id}",
            on_click=_ask,
            args=(view.id,),
        )
        st.button(
            "",
            icon=":material/delete:",
            type="tertiary",
            help="Delete",
            key=f"view:delete:{view.id}",
            on_click=_remove,
            args=(title, view),
        )


def _save(title: str, query: Query) -> None:
    name = st.session_state[_NAME]
    try:
        view = _write(
            lambda connection, actor: saved_views.save(
                connection, _screen(title), name, query, now=datetime.now(UTC), actor=actor
            )
        )
    except ViewNameTaken as refusal:
        if not _is_kept(title, name, query):  # else it was a second click
            st.session_state[_REFUSED] = refusal
    except CreditsError as refusal:
        st.session_state[_REFUSED] = refusal
    else:
        st.session_state[_NAME] = ""
        done.add(title, f"Saved the view **{words.plain(view.name)}**.", undo=partial(_take_back, view))


def _is_kept(title: str, name: str, query: Query) -> bool:
    with resources.reading() as connection:
        kept = saved_views.views(connection, _screen(title))
    return any(view.name == name.strip() and view.query == query for view in kept)


def _take_back(view: View) -> str:
    _write(lambda connection, actor: saved_views.remove(connection, view.id, actor=actor))
    return "Deleted again."


def _remove(title: str, view: View) -> None:
    try:
        _write(lambda connection, actor: saved_views.remove(connection, view.id, actor=actor))
    except UnknownView:  # that is what was wanted
        return
    done.add(title, f"Deleted the view **{words.plain(view.name)}**.", undo=partial(_save_again, view))


def _save_again(view: View) -> str:
    _write(
        lambda connection, actor: saved_views.save(
            connection, view.screen, view.name, view.query, now=datetime.now(UTC), actor=actor
        )
    )
    return "It is there again."


def _ask(view_id: int) -> None:
    st.session_state[_ASKED] = view_id


def _stop_asking() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog("Rename the view", icon=":material/edit:", on_dismiss=_stop_asking)
def _rename(title: str, view: View) -> None:
    with st.form("view:rename:form", border=False):
        name = st.text_input("Name", view.name, max_chars=MAX_NAME, key=f"view:new-name:{view.id}")
        confirmed = st.form_submit_button("Rename", type="primary")
    if not confirmed:
        return
    try:
        _write(lambda connection, actor: saved_views.rename(connection, view.id, name, actor=actor))
    except CreditsError as refusal:
        show.refusal(refusal, undone="Nothing was renamed.")
        return
    _stop_asking()
    said = f"Renamed the view {words.plain(view.name)} to **{words.plain(name.strip())}**."
    done.add(title, said, undo=partial(_name_back, view))
    st.rerun()


def _name_back(view: View) -> str:
    _write(lambda connection, actor: saved_views.rename(connection, view.id, view.name, actor=actor))
    return "It has its old name again."


def _write(change: Callable[[Connection, Actor], View]) -> View:
    actor = who.actor()
    return resources.writing(lambda connection: change(connection, actor))


def _screen(title: str) -> str:
    return title.lower()
