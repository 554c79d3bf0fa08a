"""Simulate runs: choose a prompt, see every step of its price, then run it once or thousands of times."""

import streamlit as st

from credits_core.bulk.batch import MAX_RUNS
from credits_core.ledger import accounts
from pages.act import holding, running
from pages.parts import balance, choose, head, links, numbers, resources, show

ABOUT = """
Choose a user, a prompt and a model to see the price step by step. Run it once or up to 10,000 times; each run is
charged in this ledger, by the same code as every real run. *Set credits aside first* holds the price of the most
output, until you charge what the run really used, release it, or its time is over.
"""

ACTION = "simulate"
BOXES = ("user", "prompt", "creator", "fee", "model", "tokens", "input_tokens", "output_tokens", "runs")

links.follow_link(*BOXES)
with head.line("Simulate runs", "Price a prompt, then run it once or many times.", about=ABOUT):
    st.page_link("test_credits.py", label="One run", icon=":material/play_arrow:", width="content")
with resources.reading() as connection:
    known = accounts.users(connection, limit=choose.LISTED_USERS)
if not known:
    show.add_credits_first()
    st.stop()

grid = st.grid(2, min_column_width=360)
with grid.cell(), st.container(border=True):
    st.header("Choose what to run")
    user_id = choose.user(known)
    runs = numbers.whole("Runs", 1, MAX_RUNS, key="runs", usual=1, says=lambda _: f"1 to {MAX_RUNS:,}")
    batch = choose.batch(user_id, runs or 1)

with grid.cell(), st.container(border=True):
    st.header("Price")
    terms = running.terms()
    quote = running.price(batch.request_of(1)) if batch and runs else None
    total_credits = running.total(batch) if batch and quote else None
    if batch and total_credits is not None:
        show.metric("Total" if batch.runs == 1 else f"Total of {batch.runs:,} runs", total_credits)
    balance_place = st.container()
    if batch and batch.runs > 1:
        running.batch_button(ACTION, batch, total_credits, terms)
    else:
        running.button(ACTION, batch.request if batch else None, quote)
        holding.button(batch.request if batch else None, quote)
    if batch and quote:
        if batch.workload:
            st.caption("This is the first run. The others have different token counts.")
        show.price_steps(quote)
        show.price_units(quote)

running.outcome(ACTION, terms)
holding.outcome()
if batch and total_credits is not None:
    with balance_place:
        balance.enough(user_id, total_credits, batch.runs)

prices = st.expander("Prices of all models", icon=":material/sell:", on_change="rerun", key="prices")
if prices.open:
    with prices:
        show.model_prices(resources.models().values())
