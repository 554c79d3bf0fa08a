"""The ledger's actions: one function for each thing a person can do. Never commits and never asks for the time.

Each action loads, decides (pure) and posts. It takes the connection of the caller's unit of work (`database.write`
makes one), an idempotency key, the time and the actor. A refusal raises a `CreditsError`; the caller's unit of work is
then rolled back and nothing is kept, not even the key. The same key with the same request returns the first receipt
again, whatever the price and the balances are now.

Whoever may not act is refused (`NotAllowed`) before anything is looked up; whoever may only try things out, when a user
or the creator is no test user; a person who would move more than one may move alone, at the end (`NeedsApproval`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Protocol

from sqlalchemy import Connection, insert, update

from credits_core.errors import CreditsError
from credits_core.ledger import charging, entries, expiring, flows, refunds, spending, writer
from credits_core.ledger.movements import for_added_credits, for_flow_unlock, for_refund
from credits_core.ledger.receipts import FlowAccess, Receipt, Unlock
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.ledger.refusals import (
    AddedCreditsSpent,
    CirculationTooLarge,
    InsufficientCredits,
)
from credits_core.ledger.requests import (
    Charge,
    ChargeRequest,
    NewEntry,
    UnlockRequest,
    check_charge,
    is_key,
    new_entry,
    refund_request,
    require_entry_id,
    require_expiry,
)
from credits_core.ledger.trial_users import require_may_charge, require_test_users
from credits_core.ledger.writer import Posting, Question
from credits_core.pricing.quote import PriceBook, Quote
from credits_core.store.kinds import CreditSource, EntryType
from credits_core.store.tables import LotTerms, UnlockedFlow
from credits_core.values.credits import require_credits
from credits_core.values.days import to_microseconds
from credits_core.values.fields import is_id, require_id, require_text
from credits_core.values.roles import Actor, May

MAX_CIRCULATION_CREDITS = 2**62
"""Largest sum of all balances: half of what a 64-bit sum holds. The other half is room for units of work that add
credits at the same moment on PostgreSQL and do not see each other. It limits what users hold, not what moves: a user
who spends 2^53-1 credits and is refunded, a thousand times in one day, overflows the sums of that day."""


class BookQuestion(Question, Protocol):
    """A question for the live price book, which a charge sends together with its own: `PriceBooks.asked` makes one."""

    def answer(self) -> PriceBook:
        """The book."""


_UNLOCK_FIELDS = attrgetter(*(field.name for field in fields(UnlockRequest)))


def quote_prompt(request: ChargeRequest, book: PriceBook, *, now: datetime) -> Quote:
    """The price that charging this request would have now. No side effect, no database.

    Raises:
        InvalidRequest: a field cannot be accepted.
        UnknownModel: no model has the name, or the model is not offered.
        PriceChanged: the total is not the one that the request expects.
    """
    check_charge(request, now=now)
    return charging.price(request, book, now)


def charge_prompt(
    connection: Connection,
    request: ChargeRequest,
    *,
    book: PriceBook | BookQuestion,
    key: str,
    now: datetime,
    actor: Actor,
    priced_at: datetime | None = None,
    distinct: bool = False,
) -> Receipt:
    """Charge one prompt run and return its receipt: the user pays; creator, platform and inference receive their parts.

    The entry is dated `now`, and the run has the model's price of `now`, or of `priced_at` where that is given.
    A creator without an account gets one; with `distinct`, also one whose id differs from another's only in upper and
    lower case. A creator who runs their own prompt pays like anyone else.

    Raises:
        InvalidRequest, UnknownModel, PriceChanged: as `quote_prompt`.
        NothingToCharge: the total is 0.
        UnknownUser: the user has no account.
        InsufficientCredits: the user holds less than the total.
        SpendingLimitReached: the user, or whoever charges, may not spend so much more today or this month.
        BalanceTooLarge: the creator would hold more than 2^53-1 credits.
        AccountLooksAlike: the creator has no account, but one whose id differs only in upper and lower case is there.
        IdempotencyKeyReused: the key belongs to another request.
    """
    charge = Charge(request, key, now, actor, priced_at=priced_at, distinct=distinct)
    (outcome,) = charge_prompts(connection, [charge], book=book)
    if isinstance(outcome, CreditsError):
        raise outcome
    return outcome


def charge_prompts(
    connection: Connection,
    charges: Sequence[Charge],
    *,
    book: PriceBook | BookQuestion,
    pace: Callable[[Iterable[Charge]], Iterable[Charge]] = iter,
) -> list[Receipt | CreditsError]:
    """Charge many runs in one unit of work, each with its own key and its own refusal, in the given order.

    Returns one receipt or refusal for each charge that `pace` gives: exactly what one `charge_prompt` after another
    would have given. `pace` gets all charges and may stop before the last: the others are then left for another unit of
    work. A refused charge changes nothing, and the others still count. On PostgreSQL every user of the batch stays
    locked until the unit of work ends.
    """
    # All users at once: batches that took them one by one, each in the order of its own charges, would wait for each
    # other in a circle.
    named = {user_id for charge in charges for user_id in (charge.request.user_id, charge.request.creator_id)}
    keys = {charge.key for charge in charges if is_key(charge.key)}
    spenders = {one for each in charges for one in spending.spenders(each.request.user_id, each.actor.recorded)}
    if isinstance(book, PriceBook):
        posting = writer.begin(connection, filter(is_id, named), keys, spenders=spenders)
    else:
        posting = writer.begin(connection, filter(is_id, named), keys, first=book, spenders=spenders)
        book = book.answer()
    receipts: dict[int, Receipt] = {}
    outcomes: list[Receipt | CreditsError] = []
    for charge in pace(charges):
        try:
            outcome = charging.charged(posting, charge, book, receipts)
            receipts[outcome.entry_id] = outcome
            outcomes.append(outcome)
        except CreditsError as refusal:
            outcomes.append(refusal)
    posting.write()
    return outcomes


def add_credits(
    connection: Connection,
    user_id: str,
    amount_credits: int,
    *,
    source: CreditSource,
    reason: str = "",
    expires_at: datetime | None = None,
    key: str,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
) -> Receipt:
    """Add credits to a user's balance and return the receipt. The first credits create the user.

    From `expires_at` on, a time after `now`, what is left of them cannot be spent. The user's first credits that expire
    take longer, because all of the user's movements are read then.

    A grant and an adjustment need a reason of 1 to 500 characters; a purchase may have one. With `distinct`, a new
    user's id may differ from another one's only in upper and lower case.

    Raises:
        InvalidRequest: the amount is not a whole number from 1 to 2^53-1, or a field cannot be accepted. The id of a
            new user must not look like one that a spreadsheet has broken.
        BalanceTooLarge: the user would hold more than 2^53-1 credits.
        AccountLooksAlike: the user has no account, but one whose id differs only in upper and lower case is there.
        CirculationTooLarge: all users together would hold more than 2^62 credits.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.MOVE_CREDITS, May.TRY)
    posting = writer.begin(connection, [require_id("user_id", user_id)], [key] if is_key(key) else [])
    receipt = post_credits(
        posting,
        user_id,
        amount_credits,
        source=source,
        reason=reason,
        expires_at=expires_at,
        key=key,
        now=now,
        actor=actor,
        distinct=distinct,
    )
    posting.write()
    if writer.circulating_credits(connection) > MAX_CIRCULATION_CREDITS:
        raise CirculationTooLarge(amount_credits, MAX_CIRCULATION_CREDITS)
    return receipt


def unlock_flow(
    connection: Connection,
    request: UnlockRequest,
    *,
    book: PriceBook,
    key: str,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
) -> Unlock:
    """Give a user access to a flow for one payment, split between creator and platform.

    Charges nothing when the user made the flow, or unlocked it before and was not refunded. That answer keeps its key
    too: the same request with the same key never pays later. A replay says whether the user has the flow now.

    Raises:
        InvalidRequest: a field cannot be accepted, or the fee is not a whole number from 1 to 2^53-1.
        UnknownUser: the user has no account.
        InsufficientCredits: the user holds less than the fee.
        SpendingLimitReached, BalanceTooLarge, AccountLooksAlike: as `charge_prompt`.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.CHARGE, May.TRY)
    for field in ("user_id", "flow_id", "creator_id"):
        require_id(field, getattr(request, field))
    require_may_charge(connection, actor, request.user_id, request.creator_id)
    fee_credits = require_credits("unlock_fee_credits", request.unlock_fee_credits)
    entry = new_entry(EntryType.FLOW_UNLOCK, _UNLOCK_FIELDS(request), key=key, now=now, actor=actor)
    users = {request.user_id, request.creator_id}
    # Two unlocks of the same user wait for each other here, so that the second one sees the first.
    posting = writer.begin(
        connection, users, [key], numbers=0, spenders=spending.spenders(request.user_id, actor.recorded)
    )
    taken = posting.taken.get(key)
    if taken is not None and taken.entry_id is None:
        return flows.repeated_answer(connection, request, entry)
    if taken is not None:
        return _replayed_unlock(posting, request, entry, book)
    posting.require_user(request.user_id)
    if request.user_id == request.creator_id:
        flows.keep_answer(connection, request, entry, None)
        return Unlock(FlowAccess.OWN_FLOW, None)
    in_force = entries.unlock_in_force(connection, request.user_id, flow_id=request.flow_id)
    if in_force is not None:
        flows.keep_answer(connection, request, entry, in_force)
        return Unlock(FlowAccess.UNLOCKED_BEFORE, None, in_force)
    actor.require_second(fee_credits, instead="Unlock for a smaller fee")
    creator_share_credits, platform_share_credits = book.plan.split_fee(fee_credits)
    movements = for_flow_unlock(
        request.user_id,
        request.creator_id,
        creator_share_credits=creator_share_credits,
        platform_share_credits=platform_share_credits,
    )
    entry_id, posted = charging.post(posting, entry, movements, distinct=distinct)
    posting.write()
    connection.execute(
        insert(UnlockedFlow).values(
            entry_id=entry_id,
            user_id=request.user_id,
            flow_id=request.flow_id,
            creator_id=request.creator_id,
            plan_id=book.plan.id,
            unlock_fee_credits=fee_credits,
            creator_share_credits=creator_share_credits,
            created_at_us=to_microseconds(now),
        )
    )
    return Unlock(FlowAccess.PAID_NOW, charging.receipt_of(entry_id, entry, posted, None))


def refund(
    connection: Connection,
    entry_id: int,
    *,
    reason: str,
    provider_refunded: bool = False,
    amount_credits: int | None = None,
    book: PriceBook,
    key: str,
    now: datetime,
    actor: Actor,
) -> Receipt:
    """Refund an entry to its end, once: a new entry reverses its movements. A refunded unlock locks the flow again.

    With an amount, that much of a run or an unlock is refunded, and the rest can be refunded later: everybody gives
    back the part of the share (`pricing.refund_shares`). A second person is asked by all that is refunded of the entry.

    If the creator has already spent some of the share, the platform pays that part, as a separate transaction. It also
    bears the inference cost of a run, unless `provider_refunded` says that the provider gave the cost back. Added
    credits can be refunded only while the user still has them. `refunds.preview` says who would bear what.

    Raises:
        InvalidRequest: the entry's id is not a positive whole number, the reason does not have 1 to 500 characters, the
            provider is said to have given an inference cost back, and the entry has none, or an amount is given for
            added credits.
        UnknownEntry: no entry has this id.
        NotRefundable: the entry is itself a refund.
        AlreadyRefunded: the entry was refunded before, and nothing is left.
        RefundExceedsRest: less than the amount is left to refund.
        AddedCreditsSpent: credits that were added have been spent since.
        BalanceTooLarge: the user would hold more than 2^53-1 credits.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.MOVE_CREDITS, May.TRY)
    reason = require_text("reason", reason)
    asked = refund_request(require_entry_id(entry_id), reason, provider_refunded, amount_credits)
    entry = new_entry(EntryType.REFUND, asked, key=key, now=now, actor=actor, description=reason, refunds=entry_id)
    if May.MOVE_CREDITS not in actor.may:
        payer = entries.receipt(connection, entry_id, plans={}).transactions[0].account_id
        require_test_users(connection, actor, May.MOVE_CREDITS, [payer])
    if entries.entry_by_key(connection, key) is not None:
        return charging.replayed(writer.begin(connection, (), [key]), entry, book)
    terms = RefundTerms(provider_refunded=provider_refunded)
    original = refunds.refundable(connection, entry_id, terms)
    paid = refunds.movements_of(original)
    # Two refunds of one entry wait for each other here, so that the second one sees the first.
    posting = writer.begin(connection, refunds.users_of(paid), [key])
    if key in posting.taken:  # this same request, carried out while this one waited
        return charging.replayed(posting, entry, book)
    step = refunds.next_step(connection, original, amount_credits)
    part = step.part
    actor.require_second(abs(paid[0].amount_credits) if part is None else part.through_credits)
    if not step.is_last:  # its part names what it refunds
        entry = replace(entry, type=EntryType.PARTIAL_REFUND, refunds_entry_id=None)
    for user_id in refunds.users_of(paid):
        expiring.settle(posting, user_id, now)
    try:
        of = refunds.drawn(posting, entry_id, paid[0], part)
        refund_id, posted = posting.post(entry, for_refund(paid, posting.balances, terms, part), of=of)
    except InsufficientCredits as short:
        raise AddedCreditsSpent(short.user_id, short.balance_credits, short.required_credits) from None
    posting.write()
    refunds.keep_terms(connection, refund_id, terms)
    refunds.keep_part(connection, refund_id, original, step)
    if original.type is EntryType.FLOW_UNLOCK and step.is_last:
        connection.execute(
            update(UnlockedFlow).where(UnlockedFlow.entry_id == entry_id).values(refunded_by_entry_id=refund_id)
        )
    receipt = charging.receipt_of(refund_id, entry, posted, None)
    return replace(receipt, terms=terms, part=part, refunds_entry_id=entry_id)


def post_credits(
    posting: Posting,
    user_id: str,
    amount_credits: int,
    *,
    source: CreditSource,
    reason: str,
    expires_at: datetime | None = None,
    key: str,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
) -> Receipt:
    """Decide what `add_credits` adds, without adding up what all users hold: for callers who do that once for many."""
    require_test_users(posting.connection, actor, May.MOVE_CREDITS, [require_id("user_id", user_id)])
    require_credits("amount_credits", amount_credits)
    reason = require_text("reason", reason, minimum=0 if source is CreditSource.PURCHASE else 1)
    entry_type, movements = for_added_credits(source, user_id, amount_credits)
    asked: tuple[object, ...] = (user_id, amount_credits, source.value, reason)
    expires_at_us = None if expires_at is None else to_microseconds(require_expiry(expires_at, now=now))
    if expires_at_us is not None:
        asked = (*asked, expires_at_us)
    entry = new_entry(entry_type, asked, key=key, now=now, actor=actor, description=reason or None)
    if entry.idempotency_key in posting.taken:
        return charging.replayed(posting, entry, None)
    actor.require_second(amount_credits)
    if expires_at_us is not None:
        posting.lots.begin(user_id)
    entry_id, posted = posting.post(entry, movements, distinct=distinct, expires_at_us=expires_at_us)
    if expires_at_us is not None:
        posting.also(insert(LotTerms).values(id=entry_id, expires_at_us=expires_at_us))
    return charging.receipt_of(entry_id, entry, posted, None)


def _replayed_unlock(posting: Posting, request: UnlockRequest, entry: NewEntry, book: PriceBook) -> Unlock:
    receipt = charging.replayed(posting, entry, book)
    in_force = entries.unlock_in_force(posting.connection, request.user_id, flow_id=request.flow_id)
    if in_force is None:
        access = FlowAccess.REFUNDED
    else:
        access = FlowAccess.PAID_NOW if in_force == receipt.entry_id else FlowAccess.UNLOCKED_BEFORE
    return Unlock(access, receipt, refunded_by_entry_id=receipt.refunded_by_entry_id, replayed=True)
