"""What has become of a purchase's credits, as one stacked bar for each step."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from credits_core.payments.course import Borne, Moment
from credits_core.values.text import format_usd
from pages.money import naming
from pages.parts import charts


class Part(NamedTuple):
    """One thing that may become of credits: its name, its colour and how many they are."""

    name: str
    colour: str
    of: Callable[[Borne], int]


PARTS = (
    Part("Can be spent", charts.USER, lambda one: one.can_spend_credits),
    Part("Spent", charts.INFERENCE, lambda one: one.spent_credits),
    Part("Frozen", "#06B6D4", lambda one: one.frozen_credits),
    Part("Refunded", "#A8A29E", lambda one: one.refunded_credits),
    Part("Taken by the bank", "#78716C", lambda one: one.lost_credits),
    Part("Owed", "#EF4444", lambda one: one.owed_credits),
    Part("Paid a debt", "#F59E0B", lambda one: one.repaid_credits),
)
_BAR_PIXELS, _AROUND_PIXELS = 38, 110


def figure(moments: Sequence[Moment]) -> go.Figure:
    """A bar for each step from the one on that brought credits, the first one on top."""
    bars = [
        (f"{number}. {naming.HAPPENED[one.told.kind]}", one.borne)
        for number, one in enumerate(moments, 1)
        if one.borne is not None and one.borne != Borne()
    ]
    steps = [step for step, _ in bars]
    parts = [(part, [part.of(borne) for _, borne in bars]) for part in PARTS]
    drawn = go.Figure(
        [
            go.Bar(
                name=part.name,
                orientation="h",
                y=steps,
                x=credits,
                marker_color=part.colour,
                customdata=[format_usd(one) for one in credits],
                hovertemplate="%{fullData.name}: %{x:,} credits (%{customdata})<extra></extra>",
            )
            for part, credits in parts
            if any(credits)
        ]
    )
    drawn.update_layout(barmode="stack", bargap=0.3)
    drawn.update_yaxes(autorange="reversed", title=None)
    drawn.update_xaxes(title="credits", separatethousands=True, nticks=5)
    return charts.laid_out(drawn, height=_AROUND_PIXELS + _BAR_PIXELS * len(steps))
