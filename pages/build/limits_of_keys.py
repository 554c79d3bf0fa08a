"""Spending limits of API keys: what is left of each, and the form to set one."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from credits_core.access.keys import KeyRecord
from credits_core.ledger import spending_limits
from credits_core.ledger.spending import subject_of_key
from credits_core.values.roles import Role
from pages.parts import limits, resources

_SCREEN = "API"


def draw(records: Sequence[KeyRecord]) -> None:
    """All limits of keys, and the form, for keys that can charge."""
    now = datetime.now(UTC)
    names = sorted({one.name for one in records if one.problem(now) is None and one.role is not Role.USER})
    with resources.reading() as connection:
        found = spending_limits.all_limits(connection, now=now, only_keys=True)
    if not names and not found:
        return
    st.header("Spending limits", anchor=False, help="What is charged with a key in a day or a month, at most.")
    limits.draw(found, screen=_SCREEN, may_change=True)
    if names:
        with st.popover("Limit a key", icon=":material/speed:"):
            name = st.selectbox("Key", names, key="limit_of_key")
            limits.form(subject_of_key(name), screen=_SCREEN, key="key_limit")
