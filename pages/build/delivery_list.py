"""Deliveries as a table: each event on its way to an endpoint, what was answered, and a dead one sent again."""

import streamlit as st

from credits_core.notices import deliveries
from credits_core.notices.deliveries import Delivery
from credits_core.store.kinds import DeliveryState
from pages.build import clicked
from pages.parts import clock, csv_files, done, links, resources, tables

VIEW = "Deliveries"
_MOST = 50
_STATES = {DeliveryState.WAITING: "Waiting", DeliveryState.DELIVERED: "Delivered", DeliveryState.DEAD: "Dead"}
_ANSWER_PIXELS = 200


def draw() -> None:
    """The newest deliveries, with their states."""
    with resources.reading() as connection:
        listed = deliveries.newest(connection, limit=_MOST)
    if not listed:
        st.info(
            "An event stands here about a second after it happened, while a server runs.",
            title="Nothing sent yet",
            icon=":material/outbox:",
        )
        return
    rows = [
        _about(one) | {"State": [_STATES[one.state]]} | _tried(one) | {clock.label("Next try"): one.next_at}
        for one in listed
    ]
    tables.draw(
        rows,
        {},
        alt="Deliveries, the newest first",
        key="deliveries",
        opens={},
        if_wide=["User", "Tries", clock.label("Next try")],
        pixels={"Answer": _ANSWER_PIXELS},
    )


def draw_dead(*, may_send_again: bool) -> None:
    """The newest dead letters; where it may be, with a click that sends one again."""
    with resources.reading() as connection:
        listed = deliveries.newest(connection, state=DeliveryState.DEAD, limit=_MOST)
    if not listed:
        st.info("Events that fail for three days come here.", title="No dead letters", icon=":material/task_alt:")
        return
    again = {"Action": "Send again"} if may_send_again else {}
    tables.draw(
        [_about(one) | again | _tried(one) for one in listed],
        {},
        alt="Dead letters, the newest first",
        key="dead-letters",
        opens={"Action": lambda row: _send_again(listed[row])} if may_send_again else {},
        if_wide=["User", "Tries"],
        pixels={"Answer": _ANSWER_PIXELS},
    )


def link() -> done.Link:
    """The link to the deliveries."""
    return done.Link("build/webhooks.py", VIEW, links.carry_to(view=VIEW))


def _about(one: Delivery) -> dict[str, object]:
    return {
        "Delivery": one.id,
        "Event": f"{one.kind.value} (test)" if one.is_test else one.kind.value,
        "User": csv_files.safe_text(one.user_id) or None,
        "Endpoint": one.endpoint_id,
    }


def _tried(one: Delivery) -> dict[str, object]:
    answer = csv_files.safe_text(f"{one.status or 'None'}: {one.answer}")
    return {
        "Tries": one.tries,
        "Answer": None if one.tried_at is None else answer,
        clock.label("Last tried"): one.tried_at,
    }


def _send_again(one: Delivery) -> None:
    clicked.do(
        "webhook:send-again",
        one.id,
        lambda c, _, now, actor: deliveries.send_again(c, one.id, now=now, actor=actor),
        said=f"Delivery {one.id} is sent again.",
        link=link(),
    )
