"""Charts of the fee designer: who gets what at each fee, each unlock price and each number of runs."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from credits_core.lab.fees import FeeDesign, Parties
from credits_core.pricing.quote_many import QuoteArrays
from credits_core.values.arrays import Credits
from credits_core.values.text import counted, format_credits, format_usd
from pages.parts.charts import CREATOR, INFERENCE, INK, PLATFORM, USER, laid_out, one_bar

_ZONE = "#F59E0B"
_HOVER = "%{y:,} credits (%{customdata})"


def split(parties: Parties) -> go.Figure:
    """One bar: what a user pays, in the parts of the model, the creator and the platform."""
    parts = (
        ("Model", INFERENCE, parties.inference_credits),
        ("You", CREATOR, parties.creator_credits),
        ("PromptFlow", PLATFORM, parties.platform_credits),
    )
    figure = one_bar(part for part in parts if part[2])
    figure.update_xaxes(visible=False, range=[0, parties.user_credits])
    return laid_out(figure, height=100, legend_y=1.2)


def over_fees(found: FeeDesign, fees: Credits, amounts: QuoteArrays) -> go.Figure:
    """One run over the creator's fee: what the user pays and who gets it, with the inversion shaded.

    The first of the fees is 0: what holds without a fee is drawn as dotted lines, because the lines jump there.
    """
    platform = amounts.platform_share_credits + amounts.platform_markup_credits
    positions: list[int] = fees[1:].tolist()
    figure = _parties(
        positions,
        amounts.total_credits[1:].tolist(),
        amounts.creator_share_credits[1:].tolist(),
        platform[1:].tolist(),
    )
    without = found.run_without_fee
    figure.add_traces(
        [
            _level("User without fee", positions, without.user_credits, USER),
            _level("Platform without fee", positions, without.platform_credits, PLATFORM),
        ]
    )
    if found.inversion is not None:
        _zone(figure, 1, found.inversion.largest_fee_credits, "cheaper than no fee")
    _mark(figure, found.fee_credits, "this fee")
    figure.update_xaxes(title="creator fee per run, credits", range=[0, int(fees[-1])])
    return laid_out(figure, height=400, legend_y=1.07)


def over_unlock_prices(
    found: FeeDesign, prices: Credits, after: Sequence[Parties], *, with_fee: Parties, worthwhile_credits: int
) -> go.Figure:
    """All runs of a user over the unlock price, with the prices shaded that cost the user no more than the fee does."""
    positions: list[int] = prices.tolist()
    figure = _parties(
        positions,
        [one.user_credits for one in after],
        [one.creator_credits for one in after],
        [one.platform_credits for one in after],
    )
    figure.add_traces(
        [
            _level("User with the fee", positions, with_fee.user_credits, USER),
            _level("Creator with the fee", positions, with_fee.creator_credits, CREATOR),
            _level("Platform with the fee", positions, with_fee.platform_credits, PLATFORM),
        ]
    )
    if worthwhile_credits:
        _zone(figure, 1, worthwhile_credits, "unlocking costs the user no more")
    _mark(figure, found.unlock_fee_credits, "this price")
    figure.update_xaxes(title="unlock price, credits", range=[0, int(prices[-1])])
    return laid_out(figure, height=400, legend_y=1.07)


def over_runs(found: FeeDesign, runs: Credits, *, expected: int) -> go.Figure:
    """Fee per run against one unlock over the number of runs, beyond the price of the runs without a fee."""
    numbers: list[int] = runs.tolist()
    fees = [found.run_with_fee.times(number) for number in numbers]
    extra = [found.extra_per_run_credits * number for number in numbers]
    unlock = found.unlock
    figure = go.Figure(
        [
            _line("User: extra cost with fees", numbers, extra, USER),
            _line("User: extra cost with the unlock", numbers, [unlock.user_credits] * len(numbers), USER, dash="dash"),
            _line("Creator gets from fees", numbers, [one.creator_credits for one in fees], CREATOR),
            _line(
                "Creator gets from the unlock", numbers, [unlock.creator_credits] * len(numbers), CREATOR, dash="dash"
            ),
        ]
    )
    # The user's line is the upper one of the two unlocks, so its words stand above it and the creator's below.
    for break_even, level, colour, side in (
        (found.user_break_even_runs, unlock.user_credits, USER, "top"),
        (found.creator_break_even_runs, unlock.creator_credits, CREATOR, "bottom"),
    ):
        if break_even is not None and break_even <= numbers[-1]:
            figure.add_scatter(
                x=[break_even],
                y=[level],
                mode="markers+text",
                text=[counted(break_even, "run")],
                textposition=f"{side} left" if 2 * break_even > numbers[-1] else f"{side} right",
                textfont={"color": colour},
                marker={"color": colour, "size": 10},
                showlegend=False,
                hoverinfo="skip",
                cliponaxis=False,
            )
    _mark(figure, expected, "runs per user")
    figure.update_xaxes(title="runs of one user", range=[0, numbers[-1]], separatethousands=True)
    figure.update_yaxes(title="extra credits compared with no fee", separatethousands=True)
    figure.update_layout(hovermode="x unified")
    return laid_out(figure, height=400, legend_y=1.07)


def _parties(positions: list[int], user: list[int], creator: list[int], platform: list[int]) -> go.Figure:
    figure = go.Figure(
        [
            _line("User pays", positions, user, USER),
            _line("Creator gets", positions, creator, CREATOR),
            _line("Platform gets", positions, platform, PLATFORM),
        ]
    )
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(separatethousands=True, hoverformat=",d")
    figure.update_yaxes(title="credits", separatethousands=True, rangemode="tozero")
    return figure


def _line(name: str, positions: list[int], credits: list[int], colour: str, *, dash: str = "solid") -> go.Scatter:
    return go.Scatter(
        name=name,
        x=positions,
        y=credits,
        customdata=[format_usd(one) for one in credits],
        mode="lines+markers",  # a line without points cannot be clicked
        marker={"size": 12, "color": "rgba(0, 0, 0, 0)"},
        line={"color": colour, "width": 2, "dash": dash},
        hovertemplate=_HOVER,
    )


def _level(name: str, positions: list[int], credits: int, colour: str) -> go.Scatter:
    return _line(name, positions, [credits] * len(positions), colour, dash="dot")


def _zone(figure: go.Figure, first: int, last: int, words: str) -> None:
    figure.add_vrect(
        x0=first,
        x1=last,
        fillcolor=_ZONE,
        opacity=0.16,
        line_width=0,
        annotation={"text": words, "font": {"size": 12}},
        annotation_position="top left",
    )


def _mark(figure: go.Figure, position: int, words: str) -> None:
    ink: Any = INK.get(st.context.theme.type or "light")
    figure.add_vline(
        x=position,
        line={"color": ink, "width": 1.5, "dash": "dot"},
        annotation={"text": f"{words}: {format_credits(position)}", "font": {"size": 12}},
        annotation_position="top",
    )
