"""Charts of the Explore screens: balances, earnings and where credits went."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from credits_core.ledger.accounts import BalancePoint
from credits_core.reports.earnings import CreatorDay
from credits_core.reports.sums import DayTotals, Spending
from credits_core.values.text import format_usd
from pages.parts import clock
from pages.parts.charts import CREATOR, HOVER, INFERENCE, PLATFORM, USER, laid_out, sankey, stacked_days

CREATOR_COLOURS = ("#10B981", "#F59E0B", "#0EA5E9", "#EC4899", "#84CC16")
"""One creator beside another. None is the colour of another party."""
_OTHERS = "#A8A29E"
_REFUNDED_INFERENCE = "#C4B5FD"
_A_DAY = timedelta(days=1)
_FEW_POINTS = 10


def creators_by_day(rows: Sequence[CreatorDay], creator_ids: Sequence[str]) -> go.Figure:
    """Stacked bars per day, each of these creators in a colour and all others together in grey."""
    earned_credits = {(row.day, row.creator_id): row.earned_credits for row in rows}
    days = sorted({row.day for row in rows})
    parts = {
        creator: (colour, [earned_credits.get((day, creator), 0) for day in days])
        for creator, colour in zip(creator_ids, CREATOR_COLOURS, strict=False)
    }
    if any(row.creator_id is None for row in rows):
        parts["Other creators"] = (_OTHERS, [earned_credits.get((day, None), 0) for day in days])
    return stacked_days(days, parts)


def balance_line(points: Sequence[BalancePoint], now: datetime, *, height: int = 280) -> go.Figure:
    """A balance over time as steps up to now, because it stays the same between transactions. It begins with nothing.

    Of one entry the last balance is shown, because what comes and goes within it was never there. When the ledger's
    order is not that of the clock, as after a replay of old runs, the axis counts entries instead.
    """
    points = list({point.entry_id: point for point in points}.values())
    moments = [point.created_at for point in points]
    by_clock = moments == sorted(moments)  # in UTC: by the clocks an hour may come twice
    balances_credits = [point.balance_credits for point in points]
    positions: list[datetime] | list[int] = [point.entry_id for point in points]
    if by_clock:
        positions = list(map(clock.shown, [moments[0], *moments, max(moments[-1], now)]))
        balances_credits = [0, *balances_credits, balances_credits[-1]]
    figure = go.Figure(
        go.Scatter(
            name="Balance",
            x=positions,
            y=balances_credits,
            customdata=[format_usd(balance_credits) for balance_credits in balances_credits],
            mode="lines+markers" if len(points) <= _FEW_POINTS else "lines",
            line={"color": USER, "shape": "hv", "width": 2},
            fill="tozeroy",
            fillcolor=f"{USER}26",
            hovertemplate=HOVER + "<extra></extra>",
        )
    )
    figure.update_layout(hovermode="x unified")
    order = clock.label("posted") if by_clock else "entry number, because the times are not in order"
    figure.update_xaxes(title=order)
    if by_clock and now - moments[0] < _A_DAY:
        figure.update_xaxes(range=[clock.shown(now - _A_DAY), clock.shown(now)])
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return laid_out(figure, height=height)


def where_credits_went(spent: Spending, *, height: int = 340) -> go.Figure:
    """A Sankey of what users paid for runs and unlocks: to inference, creators and platform."""
    nodes = [
        ("Prompt runs", spent.runs_credits, USER),
        ("Flow unlocks", spent.unlocks_credits, USER),
        ("Inference", spent.runs_inference_credits, INFERENCE),
        ("Creators", spent.creators_credits, CREATOR),
        ("Platform", spent.platform_credits, PLATFORM),
    ]
    runs, unlocks, inference, creators, platform = range(5)
    flows = [
        (source, target, credits)
        for source, target, credits in (
            (runs, inference, spent.runs_inference_credits),
            (runs, creators, spent.runs_creators_credits),
            (runs, platform, spent.runs_platform_credits),
            (unlocks, creators, spent.unlocks_creators_credits),
            (unlocks, platform, spent.unlocks_platform_credits),
        )
        if credits
    ]
    return sankey(nodes, flows, height=height)


def refunded_inference(days: Sequence[DayTotals]) -> dict[str, tuple[str, list[int]]]:
    """The inference of refunded runs, for `stacked_days`: below zero, because the platform bears it. {} without any."""
    borne_credits = [-day.refunded_inference_credits for day in days]
    return {"Inference of refunded runs": (_REFUNDED_INFERENCE, borne_credits)} if any(borne_credits) else {}
