"""Reads users, balances and pages of transactions, as frozen dataclasses. Writes nothing.

Lists are paged by key, never by offset. Amounts are whole credits. Transactions come in the ledger's order, newest
first. Single entries are in `ledger.entries`, sums over many in `reports`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, literal_column, select, tuple_

from credits_core.ledger.refusals import UnknownUser
from credits_core.store.day_columns import within
from credits_core.store.kinds import FREQUENT_TYPES, EntryType, TransactionType
from credits_core.store.tables import (
    CreditTransaction,
    JournalEntry,
    PartialRefund,
    PromptRun,
    UnlockedFlow,
    UserCredits,
)
from credits_core.values.days import ALL_DAYS, DayRange, from_microseconds

ROWS_A_PAGE = 1_000
"""How many transactions are read at once where all of them are wanted."""


@dataclass(frozen=True, slots=True)
class UserBalance:
    """A user and the balance, in credits."""

    user_id: str
    balance_credits: int
    created_at: datetime


def users(connection: Connection, *, search: str = "", after_user_id: str = "", limit: int = 50) -> list[UserBalance]:
    """Users whose id contains the search text, in any case, ordered by id, after the given id (exclusive)."""
    statement = (
        select(UserCredits.user_id, UserCredits.balance_credits, UserCredits.created_at_us)
        .where(UserCredits.user_id > after_user_id)
        .order_by(UserCredits.user_id)
        .limit(limit)
    )
    rows = connection.execute(_matching(statement, search))
    return [UserBalance(row.user_id, row.balance_credits, from_microseconds(row.created_at_us)) for row in rows]


def user_count(connection: Connection, *, search: str = "") -> int:
    """How many users `users` finds without a limit."""
    return int(connection.execute(_matching(select(func.count()).select_from(UserCredits), search)).scalar_one())


def user(connection: Connection, user_id: str) -> UserBalance:
    """One user's balance.

    Raises:
        UnknownUser: the user has no account.
    """
    row = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits, UserCredits.created_at_us).where(
            UserCredits.user_id == user_id
        )
    ).one_or_none()
    if row is None:
        raise UnknownUser(user_id)
    return UserBalance(row.user_id, row.balance_credits, from_microseconds(row.created_at_us))


def _matching(statement: Select[*tuple[Any, ...]], search: str) -> Select[*tuple[Any, ...]]:
    if not search:
        return statement
    return statement.where(func.lower(UserCredits.user_id).contains(search.lower(), autoescape=True))


@dataclass(frozen=True, slots=True)
class BalancePoint:
    """A user's balance in credits just after the movement of an entry."""

    entry_id: int
    created_at: datetime
    balance_credits: int


def balance_history(connection: Connection, user_id: str, *, points: int = 500) -> list[BalancePoint]:
    """The user's balance over time, oldest first: after every movement, or after up to twice `points` of them.

    With more movements than `points`, some are chosen: the last one in each of `points` equal spans of time, so that
    one busy day does not push out the other days, and every n-th one, so that busy spans keep their shape. The last
    movement is always chosen. The order is the ledger's, which differs from the clock's after a replay of old runs.
    """
    of_user = CreditTransaction.account_id == user_id
    in_all, first_us, last_us = connection.execute(
        select(
            func.count(), func.min(CreditTransaction.created_at_us), func.max(CreditTransaction.created_at_us)
        ).where(of_user)
    ).one()
    if in_all == 0:
        return []
    in_order = (CreditTransaction.entry_id, CreditTransaction.position)
    span = (CreditTransaction.created_at_us - first_us) // ((last_us - first_us) // points + 1)
    backwards = (CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
    numbered = (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.created_at_us,
            CreditTransaction.balance_after_credits,
            func.row_number().over(order_by=in_order).label("number"),
            func.row_number().over(partition_by=span, order_by=backwards).label("from_end_of_span"),
        )
        .where(of_user)
        .subquery()
    )
    step = (in_all - 1) // points + 1
    rows = connection.execute(
        select(numbered)
        .where(((numbered.c.number - 1) % step == 0) | (numbered.c.from_end_of_span == 1))
        .order_by(numbered.c.number)
    )
    return [BalancePoint(row.entry_id, from_microseconds(row.created_at_us), row.balance_after_credits) for row in rows]


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions to list. None and empty mean no restriction.

    With `headline_only`, only the first transaction of each entry is listed: what the user paid or received. `entries`
    are the first and the last entry to look at. With `key_prefix`, only entries whose idempotency key begins with it,
    and the refunds of those. With `actor`, only entries that this one posted.
    """

    entry_id: int | None = None
    account_id: str | None = None
    types: Sequence[TransactionType] = ()
    days: DayRange = ALL_DAYS
    headline_only: bool = False
    entries: tuple[int, int] | None = None
    key_prefix: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class ListedTransaction:
    """A transaction with what its entry was about. `prompt_id`, `model_id` and `flow_id` are set where they apply.

    `created_at` is when it was posted. `used_at` is when the run took place, where that is known and another time.
    """

    entry_id: int
    position: int
    account_id: str
    type: TransactionType
    entry_type: EntryType
    amount_credits: int
    balance_after_credits: int | None
    created_at: datetime
    actor: str
    note: str | None
    prompt_id: str | None
    model_id: str | None
    flow_id: str | None
    refunds_entry_id: int | None
    used_at: datetime | None = None

    @property
    def description(self) -> str:
        """What the entry was about, in words."""
        if self.prompt_id is not None:
            return f"Run of {self.prompt_id} on {self.model_id}"
        if self.flow_id is not None:
            return f"Unlock of {self.flow_id}"
        if self.refunds_entry_id is not None:
            kind = "Partial refund" if self.entry_type is EntryType.PARTIAL_REFUND else "Refund"
            return f"{kind} of entry {self.refunds_entry_id}: {self.note}"
        return self.note or self.entry_type.value.replace("_", " ").capitalize()

    @property
    def cursor(self) -> "Cursor":
        """Where the next page begins."""
        return self.entry_id, self.position


Cursor = tuple[int, int]
"""The entry and position of the last transaction of a page."""


def transactions(
    connection: Connection, wanted: TransactionFilter, *, before: Cursor | None = None, limit: int = 50
) -> list[ListedTransaction]:
    """The newest transactions that match the filter; with a cursor, those before it (exclusive)."""
    page = select(CreditTransaction.__table__).where(*_conditions(wanted))
    if before is not None:
        page = page.where(
            tuple_(CreditTransaction.entry_id, CreditTransaction.position) < tuple_(*map(literal, before))
        )
    newest = page.order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc()).limit(limit).subquery()
    rows = connection.execute(
        select(
            newest,
            JournalEntry.type.label("entry_type"),
            JournalEntry.actor,
            JournalEntry.description.label("note"),
            func.coalesce(JournalEntry.refunds_entry_id, PartialRefund.original_id).label("refunds_entry_id"),
            PromptRun.prompt_id,
            PromptRun.model_id,
            PromptRun.used_at_us,
            UnlockedFlow.flow_id,
        )
        .join(JournalEntry, JournalEntry.id == newest.c.entry_id)
        .outerjoin(PartialRefund, PartialRefund.id == newest.c.entry_id)
        .outerjoin(PromptRun, PromptRun.entry_id == newest.c.entry_id)
        .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == newest.c.entry_id)
        .order_by(newest.c.entry_id.desc(), newest.c.position.desc())
    )
    return [
        ListedTransaction(
            entry_id=row.entry_id,
            position=row.position,
            account_id=row.account_id,
            type=TransactionType(row.type),
            entry_type=EntryType(row.entry_type),
            amount_credits=row.amount_credits,
            balance_after_credits=row.balance_after_credits,
            created_at=from_microseconds(row.created_at_us),
            actor=row.actor,
            note=row.note,
            prompt_id=row.prompt_id,
            model_id=row.model_id,
            flow_id=row.flow_id,
            refunds_entry_id=row.refunds_entry_id,
            used_at=None if row.used_at_us is None else from_microseconds(row.used_at_us),
        )
        for row in rows
    ]


_AFTER_VISIBLE = "\x7f"
# The condition of the index of rare types, written out, because SQLite knows it by its words.
_RARE = [CreditTransaction.type != literal_column(f"'{type_.value}'") for type_ in sorted(FREQUENT_TYPES)]


def _conditions(wanted: TransactionFilter) -> list[ColumnElement[bool]]:
    conditions = within(CreditTransaction.created_at_us, wanted.days)
    if wanted.entry_id is not None:
        conditions.append(CreditTransaction.entry_id == wanted.entry_id)
    if wanted.account_id is not None:
        conditions.append(CreditTransaction.account_id == wanted.account_id)
    if wanted.entries is not None:
        conditions.append(CreditTransaction.entry_id.between(*wanted.entries))
    if wanted.key_prefix is not None:
        named = select(JournalEntry.id).where(
            # Keys are visible ASCII, in the order of their bytes: a range, which the index of the keys finds.
            JournalEntry.idempotency_key >= wanted.key_prefix,
            JournalEntry.idempotency_key < wanted.key_prefix + _AFTER_VISIBLE,
        )
        refunds = select(JournalEntry.id).where(JournalEntry.refunds_entry_id.in_(named))
        parts = select(PartialRefund.id).where(PartialRefund.original_id.in_(named))
        conditions.append(CreditTransaction.entry_id.in_(named.union(refunds, parts)))
    if wanted.actor is not None:
        by_actor = select(JournalEntry.id).where(JournalEntry.actor == wanted.actor)
        conditions.append(CreditTransaction.entry_id.in_(by_actor))
    if wanted.types:
        conditions.append(CreditTransaction.type.in_([type_.value for type_ in wanted.types]))
        if FREQUENT_TYPES.isdisjoint(wanted.types):
            conditions += _RARE
    if wanted.headline_only:
        conditions.append(CreditTransaction.position == 0)
    return conditions


@dataclass(frozen=True, slots=True)
class Sums:
    """How many transactions match a filter, and their credits: received are those above 0, given those below."""

    transactions: int
    received_credits: int
    given_credits: int


def sums(connection: Connection, wanted: TransactionFilter) -> Sums:
    """The sums of all transactions that match the filter. Reads each of them; both credits are positive.

    A million of them take about a second.
    """
    moved_credits = CreditTransaction.amount_credits
    count, received_credits, given_credits = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((moved_credits > 0, moved_credits), else_=0)), 0),
            func.coalesce(func.sum(case((moved_credits < 0, -moved_credits), else_=0)), 0),
        ).where(*_conditions(wanted))
    ).one()
    return Sums(int(count), int(received_credits), int(given_credits))


def newest_actors(connection: Connection, *, of_newest: int = 500) -> list[str]:
    """Who posted the newest entries, each once, in alphabetical order."""
    newest = select(JournalEntry.actor).order_by(JournalEntry.id.desc()).limit(of_newest).subquery()
    return sorted(connection.execute(select(newest.c.actor).distinct()).scalars())


def all_transactions(connection: Connection, wanted: TransactionFilter) -> Iterator[ListedTransaction]:
    """Every transaction that matches the filter, newest first. Read page by page, so that memory holds one page."""
    return in_pages(lambda before: transactions(connection, wanted, before=before, limit=ROWS_A_PAGE))


def in_pages(read: Callable[[Cursor | None], Sequence[ListedTransaction]]) -> Iterator[ListedTransaction]:
    """Every transaction of the pages that `read` gives, until one is empty. It gets where the page before ended."""
    before = None
    while page := read(before):
        yield from page
        before = page[-1].cursor
