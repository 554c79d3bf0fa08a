"""Shows what users spent and who received it, what they hold, and what happened last."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import ListedTransaction, TransactionFilter
from credits_core.reports import debts, sums
from credits_core.values.periods import Preset, comparable
from pages.explore import charts as explore_charts
from pages.explore import figures
from pages.parts import charts, head, links, periods, refunding, resources, saved_views, start_over, tables, words

LATEST = 8
ABOUT = """
What users spent in these days, and how every credit was split between the models' providers, the creators and us.
Amounts are counted on the day when an entry was posted; a refund lowers the day on which it was made.
Click a day or a band to see its entries.
"""


def open_entry(one: ListedTransaction) -> None:
    st.switch_page("explore/history.py", query_params=links.link_to(entry=str(one.entry_id), **periods.in_link(period)))


def open_day() -> None:
    point = charts.selected("split-by-day")
    if point is not None:
        st.switch_page("explore/history.py", query_params=links.link_to(days=[str(point["x"])[:10]]))


with head.line("Overview", "What users spent, and who received it.", about=ABOUT):
    views_place = st.container(width="content")
    period = periods.choose(default=Preset.THIRTY_DAYS)
    with views_place:
        saved_views.button("Overview", periods.in_link(period), take=periods.take)
days = period.days
resources.keep_totals_quick()

with st.skeleton(height=600), resources.reading() as connection:
    of_ledger = sums.entry_days(connection, days.zone)
    earlier = comparable(period, of_ledger.first)
    seen = sums.overview(connection, days, before=earlier.days if earlier else None)
    spent = sums.spending(connection, days)
    owed = debts.debts(connection, days)
    latest = accounts.transactions(connection, TransactionFilter(days=days, headline_only=True), limit=LATEST)

if of_ledger.first is None:
    st.info(
        "Add credits to a user, then run a prompt. Both will show up here.",
        title="Nothing has happened yet",
        icon=":material/toll:",
    )
    st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
    st.stop()

if seen.spent_credits:
    st.header(figures.sentence(seen, earlier.in_words if earlier else None), anchor=False)
    if seen.refunded_inference_credits:
        st.caption(f"Our part excludes {words.both(seen.refunded_inference_credits)} of model cost for refunded runs.")
figures.in_all(seen)
figures.owed(owed)
if not seen.days:
    st.info(
        f"The ledger has entries from {of_ledger.first} to {of_ledger.last}. Choose other days, or All.",
        title="Nothing happened on these days",
        icon=":material/event_busy:",
    )
    st.stop()

if spent.runs_credits or spent.unlocks_credits:
    charts.card(
        "Where users' credits went",
        explore_charts.where_credits_went(spent),
        key="where-credits-went",
        alt="Users' payments for runs and unlocks, by who received them",
    )
with st.container(gap="xxsmall"):
    st.caption(f"Amounts before refunds. Refunded on these days: {words.both(spent.refunded_credits)}.")
    for sentence in refunding.borne_in_all(spent):
        st.caption(sentence)

charts.card(
    "Revenue split by day",
    charts.stacked_days(
        [day.day for day in seen.days],
        {
            "Inference": (charts.INFERENCE, [day.inference_credits for day in seen.days]),
            "Creators": (charts.CREATOR, [day.creators_credits for day in seen.days]),
            "Platform": (charts.PLATFORM, [day.platform_credits for day in seen.days]),
            **explore_charts.refunded_inference(seen.days),
        },
    ),
    key="split-by-day",
    alt="What inference, creators and platform received on each day, and the inference of refunded runs",
    on_select=open_day,
)

st.header("Latest activity", anchor=False)
tables.activity(
    latest,
    key="latest",
    opens=open_entry,
    alt="The latest entries, each with what its user paid or received",
)
st.page_link(
    "explore/history.py",
    label="All history" if days.is_all else "History of these days",
    icon=":material/receipt_long:",
    query_params=links.link_to(**periods.in_link(period)),
)
start_over.button()
