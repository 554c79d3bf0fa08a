"""A waterfall chart of one charge."""

from itertools import accumulate

import plotly.graph_objects as go

from credits_core.audit.explanation import ChargedParts
from credits_core.values.text import both, format_credits
from pages.parts.charts import CREATOR, INFERENCE, PLATFORM, USER, laid_out


def waterfall(parts: ChargedParts) -> go.Figure:
    """What a user was charged, part by part up to the total; parts of nothing are left out."""
    steps = [
        (name, credits, colour)
        for name, credits, colour in (
            ("Inference", parts.inference_cost_credits, INFERENCE),
            ("Creator's share", parts.creator_share_credits, CREATOR),
            ("Platform's share", parts.platform_share_credits, PLATFORM),
            ("Markup", parts.platform_markup_credits, PLATFORM),
        )
        if credits
    ]
    begins = [0, *accumulate(credits for _, credits, _ in steps)][: len(steps)]
    bars = [*((name, credits, colour) for name, credits, colour in steps), ("Total", parts.total_credits, USER)]
    figure = go.Figure(
        go.Bar(
            x=[name for name, _, _ in bars],
            y=[credits for _, credits, _ in bars],
            base=[*begins, 0],
            marker_color=[colour for _, _, colour in bars],
            text=[format_credits(credits) for _, credits, _ in bars],
            textposition="outside",
            customdata=[both(credits) for _, credits, _ in bars],
            hovertemplate="%{x}: %{customdata}<extra></extra>",
            cliponaxis=False,
        )
    )
    names = [name for name, _, _ in bars]
    figure.update_layout(showlegend=False, bargap=0.35)
    figure.update_xaxes(tickangle=0, tickvals=names, ticktext=[name.replace(" ", "<br>") for name in names])
    figure.update_xaxes(type="category")
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return laid_out(figure, height=320, legend_y=1.07)
