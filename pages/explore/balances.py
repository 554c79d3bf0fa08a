"""Lists and searches balances; for one user, shows credits in and out, balance over time and transactions."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.refusals import UnknownUser
from credits_core.reports import sums
from credits_core.values.text import counted, format_credits
from pages.explore import charts as explore_charts
from pages.parts import charts, filters, links, resources, show, tables, words

PAGE = 25
LATEST = 8


def choose_selected() -> None:
    row = tables.take_selected_row("balances")
    if row is not None:
        st.query_params["user"] = listed[row].user_id


def show_all() -> None:
    st.query_params.pop("user", None)


def open_selected() -> None:
    row = tables.take_selected_row("latest")
    if row is not None:
        st.switch_page(
            "explore/history.py", query_params=links.link_to(user=user.user_id, entry=str(latest[row].entry_id))
        )


st.caption("Every user's balance. Choose a user to see the details.")
search = filters.typed(
    st.text_input(
        "Search",
        type="search",
        placeholder="Part of a user's id",
        live=True,
        key="search",
        bind="query-params",
        on_change=show_all,
    )
)
# Not bound to a filter, because then a link to the history could not carry it along.
user_id = filters.typed(st.query_params.get("user"))

if user_id:
    st.button("All users", icon=":material/arrow_back:", on_click=show_all)
    with resources.reading() as connection:
        try:
            user = accounts.user(connection, user_id)
        except UnknownUser as error:
            st.info(words.plain(str(error)), title="No such user", icon=":material/person_off:")
            st.stop()
        flow = sums.account_flow(connection, user_id)
        points = accounts.balance_history(connection, user_id)
        latest = accounts.transactions(connection, TransactionFilter(account_id=user_id), limit=LATEST)
    st.subheader(user.user_id)
    with show.metric_grid(user.balance_credits, flow.received_credits, flow.given_credits):
        show.metric("Balance", user.balance_credits, colour="blue")
        show.metric("Credits in", flow.received_credits, help_text="Everything the user ever received.")
        show.metric("Credits out", flow.given_credits, help_text="Everything the user ever paid or gave back.")
        st.metric("Transactions", format_credits(flow.transactions), border=True, height="stretch")
    if not latest:
        st.info(
            f"{user.user_id} has no transactions yet.",
            title="Nothing has happened yet",
            icon=":material/hourglass_empty:",
        )
        st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
        st.stop()
    with st.container(border=True):
        st.subheader("Balance over time")
        charts.draw(
            explore_charts.balance_line(points, datetime.now(UTC)), alt=f"The balance of {user.user_id} over time"
        )
    st.subheader("Latest transactions")
    tables.transactions_of_one(
        latest, key="latest", on_select=open_selected, alt=f"The latest transactions of {user.user_id}"
    )
    st.page_link(
        "explore/history.py",
        label=f"All {format_credits(flow.transactions)} transactions of {user.user_id}",
        icon=":material/receipt_long:",
        query_params=links.link_to(user=user.user_id, period="all"),
    )
    st.stop()

start = filters.page_start("balances:page", search, "")
with resources.reading() as connection:
    in_all = accounts.user_count(connection, search=search)
    users = accounts.users(connection, search=search, after_user_id=start, limit=PAGE + 1)
listed = users[:PAGE]

if not listed:
    if search:
        st.info(
            f"No user's id contains “{words.plain(search)}”. Search for a shorter part of it.",
            icon=":material/search_off:",
        )
    else:
        st.info("Adding credits creates the user.", title="No users yet", icon=":material/person_add:")
        st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
    st.stop()

st.caption(f"{counted(in_all, 'user')}. Select one to see the details.")
tables.users(listed, key="balances", on_select=choose_selected, alt="Users with their balances")
with st.container(horizontal=True, vertical_alignment="center"):
    filters.page_buttons("balances:page", listed[-1].user_id if len(users) > PAGE else None)
