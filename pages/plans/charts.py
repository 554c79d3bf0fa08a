"""The chart of price plans: the curves over the inference cost, and below them the costs each finding affects."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import plotly.graph_objects as go

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
_ON_AXIS = {**FINDING_NAMES, FindingKind.INVERSION: "Inversion", FindingKind.UNSEEN: "Below ½ ¢"}
_WRAPPED = 72
_CURVES_HEIGHT, _BAND_HEIGHT = 300, 26


class Measure(StrEnum):
    """What a curve shows of a run without a creator fee, in the words of the page and its URL."""

    TOTAL = "Total"
    MARKUP = "Markup"
    RATE = "Rate"


class Axis(StrEnum):
    """Which costs are drawn and how, in the words of the page and its URL."""

    CLOSE = "Close-up"
    WHOLE = "Linear"
    LOGARITHMIC = "Log"


_COMPARED = "#94A3B8"
_COLOURS = {Measure.MARKUP: charts.PLATFORM, Measure.TOTAL: charts.USER, Measure.RATE: charts.PLATFORM}


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
    costs: tuple[int, int],
) -> go.Figure:
    """The curves from the first to the last of these costs, and under them the findings as bars over what they affect.

    Marks and bars carry the number of their finding as `customdata`.
    """
    first_credits, last_credits = costs
    seen = [
        (number, finding)
        for number, finding in enumerate(findings)
        if finding.costs.first_credits <= last_credits and finding.costs.last_credits >= first_credits
    ]
    kinds = list(dict.fromkeys(finding.kind for _, finding in seen))
    figure = go.Figure()
    for curve in curves:
        figure.add_trace(_line(curve, measure, several=len(curves) > 1))
    figure.add_trace(_cliffs(curves[-1], seen, measure))
    for number, finding in seen:
        figure.add_trace(_bar(number, finding, logarithmic, last_credits))
    height = _CURVES_HEIGHT + _BAND_HEIGHT * len(kinds)
    bands = _BAND_HEIGHT * len(kinds) / height
    figure.update_xaxes(
        title="inference cost, credits",
        type="log" if logarithmic else "linear",
        dtick=1 if logarithmic else None,
        range=None if logarithmic else [first_credits, last_credits],
        anchor="y2" if kinds else "y",
        separatethousands=True,
        exponentformat="none",
        nticks=6,
    )
    is_log = logarithmic and measure is not Measure.RATE
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 16},
        showlegend=len(curves) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        barmode="overlay",
        yaxis={
            "domain": [bands + 0.03 if kinds else 0, 1],
            "title": "per cent of the inference cost" if measure is Measure.RATE else "credits",
            "type": "log" if is_log else "linear",
            "dtick": 1 if is_log else None,
            "range": None if logarithmic else _range(curves, measure),
            "separatethousands": True,
            "exponentformat": "none",
        },
        yaxis2={
            "domain": [0, bands],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [_ON_AXIS[kind] for kind in reversed(kinds)],
            "range": [-0.5, len(kinds) - 0.5],
            "showgrid": False,
        },
    )
    return figure


def _range(curves: Sequence[Curve], measure: Measure) -> list[float]:
    """From the lowest to the highest point that is drawn, with a margin; from 0 where that is near."""
    drawn = [value for curve in curves for point in curve.points if (value := _drawn(point, measure)) is not None]
    low, high = min(drawn, default=0), max(drawn, default=1)
    margin = (high - low) * 0.06 or 1
    return [0 if low < (high - low) else low - margin, high + margin]


def _drawn(point: CurvePoint, measure: Measure) -> int | float | None:
    if measure is Measure.MARKUP:
        return point.platform_markup_credits
    if measure is Measure.TOTAL:
        return point.total_credits
    return None if point.effective_bps is None else point.effective_bps / 100


def _cliffs(curve: Curve, seen: Sequence[tuple[int, PlanFinding]], measure: Measure) -> go.Scatter:
    """A mark on each side of every cliff of the curve, with its sentence."""
    cliffs = {
        cost: (number, finding)
        for number, finding in seen
        if finding.kind is FindingKind.CLIFF
        for cost in (finding.costs.last_credits - 1, finding.costs.last_credits)
    }
    marked = [point for point in curve.points if point.inference_cost_credits in cliffs]
    found = [cliffs[point.inference_cost_credits] for point in marked]
    return go.Scatter(
        x=[point.inference_cost_credits for point in marked],
        y=[_drawn(point, measure) for point in marked],
        mode="markers",
        marker={"size": 9, "color": FINDING_COLOURS[FindingKind.CLIFF]},
        text=[_wrapped(finding) for _, finding in found],
        customdata=[number for number, _ in found],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        meta="mark",
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
    rate = "" if point.effective_bps is None else f"<br>Markup rate {format_bps(point.effective_bps)}"
    return (
        f"Inference cost {format_credits(point.inference_cost_credits)}<br>"
        f"Markup {format_credits(point.platform_markup_credits)} ({point.explanation})<br>"
        f"Total {format_credits(point.total_credits)} ({format_usd(point.total_credits)}){rate}"
    )


def _bar(number: int, finding: PlanFinding, logarithmic: bool, last_drawn_credits: int) -> go.Bar:
    first_credits = max(finding.costs.first_credits, 1 if logarithmic else 0)
    last_credits = max(first_credits, min(finding.costs.last_credits, last_drawn_credits))
    return go.Bar(
        x=[last_credits - first_credits],
        base=[first_credits],
        y=[_ON_AXIS[finding.kind]],
        yaxis="y2",
        orientation="h",
        width=0.5,
        marker={
            "color": FINDING_COLOURS[finding.kind],
            "line": {"color": FINDING_COLOURS[finding.kind], "width": 3},  # seen where it is short, too
        },
        hovertext=[_wrapped(finding)],
        customdata=[number],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
        meta="mark",
    )


def _wrapped(finding: PlanFinding) -> str:
    return "<br>".join(textwrap.wrap(finding.sentence, _WRAPPED))
