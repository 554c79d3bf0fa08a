"""Adding credits: a purchase, a grant or an adjustment, for a user who is there or for a new one."""

import streamlit as st

from credits_core import queries
from pages.parts import adding, balance, choose, filters, runtime, show

st.caption("A purchase, a grant or an adjustment, in credits or dollars. A user's first credits open the account.")
filters.follow_link("user", "amount", "dollars", "unit")
with runtime.reading() as connection:
    known = queries.users(connection, limit=200)

grid = st.grid(2, min_column_width=340)
with grid.cell(), st.container(border=True):
    user_id = choose.user(known, first=False, help_text="Choose a user, or type the id of a new one.")
    amount_credits = adding.amount()
    adding.form("add", user_id, amount_credits)
with grid.cell():
    if user_id:
        balance.metric(user_id, with_course=True)
    else:
        st.info("Choose a user, or type a new id, to see the balance here.", icon=":material/account_balance_wallet:")

show.outcome("add", verb="added", again="Add more")
