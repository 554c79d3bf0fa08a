"""Find hidden problems in a price plan, fix them, and make the plan live."""

from functools import partial

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector import cures
from credits_core.lab.inspector.findings import findings
from credits_core.lab.replay.hits import Hits
from credits_core.plans import records as plan_records
from credits_core.pricing.plan import PricePlan
from pages.parts import charts, head, links, plan_choice, resources
from pages.plans import actions as plan_actions
from pages.plans import cure_cards, finding_list
from pages.plans import month as plan_month
from pages.plans import view as plan_view
from pages.plans.month import Month

ABOUT = """
A price plan says what a run costs above the model's own cost. This screen looks at every cost a run can have and finds
where a plan is unfair or loses money; then it looks at last month's runs and says how much money that was. Every fix
was tried on the same runs: plus is better off, minus is worse off. Real charges use the same code, so all is exact.
"""
CHART = "plan-shape"


def choose(plan_id: str, number: int, is_to_open: bool) -> None:
    """Show this finding in the chart, and open its runs where that is asked for."""
    st.session_state["finding"] = (plan_id, number, is_to_open)


def choose_in_chart(plan_id: str) -> None:
    point = charts.clicked(CHART)
    if point is not None and "customdata" in point:
        choose(plan_id, int(point["customdata"]), True)


@st.fragment
def lab(plan: PricePlan, month: Month | None) -> None:
    """The findings beside the chart, and the fixes. Only this is drawn again as one looks around in it."""
    stored = resources.plans()
    plan_actions.open_asked(stored, month)
    with st.container(horizontal=True, vertical_alignment="center"):
        top = st.container(width="stretch", gap="xxsmall")
        card_fee = plan_view.card_fee()
    if card_fee is None:
        st.warning("Correct the card fee first.", icon=":material/edit:")
        return
    found, live = findings(plan, card_fee), next(iter(stored.values())).plan
    hits: tuple[Hits, ...] = ()
    if month is not None:
        try:
            hits = plan_month.hits_of(month, plan, found, card_fee)
        except InvalidRequest:
            st.caption("Last month cannot be priced under this plan: an amount is too large.")
    top.header(finding_list.headline(found, hits, month), anchor=False)
    top.caption(f"{month.scope} Refunded ones are left out." if month else "No run was recorded yet.")

    of_plan, number, is_to_open = st.session_state.get("finding", (plan.id, 0, False))
    chosen = found[number] if "finding" in st.session_state and of_plan == plan.id and number < len(found) else None
    with st.grid(2, min_column_width=380):
        with st.container(gap="small"):
            finding_list.draw(found, hits, month, choose=partial(choose, plan.id))
        with st.container(gap="small"):
            beside = [("Live plan", live)] if live != plan else []
            focus = chosen or plan_view.first_cliff(found, findings(live, card_fee))
            plan_view.chart(
                [*beside, ("This plan", plan)], found, focus, key=CHART, choose=partial(choose_in_chart, plan.id)
            )
    if chosen is not None and is_to_open and hits:
        st.session_state["finding"] = (plan.id, number, False)
        if hits[number].runs and month is not None:
            finding_list.open_runs(hits[number], month)

    offered = cures.cures(plan, stored.keys())
    if offered:
        st.header("Fix it", anchor=False)
        st.caption("Each fix changes one rule, tried on last month. Drafts never charge anyone.")
        cure_cards.draw(plan, offered, found, stored, card_fee, month)


links.follow_link("plan", "measure", "axis", *plan_view.CARD_FEE_BOXES)
stored = resources.plans()
with head.line("Plans", "Find hidden problems, fix them, go live.", about=ABOUT):
    plan = plan_choice.choose("Price plan", key="plan", in_head=True)
    plan_choice.status(stored[plan.id])
    plan_actions.row(stored[plan.id], stored)
with st.skeleton(height=500):
    month = plan_month.read()
lab(plan, month)

live = resources.book().plan.id
with st.container(horizontal=True):
    beside_live = {} if plan.id == live else {"a": live, "b": plan.id}
    st.page_link(
        "plans/compare_plans.py",
        label="Compare and edit",
        icon=":material/compare:",
        query_params={**links.link_to(**beside_live), **links.carry_to(**plan_view.assumed_card_fee())},
    )
    plan_view.links_to_what_if(plan, plan)

st.header("Journal of live plans", anchor=False)
with resources.reading() as connection:
    plan_actions.journal(plan_records.activations(connection))
