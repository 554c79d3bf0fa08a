"""Lists transactions with filters, pages and a CSV download; opens one entry in full and refunds it."""

import streamlit as st

from credits_core.ledger import accounts, entries
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import UnknownEntry
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from pages.explore import refunding
from pages.parts import csv_files, filters, links, periods, resources, show, tables, words

PAGE = 25


def open_entry(number: int | None = None) -> None:
    st.session_state["entry"] = str(number or "")


def open_selected() -> None:
    row = tables.take_selected_row("history")
    if row is not None:
        open_entry(listed[row].entry_id)


def download() -> bytes:
    with resources.reading() as connection:
        return csv_files.transactions_csv(accounts.all_transactions(connection, wanted))


st.caption("Every transaction, newest first. Select one to open or refund it.")
links.follow_link("user", "types", "entry", "headlines")
with resources.reading() as connection:
    known = [user.user_id for user in accounts.users(connection, limit=200)]
days = periods.choose(on_change=open_entry).days
with st.grid(2, min_column_width=210):
    user_id = filters.one_of("User", known, key="user", anyone="All users", on_change=open_entry)
    types = st.multiselect(
        "Types",
        list(TransactionType),
        format_func=words.type_name,
        placeholder="All types",
        key="types",
        bind="query-params",
        on_change=open_entry,
    )
with st.container(horizontal=True, vertical_alignment="bottom"):
    entry_id = filters.entry_number()
    headline_only = st.toggle("One line per entry", key="headlines", bind="query-params", on_change=open_entry)
    if entry_id is not None:
        st.button("Back to the list", icon=":material/arrow_back:", on_click=open_entry)

if entry_id is not None:
    try:
        with resources.reading() as connection:
            posted = entries.receipt(connection, entry_id, plans=resources.book().plans)
            headline, *_ = accounts.transactions(connection, TransactionFilter(entry_id=entry_id, headline_only=True))
            refund_id = entry_id if posted.refunds_entry_id is not None else posted.refunded_by_entry_id
            said, rule = refunding.outcome(connection, refund_id) if refund_id is not None else ("", "")
    except UnknownEntry as error:
        st.info(str(error), title="No such entry", icon=":material/search_off:")
        st.stop()
    with st.container(border=True):
        st.subheader(f"Entry {entry_id}: {words.plain(headline.description)}")
        if posted.refunds_entry_id is not None:
            st.success(f"{said} {rule}", icon=":material/undo:")
            st.button("Open the refunded entry", on_click=open_entry, args=(posted.refunds_entry_id,))
        if posted.refunded_by_entry_id is not None:
            st.success(f"Refunded by entry {refund_id}. {said}", icon=":material/undo:")
            st.button("Open the refund", on_click=open_entry, args=(refund_id,))
        show.receipt(posted)
        show.link_to_explanation(posted)
        if refund_id is None:
            refunding.button(posted)
    st.stop()

wanted = TransactionFilter(
    account_id=user_id,
    types=tuple(types),
    days=days,
    headline_only=headline_only,
)
before = filters.page_start("history:page", wanted, None)
with resources.reading() as connection:
    found = accounts.transactions(connection, wanted, before=before, limit=PAGE + 1)
listed = found[:PAGE]

if listed:
    tables.transactions(listed, key="history", on_select=open_selected, alt="Credit transactions, newest first")
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.page_buttons("history:page", listed[-1].cursor if len(found) > PAGE else None)
        st.space("stretch")
        st.download_button(
            "Download all matches as CSV",
            download,
            "credit-transactions.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
elif wanted == TransactionFilter(days=DayRange(zone=days.zone)):
    st.info("Add credits to a user to see the first entry.", title="No entry yet", icon=":material/toll:")
    st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
else:
    st.info("Clear a filter or choose other days.", title="No transaction matches", icon=":material/filter_alt_off:")
