"""The test bench: add credits, run a prompt, and see balances, history and creator payments on one screen."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.store.kinds import TransactionType
from pages.act import adding, running
from pages.parts import action, balance, choose, links, resources, show, tables, words

ADD, RUN = "bench:add", "bench:run"
LATEST = 8
CREATOR_PAYMENTS = TransactionFilter(types=[TransactionType.CREATOR_PAYMENT])


def choose_selected() -> None:
    row = tables.take_selected_row("balances")
    if row is not None:
        st.session_state["user"] = users[row].user_id


def open_selected() -> None:
    row = tables.take_selected_row("history")
    if row is not None:
        st.switch_page("explore/history.py", query_params=links.link_to(entry=str(history[row].entry_id)))


st.caption("Add credits, run a prompt, and see who paid and who earned.")
with resources.reading() as connection:
    known = accounts.users(connection, limit=200)

grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.subheader("Balances")
    user_id = choose.user(known, help_text="Choose a user, or type a new id.")
    balances_place = st.container()
with grid.cell(), st.container(border=True):
    st.subheader("Run a prompt")
    if user_id:
        run = choose.request(user_id)
        quote = running.price(run) if run else None
        if quote:
            show.metric("Total", quote.total_credits)
        running.button(RUN, run, quote)
    else:
        show.add_credits_first()
if action.has_result(RUN):
    with grid.cell(column_span="all"):
        show.outcome(RUN, verb="charged", again="New run")
with grid.cell(), st.container(border=True):
    st.subheader("Add credits")
    if adding.form(ADD, user_id, adding.amount()):
        action.forget_refusal(RUN)  # what was missing may be there now
        st.rerun()
    if action.has_result(ADD):
        show.carried_out(ADD, "Receipt", verb="added", again="Add more")
with grid.cell(), st.container(border=True):
    st.subheader("Creator payments")
    payments_place = st.container()

with resources.reading() as connection:
    users = accounts.users(connection, limit=200)
    history = accounts.transactions(connection, TransactionFilter(account_id=user_id), limit=LATEST) if user_id else []
    payments = accounts.transactions(connection, CREATOR_PAYMENTS, limit=LATEST)
with balances_place:
    if user_id:
        balance.metric(user_id)
    else:
        st.caption("No users yet. Type an id here, then add credits below.")
    if users:
        tables.users(
            users, key="balances", on_select=choose_selected, alt="Users with their balances", with_since=False
        )
with payments_place:
    if payments:
        tables.transactions(payments, alt="The latest payments to creators", as_payments=True)
    else:
        st.caption("Creators are paid by runs with a fee and by unlocks.")
if user_id:
    st.subheader(f"Transaction history of {words.plain(user_id)}")
    if history:
        tables.transactions_of_one(history, key="history", on_select=open_selected, alt="The user's transactions")
        st.page_link(
            "explore/history.py",
            label="All transactions",
            icon=":material/receipt_long:",
            query_params=links.link_to(user=user_id, period="all"),
        )
    else:
        st.caption("Nothing has happened yet. Add credits to begin.")
