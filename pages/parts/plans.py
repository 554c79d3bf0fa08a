"""Choosing a price plan, kept in the URL so that what a page says of it can be sent as a link."""

from collections.abc import Callable
from typing import NoReturn

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
    # An option is an id and nothing else, because the URL holds options as they are shown.
    records = runtime.plans()
    drafts = [plan_id for plan_id, record in records.items() if record.status is PlanStatus.DRAFT]
    following = st.session_state.pop(f"{key}:following", None)
    if following is None and draft_first and drafts and key not in {*st.session_state, *st.query_params}:
        following = drafts[0]
    if following in records:
        st.session_state[key] = following
    with st.container():  # one thing, wherever it stands in a grid
        chosen = st.selectbox(
            label,
            list(records),
            key=key,
            bind="query-params",
            on_change=on_change or "rerun",
        )
        record = records[chosen]
        is_draft = record.status is PlanStatus.DRAFT
        st.caption(f"Draft, revision {record.revision}" if is_draft else record.status.capitalize())
    return record.plan


def show(plan_id: str, *, key: str) -> NoReturn:
    """Draw the page again with this plan chosen in the box with the key."""
    st.session_state[f"{key}:following"] = plan_id
    st.rerun()
