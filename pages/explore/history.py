"""Lists transactions with filters, pages and a CSV download; opens one entry in full and refunds it."""

import streamlit as st

from credits_core.ledger.accounts import ListedTransaction, TransactionFilter
from credits_core.reports import movements
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from credits_core.values.text import counted
from pages.explore import entry, history_view
from pages.parts import exporting, filters, head, links, periods, resources, saved_views, tables, words

PAGE = 25
FILTERS = ("user", "types", "by")
ABOUT = """
Every movement of credits. One event, such as a run, is an entry; it moves credits between several accounts and sums to
zero. Open an entry to see its receipt, to have its price explained, or to refund it.
"""


def open_entry(number: int | None = None) -> None:
    st.session_state["entry"] = str(number or "")


def open_one(one: ListedTransaction) -> None:
    open_entry(one.entry_id)


links.follow_link(*FILTERS, "entry", "legs")
people, actors = history_view.offered()
with head.line("History", "Everything that happened, newest first.", about=ABOUT):
    views_place = st.container(width="content")
    period = periods.choose(on_change=open_entry)
    days = period.days
with st.container(horizontal=True, vertical_alignment="bottom"):
    user_id = filters.one_of("User or creator", people, key="user", anyone="Everybody", on_change=open_entry)
    types = st.multiselect(
        "Types",
        list(TransactionType),
        format_func=words.type_name,
        placeholder="All types",
        key="types",
        bind="query-params",
        on_change=open_entry,
    )
    by = filters.who_acted(actors, anyone="Anybody", on_change=open_entry)
    entry_id = filters.entry_number()
    legs = st.toggle(
        "Every movement",
        key="legs",
        bind="query-params",
        on_change=open_entry,
        help="An event such as a run moves credits between several accounts. Show each movement as a line.",
    )
    if entry_id is not None:
        st.button("Back to the list", icon=":material/arrow_back:", on_click=open_entry)
if not history_view.is_of_batch():  # which a view does not hold
    with views_place:
        saved_views.button("History", history_view.chosen(period, user_id, types, by, legs), take=history_view.take)

if entry_id is not None:
    entry.show_in_full(entry_id, open_entry)
    st.stop()

wanted = TransactionFilter(
    account_id=user_id,
    types=tuple(types),
    days=days,
    # Somebody who looks for one account or type looks for its own movements.
    headline_only=not (legs or user_id or types),
    key_prefix=history_view.batch(),
    actor=by,
)
before = filters.page_start("history:page", wanted, None)
with resources.reading() as connection:
    found = movements.page(connection, wanted, before=before, limit=PAGE + 1)
listed = found[:PAGE]

if listed:
    if wanted.headline_only and wanted.key_prefix is None:
        st.caption("One line an event. Open it to see who paid whom.")
    else:
        with resources.reading() as connection:
            matching = movements.in_all(connection, wanted)
        st.caption(
            f"{counted(matching.transactions, 'movement')}: {words.both(matching.received_credits)} received, "
            f"{words.both(matching.given_credits)} paid."
        )
    newest_first, as_events = "Credit transactions, newest first", wanted.headline_only
    tables.transactions(listed, key="history", opens=open_one, as_events=as_events, alt=newest_first)
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.page_buttons("history:page", listed[-1].cursor if len(found) > PAGE else None)
        st.space("stretch")
        exporting.streamed_button(
            "Download all matches as CSV",
            history_view.file(wanted),
            "credit-transactions.csv",
            "text/csv",
            icon=":material/download:",
            detail={"days": exporting.in_words(days), "user": user_id, "by": by},
        )
elif wanted == TransactionFilter(days=DayRange(zone=days.zone), headline_only=not legs):
    st.info("Add credits to a user to see the first entry.", title="No entry yet", icon=":material/toll:")
    st.page_link("act/add_credits.py", label="Add credits", icon=":material/add_card:")
else:
    st.info(
        "No movement matches these filters. Clear them, or choose other days.",
        title="Nothing found",
        icon=":material/filter_alt_off:",
    )
    if st.button("Clear the filters", icon=":material/filter_alt_off:"):
        st.switch_page("explore/history.py", query_params=links.link_to(period="all"))
