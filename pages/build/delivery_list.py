"""Deliveries as a table: each event on its way to an endpoint, what was answered, and a dead one sent again."""

from collections.abc import Sequence

import streamlit as st

from credits_core.notices import deliveries
from credits_core.notices.deliveries import Delivery
from credits_core.store.kinds import DeliveryState
from pages.build import clicked
from pages.parts import clock, csv_files, tables

_STATES = {DeliveryState.WAITING: "Waiting", DeliveryState.DELIVERED: "Delivered", DeliveryState.DEAD: "🔴 Dead"}


def draw(listed: Sequence[Delivery], *, may_send_again: bool) -> None:
    """The deliveries, the newest first; where it may be, with a click that sends one again."""
    if not listed:
        st.info(
            "An event stands here about a second after it happened, while a server runs.",
            title="Nothing here",
            icon=":material/outbox:",
        )
        return
    again = {"Action": "Send again"} if may_send_again else {}
    tables.draw(
        [
            {
                "Delivery": one.id,
                "Event": one.kind.value,
                "User": csv_files.safe_text(one.user_id) or None,
                **again,
                "Endpoint": one.endpoint_id,
                "State": _STATES[one.state],
                "Tries": one.tries,
                "Answer": None if one.tried_at is None else _answer(one),
                clock.label("Last tried"): one.tried_at,
                clock.label("Next try"): one.next_at,
            }
            for one in listed
        ],
        {},
        alt="Deliveries, the newest first",
        key=f"deliveries-{may_send_again}-{listed[0].state}",
        opens={"Action": lambda row: _send_again(listed[row])} if may_send_again else {},
        if_wide=["Endpoint", "Tries", clock.label("Next try")],
    )


def _answer(one: Delivery) -> str:
    return csv_files.safe_text(f"{one.status or 'None'}: {one.answer}")


def _send_again(one: Delivery) -> None:
    clicked.do(
        "webhook:send-again",
        one.id,
        lambda c, _, now, actor: deliveries.send_again(c, one.id, now=now, actor=actor),
        said=f"Delivery {one.id} is sent again.",
    )
