"""For developers: endpoints that are told of events, what they answered, dead letters, and levels of low balances."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.notices import deliveries, endpoints, low_balance
from credits_core.store.kinds import DeliveryState
from credits_core.values.roles import May
from credits_core.values.text import counted
from pages.build import adding_endpoints, balance_levels, clicked, delivery_list, endpoint_cards
from pages.parts import head, resources, who

PAGE = 50
ABOUT = """
An endpoint is an address of another system that is told what happens, such as a charged run. Every event is signed, and
sent at least once, in order of its user. One that fails is sent again for three days. Then it is a dead letter, which
you can send again. `docs/webhooks.md` says how the other system checks that an event is ours.
"""

with head.line("Webhooks", "Tell other systems what happens, and see what they answered.", about=ABOUT):
    pass

may_manage = who.may_or_told(May.MANAGE)
clicked.draw()
now = datetime.now(UTC)
with resources.reading() as connection:
    known = endpoints.endpoints(connection, now=now)
    newest = deliveries.newest(connection, limit=PAGE)
    dead = deliveries.newest(connection, state=DeliveryState.DEAD, limit=PAGE)
    count = deliveries.dead_letters(connection)
    levels = low_balance.levels(connection)

if count:
    st.warning(
        "They were tried for three days. Open *Dead letters* to send them again.",
        title=f"{counted(count, 'event')} could not be sent",
        icon=":material/mark_email_unread:",
    )
of_endpoints, of_deliveries, of_dead, of_levels = st.tabs(["Endpoints", "Deliveries", "Dead letters", "Low balances"])
with of_endpoints:
    if may_manage:
        adding_endpoints.draw()
    endpoint_cards.draw(known, may_manage=may_manage)
with of_deliveries:
    delivery_list.draw(newest, may_send_again=False)
with of_dead:
    delivery_list.draw(dead, may_send_again=may_manage)
with of_levels:
    balance_levels.draw(levels, may_manage=may_manage)
