"""Charts that several screens share. Each party has one colour: users, inference, creators, platform.

Credits are drawn as they are; every hover text has their exact dollar value beside them.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go
import streamlit as st

from credits_core.values.text import format_credits, format_usd, format_usd_rounded

USER, INFERENCE, CREATOR, PLATFORM = "#3B82F6", "#94A3B8", "#10B981", "#8B5CF6"
INK = {"light": "#1B1D2A", "dark": "#E8E9F2"}
"""The colour of words and marks on a light and on a dark page."""
HOVER = "%{y:,} credits (%{customdata})"
_DAYS_WITHOUT_GAPS = 3


def draw(figure: go.Figure, *, alt: str) -> None:
    """Show a figure over the whole width, in the colours of the light or dark theme."""
    st.plotly_chart(figure, width="stretch", theme="streamlit", config={"displayModeBar": False}, alt=alt)


def stacked_days(
    days: Sequence[date], parts: Mapping[str, tuple[str, Sequence[int]]], *, height: int = 320
) -> go.Figure:
    """Stacked bars per day; `parts` maps a name to its colour and its credits per day.

    Days with long gaps between them stand side by side, because bars on years of empty axis would be too thin to see.
    """
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                x=list(days),
                y=list(credits),
                customdata=[format_usd(one) for one in credits],
                marker_color=colour,
                hovertemplate=HOVER,
            )
            for name, (colour, credits) in parts.items()
        ]
    )
    figure.update_layout(barmode="relative", bargap=0.25, hovermode="x unified")
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    if days and (len(days) == 1 or (days[-1] - days[0]).days > _DAYS_WITHOUT_GAPS * len(days)):
        figure.update_xaxes(type="category")
    return laid_out(figure, height=height)


def sankey(nodes: Sequence[tuple[str, int, str]], flows: Sequence[tuple[int, int, int]], *, height: int) -> go.Figure:
    """A Sankey of credits. A node is its name, credits and colour; a flow is its source, target and credits."""
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [f"{name}<br>{both(credits)}" for name, credits, _ in nodes],
                "color": [colour for _, _, colour in nodes],
                "customdata": [name for name, _, _ in nodes],
                "hovertemplate": "%{label}<extra></extra>",
                "pad": 28,
                "thickness": 14,
                "line": {"width": 0},
            },
            link={
                "source": [source for source, _, _ in flows],
                "target": [target for _, target, _ in flows],
                "value": [credits for _, _, credits in flows],
                "color": [f"{nodes[target][2]}59" for _, target, _ in flows],
                "customdata": [both(credits) for _, _, credits in flows],
                "hovertemplate": ("%{source.customdata} → %{target.customdata}<br>%{customdata}<extra></extra>"),
            },
            textfont={"size": 13, "shadow": "none", "color": INK.get(st.context.theme.type or "")},
        )
    )
    return laid_out(figure, height=height)


def both(credits: int) -> str:
    """Credits with their dollars, for hover texts, which are no Markdown.

    >>> both(1_500_000)
    '1,500,000 credits ($1.50)'
    """
    return f"{format_credits(credits)} credits ({format_usd_rounded(credits)})"


def laid_out(figure: go.Figure, *, height: int, legend_y: float = 1.02) -> go.Figure:
    """The figure with the margins and the legend that all have, above the drawing."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 16},
        legend={"orientation": "h", "x": 0, "y": legend_y, "yanchor": "bottom", "title": None, "traceorder": "normal"},
    )
    return figure
