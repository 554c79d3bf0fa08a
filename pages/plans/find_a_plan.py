"""Find a plan: choose what may move, must hold and counts; see the best plans, open one, and keep it as a draft."""

import streamlit as st

from credits_core.errors import InvalidRequest
from credits_core.lab.finder import report
from credits_core.lab.finder.measures import Goal
from credits_core.lab.finder.search import Answer, with_ids
from pages.parts import charts, head, links, pick, resources, words
from pages.plans import finder_charts, finder_detail, finder_inputs, finder_list, finder_running
from pages.plans import month as plan_month

ABOUT = """
Hundreds of price plans are tried on last month's runs, each priced to the credit and checked for cliffs. What is left
are the plans that no other one beats in everything that counts. Nobody is charged and nothing changes. Every figure is
what Replay gives for that plan on the same days.
"""
CHART = "found-plans"


def choose_in_chart() -> None:
    point = charts.clicked(CHART)
    if point is not None and "customdata" in point:
        finder_list.choose(str(point["customdata"]))


def show_frontier(answer: Answer, *, live: bool) -> None:
    """The chart of the best plans; only a live one opens plans, the others are drawn while the search goes on."""
    goals = answer.question.goals
    others = dict.fromkeys(goal for goal in (*goals[1:], Goal.INCREASE, *Goal) if goal is not goals[0])
    names = [finder_inputs.GOALS[goal] for goal in others]
    if live:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(report.summary(answer), width="stretch")
            against = pick.one("Against", names, key="against_goal", is_labelled=False)
    else:
        against = names[0]
    across = next(goal for goal, name in finder_inputs.GOALS.items() if name == against)
    chosen = finder_list.chosen(answer) if live else None
    figure = finder_charts.frontier(answer, today_id=today.id, up=goals[0], across=across, chosen=chosen)
    alt = f"The best plans: {finder_charts.AXES[goals[0]]} against {finder_charts.AXES[across]}; the diamond is live"
    if live:
        charts.draw(figure, alt=alt, key=CHART, on_select=choose_in_chart)
    else:
        charts.draw(figure, alt=alt, key=f"best-so-far-{answer.tried}")


links.follow_link(*finder_inputs.NAMES, "measure", "axis", "rows", "against_goal")
with head.line("Find a plan", "Search for better prices within your limits.", about=ABOUT):
    links.copy_box()
today = resources.book().plan
with st.skeleton(height=400):
    month = plan_month.read()
if month is None:
    st.info(
        "Run a prompt first. Then plans can be tried on it.",
        title="There is no run to try plans on",
        icon=":material/history:",
    )
    st.page_link("test_credits.py", label="Run a prompt", icon=":material/play_circle:")
    st.stop()

top = st.container(horizontal=True, vertical_alignment="center")
with st.expander("The question", icon=":material/tune:", expanded=not finder_running.has_answered()):
    question = finder_inputs.question(today)
if question is None:
    top.warning("Correct what is marked in red under The question.", icon=":material/edit:")
    st.stop()
kept = finder_running.place(month, today, question)
answer = kept.result or finder_running.stopped(kept)
with top:
    st.caption(f"{words.plain(month.scope)} {words.plain(finder_inputs.in_words(question))}", width="stretch")
    if not kept.result and not finder_running.is_asked(kept):
        st.button("Find plans", icon=":material/search:", type="primary", on_click=finder_running.ask, args=(kept,))
if finder_running.is_asked(kept):
    try:
        finder_running.carry_out(kept, month, today, question, draw=lambda so_far: show_frontier(so_far, live=False))
    except InvalidRequest as refusal:
        st.warning(words.refusal_text(refusal), title="This cannot be looked for", icon=":material/block:")
    st.stop()
if answer is None:
    st.stop()
if kept.result is None:
    st.warning("These are the best plans so far.", title="You stopped this", icon=":material/pause_circle:")
answer = with_ids(answer, today, {name: one.plan for name, one in resources.plans().items()})
if not answer.best:
    st.info(
        f"{words.plain(report.in_the_way(answer))} Loosen one of these under The question, or let more move.",
        title="No plan holds all rules",
        icon=":material/search_off:",
    )
    st.stop()
show_frontier(answer, live=True)
finder_list.draw(answer, today, month)
finder_detail.draw(finder_list.chosen(answer), answer, today, month)
