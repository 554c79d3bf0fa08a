"""The form that adds an endpoint, and its secret, which is shown once until the person is done with it."""

from dataclasses import dataclass, field

import streamlit as st

from credits_core import settings
from credits_core.errors import CreditsError
from credits_core.notices import addresses, endpoints, signing
from credits_core.notices.endpoints import Endpoint
from credits_core.store.kinds import EventKind
from pages.parts import action, show

ADD = "webhook:add"


@dataclass(frozen=True, slots=True)
class Made:
    """An endpoint and its secret, which does not show when it is printed."""

    endpoint: Endpoint
    secret: str = field(repr=False)


def draw() -> None:
    """The form; once an endpoint is added its secret instead."""
    made = action.performed(ADD)
    if made is not None and made.result is not None:
        secret_once(made.result)
        st.button("Done", type="primary", icon=":material/check:", on_click=action.start_over, args=(ADD,))
        return
    with st.form("webhook:form"):
        address = st.text_input("Address", max_chars=addresses.LONGEST, placeholder="https://hooks.example.com/credits")
        chosen = st.multiselect(
            "Events",
            list(EventKind),
            default=list(EventKind),
            format_func=lambda kind: kind.value,
            key="webhook_events",
        )
        submitted = st.form_submit_button("Add endpoint", type="primary", icon=":material/add:")
    if not submitted:
        return
    secret, listed = signing.new_secret(), settings.webhook_hosts()
    try:
        addresses.require_found(address, listed)  # before the unit of work
    except CreditsError as refusal:
        show.refusal(refusal, undone="No endpoint was added.")
        return
    outcome = action.perform(
        ADD,
        (address, tuple(chosen)),
        lambda connection, _, now, actor: Made(
            endpoints.add(connection, address, chosen, secret=secret, listed=listed, now=now, actor=actor), secret
        ),
    )
    if outcome.refusal is None:
        st.rerun()
    show.refusal(outcome.refusal, undone="No endpoint was added.")


def secret_once(made: Made) -> None:
    """The secret of an endpoint, to be copied."""
    st.warning(
        f"The receiver at endpoint {made.endpoint.id} needs it to check that an event is ours. It is not shown again.",
        title="Copy the secret now",
        icon=":material/visibility_off:",
    )
    st.code(made.secret, language=None)
