"""Charts that several screens share. Each party has one colour: users, inference, creators, platform.

Credits are drawn as they are; every hover text has their exact dollar value beside them. A `card` is how a screen shows
one: under a heading, with its numbers as a table and its picture to download.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from credits_core.values.text import both_rounded, format_usd
from pages.parts import amounts, pick

USER, INFERENCE, CREATOR, PLATFORM = "#3B82F6", "#94A3B8", "#10B981", "#8B5CF6"
INK = {"light": "#1B1D2A", "dark": "#E8E9F2"}
"""The colour of words and marks on a light and on a dark page."""
HOVER = "%{y:,} credits (%{customdata})"
_DAYS_WITHOUT_GAPS = 3
_SANKEY_TOP, _SANKEY_BOTTOM, _SANKEY_GAP, _SANKEY_LABEL = 46, 24, 36, 36
"""Pixels: around the drawing, between two bands, and between the middles of two labels."""


def card(
    heading: str,
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    on_select: Callable[[], None] | None = None,
) -> None:
    """A figure under its heading in a bordered box, with a menu: the numbers as a table, PNG or SVG as the picture.

    `key` names the chart in the session and in the file of a downloaded picture. `on_select` is called when somebody
    clicks a point; `selected` then gives it.
    """
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header(heading, anchor=False, width="stretch")
            with st.popover("", icon=":material/more_horiz:", type="tertiary", help="Table and picture"):
                as_table = st.toggle("Show as table", key=f"{key}:table")
                picture = pick.one("Picture", ("PNG", "SVG"), key=f"{key}:picture", is_in_link=False)
                st.caption("To download the picture, use the camera on the chart.")
        if as_table:
            st.dataframe(numbers_of(figure), hide_index=True, placeholder="–", alt=alt)
        else:
            draw(figure, alt=alt, key=key, picture=picture, on_select=on_select)


def one_bar(parties: Iterable[tuple[str, str, int]]) -> go.Figure:
    """One bar that stacks what each party gets: its name, its colour and its credits."""
    figure = go.Figure(
        [
            go.Bar(
                name=name,
                orientation="h",
                x=[credits],
                y=[""],
                marker_color=colour,
                customdata=[format_usd(credits)],
                hovertemplate="%{fullData.name}: %{x:,} credits (%{customdata})<extra></extra>",
            )
            for name, colour, credits in parties
        ]
    )
    figure.update_layout(barmode="stack")
    return figure


def draw(
    figure: go.Figure,
    *,
    alt: str,
    key: str | None = None,
    picture: str = "PNG",
    with_camera: bool = True,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Show a figure over the whole width, in the colours of the light or dark theme, with a camera for its picture."""
    config: dict[str, Any] = {
        "displayModeBar": with_camera,
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": picture.lower(), "filename": key or "chart", "scale": 2},
    }
    st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        config=config,
        alt=alt,
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def selected(key: str) -> dict[str, Any] | None:
    """The point that was clicked in the chart with this key, as Plotly names its parts (`x`, `y`, `legendgroup`, …)."""
    points = st.session_state[key].selection.points
    return dict(points[0]) if points else None


def clicked(key: str) -> dict[str, Any] | None:
    """As `selected`, for a chart whose points open something: the second click on a point opens it again.

    To the browser the second click takes the selection back.
    """
    point, last = selected(key), f"{key}:clicked"
    if point is not None:
        st.session_state[last] = point
    found: dict[str, Any] | None = st.session_state.get(last)
    return found


def numbers_of(figure: go.Figure) -> pd.DataFrame:
    """The numbers that a figure draws, one row for each place on its axis, or for each flow of a Sankey.

    Traces that only mark something (`meta="mark"`) are left out.

    >>> numbers_of(go.Figure([go.Bar(name="Creators", x=["a", "b"], y=[1, 2])])).to_dict("list")
    {'': ['a', 'b'], 'Creators': [1, 2]}
    """
    sankeys = [trace for trace in figure.data if isinstance(trace, go.Sankey)]
    if sankeys:
        (drawn,) = sankeys
        names = drawn.node.customdata
        return pd.DataFrame(
            {
                "From": [names[number] for number in drawn.link.source],
                "To": [names[number] for number in drawn.link.target],
                "Credits": list(drawn.link.value),
            }
        )
    columns: dict[str, pd.Series[Any]] = {}
    place = ""
    for trace in figure.data:
        is_lying = getattr(trace, "orientation", None) == "h"
        places, drawn_values = (trace.y, trace.x) if is_lying else (trace.x, trace.y)
        if places is None or drawn_values is None or trace.meta == "mark":
            continue
        axis = figure.layout.yaxis if is_lying else figure.layout.xaxis
        place = (axis.title.text or "").capitalize()
        name = trace.name or "Value"
        values = pd.Series(list(drawn_values), index=list(places))
        columns[name] = values[~values.index.duplicated(keep="last")]
    return pd.DataFrame(columns).rename_axis(place).reset_index()


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
    """A Sankey of credits from the left to the right. A node is its name, credits and colour.

    A flow is its source, target and credits; no target is a source. The name, amount and per cent of each node stand
    beside its band, outside the drawing.
    """
    sources, targets = ({flow[end] for flow in flows} for end in (0, 1))
    figure = go.Figure(
        go.Sankey(
            arrangement="fixed",
            node={
                "label": [""] * len(nodes),
                "color": [colour for _, _, colour in nodes],
                "x": [0.001 if number in sources else 0.999 for number in range(len(nodes))],
                "y": [0.5] * len(nodes),
                "customdata": [name for name, _, _ in nodes],
                "hovertemplate": "%{customdata}<extra></extra>",
                "thickness": 14,
                "line": {"width": 0},
            },
            link={
                "source": [source for source, _, _ in flows],
                "target": [target for _, target, _ in flows],
                "value": [credits for _, _, credits in flows],
                "color": [f"{nodes[target][2]}59" for _, target, _ in flows],
                "customdata": [both_rounded(credits) for _, _, credits in flows],
                "hovertemplate": ("%{source.customdata} → %{target.customdata}<br>%{customdata}<extra></extra>"),
            },
        )
    )
    laid_out(figure, height=height)
    inside = height - _SANKEY_TOP - _SANKEY_BOTTOM
    in_all = sum(credits for _, _, credits in flows) or 1
    # All columns are drawn to the scale of the one with most nodes, which has most gaps.
    gaps = max(len(sources), len(targets), 1) - 1
    pad = min(_SANKEY_GAP, 0.7 * inside / max(gaps, 1))
    scale = (1 - gaps * pad / inside) / in_all
    centres = [0.5] * len(nodes)
    for column, anchor, beside in ((sorted(sources), "right", 0), (sorted(targets), "left", 1)):
        gap = (1 - scale * in_all) / max(len(column) - 1, 1)
        top, label_top = 0.0, 0.0
        for number in column:
            name, credits, _ = nodes[number]
            centres[number] = top + scale * credits / 2
            top += scale * credits + gap
            label = max(centres[number], label_top)
            label_top = label + _SANKEY_LABEL / inside
            figure.add_annotation(
                text=f"<b>{name}</b> {_per_cent(credits, in_all)}<br>{amounts.first(credits)}",
                x=beside,
                y=1 - label,
                xref="paper",
                yref="paper",
                xanchor=anchor,
                yanchor="middle",
                xshift=10 if beside else -10,
                align=anchor,
                showarrow=False,
                font={"size": 13, "color": INK.get(st.context.theme.type or "")},
            )
    figure.data[0].node.update(y=centres, pad=pad)  # by the pad the browser finds the same scale
    figure.update_layout(margin={"l": 120, "r": 120, "t": _SANKEY_TOP, "b": _SANKEY_BOTTOM})
    return figure


def _per_cent(credits: int, in_all: int) -> str:
    rounded = (200 * credits + in_all) // (2 * in_all)
    return f"{rounded} %" if rounded or not credits else "below 1 %"


def laid_out(figure: go.Figure, *, height: int, legend_y: float = 1.02) -> go.Figure:
    """The figure with the margins and the legend that all have, above the drawing."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 16},
        legend={"orientation": "h", "x": 0, "y": legend_y, "yanchor": "bottom", "title": None, "traceorder": "normal"},
    )
    return figure
