"""Explain a charge or refund: recalculate it step by step from the stored inputs and compare it with the record."""

import streamlit as st

from credits_core.audit.explanation import explain
from credits_core.audit.refusals import NotExplainable
from credits_core.ledger import accounts, entry_lots
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter
from credits_core.ledger.receipts import in_part
from credits_core.ledger.refusals import UnknownEntry
from credits_core.store.kinds import TransactionType
from pages.explain import charts as charge_charts
from pages.explain import view as charge_view
from pages.parts import charts, clock, filters, head, links, lots_moved, resources, tables, words

LATEST = 6
CHARGES = TransactionFilter(types=[TransactionType.PROMPT_RUN, TransactionType.FLOW_UNLOCK])


def open_entry(number: int | None = None) -> None:
    st.session_state["entry"] = str(number or "")


ABOUT = """
One run or unlock, priced again from what was stored when it was charged: the plan, the price and the usage. A refund
is explained by who pays for it, and under which rule. If a single
credit differed, it would say so here. Open any entry by its number.
"""


def open_one(one: ListedTransaction) -> None:
    open_entry(one.entry_id)


links.follow_link("entry")
with head.line("Explain a charge", "Why it cost what it cost, calculated again.", about=ABOUT):
    entry_id = filters.entry_number()
    if entry_id is not None:
        st.button("Choose another charge", icon=":material/arrow_back:", on_click=open_entry)
plans = resources.book().plans
with resources.reading() as connection:
    latest = accounts.transactions(connection, CHARGES, limit=LATEST)

if entry_id is None:
    if not latest:
        st.info("Run a prompt to see its price explained here.", title="No charge yet", icon=":material/receipt_long:")
        st.page_link("act/simulate_runs.py", label="Run a prompt", icon=":material/play_circle:")
        st.stop()
    st.header("The latest charges")
    tables.activity(latest, key="charges", opens=open_one, alt="The latest runs and unlocks, newest first")

try:
    with resources.reading() as connection:
        explained = explain(connection, entry_id or latest[0].entry_id, plans=plans)
        moved = entry_lots.lots_of(connection, explained.entry_id, explained.user_id)
except UnknownEntry as refusal:
    st.info(str(refusal), title="No such entry", icon=":material/search_off:")
    st.stop()
except NotExplainable as refusal:
    st.info(str(refusal), title="There is nothing to explain", icon=":material/info:")
    charge_view.link_to_history(refusal.entry_id)
    st.stop()

st.header(f"Entry {explained.entry_id}: {words.plain(explained.about)}")
charge_view.verdict(explained)
if explained.refunded_by_entry_id is not None:
    refund_id = explained.refunded_by_entry_id
    st.info(f"Refunded by entry {refund_id}. Below is the charge, as it was before.", icon=":material/undo:")
    st.button("Explain the refund", icon=":material/undo:", on_click=open_entry, args=(refund_id,))
elif explained.refunded_credits:
    st.info(in_part(explained.refunded_credits, explained.left_credits), icon=":material/undo:")
if explained.borne is not None:
    charge_view.borne(explained.borne)
    st.button("Explain the refunded entry", on_click=open_entry, args=(explained.refunds_entry_id,))
with st.container(border=True):
    st.header(f"How the {'price' if explained.borne is None else 'refund'} was calculated")
    charge_view.inputs(explained)
    charge_view.steps(explained)
if explained.parts is not None:
    grid = st.grid(2, min_column_width=340)
    with grid.cell(), st.container(border=True):
        st.header("From cost to total")
        figure = charge_charts.waterfall(explained.parts)
        charts.draw(figure, alt="The parts of the charge, stacked up to the total")
    with grid.cell(), st.container(border=True):
        st.header("Who got what")
        charge_view.who_got_what(explained.parts)
with st.container(border=True):
    st.header("Transactions")
    verb = "Charged" if explained.borne is None else "Refunded"
    charge_view.transactions(explained)
    lots_moved.draw(explained.user_id, moved)
    st.caption(
        f"{verb} to {words.plain(explained.user_id)}, posted {clock.text(explained.created_at)}. "
        '"Before" is calculated from "after".'
    )
charge_view.link_to_history(explained.entry_id)
