"""Charts of a scenario: revenue over time, where it went, what runs cost, who ran out, how creators earn."""

from collections.abc import Sequence

import plotly.graph_objects as go

from credits_core.lab.scenario.result import ScenarioResult
from credits_core.values.text import both_rounded, format_credits, format_usd
from pages.parts.charts import CREATOR, INFERENCE, PLATFORM, USER, laid_out, sankey

_REFUSED = "#F59E0B"
_EVEN = "#94A3B8"
_UNSEEN = "rgba(0, 0, 0, 0)"


def revenue_by_day(result: ScenarioResult) -> go.Figure:
    """A stacked area: what users paid each day, by who got it."""
    numbers = [day.day for day in result.days]
    parts = (
        ("Inference", INFERENCE, [day.inference_credits for day in result.days]),
        ("Creators", CREATOR, [day.creators_credits for day in result.days]),
        ("Platform", PLATFORM, [day.platform_credits for day in result.days]),
    )
    figure = go.Figure(
        [
            go.Scatter(
                name=name,
                x=numbers,
                y=credits,
                customdata=_dollars(credits),
                stackgroup="paid",
                mode="lines+markers",  # a line without points cannot be clicked
                marker={"size": 12 if len(numbers) > 1 else 8, "color": colour if len(numbers) == 1 else _UNSEEN},
                line={"width": 1, "color": colour},
                fillcolor=f"{colour}B3",
                hovertemplate="%{y:,} credits (%{customdata})",
            )
            for name, colour, credits in parts
        ]
    )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="day", hoverformat="d")
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return laid_out(figure, height=320)


def where_it_went(result: ScenarioResult) -> go.Figure:
    """A Sankey: what was paid for the runs of each model, and who got it."""
    models = [model for model in result.models if model.paid_credits]
    sums = result.sums
    parties = [
        ("Inference", sums.inference_credits, INFERENCE),
        ("Creators", sums.creators_credits, CREATOR),
        ("Platform", sums.platform_credits, PLATFORM),
    ]
    nodes = [*((model.model_id, model.paid_credits, USER) for model in models), *parties]
    flows = [
        (source, len(models) + party, credits)
        for source, model in enumerate(models)
        for party, credits in enumerate((model.inference_credits, model.creators_credits, model.platform_credits))
        if credits
    ]
    return sankey(nodes, flows, height=max(320, 70 * len(models)))


def totals_of_runs(result: ScenarioResult) -> go.Figure:
    """Columns: how many of the charged runs had a total in each range, from the cheapest to the dearest."""
    totals, edges = result.run_totals, result.run_totals.edges_credits
    used = [place for place, runs in enumerate(totals.runs) if runs]
    places = range(used[0], used[-1] + 1) if used else range(0)
    figure = go.Figure(
        go.Bar(
            x=[f"{edges[place]:,}" for place in places],
            y=[totals.runs[place] for place in places],
            customdata=[[_range(edges, place), edges[place], _next(edges, place)] for place in places],
            marker_color=USER,
            hovertemplate="%{y:,} runs with a total<br>%{customdata[0]}<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.08)
    figure.update_xaxes(title="total in credits, from", type="category")
    figure.update_yaxes(title="charged runs", separatethousands=True)
    return laid_out(figure, height=300)


def dry_users_by_day(result: ScenarioResult) -> go.Figure:
    """A rising step: how many users have run out of credits by the end of each day; all users are the top."""
    numbers = [0, *(day.day for day in result.days)]
    dry = [0]
    for day in result.days:
        dry.append(dry[-1] + day.users_run_dry)
    figure = go.Figure(
        go.Scatter(
            x=numbers,
            y=dry,
            line={"color": USER, "shape": "hv", "width": 2},
            fill="tozeroy",
            fillcolor=f"{USER}26",
            hovertemplate="by day %{x}: %{y:,} users<extra></extra>",
        )
    )
    figure.update_xaxes(title="day", range=[0, len(result.days) + 1])
    figure.update_yaxes(title="users who ran out", separatethousands=True, range=[0, result.scenario.users])
    return laid_out(figure, height=280)


def refused_by_day(result: ScenarioResult) -> go.Figure:
    """Columns: the runs of each day that the balance did not cover."""
    figure = go.Figure(
        go.Bar(
            x=[day.day for day in result.days],
            y=[day.refused for day in result.days],
            customdata=[f"{day.runs:,}" for day in result.days],
            marker_color=_REFUSED,
            hovertemplate="day %{x}: %{y:,} of %{customdata} runs refused<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.25)
    figure.update_xaxes(title="day", range=[0, len(result.days) + 1])
    figure.update_yaxes(title="refused runs", separatethousands=True, rangemode="tozero")
    return laid_out(figure, height=280)


def lorenz_curve(result: ScenarioResult) -> go.Figure:
    """What share of all income the least-earning creators have together; the straight line is equal income."""
    creators, credits = result.scenario.creators, result.sums.creators_credits
    points = result.lorenz
    figure = go.Figure(
        [
            go.Scatter(
                name="Equal income",
                x=[0, 100],
                y=[0, 100],
                mode="lines",
                line={"color": _EVEN, "dash": "dot", "width": 1},
                hoverinfo="skip",
            ),
            go.Scatter(
                name="Creators",
                x=[100 * count / creators for count, _ in points],
                y=[100 * earned / credits if credits else 0 for _, earned in points],
                customdata=[f"the lowest-earning {count:,}: {both_rounded(earned)}" for count, earned in points],
                mode="lines",
                line={"color": CREATOR, "width": 2},
                fill="tozeroy",
                fillcolor=f"{CREATOR}26",
                hovertemplate="%{customdata}<extra></extra>",
            ),
        ]
    )
    figure.update_xaxes(title="creators, lowest income first", ticksuffix=" %", range=[0, 100], dtick=25)
    figure.update_yaxes(title="share of all creator income", ticksuffix=" %", range=[0, 100])
    return laid_out(figure, height=300)


def _next(edges_credits: Sequence[int], place: int) -> int | None:
    return edges_credits[place + 1] if place + 1 < len(edges_credits) else None


def _range(edges_credits: Sequence[int], place: int) -> str:
    low = edges_credits[place]
    if place + 1 == len(edges_credits):
        return f"from {both_rounded(low)}"
    high = edges_credits[place + 1] - 1
    if high == low:
        return f"of {both_rounded(low)}"
    return f"of {format_credits(low)} to {format_credits(high)} credits ({format_usd(low)} to {format_usd(high)})"


def _dollars(credits: Sequence[int]) -> list[str]:
    return [format_usd(one) for one in credits]
