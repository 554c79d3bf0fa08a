"""Asks the gateway, outside of any unit of work, to open a checkout and to tell what is new.

A refusal is returned, to be shown.
"""

from datetime import UTC, datetime

import streamlit as st

from credits_core import settings
from credits_core.errors import CreditsError
from credits_core.payments import buying, configured, purchased, receiving, sandbox
from credits_core.payments.gateway import Gateway, GatewayEvent
from credits_core.payments.packs import Pack
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import UnknownPurchase
from credits_core.store import deadline
from pages.parts import links, resources, who

CHECKOUT = "money/checkout.py"
_LONGEST_NUMBER = 15


def gateway() -> Gateway:
    """The gateway through which users pay."""
    return configured.gateway(resources.engine())


def open_checkout(bought: Bought, pack: Pack) -> CreditsError | None:
    """Ask for the page where the purchase is paid."""
    try:
        with deadline.within(settings.deadline_seconds()):
            buying.open_checkout(resources.engine(), gateway(), bought, words=pack.order, now=datetime.now(UTC))
    except CreditsError as refusal:
        return refusal
    return None


def hear(bought: Bought) -> CreditsError | None:
    """Have the sandbox tell what it has not told yet of the purchase; another gateway tells by itself."""
    if bought.gateway != sandbox.NAME:
        return None
    try:
        with deadline.within(settings.deadline_seconds()):
            sandbox.tell(resources.engine(), now=datetime.now(UTC), purchase_id=bought.id)
    except CreditsError as refusal:
        return refusal
    return None


def take_in(event: GatewayEvent) -> CreditsError | None:
    """Record an event of the gateway's books here, as if the gateway had told it, and do what follows from it."""
    try:
        with deadline.within(settings.deadline_seconds()):
            receiving.take_in(resources.engine(), event, now=datetime.now(UTC), actor=who.actor())
    except CreditsError as refusal:
        return refusal
    return None


def asked_for(number: str) -> Bought | None:
    """The purchase that an address names, or None when it names none that there is."""
    if not number.isascii() or not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        return None
    try:
        with resources.reading() as connection:
            return purchased.purchase(connection, int(number))
    except UnknownPurchase:
        return None


def link_to_checkout(bought: Bought, *, label: str = "Open the checkout") -> None:
    """The button that leads to the page where a purchase is paid."""
    if bought.gateway == sandbox.NAME:
        if st.button(label, icon=":material/shopping_cart_checkout:", type="primary"):
            st.switch_page(CHECKOUT, query_params=links.link_to(purchase=str(bought.id)))
    elif bought.checkout_url is not None:
        st.link_button(label, bought.checkout_url, icon=":material/open_in_new:", type="primary")
