"""What is chosen on the history, as a saved view keeps it; and the runs of one batch, which a link names."""

from collections.abc import Callable, Iterator, Sequence

import streamlit as st

from credits_core.ledger import accounts
from credits_core.ledger.accounts import Cursor, ListedTransaction, TransactionFilter
from credits_core.reports import earnings
from credits_core.reports.saved_views import Query
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from credits_core.values.periods import Period
from pages.parts import choose, csv_files, periods, resources, words

_BATCH = "batch"


def chosen(
    period: Period, user_id: str | None, types: Sequence[TransactionType], by: str | None, legs: bool
) -> dict[str, str | list[str]]:
    """The filters that are chosen, without those that are not."""
    query = periods.in_link(period)
    if user_id:
        query["user"] = user_id
    if types:
        query["types"] = [type_.value for type_ in types]
    if by:
        query["by"] = by
    if legs:
        query["legs"] = "true"
    return query


def take(query: Query) -> None:
    """Choose what `chosen` gave, and nothing else: an entry that is open is left. Meant for a callback."""
    st.session_state["entry"] = ""
    periods.take(query)
    st.session_state["user"] = query.get("user")
    st.session_state["types"] = [TransactionType(text) for text in query.get("types", ())]
    by = query.get("by")
    st.session_state["by"] = words.actor_name(by) if isinstance(by, str) else None
    st.session_state["legs"] = "legs" in query


def is_of_batch() -> bool:
    """Whether `?batch=…` names a batch."""
    return bool(st.query_params.get(_BATCH))


def batch() -> str | None:
    """How the keys of the batch from `?batch=…` begin, and what says that only its entries are listed; or None."""
    key = st.query_params.get(_BATCH)
    if not key:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("The runs of one batch and their refunds", icon=":material/playlist_play:", color="blue")
        st.button("Show everything", icon=":material/close:", type="tertiary", on_click=_forget_batch)
    return f"{key}:"


def file(wanted: TransactionFilter) -> Callable[[], Iterator[bytes]]:
    """What gives the CSV file of every transaction that matches, in pieces.

    Each page is read by itself, so nothing is held while whoever takes the file is slow. What is posted meanwhile would
    come before the first page, and what was posted never changes.
    """
    engine = resources.engine()

    def page(before: Cursor | None) -> Sequence[ListedTransaction]:
        with database.read(engine) as connection:
            return accounts.transactions(connection, wanted, before=before, limit=accounts.ROWS_A_PAGE)

    return lambda: csv_files.transactions_csv(accounts.in_pages(page))


def _forget_batch() -> None:
    st.query_params.pop(_BATCH, None)


def offered() -> tuple[list[str], list[str]]:
    """Whom one can choose: users and creators in order, and who acted, the newest first."""
    with resources.reading() as connection:
        earned = earnings.creator_totals(connection, DayRange(zone=resources.zone()))
        users = accounts.users(connection, limit=choose.LISTED_USERS)
        actors = accounts.newest_actors(connection)
    return sorted({*(creator for creator, _ in earned), *(user.user_id for user in users)}), actors
