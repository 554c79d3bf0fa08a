"""Reads one entry: its receipt, run, unlock and refund, and the quote of a recorded run. Writes nothing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, union, union_all
from sqlalchemy.orm import aliased

from credits_core.ledger.receipts import PostedTransaction, Receipt
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.refusals import UnknownEntry
from credits_core.pricing.models import Price, RunPrice
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote import Quote, quote_at
from credits_core.pricing.refund_shares import RefundPart
from credits_core.pricing.units import Usage, parse_usage, read_usage_text
from credits_core.pricing.usage_price import UsagePrice
from credits_core.store.kinds import EntryType, RefundRule, TransactionType
from credits_core.store.tables import CreditTransaction, JournalEntry, PartialRefund, PromptRun, Refund, UnlockedFlow
from credits_core.values.days import from_microseconds


def entry_by_key(connection: Connection, key: str) -> tuple[int, str] | None:
    """The id and request hash of the entry with this idempotency key, or None."""
    row = connection.execute(_ENTRY_BY_KEY, {"key": key}).one_or_none()
    return None if row is None else (row.id, row.request_hash)


def entries_by_keys(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    """The id and request hash of each entry with one of these idempotency keys, by its key."""
    found: dict[str, tuple[int, str]] = {}
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        rows = connection.execute(_ENTRIES_BY_KEYS, {"keys": keys[first : first + _KEYS_AT_ONCE]})
        found |= {row.idempotency_key: (row.id, row.request_hash) for row in rows}
    return found


def refund_of(connection: Connection, entry_id: int) -> int | None:
    """The id of the entry that refunded all of this one, or what was left of it; else None."""
    return connection.execute(select(JournalEntry.id).where(JournalEntry.refunds_entry_id == entry_id)).scalar()


def last_part_of(connection: Connection, entry_id: int) -> tuple[int, int]:
    """How many parts of the entry were refunded, and how many credits they come to; 0 and 0 without any."""
    row = connection.execute(_LAST_PART, {"entry_id": entry_id}).one_or_none()
    return (0, 0) if row is None else (row.number, row.through_credits)


def refunds_of(connection: Connection, entry_id: int) -> list[int]:
    """The ids of all entries that refunded this one, whole or in parts, in order."""
    whole = select(JournalEntry.id).where(JournalEntry.refunds_entry_id == entry_id)
    parts = select(PartialRefund.id).where(PartialRefund.original_id == entry_id)
    return sorted(connection.execute(union(whole, parts)).scalars())


def run_of_entry(connection: Connection, entry_id: int) -> Any | None:
    """The recorded run of the entry, a row of `run_columns`, or None when it is not a prompt run."""
    return connection.execute(_RUN_OF_ENTRY, {"entry_id": entry_id}).one_or_none()


def unlock_of_entry(connection: Connection, entry_id: int) -> Any | None:
    """The recorded unlock of the entry with every column, or None when it is not a flow unlock."""
    return connection.execute(select(UnlockedFlow.__table__).where(UnlockedFlow.entry_id == entry_id)).one_or_none()


def fee_of_entry(connection: Connection, entry_id: int) -> int:
    """The creator's fee of a run, or the fee of an unlock, in credits."""
    run = select(PromptRun.creator_fee_credits).where(PromptRun.entry_id == entry_id)
    unlock = select(UnlockedFlow.unlock_fee_credits).where(UnlockedFlow.entry_id == entry_id)
    return int(connection.execute(union_all(run, unlock)).scalar_one())


def balance_at(connection: Connection, account_id: str, *, entry_id: int) -> int:
    """The user's balance in credits just after this entry; 0 before the first movement."""
    statement = (
        select(CreditTransaction.balance_after_credits)
        .where(CreditTransaction.account_id == account_id, CreditTransaction.entry_id <= entry_id)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(1)
    )
    return int(connection.execute(statement).scalar() or 0)


def unlock_in_force(connection: Connection, user_id: str, *, flow_id: str) -> int | None:
    """The id of the entry that unlocked the flow for the user and was not refunded, or None."""
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
    """The receipt of an entry, as the write returned it, and whether it was refunded since.

    A run's quote is recomputed from its recorded inputs.

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
    posted = tuple(
        PostedTransaction(row.account_id, TransactionType(row.type), row.amount_credits, row.balance_after_credits)
        for row in transactions
    )
    refunded_credits = int(entry.through_of_parts or 0)
    if entry.refunded_by_entry_id is not None and posted:
        refunded_credits = abs(posted[0].amount_credits)
    part = None
    if entry.through_credits is not None:
        part = RefundPart(entry.through_credits - entry.part_credits, entry.through_credits)
    return Receipt(
        entry_id=entry.id,
        type=EntryType(entry.type),
        idempotency_key=entry.idempotency_key,
        actor=entry.actor,
        description=entry.description,
        created_at=from_microseconds(entry.created_at_us),
        transactions=posted,
        quote=None if run is None or run.plan_id not in plans else recompute_quote(run, plans[run.plan_id]),
        replayed=replayed,
        refunds_entry_id=entry.original_id if entry.refunds_entry_id is None else entry.refunds_entry_id,
        refunded_by_entry_id=entry.refunded_by_entry_id,
        used_at=None if run is None or run.used_at_us is None else from_microseconds(run.used_at_us),
        terms=None if entry.rule is None else RefundTerms(RefundRule(entry.rule), bool(entry.provider_refunded)),
        refunded_credits=refunded_credits,
        part=part,
    )


def run_columns() -> Select[Any]:
    """A statement that selects every column of every run, for the caller to narrow."""
    return select(PromptRun.__table__)


def recompute_quote(run: Any, plan: PricePlan) -> Quote:
    """The quote of a recorded run (a row of `run_columns`), computed again from its price, tokens, fee and plan."""
    return quote_at(
        run.model_id,
        price_of_run(run),
        plan=plan,
        creator_fee_credits=run.creator_fee_credits,
        usage=usage_of_run(run),
        service_tier=run.service_tier,
    )


def usage_of_run(run: Any) -> Usage | None:
    """What a recorded run (a row of `run_columns`) used, in whichever of the two ways its caller said it."""
    if run.usage is not None:
        return read_usage_text(run.usage)
    tokens = {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens}
    given = {key: count for key, count in tokens.items() if count is not None}
    return parse_usage(given) if given else None


def price_of_run(run: Any) -> Price:
    """The price that a recorded run (a row of `run_columns`) was charged at."""
    if run.run_price_credits is not None:
        return RunPrice(run.run_price_credits)
    if run.unit_prices is not None:
        return UsagePrice.from_text(run.unit_prices)
    prices = {
        "input_tokens": run.input_usd_per_mtok,
        "output_tokens": run.output_usd_per_mtok,
        "requests": run.request_usd_per_thousand,
    }
    return UsagePrice(tuple((key, usd) for key, text in prices.items() if (usd := Decimal(text)) or key != "requests"))


# Built once: a retry or a replay that goes on reads thousands of receipts, and building costs more than running.
_ENTRY_BY_KEY = select(JournalEntry.id, JournalEntry.request_hash).where(
    JournalEntry.idempotency_key == bindparam("key")
)
_KEYS_AT_ONCE = 500
_ENTRIES_BY_KEYS = select(JournalEntry.idempotency_key, JournalEntry.id, JournalEntry.request_hash).where(
    JournalEntry.idempotency_key.in_(bindparam("keys", expanding=True))
)
_REFUND, _PART_OF_IT = aliased(JournalEntry), aliased(PartialRefund)
_THROUGH_OF_PARTS = (
    select(func.max(_PART_OF_IT.through_credits)).where(_PART_OF_IT.original_id == JournalEntry.id).scalar_subquery()
)
_ENTRY = (
    select(
        JournalEntry.__table__,
        _REFUND.id.label("refunded_by_entry_id"),
        _THROUGH_OF_PARTS.label("through_of_parts"),
        Refund.rule,
        Refund.provider_refunded,
        PartialRefund.original_id,
        PartialRefund.refunded_credits.label("part_credits"),
        PartialRefund.through_credits,
    )
    .outerjoin(_REFUND, _REFUND.refunds_entry_id == JournalEntry.id)
    .outerjoin(Refund, Refund.entry_id == JournalEntry.id)
    .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
    .where(JournalEntry.id == bindparam("entry_id"))
)
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
_LAST_PART = (
    select(PartialRefund.number, PartialRefund.through_credits)
    .where(PartialRefund.original_id == bindparam("entry_id"))
    .order_by(PartialRefund.number.desc())
    .limit(1)
)
_RUN_OF_ENTRY = run_columns().where(PromptRun.entry_id == bindparam("entry_id"))
