"""Sells packs of credits to a user, lists the user's purchases, and opens one with all that became of it."""

import streamlit as st

from pages.money import at_gateway, giving_back, one_purchase, shop
from pages.parts import head, links

ABOUT = """
*Buy* notes the purchase and opens its checkout at the payment gateway. Credits come only when the gateway says that the
money is there, and go back when the money does. The sandbox plays every ending of a payment without money.
"""

with head.line("Buy credits", "Buy a pack for a user and see every purchase.", about=ABOUT):
    pass
links.follow_link("user", "purchase")
opened = at_gateway.asked_for(st.query_params.get("purchase", ""))
if opened is None:
    shop.draw()
else:
    giving_back.question(opened)
    one_purchase.in_full(opened)
