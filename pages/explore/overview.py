"""Shows what users hold, what the platform and creators earned, and where users' credits went."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.reports import sums
from credits_core.values.periods import Preset
from credits_core.values.text import format_credits, format_usd_rounded
from pages.explore import charts as explore_charts
from pages.explore import refunding
from pages.parts import charts, links, periods, resources, show, start_over, tables, words

LATEST = 8


def open_selected() -> None:
    row = tables.take_selected_row("latest")
    if row is not None:
        st.switch_page(
            "explore/history.py", query_params=links.link_to(entry=str(latest[row].entry_id), **periods.in_link(period))
        )


st.caption("See what users hold, what everyone earned, and where credits went.")
resources.keep_totals_quick()
period = periods.choose(default=Preset.THIRTY_DAYS)
days = period.days

with resources.reading() as connection:
    of_ledger = sums.entry_days(connection, days.zone)
    seen = sums.overview(connection, days)
    spent = sums.spending(connection, days)
    latest = accounts.transactions(connection, TransactionFilter(days=days, headline_only=True), limit=LATEST)

if of_ledger.first is None:
    st.info(
        "Add credits to a user, then run a prompt. Both will show up here.",
        title="Nothing has happened yet",
        icon=":material/toll:",
    )
    st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
    st.stop()

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
        delta=f"{format_usd_rounded(spent.runs_credits)} paid",
        delta_color="off",
        delta_arrow="off",
        border=True,
        chart_data=[day.runs for day in seen.days],
        chart_type="area",
        help="How many runs were charged and what users paid for them, before refunds.",
    )

if not seen.days:
    st.info(
        f"The ledger has entries from {of_ledger.first} to {of_ledger.last}. Choose other days, or All.",
        title="Nothing happened on these days",
        icon=":material/event_busy:",
    )
    st.stop()

with st.container(border=True):
    st.subheader("Where users' credits went")
    if spent.runs_credits or spent.unlocks_credits:
        shares = explore_charts.where_credits_went(spent)
        charts.draw(shares, alt="Users' payments for runs and unlocks, by who received them")
    st.caption(f"Amounts before refunds. Refunded on these days: {words.both(spent.refunded_credits)}.")
    for sentence in refunding.borne_in_all(spent):
        st.caption(sentence)

with st.container(border=True):
    st.subheader("Revenue split by day")
    charts.draw(
        charts.stacked_days(
            [day.day for day in seen.days],
            {
                "Inference": (charts.INFERENCE, [day.inference_credits for day in seen.days]),
                "Creators": (charts.CREATOR, [day.creators_credits for day in seen.days]),
                "Platform": (charts.PLATFORM, [day.platform_credits for day in seen.days]),
                **explore_charts.refunded_inference(seen.days),
            },
        ),
        alt="What inference, creators and platform received on each day, and the inference of refunded runs",
    )

st.subheader("Latest activity")
said = "The latest entries, each with what its user paid or received"
tables.activity(latest, key="latest", on_select=open_selected, alt=said)
st.page_link(
    "explore/history.py",
    label="All history" if days.is_all else "History of these days",
    icon=":material/receipt_long:",
    query_params=links.link_to(**periods.in_link(period)),
)
start_over.button()
