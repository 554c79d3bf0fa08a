"""Choosing a price plan, kept in the URL so that what a page says of it can be sent as a link."""

from collections.abc import Callable

import streamlit as st

from credits_core.plan_store import PlanStatus
from credits_core.price_plan import PricePlan
from pages.parts import runtime


def choose(
    label: str, *, key: str, draft_first: bool = False, on_change: Callable[[], None] | None = None
) -> PricePlan:
    """The plan chosen from `?key=…`; without one, or with one that is not there, the plan in force.

    With `draft_first` a draft is shown at first, if there is one.
    """
    records = runtime.plans()
    drafts = [plan_id for plan_id, record in records.items() if record.status is PlanStatus.DRAFT]
    chosen = st.selectbox(
        label,
        list(records),
        index=list(records).index(drafts[0]) if draft_first and drafts else 0,
        format_func=lambda plan_id: f"{plan_id} ({records[plan_id].status})",
        key=key,
        bind="query-params",
        on_change=on_change or "rerun",
    )
    return records[chosen].plan
