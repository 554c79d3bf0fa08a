"""Business events as balanced lists of movements: who pays, who receives, and the type of each movement.

Pure. A movement is a credit transaction that has not been posted yet; the movements of an event sum to zero by
construction, and none is zero. `ledger.writer` writes them; nothing else decides where credits go.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from credits_core.ledger.refund_terms import RefundTerms
from credits_core.pricing.quote import Quote
from credits_core.pricing.refund_shares import RefundPart, Shares, shares_of_part
from credits_core.store.kinds import (
    PLATFORM_ADJUSTMENTS,
    PLATFORM_EXPIRED,
    PLATFORM_GRANTS,
    PLATFORM_INFERENCE,
    PLATFORM_PAYMENTS_IN,
    PLATFORM_PAYOUTS,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    CreditSource,
    EntryType,
    Part,
    TransactionType,
    part_account,
)

_SOURCES = {
    CreditSource.PURCHASE: (EntryType.CREDIT_PURCHASE, TransactionType.CREDIT_PURCHASE, PLATFORM_PAYMENTS_IN),
    CreditSource.GRANT: (EntryType.GRANT, TransactionType.GRANT, PLATFORM_GRANTS),
    CreditSource.ADJUSTMENT: (EntryType.ADJUSTMENT, TransactionType.ADJUSTMENT, PLATFORM_ADJUSTMENTS),
    CreditSource.BONUS: (EntryType.BONUS, TransactionType.BONUS, PLATFORM_GRANTS),
}


class Movement(NamedTuple):
    """One account's signed change, in credits; positive = received."""

    account_id: str
    type: TransactionType
    amount_credits: int


def for_added_credits(source: CreditSource, user_id: str, amount_credits: int) -> tuple[EntryType, list[Movement]]:
    """The type of entry and its two movements: from the platform's account for that source to the user."""
    entry_type, transaction_type, counter_account = _SOURCES[source]
    return entry_type, [
        Movement(user_id, transaction_type, amount_credits),
        Movement(counter_account, transaction_type, -amount_credits),
    ]


def for_prompt_run(quote: Quote, user_id: str, creator_id: str | None) -> list[Movement]:
    """A run's movements: the user pays the total (first); creator, platform and inference receive their parts."""
    movements = [Movement(user_id, TransactionType.PROMPT_RUN, -quote.total_credits)]
    if quote.creator_share_credits:
        assert creator_id is not None
        movements.append(Movement(creator_id, TransactionType.CREATOR_PAYMENT, quote.creator_share_credits))
    if revenue_credits := quote.platform_markup_credits + quote.platform_share_credits:
        movements.append(Movement(PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE, revenue_credits))
    if quote.inference_cost_credits:  # a model may be free and its prompt have a fee
        movements.append(Movement(PLATFORM_INFERENCE, TransactionType.INFERENCE_COST, quote.inference_cost_credits))
    return movements


def for_flow_unlock(
    user_id: str, creator_id: str, *, creator_share_credits: int, platform_share_credits: int
) -> list[Movement]:
    """An unlock's movements: the user pays the fee (first); creator and platform receive its two parts."""
    fee_credits = creator_share_credits + platform_share_credits
    movements = [Movement(user_id, TransactionType.FLOW_UNLOCK, -fee_credits)]
    if creator_share_credits:
        movements.append(Movement(creator_id, TransactionType.CREATOR_PAYMENT, creator_share_credits))
    if platform_share_credits:
        movements.append(Movement(PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE, platform_share_credits))
    return movements


def for_hold(user_id: str, held_credits: int) -> list[Movement]:
    """The movements that set credits of a user aside: from what the user can spend to what is held."""
    return _for_transfer(user_id, Part.HELD, held_credits)


def for_hold_end(user_id: str, held_credits: int) -> list[Movement]:
    """The movements that give held credits back to what the user can spend."""
    return _for_transfer(user_id, Part.HELD, -held_credits)


def for_expiry(user_id: str, expired_credits: int) -> list[Movement]:
    """The movements that take credits whose time is over from what the user can spend."""
    return [
        Movement(user_id, TransactionType.EXPIRY, -expired_credits),
        Movement(PLATFORM_EXPIRED, TransactionType.EXPIRY, expired_credits),
    ]


def for_frozen(user_id: str, credits: int) -> list[Movement]:
    """The movements that freeze credits of a disputed payment; negative: that give them back."""
    return _for_transfer(user_id, Part.FROZEN, credits)


def for_debt(user_id: str, paid_credits: int) -> list[Movement]:
    """The movements that pay what a user owes from what the user can spend; negative: by which the user owes more."""
    return _for_transfer(user_id, Part.DEBT, paid_credits)


def for_reversal(user_id: str, taken_credits: int, *, of: CreditSource) -> list[Movement]:
    """The movements that take back what a purchase added, or its bonus; negative: that add it again."""
    return [
        Movement(user_id, TransactionType.REVERSAL, -taken_credits),
        Movement(_SOURCES[of][2], TransactionType.REVERSAL, taken_credits),
    ]


def for_payout(creator_id: str, set_aside_credits: int) -> list[Movement]:
    """The movements that set earnings aside for a payout; negative: that give them back to what can be spent."""
    return _for_transfer(creator_id, Part.IN_PAYOUT, set_aside_credits)


def for_paid_out(creator_id: str, paid_credits: int) -> list[Movement]:
    """The movements by which earnings that were set aside leave; negative: by which they come back."""
    return [
        Movement(part_account(creator_id, Part.IN_PAYOUT), TransactionType.PAYOUT, -paid_credits),
        Movement(PLATFORM_PAYOUTS, TransactionType.PAYOUT, paid_credits),
    ]


def paying_debt(movements: Sequence[Movement], creator_id: str, paid_credits: int) -> list[Movement]:
    """The movements of an entry that brings a creator earnings, which pay what the creator owes first.

    >>> unlock = for_flow_unlock("ada", "ben", creator_share_credits=80, platform_share_credits=20)
    >>> [(m.account_id, str(m.type), m.amount_credits) for m in paying_debt(unlock, "ben", 50)[3:]]
    [('ben', 'transfer', -50), ('ben:debt', 'transfer', 50)]
    """
    return [*movements, *for_debt(creator_id, paid_credits)]


def _for_transfer(user_id: str, part: Part, to_part_credits: int) -> list[Movement]:
    return [  # the user's own account first, as in every entry
        Movement(user_id, TransactionType.TRANSFER, -to_part_credits),
        Movement(part_account(user_id, part), TransactionType.TRANSFER, to_part_credits),
    ]


def shares_of(recorded: Sequence[Movement]) -> Shares:
    """Who received what of a run or an unlock, by its movements."""
    received = {movement.type: movement.amount_credits for movement in recorded[1:]}
    types = (TransactionType.CREATOR_PAYMENT, TransactionType.PLATFORM_REVENUE, TransactionType.INFERENCE_COST)
    return Shares(*(received.get(type_, 0) for type_ in types))


def for_refund(
    recorded: list[Movement],
    balances_credits: Mapping[str, int],
    terms: RefundTerms,
    part: RefundPart | None = None,
) -> list[Movement]:
    """The recorded movements reversed, in the same order. The platform pays what nobody gives back.

    With a `part` of a run or an unlock, that part of each movement (`pricing.refund_shares`); those of nothing are left
    out.

    The first movement belongs to the user who paid or received the credits, and becomes a `refund`. The others keep
    their type with the opposite sign, so that sums by type are net of refunds. What is not reversed is a `refund`
    movement of the platform's instead:

    - A creator gives back the share. What is missing in the balance, which includes what this refund pays to the same
      user, is lent from what the creator owes; under earlier rules it comes from platform revenue instead.
    - The provider is paid for a refunded run all the same, so the inference cost stays with the account that owes it,
      and comes from the account for the inference of refunded runs. It is reversed where `terms` say so.

    `balances_credits` holds the balance of every user among the accounts.

    >>> paid = [Movement("ada", TransactionType.PROMPT_RUN, -250), Movement("ben", TransactionType.CREATOR_PAYMENT, 80),
    ...     Movement(PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE, 20),
    ...     Movement(PLATFORM_INFERENCE, TransactionType.INFERENCE_COST, 150)]
    >>> [(m.account_id, str(m.type), m.amount_credits) for m in for_refund(paid, {"ada": 0, "ben": 30}, RefundTerms())]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('ada', 'refund', 250), ('ben', 'transfer', 50), ('ben:debt', 'transfer', -50), ('ben', 'creator_payment', -80),
     ('platform:revenue', 'platform_revenue', -20), ('platform:refunded_inference', 'refund', -150)]
    """
    # What a share has paid of a debt stays paid: the share is given back, or owed anew.
    recorded = [movement for movement in recorded if movement.type is not TransactionType.TRANSFER]
    payer, *receivers = recorded if part is None else _part_of(recorded, part)
    available_credits = dict(balances_credits)
    if payer.account_id in available_credits:
        available_credits[payer.account_id] -= payer.amount_credits
    movements = [Movement(payer.account_id, TransactionType.REFUND, -payer.amount_credits)]
    for movement in receivers:
        back_credits, bearer = movement.amount_credits, PLATFORM_REVENUE
        if movement.type is TransactionType.CREATOR_PAYMENT:
            missing_credits = max(0, back_credits - available_credits[movement.account_id])
            if not terms.creator_owes:
                back_credits -= missing_credits
            elif missing_credits:
                movements += for_debt(movement.account_id, -missing_credits)
        elif movement.type is TransactionType.INFERENCE_COST and not terms.returns_cost:
            back_credits, bearer = 0, PLATFORM_REFUNDED_INFERENCE
        if back_credits:
            movements.append(Movement(movement.account_id, movement.type, -back_credits))
        if borne_credits := movement.amount_credits - back_credits:
            movements.append(Movement(bearer, TransactionType.REFUND, -borne_credits))
    return movements


def _part_of(recorded: Sequence[Movement], part: RefundPart) -> list[Movement]:
    creator_credits, revenue_credits, inference_credits = shares_of_part(shares_of(recorded), part)
    credits_of = {
        TransactionType.CREATOR_PAYMENT: creator_credits,
        TransactionType.PLATFORM_REVENUE: revenue_credits,
        TransactionType.INFERENCE_COST: inference_credits,
    }
    receivers = [Movement(account_id, type_, credits_of[type_]) for account_id, type_, _ in recorded[1:]]
    return [Movement(recorded[0].account_id, recorded[0].type, -part.credits), *receivers]
