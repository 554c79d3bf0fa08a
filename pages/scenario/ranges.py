"""How much of a scenario is chance: its headline figures over several seeds, as low, middle and high."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.seeds import SEEDS, Spread, spreads
from credits_core.pricing.plan import PricePlan
from pages.parts import amounts, charts
from pages.scenario import carrying_out

_COLOURS = {
    "Users paid": charts.USER,
    "Creators earned": charts.CREATOR,
    "Platform kept": charts.PLATFORM,
    "Margin after card fees": charts.PLATFORM,
}


def card(scenario: Scenario, plan: PricePlan) -> None:
    """The figures of several seeds as bars from low to high, or as a table; stopped work shows what is done."""
    with st.container(horizontal=True, vertical_alignment="center"):
        heading = st.empty()
        as_table = st.toggle("Table", key="seeds:table")
    heading.header(f"{SEEDS} seeds: low, middle, high", anchor=False, width="stretch")
    results = carrying_out.with_several_seeds(scenario, plan)
    if len(results) < SEEDS:
        heading.header(f"{len(results)} of {SEEDS} seeds", anchor=False, width="stretch")
    if len(results) == 1:
        return
    found = spreads(results)
    if as_table:
        _table(found)
    else:
        charts.draw(figure(found), key="seeds", alt="Headline figures over several seeds, against their middle")


def figure(found: Sequence[Spread]) -> go.Figure:
    """A bar for each figure from its lowest to its highest, in per cent of its middle; a mark for the seed shown."""
    names = [f"{one.name}<br>{amounts.first(one.low_credits)} to {amounts.first(one.high_credits)}" for one in found]
    drawn = go.Figure(
        go.Bar(
            orientation="h",
            y=names,
            base=[_beside_middle(one, one.low_credits) for one in found],
            x=[_beside_middle(one, one.high_credits) - _beside_middle(one, one.low_credits) for one in found],
            marker_color=[_COLOURS[one.name] for one in found],
            customdata=[amounts.first(one.middle_credits) for one in found],
            hovertemplate="%{y}<br>middle %{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    drawn.add_scatter(
        y=names,
        x=[_beside_middle(one, one.shown_credits) for one in found],
        mode="markers",
        marker={"symbol": "diamond", "size": 9, "color": charts.INK.get(st.context.theme.type or "light")},
        customdata=[amounts.first(one.shown_credits) for one in found],
        hovertemplate="this seed: %{customdata}<extra></extra>",
        showlegend=False,
    )
    drawn.update_layout(bargap=0.5)
    drawn.update_xaxes(title="beside the middle; ◆ this seed", ticksuffix=" %", zerolinewidth=2)
    drawn.update_yaxes(autorange="reversed", automargin=True)
    drawn = charts.laid_out(drawn, height=190)
    return drawn.update_layout(margin={"t": 0, "b": 0})


def _table(found: Sequence[Spread]) -> None:
    rows = [
        {
            "Figure": one.name,
            "Low": amounts.first(one.low_credits),
            "Middle": amounts.first(one.middle_credits),
            "High": amounts.first(one.high_credits),
        }
        for one in found
    ]
    table = pd.DataFrame(rows).style.set_properties(subset=["Low", "Middle", "High"], **{"text-align": "right"})
    st.table(table, border="horizontal", hide_index=True, alt="Headline figures over several seeds")


def _beside_middle(one: Spread, credits: int) -> float:
    return 100 * (credits - one.middle_credits) / abs(one.middle_credits) if one.middle_credits else 0.0
