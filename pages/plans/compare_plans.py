"""Compare two price plans: edit the second one and see at once who gains and who loses."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.cures import same_rules
from credits_core.lab.inspector.findings import findings
from credits_core.pricing.plan import PricePlan
from pages.parts import head, links, plan_choice, resources, window, words
from pages.parts.runs_of import RunsOf
from pages.plans import differences, editor, effects, losers, opening, saving, whose_runs
from pages.plans import month as plan_month
from pages.plans import view as plan_view
from pages.plans.month import Month

ABOUT = """
Last month's runs and unlocks, or runs of a data set or a scenario, under both plans while you edit plan B; nobody is
charged. Plus is better off under plan B, minus is worse off. The address holds both plans and your edit.
"""


@st.fragment
def comparison(plan_a: PricePlan, chosen_b: PricePlan, runs: RunsOf, month: Month | None) -> None:
    """The editor beside who gains and loses, and below them curves, findings and typical runs."""
    stored = resources.plans()
    columns, pixels, *spans = (5, 120, 2, 3) if window.is_narrow() else (3, 270, 1, 2)
    grid = st.grid(columns, min_column_width=pixels)
    editor_place, money_place = (grid.cell(column_span=span) for span in spans)
    with editor_place:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header("Edit plan B", anchor=False, width="stretch")
            plan_choice.status(stored[chosen_b.id])
        plan_b = editor.edit(stored[chosen_b.id])
        if plan_b is not None:
            fix = opening.fix_in(plan_b, chosen_b)
            if fix is not None:
                st.info(
                    f"{fix.sentence} To begin with the plan as it is, undo the edits.",
                    title=f"Plan B has the fix {fix.name}",
                    icon=":material/healing:",
                )
            saving.row(plan_b, stored[chosen_b.id], stored)
    with money_place:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header("Plan B instead of A", anchor=False, width="stretch")
            whose_runs.box(runs)
        st.caption(words.plain(month.scope) if month else "")
        if plan_b is None:
            st.info("Then you see here who gains and who loses.", title="Correct plan B", icon=":material/edit:")
        else:
            _money(plan_a, plan_b, month)
    if plan_b is not None:
        with st.container(horizontal=True):
            plan_view.links_to_what_if(stored[chosen_b.id].plan, plan_b)
        _details(plan_a, plan_b)


def _money(plan_a: PricePlan, plan_b: PricePlan, month: Month | None) -> None:
    if same_rules(plan_a, plan_b):
        st.info(
            "Change a number on the left, or choose another plan.",
            title="Both plans have the same rules",
            icon=":material/equal:",
        )
        return
    if month is None:
        st.info(
            "Run a prompt first. Then you see here who gains and who loses.",
            title="There is no run to price again",
            icon=":material/history:",
        )
        st.page_link("test_credits.py", label="Run a prompt", icon=":material/play_circle:")
        return
    try:
        effect = plan_month.between(month, plan_a, plan_b)
    except InvalidRequest as refusal:
        st.warning(words.refusal_text(refusal), title="Last month cannot be priced", icon=":material/block:")
        return
    effects.deltas(effect, open_rows=losers.choose)
    losers.draw(effect)
    losers.open_asked(month, plan_a, plan_b)


def _details(plan_a: PricePlan, plan_b: PricePlan) -> None:
    with st.grid(2, min_column_width=380):
        shape, of_findings = st.container(gap="small"), st.container(gap="small")
    with of_findings:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header("Findings", anchor=False, width="stretch")
            card_fee = plan_view.card_fee()
        if card_fee is None:
            st.warning("Correct the card fee first.", icon=":material/edit:")
            return
        found_a, found_b = findings(plan_a, card_fee), findings(plan_b, card_fee)
        differences.finding_counts(found_a, found_b)
        with st.expander("Read the findings of plan B"):
            for finding in found_b:
                st.markdown(f"- {words.plain(finding.sentence)}")
        differences.rules(plan_a, plan_b)
    with shape:
        plan_view.chart(
            [("Plan A", plan_a), ("Plan B", plan_b)],
            found_b,
            plan_view.first_cliff(found_b, found_a),
            key="compared-shape",
        )
    st.header("Typical runs", anchor=False)
    differences.typical_runs(plan_a, plan_b)


links.follow_link("a", "b", "measure", "axis", "fee", "rows", "runs", "sums", *plan_view.CARD_FEE_BOXES)
if not {"a", "b"} <= {*st.session_state, *st.query_params}:
    st.switch_page("plans/compare_plans.py", query_params={**opening.to_begin_with(), **st.query_params.to_dict()})
with head.line("Compare", "Edit plan B, see who loses.", about=ABOUT):
    st.markdown("**A**", width="content")
    plan_a = plan_choice.choose("Plan A", key="a", in_every_link=True, in_head=True)
    st.markdown("**B**", width="content")
    chosen_b = plan_choice.choose("Plan B", key="b", in_every_link=True, in_head=True, on_change=editor.begin_anew)
comparison(plan_a, chosen_b, *whose_runs.month())
