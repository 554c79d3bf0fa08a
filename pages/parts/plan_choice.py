"""A box for choosing a price plan. The choice is kept in the URL, so a link shows the same plan."""

from collections.abc import Callable
from typing import Literal, NoReturn

import streamlit as st

from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.pricing.plan import PricePlan
from pages.parts import resources, window
from pages.parts.words import plain, status_name

_HEAD_WIDTH, _NARROW_HEAD_WIDTH = 210, 170
_STATUS_COLOURS: dict[PlanStatus, Literal["green", "orange", "gray"]] = {
    PlanStatus.IN_FORCE: "green",
    PlanStatus.DRAFT: "orange",
    PlanStatus.RETIRED: "gray",
}


def choose(
    label: str,
    *,
    key: str,
    on_change: Callable[[], None] | None = None,
    in_every_link: bool = False,
    in_head: bool = False,
) -> PricePlan:
    """The plan chosen from `?key=…`; without one, or with one that is not there, the live plan.

    The URL leaves out what a box begins with, so a link without a plan is about the plan that is live when it is
    opened. With `in_every_link` the box begins empty, and the link always names the plan. `in_head` draws it for the
    head line: without its label, and without what the plan is, which `status` says.
    """
    # An option is an id and nothing else, because the URL holds options as they are shown.
    records = resources.plans()
    following = st.session_state.pop(f"{key}:following", None)
    if following in records:
        st.session_state[key] = following
    asked = st.query_params.get(key)
    in_line = _NARROW_HEAD_WIDTH if window.is_narrow() else _HEAD_WIDTH
    with st.container(width=in_line if in_head else "stretch"):  # one thing, wherever it stands in a grid
        chosen = st.selectbox(
            label,
            list(records),
            index=None if in_every_link else 0,
            key=key,
            bind="query-params",
            on_change=on_change or "rerun",
            label_visibility="collapsed" if in_head else "visible",
        )
        record = records.get(chosen or "", next(iter(records.values())))
        if asked is not None and asked not in records:
            st.warning(f"There is no price plan {plain(asked)}. Showing {plain(record.plan.id)} instead.")
        if not in_head:
            st.caption(_status(record))
    return record.plan


def status(record: PlanRecord) -> None:
    """A badge that says whether the plan is live, a draft or was live before."""
    st.badge(_status(record), color=_STATUS_COLOURS[record.status])


def _status(record: PlanRecord) -> str:
    is_draft = record.status is PlanStatus.DRAFT
    return f"Draft, revision {record.revision}" if is_draft else status_name(record.status)


def show(plan_id: str, *, key: str) -> NoReturn:
    """Draw the page again with this plan chosen in the box with the key."""
    st.session_state[f"{key}:following"] = plan_id
    st.rerun()
