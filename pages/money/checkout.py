"""The sandbox's payment page: what is bought, a button for every ending, and what the ledger knows of it."""

import streamlit as st

from credits_core.payments import sandbox
from pages.money import at_gateway, playing
from pages.parts import head, links

ABOUT = """
A real gateway has a payment page of its own. This one belongs to the sandbox, which plays every ending of a payment.
What the page says of the payment is no proof: credits come when the gateway's event is in the ledger.
"""

with head.line("Checkout", "The sandbox's payment page. No money moves.", about=ABOUT):
    st.badge("Sandbox: no money moves", icon=":material/science:", color="orange")
links.follow_link("purchase")
bought = at_gateway.asked_for(st.query_params.get("purchase", ""))
if bought is None:
    st.info("Choose a purchase, then open its checkout.", title="No such purchase", icon=":material/search_off:")
    st.page_link("money/buy_credits.py", label="Buy credits", icon=":material/shopping_cart:")
elif bought.gateway != sandbox.NAME:
    st.info("It is paid at its own gateway.", title="Not the sandbox's purchase", icon=":material/block:")
    at_gateway.link_to_checkout(bought)
else:
    playing.order_and_endings(bought)
    playing.what_is_known(bought)
