"""What a refund would do, and what one did: the parts of `actions.refund` that its preview shares. Writes one row."""

from sqlalchemy import Connection, insert

from credits_core.errors import InvalidRequest
from credits_core.ledger import entries, purchase_rows, writer
from credits_core.ledger.bearing import Bearing, bearing
from credits_core.ledger.lots import Draw
from credits_core.ledger.movements import Movement, for_refund
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.refusals import (
    AddedCreditsSpent,
    AlreadyRefunded,
    InsufficientCredits,
    NotRefundable,
    RefundedByGateway,
)
from credits_core.ledger.requests import require_entry_id
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import EntryType, RefundRule, TransactionType, is_platform
from credits_core.store.tables import Refund

_NO_PAYMENT = {EntryType.REFUND, EntryType.TRANSFER, EntryType.EXPIRY, EntryType.REVERSAL, EntryType.PAYOUT}


def preview(connection: Connection, entry_id: int, *, provider_refunded: bool = False) -> Bearing:
    """Who would bear what if the entry were refunded now. No side effect.

    Raises:
        InvalidRequest, UnknownEntry, NotRefundable, AlreadyRefunded, AddedCreditsSpent: as `actions.refund`.
    """
    terms = RefundTerms(provider_refunded=provider_refunded)
    original = refundable(connection, require_entry_id(entry_id), terms)
    if original.refunded_by_entry_id is not None:
        raise AlreadyRefunded(entry_id, original.refunded_by_entry_id)
    paid = movements_of(original)
    balances = {user_id: writer.balance_of(connection, user_id) for user_id in users_of(paid)}
    back = for_refund(paid, balances, terms)
    user = back[0]
    if balances[user.account_id] + user.amount_credits < 0:
        raise AddedCreditsSpent(user.account_id, balances[user.account_id], -user.amount_credits)
    return bearing(paid, back, terms)


def borne(connection: Connection, posted: Receipt) -> Bearing:
    """Who bore what of a refund that was posted. One without recorded terms is read as of the earlier rule."""
    assert posted.refunds_entry_id is not None, "only a refund has somebody to bear it"
    original = entries.receipt(connection, posted.refunds_entry_id, plans={})
    terms = posted.terms or RefundTerms(RefundRule.COST_BOOKED_BACK)
    return bearing(original.transactions, posted.transactions, terms)


def refundable(connection: Connection, entry_id: int, terms: RefundTerms) -> Receipt:
    """The receipt of an entry that can be refunded on these terms, unless it was refunded before.

    Raises:
        UnknownEntry: no entry has this id.
        NotRefundable: the entry is itself a refund, or only moves credits between the parts of a user.
        RefundedByGateway: a purchase added the credits, so its money has to go back.
        InvalidRequest: the provider is said to have given an inference cost back, and the entry has none.
    """
    original = entries.receipt(connection, entry_id, plans={})
    if original.type in _NO_PAYMENT:
        raise NotRefundable(entry_id, is_payment=original.type is EntryType.REFUND)
    purchase_id = purchase_rows.purchase_of_entry(connection, entry_id)
    if purchase_id is not None:
        raise RefundedByGateway(entry_id, purchase_id)
    has_cost = any(moved.type is TransactionType.INFERENCE_COST for moved in original.transactions)
    if terms.provider_refunded and not has_cost:
        raise InvalidRequest(
            "provider_refunded",
            f"must be false: entry {entry_id} has no inference cost that a provider could give back",
        )
    return original


def movements_of(receipt: Receipt) -> list[Movement]:
    """The movements that an entry posted, in order."""
    return [Movement(posted.account_id, posted.type, posted.amount_credits) for posted in receipt.transactions]


def users_of(movements: list[Movement]) -> set[str]:
    """The users whose credits these movements move."""
    return {movement.account_id for movement in movements if not is_platform(movement.account_id)}


def drawn(posting: Posting, entry_id: int, paid: Movement) -> list[Draw]:
    """What the refund of an entry gives back to lots or, of added credits, takes: those of its own lot and no others.

    Raises:
        InsufficientCredits: the credits that the entry added are spent, of a user whose lots are kept.
    """
    user_id, credits = paid.account_id, paid.amount_credits
    if credits < 0 or user_id not in posting.lots.users:
        return posting.lots.drawn_by(user_id, entry_id)
    left_credits = posting.lots.left_credits(user_id, entry_id)
    if left_credits < credits:
        raise InsufficientCredits(user_id, left_credits, credits)
    return [Draw(entry_id, credits)]


def keep_terms(connection: Connection, refund_id: int, terms: RefundTerms) -> None:
    """Write the terms of a refund that was claimed in this unit of work."""
    connection.execute(
        insert(Refund).values(entry_id=refund_id, rule=terms.rule.value, provider_refunded=terms.provider_refunded)
    )
