"""Charts of a replay: recorded amounts and amounts under plan B, and how runs change."""

from collections.abc import Sequence

import plotly.graph_objects as go

from credits_core.lab.replay.report import signed
from credits_core.lab.replay.result import ChangeRange, Group
from credits_core.values.text import format_usd
from pages.parts import charts

MEASURES = {
    "Users": ("users", charts.USER),
    "Creators": ("creators", charts.CREATOR),
    "Platform": ("platform", charts.PLATFORM),
}
"""What can be drawn: what users paid, and what the others received; with the colour of the party."""
_PALE = "66"  # the same colour for the record, let through by its last two digits


def recorded_and_plan(groups: Sequence[Group], what: str) -> go.Figure:
    """Two bars for each day or model: as recorded, pale, and under plan B."""
    measure, colour = MEASURES[what]
    changes = [getattr(one, measure) for one in groups]
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=[one.name for one in groups],
                y=credits,
                customdata=[format_usd(one) for one in credits],
                marker_color=shade,
                hovertemplate="%{y:,} credits (%{customdata})",
            )
            for name, shade, credits in (
                ("Recorded", f"{colour}{_PALE}", [change.recorded_credits for change in changes]),
                ("Plan B", colour, [change.plan_credits for change in changes]),
            )
        ]
    )
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.05, hovermode="x unified")
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    if len(groups) == 1:
        figure.update_xaxes(type="category")  # else the axis of one day would count hours
    return charts.laid_out(figure, height=280)


def changes_of_runs(ranges: Sequence[ChangeRange]) -> go.Figure:
    """How many runs become cheaper or dearer by how much, in ranges that grow from 1 to 2, 5, 10, 20."""
    names = [_name(one) for one in ranges]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=[one.runs for one in ranges],
            marker_color=[
                charts.INFERENCE if one.to_credits == one.from_credits == 0 else charts.USER for one in ranges
            ],
            customdata=[
                [one.from_credits, one.to_credits, f"{format_usd(one.from_credits)} to {format_usd(one.to_credits)}"]
                for one in ranges
            ],
            hovertemplate="%{y:,} runs, %{x} credits (%{customdata[2]})<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.1, showlegend=False)
    figure.update_xaxes(
        title="change of a run, in credits",
        type="category",
        tickangle=0,
        tickvals=names,
        ticktext=[name.replace(" to ", " to<br>") for name in names],
    )
    figure.update_yaxes(title="runs", separatethousands=True, rangemode="tozero")
    return charts.laid_out(figure, height=320)


def _name(one: ChangeRange) -> str:
    if one.from_credits == one.to_credits:
        return "unchanged" if one.from_credits == 0 else signed(one.from_credits)
    return f"{signed(one.from_credits)} to {signed(one.to_credits)}"
