"""See what every AI model costs, choose which ones can run, and make new prices live."""

import streamlit as st

from pages.models import changing, opened, price_lists, tables, view
from pages.parts import head, links, resources, words

ABOUT = """
Every AI model whose price is known, with all of its prices. Only offered models can be run. New prices are imported as
a list, shown as a difference, and made live by a person with a reason.
"""

with head.line("Models", "What each model costs, and which can run.", about=ABOUT):
    pass
links.follow_link("search", "scope", "type", opened.KEPT)
book, shown = resources.book(), opened.opened()
with st.container(horizontal=True, vertical_alignment="bottom"):
    search = st.text_input("Search", type="search", placeholder="Part of a name", key="search", bind="query-params")
    kind = tables.type_filter()
    is_every = tables.scope_filter()
if problems := view.left_out():
    lines = "\n".join(f"- {words.plain(problem)}" for problem in problems)
    st.warning(lines, title="These models are left out", icon=":material/warning:")
listed = view.listed(book, search=search or "", kind=kind, is_every=is_every)
if shown is not None:
    with st.container(border=True):
        model = view.find(book, shown)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header(words.plain(model.name if model else shown))
            st.button("Close", type="tertiary", icon=":material/close:", on_click=opened.open_model, args=(None,))
        if model is None:
            st.info(
                "This model is not offered and has no known price. To offer it, import a price list that includes it.",
                icon=":material/block:",
            )
        else:
            view.facts(model, book)
            changing.offering(model, book)
            view.prices(model)
            view.prices_over_time(model, book)
if listed:
    st.caption(f"{len(listed):,} of {view.known(book):,} models. Click one to see all of its prices.")
    tables.models(listed, book, is_every=is_every)
else:
    advice = "No model matches. Shorten the search." if is_every else "No offered model matches. Show all models."
    st.info(advice, title="Nothing found", icon=":material/search_off:")
price_lists.show_all(book)
