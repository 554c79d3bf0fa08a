"""See what every AI model costs, choose which ones can run, and make new prices live."""

import streamlit as st

from pages.models import actions, tables, view
from pages.parts import head, links, resources

ABOUT = """
Every AI model whose price is known, with all of its prices. Only offered models can be run. New prices are imported as
a list, shown as a difference, and made live by a person with a reason.
"""

with head.line("Models", "What each model costs, and which can run.", about=ABOUT):
    pass
links.follow_link("search", "scope", "type", "model_id")
book = resources.book()
with st.container(horizontal=True, vertical_alignment="bottom"):
    search = st.text_input("Search", type="search", placeholder="Part of a name", key="search", bind="query-params")
    kind = tables.type_filter()
    is_every = tables.scope_filter()
listed = view.listed(book, search=search or "", kind=kind, is_every=is_every)
if not listed:
    advice = "No model fits. Search for less." if is_every else "No offered model fits. Show all, or search for less."
    st.info(advice, title="Nothing found", icon=":material/search_off:")
    st.stop()
st.caption(f"{len(listed):,} of {view.known(book):,} models. Select a row to see all of its prices.")
chosen = tables.models(listed, book)
if chosen is None:
    actions.price_lists(book)
    st.stop()

with st.container(border=True):
    st.header(chosen.name)
    view.facts(chosen, book)
    actions.offering(chosen, book)
    view.prices(chosen)
    view.history(chosen)
actions.price_lists(book)
