"""Add credits to a user, who may be new: a purchase, a grant or an adjustment."""

import streamlit as st

from credits_core.ledger import accounts
from pages.act import adding
from pages.parts import balance, choose, head, links, resources, show

ABOUT = """
Credits come into the ledger here. A purchase is paid for, a grant is a gift of ours, an adjustment mends a mistake.
A new id opens an account.
"""

with head.line("Add credits", "A purchase, a grant or an adjustment.", about=ABOUT):
    pass
links.follow_link("user", "amount", "dollars", "unit")
with resources.reading() as connection:
    known = accounts.users(connection, limit=choose.LISTED_USERS)

grid = st.grid(2, min_column_width=340)
with grid.cell(), st.container(border=True):
    user_id = choose.user(known, first=False, help_text="Choose a user, or type a new id.")
    amount_credits = adding.amount()
    adding.form("add", user_id, amount_credits)
with grid.cell():
    if user_id:
        balance.metric(user_id, with_course=True)
    else:
        st.info("Choose a user, or type a new id, to see the balance here.", icon=":material/account_balance_wallet:")

show.outcome("add", verb="added", again="Add more")
