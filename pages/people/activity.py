"""Lists what was changed that is no movement of credits: who changed keys, plans, prices, people, and when."""

import streamlit as st

from credits_core.reports import changes
from credits_core.reports.changes import ChangeFilter
from credits_core.store.activity import Change
from pages.parts import clock, filters, head, links, resources, words
from pages.people import change_words

PAGE = 25
_TIME_PIXELS, _ACTOR_PIXELS, _OPEN_PIXELS = 150, 190, 70
BOXES = ("kind", "by", "subject")
ABOUT = """
Every change that moves no credits: API keys, price plans, prices, people and test users, downloads of people's ids.
Who moved credits stands in the history.
Nothing here can be changed or deleted. A line keeps no secret.
"""


def clear() -> None:
    for box in BOXES:
        st.session_state[box] = None


links.follow_link(*BOXES)
with resources.reading() as connection:
    actors = changes.newest_actors(connection)
with head.line("Activity", "Who changed what, newest first.", about=ABOUT):
    pass
with st.container(horizontal=True, vertical_alignment="bottom"):
    kind = st.selectbox(
        "Kind",
        list(Change),
        index=None,
        format_func=change_words.kind_name,
        placeholder="Every kind",
        key="kind",
        bind="query-params",
    )
    by = filters.who_acted(actors, anyone="Everybody")
    subject = filters.typed(
        st.text_input("What was changed", placeholder="A key, a plan, a person", key="subject", bind="query-params")
    )

wanted = ChangeFilter(kind, by, subject or None)
before: int | None = filters.page_start("activity:page", wanted, None)
with resources.reading() as connection:
    found = changes.changes(connection, wanted, before=before, limit=PAGE + 1)
listed = found[:PAGE]

for one in listed:
    with st.container(horizontal=True, vertical_alignment="center", key=f"change:{one.number}"):
        st.caption(clock.text(one.happened_at, "%Y-%m-%d %H:%M"), width=_TIME_PIXELS)
        with st.container(gap="xxsmall", width="stretch"):
            st.markdown(change_words.sentence(one))
            if rest := change_words.rest(one):
                st.caption(rest)
        st.markdown(words.by(one.actor), width=_ACTOR_PIXELS)
        place = change_words.place(one)
        if place is None:
            st.space(_OPEN_PIXELS)  # an empty container takes no room
        else:
            file, chosen = place
            with st.container(width=_OPEN_PIXELS):
                st.page_link(file, label="Open", query_params=links.link_to(**chosen))
if listed:
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.page_buttons("activity:page", listed[-1].number if len(found) > PAGE else None)
elif wanted == ChangeFilter():
    st.info(
        "Save a price plan or make an API key, and it stands here with who did it.",
        title="Nothing was changed yet",
        icon=":material/manage_history:",
    )
else:
    st.info(
        "No change matches these filters.",
        title="Nothing found",
        icon=":material/filter_alt_off:",
    )
    st.button("Clear the filters", icon=":material/filter_alt_off:", on_click=clear)
