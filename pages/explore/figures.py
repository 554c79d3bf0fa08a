"""The sentence and the figures on top of Overview and Creators: who has what, and how that changed."""

import streamlit as st

from credits_core.reports.debts import Debts
from credits_core.reports.statements import CreatorStatement
from credits_core.reports.sums import Overview
from credits_core.values.credits import CREDITS_PER_USD
from credits_core.values.text import format_change, format_credits, format_usd, rounded_parts
from pages.explore import statement_files
from pages.parts import show


def sentence(seen: Overview, compared_with: str | None) -> str:
    """What users spent and who has it, in dollars, for Markdown.

    `compared_with` says what is before, as `on the month before`.
    """
    if seen.spent_credits < 0:
        return f"Users got back {format_usd(-seen.spent_credits)} more than they spent.".replace("$", r"\$")
    parts = [seen.inference_credits, seen.creators_credits, seen.kept_credits]
    if seen.spent_credits >= CREDITS_PER_USD:
        parts = rounded_parts(parts, CREDITS_PER_USD // 100)
    models, creators, kept = map(format_usd, parts)
    said = f"Users spent {format_usd(sum(parts))}: {models} for models, {creators} to creators, {kept} to us."
    change = None if seen.before is None else format_change(seen.spent_credits, seen.before.spent_credits)
    if change is None or compared_with is None:
        return said.replace("$", r"\$")
    ways = {"+": f"{change[1:]} more than", "-": f"{change[1:]} less than"}
    way = ways.get(change[0], "the same as")
    return f"{said} That is {way} {compared_with.removeprefix('on ')}.".replace("$", r"\$")


def in_all(seen: Overview) -> None:
    """Credits in circulation, platform revenue, creator earnings and prompt runs, each with its days as a line."""
    before = seen.before
    with show.metric_grid(seen.circulation_credits, seen.platform_credits, seen.creators_credits):
        show.metric(
            "Credits in circulation",
            seen.circulation_credits,
            before_credits=None if before is None else before.circulation_credits,
            chart=list(seen.circulation_by_day_credits),
            colour="blue",
            help_text="What all users together held at the end of the last day, less what they owe.",
        )
        show.metric(
            "Platform revenue",
            seen.platform_credits,
            before_credits=None if before is None else before.platform_credits,
            chart=[day.platform_credits for day in seen.days],
            colour="violet",
            help_text="Markups and the platform's share of fees, minus refunds. No inference cost is taken off.",
        )
        show.metric(
            "Creator earnings",
            seen.creators_credits,
            before_credits=None if before is None else before.creators_credits,
            chart=[day.creators_credits for day in seen.days],
            colour="green",
            help_text="Creators' share of fees for runs and unlocks, minus refunds.",
        )
        st.metric(
            "Prompt runs",
            format_credits(seen.runs),
            delta=None if before is None else format_change(seen.runs, before.runs),
            delta_color="gray",
            border=True,
            height="stretch",
            chart_data=[day.runs for day in seen.days],
            chart_type="area",
            help="How many runs were charged, refunded ones included.",
        )


def owed(found: Debts) -> None:
    """What users owe at the end of the last day, and how it changed; nothing where nothing was ever owed."""
    if not any((found.owed_credits, found.became_credits, found.paid_credits)):
        return
    with show.metric_grid(found.owed_credits, found.became_credits, found.paid_credits, columns=3):
        of = "Shares refunded after they were spent, and purchases whose money went back."
        show.metric("Owed to us", found.owed_credits, help_text=f"{of} At the end of the last day.")
        show.metric("Became owed", found.became_credits, help_text="On these days.")
        show.metric("Paid of it", found.paid_credits, help_text="On these days. Earnings pay it first.", colour="green")


def of_statement(total: CreatorStatement, before: CreatorStatement | None, compared_with: str) -> None:
    """Net, gross fees, share and refunds; with what they were before, how much they changed, and on which days."""
    with show.metric_grid(total.net_credits, total.gross_fees_credits, total.share_credits):
        show.metric(
            "Net",
            total.net_credits,
            before_credits=None if before is None else before.net_credits,
            help_text="Share minus refunds.",
            colour="green",
        )
        show.metric(
            "Gross fees",
            total.gross_fees_credits,
            before_credits=None if before is None else before.gross_fees_credits,
            help_text="What users paid as fees.",
            colour="blue",
        )
        show.metric(
            "Creator share",
            total.share_credits,
            before_credits=None if before is None else before.share_credits,
            help_text="The creators' part of the fees.",
            colour="green",
        )
        show.metric("Refunds", total.refunds_credits, help_text="What refunds on these days took back.")
    if total.became_owed_credits or total.debt_paid_credits:
        st.caption(statement_files.owed_words(total))
    if before is not None:
        st.caption(f"Compared with {compared_with.removeprefix('on ')}.")
