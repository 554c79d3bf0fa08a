"""Reads the movements of credits that match a filter: a page of them, and their sums. Writes nothing.

As `ledger.accounts`, but it looks into the daily sums first: they say between which entries the movements of some days
or types are, and how many they are, without reading any of them.
"""

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, Subquery, func, select

from credits_core.ledger import accounts
from credits_core.ledger.accounts import Cursor, ListedTransaction, Sums, TransactionFilter
from credits_core.reports.sums import sums_of


def page(
    connection: Connection, wanted: TransactionFilter, *, before: Cursor | None = None, limit: int = 50
) -> list[ListedTransaction]:
    """The newest transactions that match the filter; with a cursor, those before it (exclusive)."""
    if wanted.account_id is None and wanted.entry_id is None and not wanted.days.is_all:
        daily = sums_of(connection, wanted.days)
        bounds = select(func.min(daily.c.first_entry_id), func.max(daily.c.last_entry_id))
        first, last = connection.execute(bounds.where(*_of_types(daily, wanted))).one()
        if first is None:
            return []
        wanted = replace(wanted, entries=(int(first), int(last)))
    return accounts.transactions(connection, wanted, before=before, limit=limit)


def in_all(connection: Connection, wanted: TransactionFilter) -> Sums:
    """The sums of all transactions that match the filter, both credits positive. Those of one account are read each."""
    of_few = (wanted.account_id, wanted.entry_id, wanted.key_prefix, wanted.actor)
    if wanted.headline_only or any(one is not None for one in of_few):
        return accounts.sums(connection, wanted)
    daily = sums_of(connection, wanted.days)
    columns = (daily.c.transaction_count, daily.c.received_credits, daily.c.given_credits)
    summed = select(*(func.coalesce(func.sum(column), 0) for column in columns)).where(*_of_types(daily, wanted))
    return Sums(*map(int, connection.execute(summed).one()))


def _of_types(daily: Subquery, wanted: TransactionFilter) -> list[ColumnElement[bool]]:
    return [daily.c.type.in_([type_.value for type_ in wanted.types])] if wanted.types else []
