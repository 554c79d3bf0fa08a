"""For developers: endpoints that are told of events, what they answered, dead letters, and levels of low balances."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.notices import deliveries, endpoints
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.build import adding_endpoints, balance_levels, clicked, delivery_list, endpoint_cards
from pages.parts import head, links, pick, resources, who

ENDPOINTS, DEAD, LEVELS = "Endpoints", "Dead letters", "Low balances"
ABOUT = """
An endpoint is an address of another system that is told what happens, such as a charged run. Every event is signed, and
sent at least once, in order of its user. One that fails is sent again for three days. Then it is a dead letter, which
you can send again. `docs/webhooks.md` says how the other system checks that an event is ours.
"""

with head.line("Webhooks", "Tell other systems what happens, and see what they answered.", about=ABOUT):
    pass

links.follow_link("view")
may_manage = who.may_or_told(May.MANAGE)
clicked.draw()
with resources.reading() as connection:
    known = endpoints.endpoints(connection, now=datetime.now(UTC))
    count = deliveries.dead_letters(connection)

if count:
    it, them = ("It was", "it") if count == 1 else ("They were", "them")
    st.warning(
        f"{it} tried for three days. Open *Dead letters* to send {them} again.",
        title=f"{counted(count, 'event')} could not be sent",
        icon=":material/mark_email_unread:",
    )
view = pick.one("View", (ENDPOINTS, delivery_list.VIEW, DEAD, LEVELS), key="view", is_labelled=False)
if view == delivery_list.VIEW:
    delivery_list.draw()
elif view == DEAD:
    delivery_list.draw_dead(may_send_again=may_manage)
elif view == LEVELS:
    balance_levels.draw(known, may_manage=may_manage)
else:
    if may_manage:
        adding_endpoints.draw()
    endpoint_cards.draw(known, may_manage=may_manage)
