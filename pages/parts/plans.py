"""Choosing a price plan, kept in the URL so that what a page says of it can be sent as a link."""

import streamlit as st

from credits_core.price_plan import PricePlan
from pages.parts import runtime


def choose(label: str, *, key: str) -> PricePlan:
    """The plan chosen from `?key=…`; without one, or with one that is not there, the plan in force."""
    plans, in_force = runtime.plans(), runtime.book().plan
    names = [in_force.id, *(plan_id for plan_id in plans if plan_id != in_force.id)]
    chosen = st.selectbox(
        label,
        names,
        format_func=lambda plan_id: f"{plan_id} (in force)" if plan_id == in_force.id else plan_id,
        key=key,
        bind="query-params",
    )
    return plans[chosen]
