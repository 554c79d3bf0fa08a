"""Shows what creators earn and from what, how fees are split, and a monthly statement for each creator."""

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.reports import earnings
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from pages.explore import charts as explore_charts
from pages.parts import charts, csv_files, filters, periods, resources, show, tables, words


def choose_selected() -> None:
    row = tables.take_selected_row("creators")
    if row is not None:
        st.session_state["creator"] = totals[row][0]


def statement() -> bytes:
    paid = TransactionFilter(account_id=creator_id, types=[TransactionType.CREATOR_PAYMENT], days=month)
    with resources.reading() as connection:
        total = earnings.total_earned(connection, month, creator_id=creator_id)
        return csv_files.statement_csv(accounts.all_transactions(connection, paid), total.earned_credits, month.zone)


st.caption("What creators earned from runs and unlocks, after refunds.")
resources.keep_totals_quick()
with resources.reading() as connection:
    known = [creator for creator, _ in earnings.creator_totals(connection, DayRange(zone=resources.zone()), limit=200)]
days = periods.choose().days
with st.grid(2, min_column_width=240):
    creator_id = filters.one_of("Creator", known, key="creator", anyone="All creators")
with resources.reading() as connection:
    by_day = earnings.earned_by_day(connection, days, creator_id=creator_id)
    in_all = earnings.total_earned(connection, days, creator_id=creator_id)
    totals = earnings.creator_totals(connection, days, creator_id=creator_id)
    leading = [creator for creator, _ in totals[: explore_charts.MOST_CREATORS]]
    by_creator = earnings.earned_by_day_and_creator(connection, days, creator_ids=leading, with_others=not creator_id)
    splits = earnings.fee_splits(connection, days, creator_id=creator_id)
    prompts = earnings.top_prompts(connection, days, creator_id=creator_id)
    flows = earnings.top_flows(connection, days, creator_id=creator_id)
    unlocks = earnings.unlocks(connection, days, creator_id=creator_id)
    months = earnings.months(connection, creator_id, days.zone) if creator_id else []

if not known:
    st.info(
        "Creators earn when somebody runs a prompt that has a creator fee, or unlocks a flow.",
        title="No creator has earned yet",
        icon=":material/payments:",
    )
    st.page_link("act/simulate_runs.py", label="Run a prompt", icon=":material/play_circle:")
    st.stop()

each_day = [earned for _, earned in by_day]
with show.metric_grid(in_all.earned_credits, in_all.runs_credits, in_all.unlocks_credits):
    show.metric(
        "Earned",
        in_all.earned_credits,
        chart=[earned.earned_credits for earned in each_day],
        help_text="From runs and unlocks, minus refunds.",
        colour="green",
    )
    from_runs, from_unlocks = [one.runs_credits for one in each_day], [one.unlocks_credits for one in each_day]
    show.metric("From prompt runs", in_all.runs_credits, chart=from_runs, colour="green")
    show.metric("From flow unlocks", in_all.unlocks_credits, chart=from_unlocks, colour="green")
    show.metric("Refunded", in_all.taken_back_credits, chart=[one.taken_back_credits for one in each_day])

if not by_day:
    st.info("Choose other days, or All.", title="Nobody earned on these days", icon=":material/event_busy:")
    st.stop()

with st.container(border=True):
    st.subheader("Earnings by day" if creator_id else "Earnings by creator and day")
    charts.draw(explore_charts.creators_by_day(by_creator, leading), alt="What each creator earned on each day")

if creator_id is None:
    st.subheader("Creators")
    tables.creators(totals, key="creators", on_select=choose_selected, alt="Creators, the highest earnings first")

if splits:
    with st.container(border=True):
        st.subheader("How fees were split")
        charts.draw(explore_charts.fee_split(splits), alt="Fees of each creator, split between creator and platform")
if prompts:
    st.subheader("Top prompts")
    tables.works(prompts, noun="Prompt", alt="The prompts with the highest creator fees")
if flows:
    st.subheader("Top flows")
    tables.works(flows, noun="Flow", alt="The flows with the highest unlock fees")
if unlocks:
    st.subheader("Latest unlocks")
    tables.unlocks(unlocks, alt="The latest unlocks of flows")

st.subheader("Monthly statement")
if creator_id is None:
    st.caption("Choose a creator to download a monthly statement as CSV.")
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom"):
    month = filters.month(months)
    name = f"statement-{creator_id}-{month.first:%Y-%m}.csv"
    st.download_button("Download as CSV", statement, name, "text/csv", icon=":material/download:", on_click="ignore")
with resources.reading() as connection:
    of_month = earnings.total_earned(connection, month, creator_id=creator_id)
st.caption(f"{words.plain(creator_id)} earned {words.both(of_month.earned_credits)} in that month.")
