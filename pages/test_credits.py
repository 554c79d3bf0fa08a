"""The test bench: add credits, run a prompt, and see balances, history and creator payments on one screen."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter, UserBalance
from credits_core.store.kinds import TransactionType
from pages.act import adding, running
from pages.parts import action, balance, choose, head, links, resources, show, tables, words

ADD, RUN = "bench:add", "bench:run"
LATEST = 8
CREATOR_PAYMENTS = TransactionFilter(types=[TransactionType.CREATOR_PAYMENT])


ABOUT = """
The whole story of one run on one screen: a user with credits, a prompt with its price, and who received what.
What you do here is charged in this ledger, by the same code as every real run.
"""


def choose_user(one: UserBalance) -> None:
    st.session_state["user"] = one.user_id


def open_entry(one: ListedTransaction) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(entry=str(one.entry_id)))


with head.line("Test bench", "Add credits, run a prompt, see who was paid.", about=ABOUT):
    pass
with resources.reading() as connection:
    known = accounts.users(connection, limit=200)

grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.header("Balances")
    user_id = choose.user(known, help_text="Choose a user, or type a new id.")
    balances_place = st.container()
with grid.cell(), st.container(border=True):
    st.header("Run a prompt")
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
    st.header("Add credits")
    if adding.form(ADD, user_id, adding.amount()):
        action.forget_refusal(RUN)  # what was missing may be there now
        st.rerun()
    if action.has_result(ADD):
        show.carried_out(ADD, "Receipt", verb="added", again="Add more")
with grid.cell(), st.container(border=True):
    st.header("Creator payments")
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
        tables.users(users, key="balances", opens=choose_user, alt="Users with their balances", with_since=False)
with payments_place:
    if payments:
        tables.transactions(
            payments, key="payments", opens=open_entry, alt="The latest payments to creators", as_payments=True
        )
    else:
        st.caption("Creators are paid by runs with a fee and by unlocks.")
if user_id:
    st.header(f"Transaction history of {words.plain(user_id)}")
    if history:
        tables.transactions_of_one(history, key="history", opens=open_entry, alt="The user's transactions")
        st.page_link(
            "explore/history.py",
            label="All transactions",
            icon=":material/receipt_long:",
            query_params=links.link_to(user=user_id),
        )
    else:
        st.caption("Nothing has happened yet. Add credits to begin.")
