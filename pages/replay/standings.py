"""The chart of a replay's winners and losers: one bar for each of them, to the right of zero or to the left."""

import plotly.graph_objects as go
import streamlit as st

from credits_core.lab.replay.result import Counterfactual
from credits_core.lab.replay.standings import Role, Standing, standings
from credits_core.values.text import format_usd
from pages.parts import amounts, charts
from pages.replay import rows

_MOST, _PIXELS_PER_BAR, _LEAST_PIXELS = 6, 22, 330
_COLOURS = {Role.USER: charts.USER, Role.CREATOR: charts.CREATOR}


def card(found: Counterfactual) -> None:
    """The largest gains and losses as a chart that opens the charges behind a bar, or that there are none."""
    listed = standings(found, _MOST)
    if listed:
        charts.card(
            "Who gains, who loses",
            figure(listed),
            key="standings",
            alt="The users and creators who gain or lose most, in credits",
            on_select=rows.open_standing,
        )
        return
    with st.container(border=True, height="stretch"):
        st.header("Who gains, who loses", anchor=False)
        st.caption("Nobody gains or loses. Choose another plan B, or edit one.")
        st.page_link("plans/compare_plans.py", label="Edit a plan", icon=":material/compare:")


def figure(listed: tuple[Standing, ...]) -> go.Figure:
    """Lying bars from the largest gain at the top to the largest loss, each in the colour of its party."""
    names = [_name(one) for one in listed]
    drawn = go.Figure()
    for role, colour in _COLOURS.items():
        of_role = [(name, one) for name, one in zip(names, listed, strict=True) if one.role is role]
        if of_role:
            drawn.add_bar(
                name=f"{role.capitalize()}s",
                orientation="h",
                y=[name for name, _ in of_role],
                x=[one.gain_credits for _, one in of_role],
                text=[amounts.signed(one.gain_credits) for _, one in of_role],
                textposition="auto",
                marker_color=colour,
                customdata=[[role.value, one.name, format_usd(one.gain_credits)] for _, one in of_role],
                hovertemplate="%{y}: %{x:+,} credits (%{customdata[2]})<extra></extra>",
            )
    drawn.update_layout(bargap=0.2, barmode="overlay")
    drawn.update_xaxes(title="credits: gains to the right, losses to the left", separatethousands=True, zerolinewidth=2)
    drawn.update_yaxes(categoryorder="array", categoryarray=names[::-1], title=None, automargin=True)
    return charts.laid_out(drawn, height=max(_LEAST_PIXELS, 110 + _PIXELS_PER_BAR * len(listed)))


def _name(one: Standing) -> str:
    # Who is a user and a creator has two bars, which need two names.
    return f"{one.name} ({one.role})"
