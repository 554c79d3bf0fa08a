"""Choosing a price plan, kept in the URL so that what a page says of it can be sent as a link."""

from collections.abc import Callable

import streamlit as st

from credits_core.plan_store import PlanRecord, PlanStatus
from credits_core.price_plan import PricePlan
from pages.parts import runtime


def choose(
    label: str, *, key: str, draft_first: bool = False, on_change: Callable[[], None] | None = None
) -> PricePlan:
    """The plan chosen from `?key=…`; without one, or with one that is not there, the plan in force.

    With `draft_first` a draft is shown at first, if there is one.
    """
    # An option is an id and nothing else, because the URL holds options as they are shown.
    records = runtime.plans()
    drafts = [plan_id for plan_id, record in records.items() if record.status is PlanStatus.DRAFT]
    chosen = st.selectbox(
        label,
        list(records),
        index=list(records).index(drafts[0]) if draft_first and drafts else 0,
        key=key,
        bind="query-params",
        on_change=on_change or "rerun",
    )
    st.caption(_state(records[chosen]))
    return records[chosen].plan


def _state(record: PlanRecord) -> str:
    return f"Draft, revision {record.revision}" if record.status is PlanStatus.DRAFT else record.status.capitalize()
