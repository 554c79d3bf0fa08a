"""Replay history: what past runs and unlocks would have cost under another plan, and who would have run out."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.replay import report as replay_report
from pages.parts import charts, filters, links, periods, plan_choice, show, tables, words
from pages.replay import charts as replay_charts
from pages.replay import view as replay_view

PAGE = 25

st.caption("Price past runs and unlocks again under plan B. Nobody is charged.")
links.follow_link("plan")
days = periods.choose().days
with st.grid(2, min_column_width=240):
    plan = plan_choice.choose("Plan B", key="plan")
try:
    found = replay_view.compared(plan, days)
except InvalidRequest as error:
    st.warning(words.refusal_text(error), title="This cannot be replayed", icon=":material/block:")
    st.stop()

if found is None and days.is_all:
    st.info(
        "Run a prompt or unlock a flow first. Then you can replay it under any plan.",
        title="There is no history yet",
        icon=":material/history:",
    )
    st.page_link("act/simulate_runs.py", label="Run a prompt", icon=":material/play_circle:")
    st.stop()
if found is None:
    st.info("Choose other days, or All.", title="Nothing ran on these days", icon=":material/event_busy:")
    st.stop()

st.markdown(f"##### {words.plain(replay_report.headline(found))}")
sums = found.sums
with show.metric_grid(*(abs(one.plan_credits) for one in (sums.users, sums.creators, sums.platform))):
    replay_view.metric("Users pay", sums.users, colour="blue")
    replay_view.metric("Inference", sums.inference, colour="gray")
    replay_view.metric("Creators receive", sums.creators, colour="green")
    replay_view.metric("Platform receives", sums.platform, colour="violet")
if found.matches_record:
    st.success(words.plain(replay_report.against_record(found)), icon=":material/verified:")
elif found.own_plans.first_difference is None:
    st.caption(f":material/verified: {words.plain(replay_report.own_plans(found))}")
else:
    st.error(words.plain(replay_report.own_plans(found)), icon=":material/report:")

replay_view.downloads(found, plan, days)

with st.container(border=True):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Compare the record with plan B")
        what = st.segmented_control(
            "What",
            list(replay_charts.MEASURES),
            default="Platform received",
            key="what",
            required=True,
            bind="query-params",
            label_visibility="collapsed",
        )
        by = st.segmented_control(
            "By",
            ["Day", "Model"],
            default="Day",
            key="by",
            required=True,
            bind="query-params",
            label_visibility="collapsed",
        )
    groups = found.by_day.page() if by == "Day" else found.by_model.page(0, PAGE)
    figure = replay_charts.recorded_and_plan(groups, what)
    charts.draw(figure, alt=f"{what} by {by.lower()}, as recorded and under plan B")

with st.container(border=True):
    st.subheader("How runs change")
    st.caption(words.plain(replay_report.changes(found)))
    if len(found.changes) > 1:
        charts.draw(
            replay_charts.changes_of_runs(found.changes), alt="How many runs become cheaper or dearer by how much"
        )

winners, losers = replay_view.standings(found)
with st.grid(2, min_column_width=360):
    refused = replay_view.refused_users(found)
    for title, listed in (("Who gains most", winners), ("Who loses most", losers), ("Who is refused", refused)):
        if listed:
            with st.container():
                st.subheader(title)
                tables.standings(listed, alt=title)
if winners or losers or refused:
    st.caption(
        "Users: change in what they pay. Creators: change in what they receive. Refused runs show what was originally "
        "charged."
    )

for noun, of in (("Model", found.by_model), ("Creator", found.by_creator), ("User", found.by_user)):
    if len(of):
        start = filters.page_start(f"replay:{noun}", (plan, days), 0)
        st.subheader(f"{noun}s")
        st.caption(f"What {'creators received' if noun == 'Creator' else 'users paid'}: recorded, and under plan B.")
        tables.replayed(of.page(start, PAGE), noun=noun, alt=f"{noun}s, recorded and under plan B")
        with st.container(horizontal=True, vertical_alignment="center"):
            filters.page_buttons(f"replay:{noun}", start + PAGE if len(of) > start + PAGE else None)

with st.expander("Limits of a replay", icon=":material/help:"):
    for text in replay_report.limits(found):
        st.markdown(f"- {words.plain(text)}")
