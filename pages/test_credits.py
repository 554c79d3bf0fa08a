"""The test bench: balances, adding credits, a run with its receipt, history and creator payments on one screen."""

import streamlit as st

from credits_core import queries
from credits_core.postings import TransactionType
from credits_core.queries import TransactionFilter
from pages.parts import adding, balance, choose, filters, running, runtime, show, tables

ADD, RUN = "bench:add", "bench:run"
LATEST = 8


def choose_selected() -> None:
    row = tables.take_selected_row("balances")
    if row is not None:
        st.session_state["user"] = users[row].user_id


def open_movement() -> None:
    row = tables.take_selected_row("movements")
    if row is not None:
        st.switch_page("history.py", query_params=filters.to(entry=str(movements[row].entry_id)))


st.caption("Choose a user, add credits, run a prompt, and see on one screen who paid and who received what.")
filters.arrive("user", drawn_with="unit")
with runtime.reading() as connection:
    known = queries.users(connection, limit=200)

grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.subheader("Balances")
    user_id = choose.user(known, help_text="Choose a user, or type an id.")
    balances_place = st.container()
with grid.cell(), st.container(border=True):
    st.subheader("Run a prompt")
    run = choose.request(user_id)
    quote = running.price(run)
    if quote:
        show.metric("Total", quote.total_credits)
    running.button(RUN, run, quote)
if runtime.has_result(RUN):
    with grid.cell(column_span="all"):
        show.outcome(RUN, verb="charged", again="New run")
with grid.cell(), st.container(border=True):
    st.subheader("Add credits")
    adding.form(ADD, user_id, adding.amount())
with grid.cell(), st.container(border=True):
    st.subheader("Creator payments")
    payments_place = st.container()
if runtime.has_result(ADD):
    with grid.cell(column_span="all"):
        show.outcome(ADD, verb="added", again="Add more")

with runtime.reading() as connection:
    users = queries.users(connection, limit=200)
    movements = queries.transactions(connection, TransactionFilter(account_id=user_id), limit=LATEST)
    payments = queries.transactions(
        connection, TransactionFilter(types=[TransactionType.CREATOR_PAYMENT]), limit=LATEST
    )
with balances_place:
    if user_id:
        balance.metric(user_id)
    if users:
        tables.users(users, key="balances", on_select=choose_selected, alt="Users with their balances")
with payments_place:
    if payments:
        tables.transactions(payments, alt="The latest payments to creators")
    else:
        st.caption("Creators are paid when somebody runs a prompt with a fee, or unlocks a flow.")
st.subheader("Transaction history")
if movements:
    tables.transactions_of_one(
        movements, key="movements", on_select=open_movement, alt="The user's latest transactions"
    )
