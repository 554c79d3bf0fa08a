"""The read side of single things: receipts, users and pages of transactions, as frozen dataclasses. Writes nothing.

Lists are paged by key, never by offset. Amounts are whole credits, days are UTC, and the order is always that of the
ledger, newest first. Sums over many entries are in `reports`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal, select, tuple_

from credits_core.errors import UnknownEntry, UnknownUser
from credits_core.ledger import PostedTransaction, Receipt
from credits_core.model_registry import Price, RunPrice, TokenPrice
from credits_core.postings import EntryType, TransactionType
from credits_core.price_plan import PricePlan
from credits_core.pricing import Quote, quote_at
from credits_core.tables import (
    CreditTransaction,
    JournalEntry,
    PromptRun,
    UnlockedFlow,
    UserCredits,
    from_microseconds,
    start_of_day,
)

# --- one entry ------------------------------------------------------------------------------------------------------


def entry_by_key(connection: Connection, key: str) -> tuple[int, str] | None:
    """The id and request hash of the entry with this idempotency key, or None."""
    row = connection.execute(_ENTRY_BY_KEY, {"key": key}).one_or_none()
    return None if row is None else (row.id, row.request_hash)


def refund_of(connection: Connection, entry_id: int) -> int | None:
    """The id of the entry that refunded this one, or None."""
    return connection.execute(select(JournalEntry.id).where(JournalEntry.refunds_entry_id == entry_id)).scalar()


def run_of_entry(connection: Connection, entry_id: int) -> Any | None:
    """The recorded run of the entry, a row of `run_columns`, or None when it is not a prompt run."""
    return connection.execute(_RUN_OF_ENTRY, {"entry_id": entry_id}).one_or_none()


def unlock_of_entry(connection: Connection, entry_id: int) -> Any | None:
    """The recorded unlock of the entry with every column, or None when it is not a flow unlock."""
    return connection.execute(select(UnlockedFlow.__table__).where(UnlockedFlow.entry_id == entry_id)).one_or_none()


def balance_at(connection: Connection, account_id: str, *, entry_id: int) -> int:
    """The balance in credits that the user's last movement up to this entry, inclusive, left; 0 without one."""
    statement = (
        select(CreditTransaction.balance_after_credits)
        .where(CreditTransaction.account_id == account_id, CreditTransaction.entry_id <= entry_id)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(1)
    )
    return int(connection.execute(statement).scalar() or 0)


def unlock_in_force(connection: Connection, user_id: str, *, flow_id: str) -> int | None:
    """The id of the entry by which the user unlocked the flow and which was not refunded, or None."""
    return connection.execute(
        select(UnlockedFlow.entry_id).where(
            UnlockedFlow.user_id == user_id,
            UnlockedFlow.flow_id == flow_id,
            UnlockedFlow.refunded_by_entry_id.is_(None),
        )
    ).scalar()


def receipt(
    connection: Connection, entry_id: int, *, plans: Mapping[str, PricePlan], replayed: bool = False
) -> Receipt:
    """The receipt of an entry, as the write returned it; a run's quote is recomputed from what it was priced with.

    The quote is None for other entries, and for a run whose plan is not among `plans`.

    Raises:
        UnknownEntry: no entry has this id.
    """
    asked = {"entry_id": entry_id}
    entry = connection.execute(_ENTRY, asked).one_or_none()
    if entry is None:
        raise UnknownEntry(entry_id)
    transactions = connection.execute(_TRANSACTIONS_OF_ENTRY, asked)
    run = connection.execute(_RUN_OF_ENTRY, asked).one_or_none() if entry.type == EntryType.PROMPT_RUN else None
    return Receipt(
        entry_id=entry.id,
        type=EntryType(entry.type),
        idempotency_key=entry.idempotency_key,
        actor=entry.actor,
        description=entry.description,
        created_at=from_microseconds(entry.created_at_us),
        transactions=tuple(
            PostedTransaction(row.account_id, TransactionType(row.type), row.amount_credits, row.balance_after_credits)
            for row in transactions
        ),
        quote=None if run is None or run.plan_id not in plans else recompute_quote(run, plans[run.plan_id]),
        replayed=replayed,
    )


def run_columns() -> Select[Any]:
    """Every column of every run, to be narrowed by the caller."""
    return select(PromptRun.__table__)


def recompute_quote(run: Any, plan: PricePlan) -> Quote:
    """The quote of a recorded run (a row of `run_columns`), computed again from its price, tokens, fee and plan."""
    price: Price
    if run.run_price_credits is not None:
        price = RunPrice(run.run_price_credits)
    else:
        price = TokenPrice(
            Decimal(run.input_usd_per_mtok),
            Decimal(run.output_usd_per_mtok),
            Decimal(run.request_usd_per_thousand),
        )
    return quote_at(
        run.model_id,
        price,
        plan=plan,
        creator_fee_credits=run.creator_fee_credits,
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
    )


# Built once: a retry or a replay that goes on reads thousands of receipts, and building costs more than running.
_ENTRY_BY_KEY = select(JournalEntry.id, JournalEntry.request_hash).where(
    JournalEntry.idempotency_key == bindparam("key")
)
_ENTRY = select(JournalEntry.__table__).where(JournalEntry.id == bindparam("entry_id"))
_TRANSACTIONS_OF_ENTRY = (
    select(
        CreditTransaction.account_id,
        CreditTransaction.type,
        CreditTransaction.amount_credits,
        CreditTransaction.balance_after_credits,
    )
    .where(CreditTransaction.entry_id == bindparam("entry_id"))
    .order_by(CreditTransaction.position)
)
_RUN_OF_ENTRY = run_columns().where(PromptRun.entry_id == bindparam("entry_id"))


# --- users ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserBalance:
    """A user and the balance, in credits."""

    user_id: str
    balance_credits: int
    created_at: datetime


def users(connection: Connection, *, search: str = "", after_user_id: str = "", limit: int = 50) -> list[UserBalance]:
    """Users in the order of their ids, after a given one (exclusive), whose id contains the search text in any case."""
    statement = (
        select(UserCredits.user_id, UserCredits.balance_credits, UserCredits.created_at_us)
        .where(UserCredits.user_id > after_user_id)
        .order_by(UserCredits.user_id)
        .limit(limit)
    )
    rows = connection.execute(_matching(statement, search))
    return [UserBalance(row.user_id, row.balance_credits, from_microseconds(row.created_at_us)) for row in rows]


def user_count(connection: Connection, *, search: str = "") -> int:
    """How many users `users` finds in all."""
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
    """The user's balance over time, oldest first: every movement, or up to twice `points` of them.

    With more movements than `points`, these are the last one in each of that many equal spans of time, so that a day of
    many runs leaves the other days as they were, and every n-th one, so that busy spans keep their shape. The last
    movement is always among them. In the order of the ledger, which a replay of old runs makes differ from the order of
    the clock.
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


# --- transactions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions to list. Dates are UTC days, both inclusive; None and empty mean no restriction.

    With `headline_only`, each entry shows by its first transaction alone: the one of the user who paid or received.
    """

    entry_id: int | None = None
    account_id: str | None = None
    types: Sequence[TransactionType] = ()
    first_day: date | None = None
    last_day: date | None = None
    headline_only: bool = False


@dataclass(frozen=True, slots=True)
class ListedTransaction:
    """A transaction with what its entry was about. `prompt_id`, `model_id` and `flow_id` are set where they apply."""

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

    @property
    def description(self) -> str:
        """What the entry was about, in words."""
        if self.prompt_id is not None:
            return f"Run of {self.prompt_id} on {self.model_id}"
        if self.flow_id is not None:
            return f"Unlock of {self.flow_id}"
        if self.refunds_entry_id is not None:
            return f"Refund of entry {self.refunds_entry_id}: {self.note}"
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
    """The newest transactions of the filter, before a given one (exclusive) when a cursor is passed."""
    page = select(CreditTransaction.__table__)
    if wanted.entry_id is not None:
        page = page.where(CreditTransaction.entry_id == wanted.entry_id)
    if wanted.account_id is not None:
        page = page.where(CreditTransaction.account_id == wanted.account_id)
    if wanted.types:
        page = page.where(CreditTransaction.type.in_([type_.value for type_ in wanted.types]))
    if wanted.first_day is not None:
        page = page.where(CreditTransaction.created_at_us >= start_of_day(wanted.first_day))
    if wanted.last_day is not None:
        page = page.where(CreditTransaction.created_at_us < start_of_day(wanted.last_day + timedelta(days=1)))
    if wanted.headline_only:
        page = page.where(CreditTransaction.position == 0)
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
            JournalEntry.refunds_entry_id,
            PromptRun.prompt_id,
            PromptRun.model_id,
            UnlockedFlow.flow_id,
        )
        .join(JournalEntry, JournalEntry.id == newest.c.entry_id)
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
        )
        for row in rows
    ]


def all_transactions(connection: Connection, wanted: TransactionFilter) -> Iterator[ListedTransaction]:
    """Every transaction of the filter, newest first, read page by page so that none of it piles up in memory."""
    before = None
    while page := transactions(connection, wanted, before=before, limit=1_000):
        yield from page
        before = page[-1].cursor
