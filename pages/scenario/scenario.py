"""Try a price plan on made-up runs: what users pay, creators earn and the platform keeps."""

import streamlit as st

from credits_core.errors import CreditsError
from pages.parts import charts, head, linked_plan, links, words
from pages.scenario import carrying_out, inputs, ranges, rows
from pages.scenario import charts as scenario_charts
from pages.scenario import view as scenario_view

ABOUT = """
Made-up users run made-up prompts for a month, priced by the code that charges. How long prompts and answers are comes
from real requests; everything else is an assumption that you can change. Other seeds draw other runs: low, middle and
high show how much is chance. Click a day or a bar to see its runs.
"""

linked_plan.follow_link("preset", "against")
missing = inputs.missing_other_plan()
with head.line("Scenario", "A plan on made-up runs.", about=ABOUT):
    chosen = linked_plan.choose("Price plan", width=210)
    other = inputs.other_plan(chosen.plan)
linked_plan.say(chosen)
if missing:
    st.warning(missing, icon=":material/link_off:")
with st.container(horizontal=True, vertical_alignment="center"):
    preset = inputs.preset()
    link_place = st.container(width="content")
sized = inputs.size(preset)
notes = st.container()
with st.expander("Assumptions", icon=":material/tune:", expanded=inputs.is_any_assumed()):
    scenario = inputs.assumptions(sized, notes) if sized else None
with link_place:
    links.copy_box()
if scenario is None:
    st.warning("Correct the number marked in red, above or under Assumptions.", icon=":material/edit:")
    st.stop()
try:
    result = carrying_out.result(scenario, chosen.plan)
    compared = carrying_out.result(scenario, other) if other else None
except CreditsError as refusal:
    st.error(words.refusal_text(refusal), title="This scenario cannot be calculated", icon=":material/block:")
    st.stop()

with st.grid(2, min_column_width=360):
    scenario_view.headline(result)
    ranges_place = st.container(border=True, height="stretch")
scenario_view.more_figures(result)
if not result.sums.charged:
    st.info("No user had enough credits for a run.", title="Every run was refused", icon=":material/money_off:")
    scenario_view.downloads(result)
    with ranges_place:
        ranges.card(scenario, chosen.plan)
    st.stop()
if compared:
    st.header("The same runs under both plans", anchor=False)
    scenario_view.comparison(result, compared)

charts.card(
    "What users paid, day by day",
    scenario_charts.revenue_by_day(result),
    key="scenario-days",
    alt="Credits paid each day, by who got them",
    on_select=rows.open_day,
)
charts.card(
    "Where the credits went",
    scenario_charts.where_it_went(result),
    key="scenario-parties",
    alt="Credits paid for the runs of each model, and who got them",
)
with st.grid(2, min_column_width=360):
    with st.container():
        charts.card(
            "What runs cost",
            scenario_charts.totals_of_runs(result),
            key="scenario-totals",
            alt="Charged runs by their total",
            on_select=rows.open_totals,
        )
        st.caption(scenario_view.run_totals(result))
    with st.container():
        charts.card(
            "How evenly creators earn",
            scenario_charts.lorenz_curve(result),
            key="scenario-creators",
            alt="Lorenz curve of the creators' incomes",
        )
        st.caption(scenario_view.incomes(result))
    with st.container():
        charts.card(
            "Users who ran out",
            scenario_charts.dry_users_by_day(result),
            key="scenario-dry",
            alt="Users who have run out of credits by the end of each day",
        )
        st.caption(scenario_view.dry_users(result))
    with st.container():
        charts.card(
            "Refused runs",
            scenario_charts.refused_by_day(result),
            key="scenario-refused",
            alt="Refused runs on each day",
            on_select=rows.open_refused,
        )
        st.caption("Runs refused for lack of credits; later, cheaper runs may still go through.")
scenario_view.downloads(result)
rows.show_opened(scenario, chosen.plan)
with ranges_place:
    ranges.card(scenario, chosen.plan)
