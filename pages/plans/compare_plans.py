"""Compare two price plans and edit the second: curves, findings, and what typical runs cost."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.comparison import compared_runs
from credits_core.lab.inspector.cures import same_rules
from credits_core.lab.inspector.curve import curve, telling_costs, usual_extent
from credits_core.lab.inspector.findings import findings
from pages.parts import charts, head, links, plan_choice, resources, words
from pages.plans import charts as plan_charts
from pages.plans import differences, editor, saving
from pages.plans import view as plan_view
from pages.plans.charts import Curve

ABOUT = """
Two price plans side by side. Edit the second: every number follows as you type, and nobody is charged.
The address in the browser holds both plans and your edit; copy it to share this view.
"""

with head.line("Compare", "Edit plan B and compare it with plan A.", about=ABOUT):
    pass
links.follow_link("a", "b", "measure", "axis", "fee", *plan_view.CARD_FEE_BOXES)
if not {"a", "b"} <= {*st.session_state, *st.query_params}:
    st.switch_page("plans/compare_plans.py", query_params={**plan_choice.to_begin_with(), **st.query_params.to_dict()})
with st.grid(2, min_column_width=280):
    plan_a = plan_choice.choose("Plan A", key="a", in_every_link=True)
    chosen_b = plan_choice.choose("Plan B", key="b", in_every_link=True, on_change=editor.begin_anew)
stored = resources.plans()
with st.expander("Edit plan B", icon=":material/edit:", expanded=True):
    plan_b = editor.edit(stored[chosen_b.id])
    if plan_b is not None:
        saving.row(plan_b, stored[chosen_b.id], stored)
card_fee = plan_view.card_fee()
if plan_b is None or card_fee is None:
    st.stop()
is_edited = plan_b != chosen_b
name_b = f"{plan_b.id} (edited)" if is_edited else plan_b.id

if same_rules(plan_a, plan_b):
    st.info(
        "Choose another plan B, or edit it above.",
        title="Both plans have the same rules",
        icon=":material/equal:",
    )
with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Shape")
        st.space("stretch")
        measure, logarithmic = plan_view.chosen_axes()
    extent_credits = usual_extent(plan_a, plan_b)
    costs = telling_costs(plan_a, plan_b, up_to_credits=extent_credits)
    found_a, found_b = findings(plan_a, card_fee), findings(plan_b, card_fee)
    figure = plan_charts.shape(
        [Curve(f"A: {plan_a.id}", curve(plan_a, costs), dotted=True), Curve(f"B: {name_b}", curve(plan_b, costs))],
        found_b,
        measure=measure,
        logarithmic=logarithmic,
        extent_credits=extent_credits,
    )
    charts.draw(figure, alt=f"{measure} of a run over its inference cost under both plans")
    st.caption("Without a creator fee. Bars show which costs plan B's findings affect.")

st.subheader("Findings")
differences.finding_counts(found_a, found_b)
with st.expander("Read the findings of plan B"):
    plan_view.sentences(found_b)

st.subheader("Typical runs")
conversation = resources.workloads()["conversation"]
fee_credits = plan_view.creator_fee()
if fee_credits is not None:
    try:
        runs = compared_runs(
            plan_a,
            plan_b,
            resources.models().values(),
            creator_fee_credits=fee_credits,
            input_tokens=conversation.input_tokens.p50,
            output_tokens=conversation.output_tokens.p50,
            at=resources.this_hour(),
        )
    except InvalidRequest as refusal:
        st.warning(words.refusal_text(refusal), title="A typical run cannot be priced", icon=":material/edit:")
        st.stop()
    differences.runs(runs)
    st.caption(
        f"One run of each model, in credits. Models priced per token run with {conversation.input_tokens.p50:,} input "
        f"and {conversation.output_tokens.p50:,} output tokens, the medians of an hour of real conversations. "
        "± shows how much more plan B gives than plan A."
    )
