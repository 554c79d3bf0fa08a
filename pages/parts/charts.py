"""Plotly figures. One quantity has one colour everywhere: users, inference, creators, platform."""

from collections.abc import Sequence
from datetime import date, datetime

import plotly.graph_objects as go

USER, INFERENCE, CREATOR, PLATFORM = "#3B82F6", "#94A3B8", "#10B981", "#8B5CF6"
_HOVER = "%{x|%d %b %Y}<br>%{y:,} credits<extra>%{fullData.name}</extra>"


def _layout(figure: go.Figure, *, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.12, "x": 0, "title": None},
        hovermode="x unified",
    )
    return figure


def stacked_days(days: Sequence[date], parts: dict[str, tuple[str, Sequence[int]]], *, height: int = 320) -> go.Figure:
    """Stacked bars per day; `parts` maps a name to its colour and its credits per day."""
    figure = go.Figure(
        [
            go.Bar(name=name, x=list(days), y=list(credits), marker_color=colour, hovertemplate=_HOVER)
            for name, (colour, credits) in parts.items()
        ]
    )
    figure.update_layout(barmode="relative", bargap=0.25)
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return _layout(figure, height=height)


def balance_line(moments: Sequence[datetime], credits: Sequence[int], *, height: int = 280) -> go.Figure:
    """A balance over time as steps, because it stays the same between transactions."""
    figure = go.Figure(
        go.Scatter(
            name="Balance",
            x=list(moments),
            y=list(credits),
            mode="lines",
            line={"color": USER, "shape": "hv", "width": 2},
            fill="tozeroy",
            hovertemplate="%{x|%d %b %Y %H:%M}<br>%{y:,} credits<extra></extra>",
        )
    )
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return _layout(figure, height=height)
