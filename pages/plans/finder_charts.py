"""The chart of the plans that were found: each a point between two things that count; the live plan is marked."""

import plotly.graph_objects as go

from credits_core.lab.finder import report
from credits_core.lab.finder.measures import Figures, Goal
from credits_core.lab.finder.search import Answer, Found
from credits_core.lab.replay.report import signed
from credits_core.pricing.plan_link import to_line
from credits_core.values.text import format_usd
from pages.parts import charts

AXES = {
    Goal.PLATFORM: "we earn more, credits",
    Goal.CREATORS: "creators get more, credits",
    Goal.USERS: "users pay more, credits",
    Goal.INCREASE: "highest increase of a user, %",
    Goal.FAIRNESS: "gap between smaller and larger users, %",
}
_COLOURS = {
    Goal.PLATFORM: charts.PLATFORM,
    Goal.CREATORS: charts.CREATOR,
    Goal.USERS: charts.USER,
    Goal.INCREASE: charts.USER,
    Goal.FAIRNESS: charts.USER,
}
_TODAY = "#F97316"
_IN_PER_CENT = {Goal.INCREASE, Goal.FAIRNESS}


def frontier(answer: Answer, *, today_id: str, up: Goal, across: Goal, chosen: Found | None) -> go.Figure:
    """The best plans between two measures, each against today's plan, which is the diamond."""
    best = sorted(answer.best, key=lambda one: one.figures.measure(across))
    today = answer.today
    figure = go.Figure()
    figure.add_scatter(
        name="Best plans",
        x=[_drawn(one.figures, today, across) for one in best],
        y=[_drawn(one.figures, today, up) for one in best],
        mode="lines+markers" if _is_a_line(answer, up, across) else "markers",
        line={"color": f"{_COLOURS[up]}55", "width": 1, "shape": "hv" if up.is_to_be_high else "vh"},
        marker={"size": 9, "color": _COLOURS[up]},
        customdata=[to_line(one.plan) for one in best],
        text=[_said(one, today) for one in best],
        hovertemplate="%{text}<extra></extra>",
    )
    if chosen is not None:
        figure.add_scatter(
            name="Shown below",
            x=[_drawn(chosen.figures, today, across)],
            y=[_drawn(chosen.figures, today, up)],
            mode="markers",
            marker={"size": 17, "color": "rgba(0,0,0,0)", "line": {"color": _COLOURS[up], "width": 3}},
            hoverinfo="skip",
            meta="mark",
        )
    figure.add_scatter(
        name=f"Live: {today_id}",
        x=[_drawn(today, today, across)],
        y=[_drawn(today, today, up)],
        mode="markers",
        marker={"size": 14, "symbol": "diamond", "color": _TODAY},
        hovertemplate=f"{today_id}, which is live<extra></extra>",
    )
    figure.update_xaxes(title=AXES[across], separatethousands=True, exponentformat="none", zeroline=True)
    figure.update_yaxes(title=AXES[up], separatethousands=True, exponentformat="none", zeroline=True)
    figure.update_layout(hovermode="closest")
    return charts.laid_out(figure, height=380)


def _is_a_line(answer: Answer, up: Goal, across: Goal) -> bool:
    return set(answer.question.goals) <= {up, across}


def _drawn(figures: Figures, today: Figures, goal: Goal) -> float | int:
    if goal in _IN_PER_CENT:
        return figures.measure(goal) / 100
    return figures.measure(goal) - today.measure(goal)


def _said(one: Found, today: Figures) -> str:
    figures = one.figures
    earn_credits = figures.income_credits - today.income_credits
    return (
        f"<b>{one.plan.id}</b><br>We earn {signed(earn_credits)} credits ({format_usd(earn_credits)})<br>"
        f"Highest increase {report.change(figures.highest_increase_bps)}; "
        f"{figures.users_paying_more:,} of {figures.users:,} users pay more<br>{to_line(one.plan)}"
    )
