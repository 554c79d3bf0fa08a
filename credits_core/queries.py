"""The read side: receipts, balances, pages of transactions and totals, as frozen dataclasses. Writes nothing.

Lists are paged by key, never by offset, and totals come from `daily_totals` plus the entries after its watermark. All
amounts are whole credits; days and months are UTC; the order is always that of the ledger, newest first.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, Select, select

from credits_core.errors import UnknownEntry
from credits_core.ledger import PostedTransaction, Receipt
from credits_core.model_registry import Price, RunPrice, TokenPrice
from credits_core.postings import (
    EntryType,
    TransactionType,
)
from credits_core.price_plan import PricePlan
from credits_core.pricing import Quote, quote_at
from credits_core.tables import (
    CreditTransaction,
    JournalEntry,
    PromptRun,
    UnlockedFlow,
    from_microseconds,
)

_EPOCH_DAY = date(1970, 1, 1)


# --- one entry ------------------------------------------------------------------------------------------------------


def entry_by_key(connection: Connection, key: str) -> tuple[int, str] | None:
    """The id and request hash of the entry with this idempotency key, or None."""
    row = connection.execute(
        select(JournalEntry.id, JournalEntry.request_hash).where(JournalEntry.idempotency_key == key)
    ).one_or_none()
    return None if row is None else (row.id, row.request_hash)


def refund_of(connection: Connection, entry_id: int) -> int | None:
    """The id of the entry that refunded this one, or None."""
    return connection.execute(select(JournalEntry.id).where(JournalEntry.refunds_entry_id == entry_id)).scalar()


def unlock_in_force(connection: Connection, user_id: str, flow_id: str) -> int | None:
    """The id of the entry by which the user unlocked the flow and which was not refunded, or None."""
    return connection.execute(
        select(UnlockedFlow.entry_id).where(
            UnlockedFlow.user_id == user_id,
            UnlockedFlow.flow_id == flow_id,
            UnlockedFlow.refunded_by_entry_id.is_(None),
        )
    ).scalar()


def receipt(
    connection: Connection, entry_id: int, plans: Mapping[str, PricePlan], *, replayed: bool = False
) -> Receipt:
    """The receipt of an entry, as the write returned it; a run's quote is recomputed from what it was priced with.

    The quote is None for other entries, and for a run whose plan is not among `plans`.

    Raises:
        UnknownEntry: no entry has this id.
    """
    entry = connection.execute(
        select(JournalEntry.__table__).where(JournalEntry.id == entry_id)  # type: ignore[arg-type]
    ).one_or_none()
    if entry is None:
        raise UnknownEntry(entry_id)
    transactions = connection.execute(
        select(
            CreditTransaction.account_id,
            CreditTransaction.type,
            CreditTransaction.amount_credits,
            CreditTransaction.balance_after_credits,
        )
        .where(CreditTransaction.entry_id == entry_id)
        .order_by(CreditTransaction.position)
    )
    run = connection.execute(run_columns().where(PromptRun.entry_id == entry_id)).one_or_none()
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


def run_columns() -> Select[tuple[object, ...]]:
    """Every column of every run, to be narrowed by the caller."""
    return select(PromptRun.__table__)  # type: ignore[arg-type, return-value]


def recompute_quote(run: object, plan: PricePlan) -> Quote:
    """The quote of a recorded run (a row of `run_columns`), computed again from its price, tokens, fee and plan."""
    price: Price
    if run.run_price_credits is not None:  # type: ignore[attr-defined]
        price = RunPrice(run.run_price_credits)  # type: ignore[attr-defined]
    else:
        price = TokenPrice(
            Decimal(run.input_usd_per_mtok),  # type: ignore[attr-defined]
            Decimal(run.output_usd_per_mtok),  # type: ignore[attr-defined]
            Decimal(run.request_usd_per_thousand),  # type: ignore[attr-defined]
        )
    return quote_at(
        run.model_id,  # type: ignore[attr-defined]
        price,
        plan,
        run.creator_fee_credits,  # type: ignore[attr-defined]
        run.input_tokens,  # type: ignore[attr-defined]
        run.output_tokens,  # type: ignore[attr-defined]
    )
