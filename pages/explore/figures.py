"""The figures on top of the overview: what is held and earned, and how many runs there were, with their course."""

import streamlit as st

from credits_core.reports.sums import Overview
from credits_core.values.text import format_credits
from pages.parts import show


def in_all(seen: Overview) -> None:
    """Credits in circulation, platform revenue, creator earnings and prompt runs, each with its days as a line."""
    with show.metric_grid(seen.circulation_credits, seen.platform_credits, seen.creators_credits):
        show.metric(
            "Credits in circulation",
            seen.circulation_credits,
            chart=list(seen.circulation_by_day_credits),
            colour="blue",
            help_text="What all users together held at the end of the last day.",
        )
        show.metric(
            "Platform revenue",
            seen.platform_credits,
            chart=[day.platform_credits for day in seen.days],
            colour="violet",
            help_text="Markups and the platform's share of fees, minus refunds. No inference cost is taken off.",
        )
        show.metric(
            "Creator earnings",
            seen.creators_credits,
            chart=[day.creators_credits for day in seen.days],
            colour="green",
            help_text="Creators' share of fees for runs and unlocks, minus refunds.",
        )
        st.metric(
            "Prompt runs",
            format_credits(seen.runs),
            border=True,
            height="stretch",
            chart_data=[day.runs for day in seen.days],
            chart_type="area",
            help="How many runs were charged, refunded ones included.",
        )
