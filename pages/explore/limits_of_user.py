"""A user's spending limits: what is left of them, for everybody; and the form to set one, for whoever may."""

import streamlit as st

from credits_core.values.roles import May
from pages.parts import limits, who

_SCREEN = "Balances"


def button(user_id: str) -> None:
    """What opens the form, among the things that one can do about the user."""
    if not who.may(May.MOVE_CREDITS):
        return
    with st.popover("Limit spending", icon=":material/speed:"):
        limits.form(user_id, screen=_SCREEN, key="user_limit")


def show_left(user_id: str) -> None:
    """What is left of each limit; nothing for a user without any."""
    found = limits.of(user_id)
    if found:
        st.header("Spending limits", anchor=False)
        limits.draw(found, screen=_SCREEN, may_change=who.may(May.MOVE_CREDITS))
