"""What an action returns: the receipt of an entry, or the outcome of an unlock."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from credits_core.ledger.refund_terms import RefundTerms
from credits_core.pricing.quote import Quote
from credits_core.pricing.refund_shares import RefundPart
from credits_core.store.kinds import EntryType, TransactionType


class PostedTransaction(NamedTuple):
    """A movement as the ledger recorded it. `balance_after_credits` is None for the platform's own accounts."""

    account_id: str
    type: TransactionType
    amount_credits: int
    balance_after_credits: int | None

    @property
    def balance_before_credits(self) -> int | None:
        """The account's balance just before this movement, in credits."""
        return None if self.balance_after_credits is None else self.balance_after_credits - self.amount_credits


@dataclass(frozen=True, slots=True)
class Receipt:
    """The entry that an action wrote: its transactions with balances, and the quote when it is a prompt run.

    `replayed` is true when the same request with the same key was carried out before. Then nothing was written now.
    `refunded_by_entry_id` is what holds when the receipt is given: the entry that refunded all of this one, or its
    rest; else None. `refunded_credits` is what was refunded by then, of what the user paid or received. `created_at` is
    when the entry was posted, `used_at` when its run took place, where the caller said so. A refund has the terms that
    it was made on, and one in parts has its `part`.
    """

    entry_id: int
    type: EntryType
    idempotency_key: str
    actor: str
    description: str | None
    created_at: datetime
    transactions: tuple[PostedTransaction, ...]
    quote: Quote | None
    replayed: bool
    refunds_entry_id: int | None = None
    refunded_by_entry_id: int | None = None
    used_at: datetime | None = None
    terms: RefundTerms | None = None
    refunded_credits: int = 0
    part: RefundPart | None = None

    @property
    def is_balanced(self) -> bool:
        """Whether the transactions sum to zero, as they always should."""
        return sum(transaction.amount_credits for transaction in self.transactions) == 0

    @property
    def left_credits(self) -> int:
        """What is not refunded of the credits that the user paid or received."""
        return abs(self.transactions[0].amount_credits) - self.refunded_credits

    @property
    def is_refunded_in_part(self) -> bool:
        """Whether something was refunded, and something is left."""
        return self.refunded_credits > 0 and self.refunded_by_entry_id is None

    def received_by(self, account_id: str) -> int:
        """The credits that the account received in this entry, less the credits it paid."""
        return sum(posted.amount_credits for posted in self.transactions if posted.account_id == account_id)

    def balance_after(self, account_id: str) -> int | None:
        """The account's balance in credits after this entry; None when the entry did not move its credits."""
        balance_after_credits = None
        for transaction in self.transactions:
            if transaction.account_id == account_id:
                balance_after_credits = transaction.balance_after_credits
        return balance_after_credits


class FlowAccess(StrEnum):
    """Why a user may use a flow, or may not. `REFUNDED`: a replayed request whose payment was refunded since."""

    PAID_NOW = "paid_now"
    UNLOCKED_BEFORE = "unlocked_before"
    OWN_FLOW = "own_flow"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Unlock:
    """The outcome of an unlock. The receipt is None when nothing was paid, neither now nor by a replayed request.

    `access` is what holds now. `had_by_entry_id` is the entry by which the user had the flow when nothing was paid;
    None for the user's own flow. `refunded_by_entry_id` is the refund of that entry, or of the paid one.
    """

    access: FlowAccess
    receipt: Receipt | None
    had_by_entry_id: int | None = None
    refunded_by_entry_id: int | None = None
    replayed: bool = False

    @property
    def has_access_now(self) -> bool:
        """Whether the user may use the flow now."""
        return self.access is not FlowAccess.REFUNDED


def in_part(refunded_credits: int, left_credits: int) -> str:
    """That an entry is refunded in part, how much of it, and what is left.

    >>> in_part(500, 751)
    'Refunded in part: 500 of 1,251 credits, 751 left.'
    """
    all_credits = refunded_credits + left_credits
    return f"Refunded in part: {refunded_credits:,} of {all_credits:,} credits, {left_credits:,} left."
