"""What a refund would do, and what one did: the parts of `actions.refund` that its preview shares. Writes two rows."""

from typing import NamedTuple

from sqlalchemy import Connection, insert

from credits_core.errors import InvalidRequest
from credits_core.ledger import entries, purchase_rows, writer
from credits_core.ledger.bearing import Bearing, bearing
from credits_core.ledger.lots import Draw
from credits_core.ledger.movements import Movement, for_refund, shares_of
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.refusals import (
    AddedCreditsSpent,
    AlreadyRefunded,
    InsufficientCredits,
    NotRefundable,
    RefundedByGateway,
    RefundExceedsRest,
)
from credits_core.ledger.requests import require_entry_id
from credits_core.ledger.writer import Posting
from credits_core.pricing.refund_shares import RefundPart, share_back, shares_of_part
from credits_core.store.kinds import REFUNDS, EntryType, RefundRule, TransactionType, is_part, is_platform
from credits_core.store.tables import PartialRefund, Refund
from credits_core.values.credits import require_credits

_NO_PAYMENT = {*REFUNDS, EntryType.TRANSFER, EntryType.EXPIRY, EntryType.REVERSAL, EntryType.PAYOUT}
_IN_PARTS = {EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK}


class Step(NamedTuple):
    """What one refund gives back of an entry: `part` is None for all of it at once, `number` counts parts from 1."""

    part: RefundPart | None
    number: int
    is_last: bool


def preview(
    connection: Connection, entry_id: int, *, provider_refunded: bool = False, amount_credits: int | None = None
) -> Bearing:
    """Who would bear what if so much of the entry were refunded now, or all that is left. No side effect.

    Raises:
        InvalidRequest, UnknownEntry, NotRefundable, AlreadyRefunded, RefundExceedsRest, AddedCreditsSpent: as
            `actions.refund`.
    """
    terms = RefundTerms(provider_refunded=provider_refunded)
    original = refundable(connection, require_entry_id(entry_id), terms)
    step = next_step(connection, original, amount_credits)
    paid = movements_of(original)
    balances = {user_id: writer.balance_of(connection, user_id) for user_id in users_of(paid)}
    back = for_refund(paid, balances, terms, step.part)
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


def after(connection: Connection, posted: Receipt) -> tuple[int, int]:
    """How much of its entry was refunded by a refund and those before it, and how much was left, in credits."""
    assert posted.refunds_entry_id is not None, "only a refund refunds something"
    if posted.part is None:
        return abs(posted.transactions[0].amount_credits), 0
    original = entries.receipt(connection, posted.refunds_entry_id, plans={})
    through_credits = posted.part.through_credits
    return through_credits, abs(original.transactions[0].amount_credits) - through_credits


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
        raise NotRefundable(entry_id, is_payment=original.type in REFUNDS)
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


def next_step(connection: Connection, original: Receipt, amount_credits: int | None) -> Step:
    """What the next refund of an entry gives back: so many credits of a run or unlock, or all that is left.

    Raises:
        AlreadyRefunded: nothing is left.
        RefundExceedsRest: less than that is left.
        InvalidRequest: the amount is no whole number from 1 to 2^53-1, or the entry neither a run nor an unlock.
    """
    refunded_by = entries.refund_of(connection, original.entry_id)
    if refunded_by is not None:
        raise AlreadyRefunded(original.entry_id, refunded_by)
    parts, before_credits = entries.last_part_of(connection, original.entry_id)
    paid_credits = -original.transactions[0].amount_credits
    left_credits = paid_credits - before_credits
    if amount_credits is None:
        whole = RefundPart(before_credits, paid_credits) if parts else None
        return Step(whole, parts + 1, is_last=True)
    require_credits("amount_credits", amount_credits)
    if original.type not in _IN_PARTS:
        raise InvalidRequest("amount_credits", f"must be left out: entry {original.entry_id} is no run and no unlock")
    if amount_credits > left_credits:
        raise RefundExceedsRest(original.entry_id, amount_credits, left_credits=left_credits, paid_credits=paid_credits)
    if not parts and amount_credits == paid_credits:
        return Step(None, 1, is_last=True)
    part = RefundPart(before_credits, before_credits + amount_credits)
    return Step(part, parts + 1, is_last=amount_credits == left_credits)


def movements_of(receipt: Receipt) -> list[Movement]:
    """The movements that an entry posted, in order."""
    return [Movement(posted.account_id, posted.type, posted.amount_credits) for posted in receipt.transactions]


def users_of(movements: list[Movement]) -> set[str]:
    """The users whose credits these movements move."""
    accounts = {movement.account_id for movement in movements}
    return {account_id for account_id in accounts if not (is_platform(account_id) or is_part(account_id))}


def drawn(posting: Posting, entry_id: int, paid: Movement, part: RefundPart | None) -> list[Draw]:
    """What the refund of an entry gives back to lots or, of added credits, takes: those of its own lot and no others.

    A part goes to the lots in the opposite order to that in which they paid.

    Raises:
        InsufficientCredits: the credits that the entry added are spent, of a user whose lots are kept.
    """
    user_id, credits = paid.account_id, paid.amount_credits
    if credits < 0 or user_id not in posting.lots.users:
        return posting.lots.drawn_by(user_id, entry_id, part)
    left_credits = posting.lots.left_credits(user_id, entry_id)
    if left_credits < credits:
        raise InsufficientCredits(user_id, left_credits, credits)
    return [Draw(entry_id, credits)]


def keep_terms(connection: Connection, refund_id: int, terms: RefundTerms) -> None:
    """Write the terms of a refund that was claimed in this unit of work."""
    connection.execute(
        insert(Refund).values(entry_id=refund_id, rule=terms.rule.value, provider_refunded=terms.provider_refunded)
    )


def keep_part(connection: Connection, refund_id: int, original: Receipt, step: Step) -> None:
    """Write which part of its entry a refund gives back; nothing for one of all at once."""
    if step.part is None:
        return
    fee_credits = entries.fee_of_entry(connection, original.entry_id)
    paid = movements_of(original)
    total_credits = -paid[0].amount_credits
    before, through = (
        share_back(fee_credits, refunded_credits=refunded, total_credits=total_credits) for refunded in step.part
    )
    connection.execute(
        insert(PartialRefund).values(
            id=refund_id,
            original_id=original.entry_id,
            number=step.number,
            refunded_credits=step.part.credits,
            through_credits=step.part.through_credits,
            fee_credits=through - before,
            share_credits=shares_of_part(shares_of(paid), step.part).creator_credits,
        )
    )
