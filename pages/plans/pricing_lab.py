"""Find hidden problems in a price plan, fix them, and make the plan live."""

import streamlit as st

from credits_core.lab.inspector import cures
from credits_core.lab.inspector.curve import curve, telling_costs, usual_extent
from credits_core.lab.inspector.findings import findings
from credits_core.plans import records as plan_records
from pages.parts import charts, head, links, plan_choice, resources
from pages.plans import actions as plan_actions
from pages.plans import charts as plan_charts
from pages.plans import view as plan_view
from pages.plans.charts import Curve

ABOUT = """
A price plan says what a run costs above the model's own cost. This screen looks at every cost a run can have and finds
where a plan is unfair or loses money. Real charges use the same code, so every number here is exact.
"""

with head.line("Plans", "Find a plan's hidden problems, fix them, make it live.", about=ABOUT):
    pass
links.follow_link("plan", "measure", "axis", *plan_view.CARD_FEE_BOXES)
stored = resources.plans()
plan = plan_choice.choose("Price plan", key="plan")
plan_actions.row(stored[plan.id])
card_fee = plan_view.card_fee()
if card_fee is None:
    st.stop()

found = findings(plan, card_fee)
plan_view.counts(found)

with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Shape")
        st.space("stretch")
        measure, logarithmic = plan_view.chosen_axes()
    extent_credits = usual_extent(plan)
    points = curve(plan, telling_costs(plan, up_to_credits=extent_credits))
    figure = plan_charts.shape(
        [Curve(plan.id, points)],
        found,
        measure=measure,
        logarithmic=logarithmic,
        extent_credits=extent_credits,
    )
    charts.draw(figure, alt=f"{measure} of a run over its inference cost, and the findings")
    st.caption("Without a creator fee. Bars show which costs each finding affects.")

st.subheader("Findings")
if found:
    plan_view.sentences(found)
else:
    st.success("No problems found in this plan.", icon=":material/check_circle:")

offered = cures.cures(plan, stored.keys())
if offered:
    st.subheader("Fix the findings")
    st.caption("Each fix changes one rule and saves a draft. Drafts never charge anyone.")
    plan_view.cures(offered, found, stored, card_fee)
live = resources.book().plan.id
with st.container(horizontal=True):
    st.page_link(
        "plans/compare_plans.py",
        label="Edit this plan" if plan.id == live else "Compare with the live plan, or edit",
        icon=":material/compare:",
        query_params={**links.link_to(a=live, b=plan.id), **links.carry_to(**plan_view.assumed_card_fee())},
    )
    for file, label, icon in (
        ("replay/replay_history.py", "Replay history under this plan", ":material/history:"),
        ("scenario/scenario.py", "Try this plan in a scenario", ":material/casino:"),
    ):
        st.page_link(file, label=label, icon=icon, query_params=links.carry_to(plan=plan.id))

st.subheader("Journal of live plans")
with resources.reading() as connection:
    plan_actions.journal(plan_records.activations(connection))
with st.expander("Import a plan (TOML)", icon=":material/upload_file:"):
    plan_actions.bring_in(stored)
