"""One entry in full: its receipt, what refunded it or what it refunds, and the button that refunds it."""

from collections.abc import Callable

import streamlit as st

from credits_core.ledger import accounts, entries
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import UnknownEntry
from pages.parts import refunding, resources, show, words


def show_in_full(entry_id: int, open_entry: Callable[[int], None]) -> None:
    """Show the entry, or that there is none with this number. `open_entry` opens another one, as a callback."""
    try:
        with resources.reading() as connection:
            posted = entries.receipt(connection, entry_id, plans=resources.book().plans)
            headline, *_ = accounts.transactions(connection, TransactionFilter(entry_id=entry_id, headline_only=True))
            refunded_by = entries.refund_of(connection, entry_id)
    except UnknownEntry as error:
        st.info(str(error), title="No such entry", icon=":material/search_off:")
        return
    with st.container(border=True):
        st.header(f"Entry {entry_id}: {words.plain(headline.description)}", anchor=False)
        if headline.refunds_entry_id is not None:
            st.button("Open the refunded entry", on_click=open_entry, args=(headline.refunds_entry_id,))
        if refunded_by is not None:
            st.success(f"Refunded by entry {refunded_by}. An entry can be refunded only once.", icon=":material/undo:")
            st.button("Open the refund", on_click=open_entry, args=(refunded_by,))
        show.receipt(posted)
        show.link_to_explanation(posted)
        if headline.refunds_entry_id is None and refunded_by is None:
            refunding.button(entry_id, headline.account_id, headline.amount_credits)
