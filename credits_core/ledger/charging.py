"""Decides one charge, and replays one that was made before: what single charges, batches and captured holds share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from credits_core.ledger import entries, expiring, hold_rows, spending
from credits_core.ledger.hold_rows import StoredHold
from credits_core.ledger.lots import Draw
from credits_core.ledger.movements import Movement, for_prompt_run
from credits_core.ledger.receipts import PostedTransaction, Receipt
from credits_core.ledger.refusals import (
    IdempotencyKeyReused,
    InsufficientCredits,
    NothingToCharge,
    PriceChanged,
)
from credits_core.ledger.requests import Charge, ChargeRequest, NewEntry, check_charge, new_entry
from credits_core.ledger.trial_users import require_may_charge
from credits_core.ledger.writer import Posting
from credits_core.pricing.quote import PriceBook, Quote, quote
from credits_core.store.kinds import EntryType
from credits_core.values.roles import May

_HOLDS_AT_ONCE = 1_000


class OfHold(NamedTuple):
    """What a run that was held has from its hold: what the hold drew from lots, which pays first, and who made it."""

    draws: Sequence[Draw]
    made_by: str


def charged(
    posting: Posting,
    charge: Charge,
    book: PriceBook,
    receipts: Mapping[int, Receipt],
    *,
    of_hold: OfHold | None = None,
) -> Receipt:
    """Decide one charge and return its receipt. `receipts` are those decided in this unit of work, by their entries.

    `of_hold` is the hold for the run, where there was one.

    Raises:
        CreditsError: as `actions.charge_prompt`.
    """
    request, now = charge.request, charge.now
    charge.actor.require(May.CHARGE, May.TRY)
    check_charge(request, now=now)
    require_may_charge(posting.connection, charge.actor, request.user_id, request.creator_id)
    entry = new_entry(EntryType.PROMPT_RUN, request.as_asked, key=charge.key, now=now, actor=charge.actor)
    if entry.idempotency_key in posting.taken:
        return replayed(posting, entry, book, receipts)
    priced = price(request, book, charge.priced_at or now)
    if priced.total_credits == 0:
        raise NothingToCharge(priced.model_id)
    charge.actor.require_second(priced.total_credits, instead="Charge a smaller run")
    movements = for_prompt_run(priced, request.user_id, request.creator_id)
    entry_id, posted = post(posting, entry, movements, distinct=charge.distinct, of_hold=of_hold)
    posting.add_run(entry_id, request=request, quote=priced, price_list=book.price_list, created_at=now)
    return receipt_of(entry_id, entry, posted, priced, used_at=request.used_at)


def post(
    posting: Posting,
    entry: NewEntry,
    movements: list[Movement],
    *,
    distinct: bool = False,
    of_hold: OfHold | None = None,
) -> tuple[int, tuple[PostedTransaction, ...]]:
    """Decide an entry whose first movement is what a user pays or has held, as `Posting.post`.

    Credits whose time is over are taken first, unless a hold has kept them for this payment. A user who cannot pay
    first gets back what is held after its time. Both are judged now, and not only by a job. Spending limits are those
    of the user and of whoever charges; they were asked when a hold was made, and count what it was captured for.

    Raises:
        SpendingLimitReached: the user, or whoever charges, may not spend so much more.
        CreditsError: as `Posting.post`.
    """
    user_id, amount_credits = movements[0].account_id, -movements[0].amount_credits
    spenders = spending.spenders(user_id, entry.actor if of_hold is None else of_hold.made_by)
    if of_hold is None:
        _require_room(posting, spenders, amount_credits, entry.created_at)
    posted = _paid(posting, entry, movements, distinct=distinct, held=() if of_hold is None else of_hold.draws)
    if entry.type is not EntryType.TRANSFER:  # which only sets credits aside
        posting.spending.spent(spenders, amount_credits, entry.created_at)
    return posted


def _require_room(posting: Posting, spenders: Sequence[str], amount_credits: int, now: datetime) -> None:
    refusal = posting.spending.refusal(spenders, amount_credits, now)
    if refusal is not None:
        overdue_credits = sum(one.held_credits for one in _overdue(posting, spenders[0], now))
        refusal = posting.spending.refusal(spenders, amount_credits, now, overdue_credits=overdue_credits)
    if refusal is not None:
        raise refusal


def _overdue(posting: Posting, user_id: str, now: datetime) -> list[StoredHold]:
    found = hold_rows.overdue(posting.connection, now=now, user_ids=[user_id], limit=_HOLDS_AT_ONCE)
    return [one for one in found if one.id not in posting.ended]


def _paid(
    posting: Posting, entry: NewEntry, movements: list[Movement], *, distinct: bool, held: Sequence[Draw]
) -> tuple[int, tuple[PostedTransaction, ...]]:
    if not held:
        expiring.settle(posting, movements[0].account_id, entry.created_at)
    try:
        return posting.post(entry, movements, distinct=distinct, of=held)
    except InsufficientCredits as short:
        found = _overdue(posting, short.user_id, entry.created_at)
        if sum(one.held_credits for one in found) < short.required_credits - short.balance_credits:
            raise
        hold_rows.expire(posting, found, entry.created_at)
        if not held:
            expiring.settle(posting, movements[0].account_id, entry.created_at)
        return posting.post(entry, movements, distinct=distinct, of=held)


def price(request: ChargeRequest, book: PriceBook, now: datetime) -> Quote:
    """The quote of a request that was checked, with the prices of this moment.

    Raises:
        UnknownModel: no model has the name, or the model is not offered.
        PriceChanged: the total is not the one that the request expects.
    """
    priced = quote(
        book.models[request.model_id],
        book.plan,
        creator_fee_credits=request.creator_fee_credits,
        usage=request.usage,
        input_tokens=request.input_tokens,
        output_tokens=request.output_tokens,
        service_tier=request.service_tier,
        at=now,
    )
    expected_credits = request.expected_total_credits
    if expected_credits is not None and expected_credits != priced.total_credits:
        raise PriceChanged(expected_credits, priced.total_credits)
    return priced


def replayed(
    posting: Posting, entry: NewEntry, book: PriceBook | None, receipts: Mapping[int, Receipt] = MappingProxyType({})
) -> Receipt:
    """The receipt of the entry that has the key: one of those decided in this unit of work, or an earlier one."""
    entry_id, request_hash = posting.taken[entry.idempotency_key]
    # An answer without an entry has the key of an unlock, and is never the answer to anything else.
    if entry_id is None or request_hash != entry.request_hash:
        raise IdempotencyKeyReused(entry.idempotency_key, entry_id)
    if entry_id in receipts:
        return replace(receipts[entry_id], replayed=True)
    return entries.receipt(posting.connection, entry_id, plans={} if book is None else book.plans, replayed=True)


def receipt_of(
    entry_id: int,
    entry: NewEntry,
    posted: tuple[PostedTransaction, ...],
    priced: Quote | None,
    *,
    used_at: datetime | None = None,
) -> Receipt:
    """The receipt of an entry that was just decided."""
    return Receipt(
        entry_id=entry_id,
        type=entry.type,
        idempotency_key=entry.idempotency_key,
        actor=entry.actor,
        description=entry.description,
        created_at=entry.created_at,
        transactions=posted,
        quote=priced,
        replayed=False,
        refunds_entry_id=entry.refunds_entry_id,
        used_at=used_at,
    )
