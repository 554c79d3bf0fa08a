"""What a click on a button of an endpoint, a delivery or a level does: one action, and what is said once it is done."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st
from sqlalchemy import Connection

from credits_core.values.roles import Actor
from pages.parts import action, done, show

_LAST = "webhooks:clicked"


def do(
    name: str,
    request: object,
    act: Callable[[Connection, str, datetime, Actor], object],
    *,
    said: str | None = None,
    link: done.Link | None = None,
) -> None:
    """Carry out an action anew, and say on Webhooks what was done, for Markdown; `draw` shows why it was refused."""
    action.start_over(name)
    st.session_state[_LAST] = name
    if action.perform(name, request, act).refusal is None and said is not None:
        done.add("Webhooks", said, link=link)


def draw() -> None:
    """Why the click was refused that this page is drawn for; nothing where it was not."""
    name = st.session_state.pop(_LAST, None)
    made = None if name is None else action.performed(name)
    if made is not None and made.refusal is not None:
        done.put_away()
        show.refusal(made.refusal, undone="Nothing was changed.")
