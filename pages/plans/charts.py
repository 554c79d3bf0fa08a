"""Charts of price plans: the curves over the inference cost, and below them the costs each finding affects."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from credits_core.lab.inspector.curve import CurvePoint
from credits_core.lab.inspector.findings import FindingKind, PlanFinding
from credits_core.values.text import format_bps, format_credits, format_usd
from pages.parts import charts

FINDING_COLOURS = {
    FindingKind.CLIFF: "#EF4444",
    FindingKind.INVERSION: "#F97316",
    FindingKind.LOSS: "#EAB308",
    FindingKind.UNMARKED: "#94A3B8",
    FindingKind.UNSEEN: "#CBD5E1",
}
FINDING_NAMES = {
    FindingKind.CLIFF: "Cliff",
    FindingKind.INVERSION: "Fee inversion",
    FindingKind.LOSS: "Loss",
    FindingKind.UNMARKED: "No markup",
    FindingKind.UNSEEN: "Below half a cent",
}
_WRAPPED = 72


class Measure(StrEnum):
    """What a curve shows of a run without a creator fee, in the words of the page and its URL."""

    MARKUP = "Markup"
    TOTAL = "Total"
    EFFECTIVE = "Effective markup"


_COMPARED = "#94A3B8"
_COLOURS = {Measure.MARKUP: charts.PLATFORM, Measure.TOTAL: charts.USER, Measure.EFFECTIVE: charts.PLATFORM}


@dataclass(frozen=True, slots=True)
class Curve:
    """A plan's points under its name; a dotted one is there to be compared with."""

    name: str
    points: Sequence[CurvePoint]
    dotted: bool = False


def shape(
    curves: Sequence[Curve],
    findings: Sequence[PlanFinding],
    *,
    measure: Measure,
    logarithmic: bool,
    extent_credits: int,
) -> go.Figure:
    """The curves, and under them the findings as bars over the inference costs they concern."""
    kinds = list(dict.fromkeys(finding.kind for finding in findings))
    strip = 0.06 + 0.05 * len(kinds)
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.04,
        row_heights=[1 - strip, strip] if kinds else [0.98, 0.02],
    )
    for curve in curves:
        figure.add_trace(_line(curve, measure, several=len(curves) > 1), row=1, col=1)
    figure.add_trace(_cliffs(curves[-1], findings, measure), row=1, col=1)
    for finding in findings:
        figure.add_trace(_bar(finding, logarithmic, extent_credits), row=2, col=1)
    first_credits = 1 if logarithmic else 0
    for row in (1, 2):
        figure.update_xaxes(type="log" if logarithmic else "linear", dtick=1 if logarithmic else None, row=row, col=1)
    figure.update_xaxes(showticklabels=not kinds, row=1, col=1)
    figure.update_xaxes(title="inference cost, credits", separatethousands=True, exponentformat="none", row=2, col=1)
    if not logarithmic:
        figure.update_xaxes(range=[first_credits, extent_credits])
    unit = "per cent of the inference cost" if measure is Measure.EFFECTIVE else "credits"
    figure.update_yaxes(title=unit, separatethousands=True, exponentformat="none", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[FINDING_NAMES[kind] for kind in reversed(kinds)],
        showgrid=False,
        row=2,
        col=1,
    )
    if logarithmic and measure is not Measure.EFFECTIVE:
        figure.update_yaxes(type="log", dtick=1, row=1, col=1)
    figure.update_layout(
        height=420 + 30 * len(kinds),
        margin={"l": 8, "r": 8, "t": 16, "b": 16},
        showlegend=len(curves) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
    return figure


def _drawn(point: CurvePoint, measure: Measure) -> int | float | None:
    if measure is Measure.MARKUP:
        return point.platform_markup_credits
    if measure is Measure.TOTAL:
        return point.total_credits
    return None if point.effective_bps is None else point.effective_bps / 100


def _cliffs(curve: Curve, findings: Sequence[PlanFinding], measure: Measure) -> go.Scatter:
    """A mark on each side of every cliff of the curve, with its sentence."""
    sentences = {
        cost: "<br>".join(textwrap.wrap(finding.sentence, _WRAPPED))
        for finding in findings
        if finding.kind is FindingKind.CLIFF
        for cost in (finding.costs.last_credits - 1, finding.costs.last_credits)
    }
    marked = [point for point in curve.points if point.inference_cost_credits in sentences]
    return go.Scatter(
        x=[point.inference_cost_credits for point in marked],
        y=[_drawn(point, measure) for point in marked],
        mode="markers",
        marker={"size": 9, "color": FINDING_COLOURS[FindingKind.CLIFF]},
        text=[sentences[point.inference_cost_credits] for point in marked],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def _line(curve: Curve, measure: Measure, *, several: bool) -> go.Scatter:
    name = f"<b>{curve.name}</b><br>" if several else ""
    return go.Scatter(
        name=curve.name,
        x=[point.inference_cost_credits for point in curve.points],
        y=[_drawn(point, measure) for point in curve.points],
        mode="lines",
        line={
            "color": _COMPARED if curve.dotted else _COLOURS[measure],
            "width": 2,
            "dash": "dot" if curve.dotted else "solid",
        },
        text=[f"{name}{_breakdown(point)}" for point in curve.points],
        hovertemplate="%{text}<extra></extra>",
    )


def _breakdown(point: CurvePoint) -> str:
    effective = "" if point.effective_bps is None else f"<br>Effective markup {format_bps(point.effective_bps)}"
    return (
        f"Inference cost {format_credits(point.inference_cost_credits)}<br>"
        f"Markup {format_credits(point.platform_markup_credits)} ({point.explanation})<br>"
        f"Total {format_credits(point.total_credits)} ({format_usd(point.total_credits)}){effective}"
    )


def _bar(finding: PlanFinding, logarithmic: bool, extent_credits: int) -> go.Scatter:
    first_credits = max(finding.costs.first_credits, 1 if logarithmic else 0)
    last_credits = max(first_credits, min(finding.costs.last_credits, extent_credits))
    is_seen = finding.costs.first_credits <= extent_credits
    name = FINDING_NAMES[finding.kind]
    return go.Scatter(
        x=[first_credits, last_credits] if is_seen else [],
        y=[name, name] if is_seen else [],
        mode="lines+markers",
        line={"color": FINDING_COLOURS[finding.kind], "width": 9},
        marker={"size": 9, "symbol": "square", "color": FINDING_COLOURS[finding.kind]},
        text=["<br>".join(textwrap.wrap(finding.sentence, _WRAPPED))] * 2,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
