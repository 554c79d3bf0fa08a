"""Shows the statement of all creators for some days, and what one of them earned from which prompts and flows."""

from datetime import UTC, datetime

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.reports import earnings, statements, sums
from credits_core.reports.statements import CreatorStatement, in_all
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from credits_core.values.periods import comparable
from pages.explore import charts as explore_charts
from pages.explore import figures, payouts_of_creator, statement_files
from pages.parts import charts, exporting, filters, head, links, periods, resources, tables

ABOUT = """
What creators earned from fees for runs and from unlocks of their flows. Gross fees are what users paid; the creators'
share is usually 80 % of them. A refund lowers the day on which it is made.
Click a creator to see one alone, and download the statement as CSV or PDF.
"""


def choose(one: CreatorStatement) -> None:
    st.session_state["creator"] = one.creator_id


def statement_csv() -> bytes:
    if creator_id is None:
        return statement_files.as_csv(listed, days=days, plans=plans)
    paid = TransactionFilter(account_id=creator_id, types=[TransactionType.CREATOR_PAYMENT], days=days)
    with resources.reading() as connection:
        payments = accounts.all_transactions(connection, paid)
        return statement_files.payments_csv(payments, total, creator_id=creator_id, days=days, plans=plans)


def statement_pdf() -> bytes:
    return statement_files.as_pdf(
        listed, by_day, creator_id=creator_id, days=days, plans=plans, made_at=datetime.now(UTC)
    )


links.follow_link("creator")
resources.keep_totals_quick()
with resources.reading() as connection:
    known = [creator for creator, _ in earnings.creator_totals(connection, DayRange(zone=resources.zone()), limit=200)]
with head.line("Creators", "What creators earned, after refunds.", about=ABOUT):
    creator_id = filters.one_of("Creator", known, key="creator", anyone="All creators")
    period = periods.choose()
days = period.days

if not known:
    st.info(
        "Creators earn when somebody runs a prompt that has a creator fee, or unlocks a flow.",
        title="No creator has earned yet",
        icon=":material/payments:",
    )
    st.page_link("test_credits.py", label="Run a prompt", icon=":material/play_circle:")
    st.stop()

with st.skeleton(height=500), resources.reading() as connection:
    listed = statements.statements(connection, days, creator_id=creator_id)
    earlier = comparable(period, sums.entry_days(connection, days.zone).first)
    before = in_all(statements.statements(connection, earlier.days, creator_id=creator_id)) if earlier else None
    plans = ", ".join(statements.plan_ids(connection, days)) or "none"
    by_day = earnings.earned_by_day(connection, days, creator_id=creator_id)
    leading = [one.creator_id or "" for one in listed[: len(explore_charts.CREATOR_COLOURS)]]
    by_creator = earnings.earned_by_day_and_creator(connection, days, creator_ids=leading, with_others=not creator_id)
    prompts = earnings.top_prompts(connection, days, creator_id=creator_id)
    flows = earnings.top_flows(connection, days, creator_id=creator_id)
    unlocks = earnings.unlocks(connection, days, creator_id=creator_id)

if not listed:
    st.info("Choose other days, or All.", title="Nobody earned on these days", icon=":material/event_busy:")
    st.stop()

total = in_all(listed)
figures.of_statement(total, before, earlier.in_words if earlier else "")

with st.container(horizontal=True, vertical_alignment="center"):
    st.header("Statement", anchor=False, width="stretch")
    exporting.button(
        "CSV",
        statement_csv,
        statement_files.file_name(creator_id, days, "csv"),
        "text/csv",
        icon=":material/download:",
        detail={"days": exporting.in_words(days), "creator": creator_id},
        help_text="Download the statement as CSV.",
    )
    exporting.button(
        "PDF",
        statement_pdf,
        statement_files.file_name(creator_id, days, "pdf"),
        "application/pdf",
        icon=":material/picture_as_pdf:",
        detail={"days": exporting.in_words(days), "creator": creator_id},
        help_text="Download the statement as PDF.",
        is_told=False,
    )
tables.creator_statements(listed, key="creators", opens=choose, alt="The statement: a row for each creator")

if creator_id is not None:
    payouts_of_creator.draw(creator_id)
charts.card(
    "Earned by day",
    explore_charts.creators_by_day(by_creator, leading),
    key="earned-by-day",
    alt="What each creator earned on each day",
)
if prompts:
    st.header("Top prompts", anchor=False)
    tables.works(prompts, noun="Prompt", alt="The prompts with the highest creator fees")
if flows:
    st.header("Top flows", anchor=False)
    tables.works(flows, noun="Flow", alt="The flows with the highest unlock fees")
if unlocks:
    st.header("Latest unlocks", anchor=False)
    tables.unlocks(unlocks, alt="The latest unlocks of flows")
