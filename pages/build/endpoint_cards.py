"""Every endpoint as a card: whether it takes events, and buttons to test, enable or remove it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st
from sqlalchemy import Connection

from credits_core.notices import deliveries, endpoints, signing
from credits_core.notices.endpoints import Endpoint
from credits_core.values.roles import Actor
from pages.build import adding_endpoints, clicked, delivery_list
from pages.build.adding_endpoints import Made
from pages.parts import action, clock, words

_ROTATE = "webhook:rotate"
_OVERLAP = timedelta(days=1)
_ENABLED = "Once you enable it, it is told what waits and what happened since; dead letters you send again one by one."


def draw(known: Sequence[Endpoint], *, may_manage: bool) -> None:
    """The cards, in the order in which endpoints were added."""
    if not known:
        st.info(
            "Add the address of a system that is to be told what happens.",
            title="No endpoint yet",
            icon=":material/webhook:",
        )
    for one in known:
        with st.container(border=True):
            _card(one, may_manage=may_manage)


def _card(one: Endpoint, *, may_manage: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        # Whoever knows a whole address may be able to write to it.
        shown = one.address if may_manage else urlsplit(one.address).netloc
        st.markdown(f"**{one.id}** {words.plain(shown)}", width="content")
        label, colour = _state(one)
        st.badge(label, color=colour)
    st.caption(words.plain(", ".join(kind.value for kind in one.kinds)))
    if one.disabled_because is not None:
        st.caption(words.plain(f"{one.disabled_because} {_ENABLED}"))
    if may_manage:
        with st.container(horizontal=True):
            _buttons(one)
        _secret(one)


def _state(one: Endpoint) -> tuple[str, Literal["red", "orange", "green"]]:
    if one.disabled_at is not None:
        return "Disabled", "red"
    if one.failing_since is not None:
        return f"Failing since {clock.text(one.failing_since, '%Y-%m-%d %H:%M')}", "orange"
    return "Active", "green"


def _buttons(one: Endpoint) -> None:
    if one.disabled_at is None:
        st.button("Send test event", icon=":material/send:", key=f"test-{one.id}", on_click=_test, args=(one,))
    else:
        st.button("Enable", icon=":material/play_arrow:", key=f"enable-{one.id}", on_click=_enable, args=(one,))
    with st.popover("Replace secret", icon=":material/autorenew:"):
        st.markdown("A new secret signs from now on. For a day the old one signs as well.")
        st.button("Make new secret", type="primary", key=f"rotate-{one.id}", on_click=_rotate, args=(one,))
    with st.popover("Remove", icon=":material/delete:"):
        st.markdown("It is told nothing any more, also not what waits. Its deliveries stay in the list.")
        st.button("Remove endpoint", type="primary", key=f"remove-{one.id}", on_click=_remove, args=(one,))


def _secret(one: Endpoint) -> None:
    made = action.performed(_ROTATE)
    if made is not None and made.request == one.id and made.result is not None:
        adding_endpoints.secret_once(made.result)
        st.button("Done", key=f"rotated-{one.id}", on_click=action.start_over, args=(_ROTATE,))


def _test(one: Endpoint) -> None:
    clicked.do(
        "webhook:test",
        one.id,
        lambda c, key, now, actor: deliveries.send_test(c, one.id, key=key, now=now, actor=actor),
        said=f"A test event is on its way to endpoint {one.id}.",
        link=delivery_list.link(),
    )


def _enable(one: Endpoint) -> None:
    clicked.do(
        "webhook:enable",
        one.id,
        lambda c, _, now, actor: endpoints.enable(c, one.id, now=now, actor=actor),
        said=f"Endpoint {one.id} is told again.",
    )


def _remove(one: Endpoint) -> None:
    clicked.do(
        "webhook:remove",
        one.id,
        lambda c, _, now, actor: endpoints.remove(c, one.id, now=now, actor=actor),
        said=f"Endpoint {one.id} is told nothing any more.",
    )


def _rotate(one: Endpoint) -> None:
    secret = signing.new_secret()

    def rotate(connection: Connection, _: str, now: datetime, actor: Actor) -> Made:
        endpoints.rotate(connection, one.id, secret=secret, overlap=_OVERLAP, now=now, actor=actor)
        return Made(one, secret)

    clicked.do(_ROTATE, one.id, rotate)
