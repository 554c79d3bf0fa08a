"""Choosing a price plan, kept in the URL so that what a page says of it can be sent as a link."""

import streamlit as st

from credits_core.price_plan import PricePlan
from pages.parts import runtime


def choose(label: str, *, key: str) -> PricePlan:
    """The plan chosen from `?key=…`; without one, or with one that is not there, the plan in force."""
    records = runtime.plans()
    chosen = st.selectbox(
        label,
        list(records),
        format_func=lambda plan_id: f"{plan_id} ({records[plan_id].status})",
        key=key,
        bind="query-params",
    )
    return records[chosen].plan
