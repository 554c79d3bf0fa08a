"""The price plan of a what-if screen. Every link names it, so that the link shows the same plan later.

`?plan=…` is the plan's id; the live plan has one too. `?edit=…` holds edited rules that nobody has saved, as the screen
Compare writes them. They replace the rules of that plan. `?revision=…` is the revision of a draft. The
screen says so when the plan is no longer there, and when the draft was saved since.

The address is written here and not bound to the box, because the browser would leave out the plan that the box begins
with. What the address says counts; without it, the plan that was chosen last, on any screen; and else the live one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import same_rules
from credits_core.plans.records import PlanRecord, PlanStatus
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.plan_link import from_line, to_line
from pages.parts import links, resources, words

_PLAN, _EDIT, _REVISION = "plan", "edit", "revision"
_BOX, _LAST, _KEPT_EDIT = "plan:box", "plan:last", "plan:edit"
_EDITED = " (edited)"


@dataclass(frozen=True, slots=True)
class LinkedPlan:
    """The chosen plan, and what there is to know about it, in Markdown."""

    plan: PricePlan
    warnings: tuple[str, ...]


def follow_link(*names: str) -> None:
    """As `links.follow_link`, for the plan and these other filters."""
    if "anew" in st.query_params:
        st.session_state.pop(_KEPT_EDIT, None)
    links.follow_link(_PLAN, _EDIT, _REVISION, *names)


def carry_to(stored: PricePlan, plan: PricePlan) -> dict[str, str | list[str]]:
    """The query of a link to a what-if screen about this plan, which may be an unsaved edit of the stored one."""
    edit = {} if same_rules(plan, stored) else {_EDIT: to_line(plan)}
    return links.carry_to(**{_PLAN: stored.id, **edit})


def choose(label: str, *, width: int = 230) -> LinkedPlan:
    """A box with the live plan, all others, and the edit that a link brought, if one did."""
    records, warnings = resources.plans(), list[str]()
    plans = {plan_id: record.plan for plan_id, record in records.items()}
    live, asked = next(iter(records)), st.query_params.get(_PLAN)
    edited = _edited(records, asked or live, warnings)
    if edited is not None:
        plans[edited.id] = edited
    chosen = asked or _last() or live
    if edited is not None and _EDIT in st.query_params:
        chosen = edited.id
    if chosen not in plans:
        warnings.append(f"There is no price plan {words.plain(chosen)}. Showing {words.plain(live)} instead.")
        chosen = live
    _write_address(chosen, plans[chosen], records.get(chosen), warnings)
    st.session_state[_BOX] = chosen
    st.selectbox(
        f"{label}: {_status(records.get(chosen))}",
        list(plans),
        key=_BOX,
        on_change=_take,
        width=width,
    )
    return LinkedPlan(plans[chosen], tuple(warnings))


def say(chosen: LinkedPlan) -> None:
    """What there is to know about the chosen plan, as long as there is something."""
    for warning in chosen.warnings:
        st.warning(warning, icon=":material/link_off:")


def _last() -> str | None:
    """What was chosen last: here, unless another plan was chosen on another screen since."""
    last: str | None = st.session_state.get(_LAST)
    on_any_screen: str | None = st.session_state.get(_PLAN)
    return last if last is not None and last.removesuffix(_EDITED) == on_any_screen else on_any_screen


def _take() -> None:
    st.query_params[_PLAN] = st.session_state[_BOX]
    for name in (_EDIT, _REVISION):
        st.query_params.pop(name, None)


def _edited(records: Mapping[str, PlanRecord], asked: str, warnings: list[str]) -> PricePlan | None:
    """The edit in the address, or the one that was here before another plan or another screen was chosen."""
    base, line = st.session_state.get(_KEPT_EDIT, ("", None))
    if _EDIT in st.query_params:
        base, line = asked.removesuffix(_EDITED), st.query_params[_EDIT]
    if line is None:
        return None
    try:
        edited = from_line(line, base)
    except InvalidRequest as error:
        warnings.append(f"The link holds no valid plan: {words.plain(error.problem)}. Showing the plan as it is saved.")
        st.query_params.pop(_EDIT)
        return None
    if base in records and same_rules(edited, records[base].plan):
        st.session_state.pop(_KEPT_EDIT, None)
        st.query_params.pop(_EDIT, None)
        return None
    st.session_state[_KEPT_EDIT] = (base, line)
    return replace(edited, id=f"{base}{_EDITED}")


def _write_address(chosen: str, plan: PricePlan, record: PlanRecord | None, warnings: list[str]) -> None:
    address = {_PLAN: chosen}
    if record is None:
        address[_EDIT] = to_line(plan)
    elif record.status is PlanStatus.DRAFT:
        address[_REVISION] = f"{record.revision}"
        if st.query_params.get(_REVISION, address[_REVISION]) != address[_REVISION]:
            warnings.append(
                f"The draft {words.plain(chosen)} was saved again since this link was made. Showing revision "
                f"{record.revision}."
            )
    for name in (_PLAN, _EDIT, _REVISION):
        if name not in address:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != address[name]:
            st.query_params[name] = address[name]
    # Screens that know no edits show the stored plan.
    st.session_state[_PLAN], st.session_state[_LAST] = chosen.removesuffix(_EDITED), chosen


def _status(record: PlanRecord | None) -> str:
    if record is None:
        return "unsaved edit"
    if record.status is PlanStatus.DRAFT:
        return f"draft, revision {record.revision}"
    return words.status_name(record.status).lower()
