"""Try a price plan on made-up runs: what users pay, creators earn and the platform keeps."""

import streamlit as st

from credits_core.errors import CreditsError
from pages.parts import charts, links, plan_choice, words
from pages.scenario import charts as scenario_charts
from pages.scenario import inputs
from pages.scenario import view as scenario_view

st.caption("Try a plan on made-up runs. Nobody is charged. Copy the address to share.")
links.follow_link("plan")
with st.container(border=True):
    with st.grid(4, min_column_width=165):
        sized = inputs.size()
        plan = plan_choice.choose("Price plan", key="plan")
        other = inputs.other_plan(plan)
    notes = st.container()
    with st.expander("Assumptions", icon=":material/tune:", expanded=inputs.is_any_assumed()):
        scenario = inputs.assumptions(sized, notes) if sized else None
if scenario is None:
    st.warning("Correct the number marked in red, above or under Assumptions.", icon=":material/edit:")
    st.stop()
try:
    result = scenario_view.carried_out(scenario, plan)
    compared = scenario_view.carried_out(scenario, other) if other else None
except CreditsError as refusal:
    st.error(words.refusal_text(refusal), title="This scenario cannot be calculated", icon=":material/block:")
    st.stop()

scenario_view.metrics(result)
if not result.sums.charged:
    st.info("No user had enough credits for a run.", title="Every run was refused", icon=":material/money_off:")
    scenario_view.downloads(result)
    st.stop()
if compared:
    st.subheader("The same runs under both plans")
    scenario_view.comparison(result, compared)

with st.container(border=True):
    st.subheader("What users paid, day by day")
    charts.draw(scenario_charts.revenue_by_day(result), alt="Credits paid each day, by who got them")
with st.container(border=True):
    st.subheader("Where the credits went")
    charts.draw(scenario_charts.where_it_went(result), alt="Credits paid for the runs of each model, and who got them")
with st.grid(2, min_column_width=360):
    with st.container(border=True, height="stretch"):
        st.subheader("What runs cost")
        charts.draw(scenario_charts.totals_of_runs(result), alt="Charged runs by their total")
        st.caption(scenario_view.run_totals(result))
    with st.container(border=True, height="stretch"):
        st.subheader("How evenly creators earn")
        charts.draw(scenario_charts.lorenz_curve(result), alt="Lorenz curve of the creators' incomes")
        st.caption(scenario_view.incomes(result))
    with st.container(border=True, height="stretch"):
        st.subheader("Users who ran out")
        charts.draw(
            scenario_charts.dry_users_by_day(result), alt="Users who have run out of credits by the end of each day"
        )
        st.caption(scenario_view.dry_users(result))
    with st.container(border=True, height="stretch"):
        st.subheader("Refused runs")
        charts.draw(scenario_charts.refused_by_day(result), alt="Refused runs on each day")
        st.caption("Runs refused for lack of credits; later, cheaper runs may still go through.")
scenario_view.downloads(result)
