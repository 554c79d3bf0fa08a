"""Replay history: what past runs and unlocks would have cost under another plan, and who would have run out."""

import streamlit as st

from credits_core.errors import CreditsError
from credits_core.lab.replay import report as replay_report
from pages.parts import charts, head, linked_plan, links, periods, pick, runs_of, words
from pages.replay import charts as replay_charts
from pages.replay import rows, standings
from pages.replay import view as replay_view

ABOUT = """
Every recorded run and unlock, priced again under plan B in the order in which it happened. Users who would have run out
of credits are refused, as they would have been. Nobody is charged. Plus means better off, minus means worse off; click
a bar or a name to see the charges behind it. *Runs of* takes usage of another system, or made-up runs, instead.
"""
PAGE = 25

linked_plan.follow_link("show", "what", "by", "runs", "sums")
with head.line("Replay", "The past under plan B.", about=ABOUT):
    runs = runs_of.choose()
    chosen = linked_plan.choose("Plan B", width=210)
    link_place = st.container(width="content")
    if runs.is_ledger:
        days = periods.choose().days
    else:
        days = periods.choose(label="Days of the runs", help_text="A run counts on the day when it took place.").days
linked_plan.say(chosen)
plan = chosen.plan
with link_place:
    links.copy_box()
runs = runs_of.with_sums(runs)
if runs_of.ask_first(runs):
    st.stop()
try:
    found = replay_view.compared(plan, days, runs)
except CreditsError as error:
    st.warning(words.refusal_text(error), title="This cannot be replayed", icon=":material/block:")
    st.stop()
if found is None:
    replay_view.nothing(days.is_all or not runs.is_ledger)
    st.stop()

replay_view.deltas(found.sums)
with st.container(horizontal=True, vertical_alignment="center"):
    replay_view.check(found, days, runs)
    replay_view.downloads(found, plan, days, runs)

with st.grid(2, min_column_width=360):
    with st.container():
        standings.card(found)
    with st.container(border=True, height="stretch"):
        st.header("As recorded, and under plan B", anchor=False)
        with st.container(horizontal=True, vertical_alignment="center"):
            what = pick.one("What", list(replay_charts.MEASURES), key="what", usual="Platform", is_labelled=False)
            st.space("stretch")
            by = pick.one("By", ["Day", "Model"], key="by", is_labelled=False)
        groups = found.by_day.page() if by == "Day" else found.by_model.page(0, PAGE)
        charts.draw(
            replay_charts.recorded_and_plan(groups, what),
            key="recorded-and-plan-b",
            alt=f"What {what.lower()} paid or received by {by.lower()}, as recorded and under plan B",
            on_select=rows.open_day if by == "Day" else rows.open_model,
        )

tabs = st.tabs(["Models", "Creators", "Users", "Changes of a run"], key="show", bind="query-params", on_change="rerun")
models, creators, users, changes = tabs
for tab, noun, of in (
    (models, "Model", found.by_model),
    (creators, "Creator", found.by_creator),
    (users, "User", found.by_user),
):
    if tab.open:
        with tab:
            rows.table(noun, of, wanted=(plan, days, runs), limit=PAGE)
if changes.open:
    with changes:
        st.caption(words.plain(replay_report.changes(found)))
        if len(found.changes) > 1:
            charts.draw(
                replay_charts.changes_of_runs(found.changes),
                key="changes-of-runs",
                alt="How many runs become cheaper or dearer by how much",
                on_select=rows.open_changes,
            )
rows.show_opened(plan, days, runs)

with st.expander("Limits of a replay", icon=":material/help:"):
    for text in replay_view.limits(found, runs):
        st.markdown(f"- {words.plain(text)}")
