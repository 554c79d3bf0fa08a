"""Chooses a user, offers the packs, and lists the purchases of this user or of all."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.ledger import accounts
from credits_core.payments import configured, purchased
from credits_core.values.roles import May
from pages.money import at_gateway, pack_cards, purchase_list
from pages.parts import balance, choose, filters, resources, show, who

_PAGE = 25


def draw() -> None:
    """Draw it all."""
    with resources.reading() as connection:
        known = accounts.users(connection, limit=choose.LISTED_USERS)
    with st.grid(2, min_column_width=340, vertical_alignment="center"):
        user_id = choose.user(known, first=False, help_text="Choose a user, or type a new id.")
        with st.container():
            if user_id:
                balance.metric(user_id)
            else:
                st.info("Choose a user, or type a new id, to buy credits.", icon=":material/person:")
    try:
        packs, gateway = configured.packs(), at_gateway.gateway().name
    except CreditsError as refusal:  # of a file or a setting
        show.refusal(refusal, undone="Nothing can be bought until this is mended.")
    else:
        if who.may_for_or_told(user_id, May.MOVE_CREDITS):
            pack_cards.draw(packs, user_id, gateway=gateway)
    _purchases(user_id)


def _purchases(user_id: str) -> None:
    st.header("Purchases", anchor=False)
    before = filters.page_start("purchases:page", user_id, None)
    with resources.reading() as connection:
        found = purchased.purchases_of(connection, user_id or None, before=before, limit=_PAGE + 1)
    if not found:
        st.info("Choose a pack and buy it.", title="No purchase yet", icon=":material/shopping_bag:")
        return
    purchase_list.draw(found[:_PAGE], with_user=not user_id)
    filters.page_buttons("purchases:page", found[_PAGE - 1].id if len(found) > _PAGE else None)
