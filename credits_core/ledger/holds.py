"""The actions on holds: set credits aside for a run whose cost is not known yet, and charge the run when it is.

As `ledger.actions`: each loads, decides and posts in the caller's unit of work, and never commits. A hold ends exactly
once: captured, released or expired. It is priced by the plan and the price list of the moment when it was made, from
then to its end.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, insert

from credits_core.ledger import charging, expiring, hold_rows, spending, writer
from credits_core.ledger.charging import OfHold
from credits_core.ledger.hold_rows import StoredHold
from credits_core.ledger.movements import for_hold
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import (
    HoldEnded,
    HoldTooSmall,
    IdempotencyKeyReused,
    InsufficientCredits,
    NothingToCharge,
)
from credits_core.ledger.requests import (
    CaptureRequest,
    Charge,
    ChargeRequest,
    HoldRequest,
    check_hold,
    is_key,
    new_entry,
)
from credits_core.ledger.trial_users import require_may_charge, require_test_users
from credits_core.ledger.writer import Posting
from credits_core.prices import lists
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.units import usage_text
from credits_core.store.kinds import EntryType, HoldEnd
from credits_core.store.tables import Hold
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May

MOST_AT_ONCE = 100
"""How many holds `expire_overdue` ends in one unit of work: that many users are locked until it ends."""
_NO_RECEIPTS: MappingProxyType[int, Receipt] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it is now. `balance_credits` is what the user can spend; `replayed` as in a receipt."""

    hold: StoredHold
    balance_credits: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Captured:
    """The receipt of the run that a hold was captured for, what came back of the hold, and what the user can spend."""

    receipt: Receipt
    hold_id: int
    released_credits: int
    balance_credits: int


def authorise(
    connection: Connection, request: HoldRequest, *, book: PriceBook, key: str, now: datetime, actor: Actor
) -> Held:
    """Set credits of a user aside for a run: its price with the most that it may use, or an amount.

    Raises:
        InvalidRequest: a field cannot be accepted.
        UnknownModel: no model has the name, or the model is not offered.
        NothingToCharge: the run would cost nothing, so there is nothing to hold.
        UnknownUser: the user has no account.
        InsufficientCredits: the user can spend less than would be held.
        SpendingLimitReached: the user, or whoever charges, may not spend so much more today or this month.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.CHARGE, May.TRY)
    check_hold(request, now=now)
    require_may_charge(connection, actor, request.user_id, request.creator_id)
    entry = new_entry(
        EntryType.TRANSFER, request.as_asked, key=key, now=now, actor=actor, description=f"Hold for {request.prompt_id}"
    )
    posting = writer.begin(
        connection, [request.user_id], [key], spenders=spending.spenders(request.user_id, actor.recorded)
    )
    if key in posting.taken:
        hold_id, request_hash = posting.taken[key]
        if hold_id is None or request_hash != entry.request_hash:
            raise IdempotencyKeyReused(key, hold_id)
        return Held(hold_rows.hold(connection, hold_id), posting.balances[request.user_id], replayed=True)
    model = book.models[request.model_id]
    held_credits = request.asked_credits or charging.price(request.run, book, now).total_credits
    if held_credits == 0:
        raise NothingToCharge(model.id)
    actor.require_second(held_credits, instead="Hold less")
    posting.require_user(request.user_id)
    hold_id, _ = charging.post(posting, entry, for_hold(request.user_id, held_credits))
    row = {
        "id": hold_id,
        "user_id": request.user_id,
        "prompt_id": request.prompt_id,
        "model_id": model.id,
        "asked_model": None if model.id == request.model_id else request.model_id,
        "creator_id": request.creator_id,
        "creator_fee_credits": request.creator_fee_credits,
        "input_tokens": request.input_tokens,
        "output_tokens": request.output_tokens,
        "usage": None if request.usage is None else usage_text(request.usage),
        "service_tier": request.service_tier,
        "asked_credits": request.asked_credits,
        "held_credits": held_credits,
        "plan_id": book.plan.id,
        "price_list_id": book.price_list,
        "created_at_us": to_microseconds(now),
        "expires_at_us": to_microseconds(now + request.lasts),
    }
    posting.also(insert(Hold).values(row))
    posting.write()
    return Held(hold_rows.hold(connection, hold_id), posting.balances[request.user_id], replayed=False)


def capture(
    connection: Connection,
    hold_id: int,
    used: CaptureRequest | None,
    *,
    book: PriceBook,
    key: str,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
) -> Captured:
    """Charge the run of a hold for what it really used, and give the rest back. Without `used`: the most it may use.

    The held credits come back and the run is charged in one unit of work, so nothing comes between. A run that costs
    more than was held is charged as far as its price plan allows, from what the user can spend.

    Raises:
        UnknownHold: there is no such hold.
        HoldEnded: it was captured, released or has expired.
        HoldTooSmall: the run costs more than the hold and its plan allow.
        InvalidRequest: the usage cannot be accepted, or is missing where only an amount was held.
        NothingToCharge, InsufficientCredits, BalanceTooLarge, AccountLooksAlike: as `actions.charge_prompt`.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.CHARGE, May.TRY)
    found = hold_rows.hold(connection, hold_id)
    require_test_users(connection, actor, May.CHARGE, [found.user_id])
    users = {found.user_id} | ({found.creator_id} if found.creator_id else set())
    posting = writer.begin(
        connection,
        users,
        [key, hold_rows.end_key(hold_id, HoldEnd.CAPTURED)] if is_key(key) else [],
        spenders=spending.spenders(found.user_id, found.made_by),
    )
    # Read again: whoever else would end this hold waited for the user, or has ended it meanwhile.
    found = hold_rows.hold(connection, hold_id)
    charge = Charge(_run(found, used), key, now, actor, priced_at=found.created_at, distinct=distinct)
    book = _book_of(connection, found, book)
    if key in posting.taken:
        return _captured_again(posting, found, charge, book)
    _require_open(found, now)
    entry_id = hold_rows.give_back(posting, found, hold_rows.end_entry(found, HoldEnd.CAPTURED, now=now, actor=actor))
    drawn = posting.lots.drawn_by(found.user_id, hold_id)
    most_credits = book.plan.most_of_hold(found.held_credits)
    try:
        receipt = charging.charged(posting, charge, book, _NO_RECEIPTS, of_hold=OfHold(drawn, found.made_by))
    except InsufficientCredits as short:
        _require_covered(found, short.required_credits, most_credits)  # more credits would not help
        raise
    total_credits = -receipt.transactions[0].amount_credits
    _require_covered(found, total_credits, most_credits)
    hold_rows.mark_ended(posting, found, HoldEnd.CAPTURED, entry_id, receipt.entry_id)
    expiring.settle(posting, found.user_id, now)  # what came back of lots whose time is over by now
    posting.write()
    released_credits = max(0, found.held_credits - total_credits)
    return Captured(receipt, hold_id, released_credits, posting.balances[found.user_id])


def release(connection: Connection, hold_id: int, *, key: str, now: datetime, actor: Actor) -> Held:
    """Give all credits of a hold back to what the user can spend. Its run is not charged.

    Raises:
        UnknownHold: there is no such hold.
        HoldEnded: it was captured, released or has expired.
        IdempotencyKeyReused: the key belongs to another request.
    """
    actor.require(May.CHARGE, May.TRY)
    found = hold_rows.hold(connection, hold_id)
    require_test_users(connection, actor, May.CHARGE, [found.user_id])
    entry = hold_rows.end_entry(found, HoldEnd.RELEASED, key=key, now=now, actor=actor)
    posting = writer.begin(connection, [found.user_id], [key])
    found = hold_rows.hold(connection, hold_id)
    if key in posting.taken:
        if posting.taken[key].request_hash != entry.request_hash:
            raise IdempotencyKeyReused(key, posting.taken[key].entry_id)
        return Held(found, posting.balances[found.user_id], replayed=True)
    _require_open(found, now)
    hold_rows.mark_ended(posting, found, HoldEnd.RELEASED, hold_rows.give_back(posting, found, entry))
    expiring.settle(posting, found.user_id, now)
    posting.write()
    return Held(hold_rows.hold(connection, hold_id), posting.balances[found.user_id], replayed=False)


def expire_overdue(connection: Connection, *, now: datetime, actor: Actor, limit: int = MOST_AT_ONCE) -> int:
    """End holds whose time is over, the oldest first and at most `limit`, and return how many that were.

    For a job that calls it until it returns 0. Nothing depends on the job: a hold whose time is over cannot be
    captured, and comes back at once when its user needs the credits.
    """
    actor.require(May.CHARGE)
    overdue = hold_rows.overdue(connection, now=now, limit=limit)
    posting = writer.begin(connection, {one.user_id for one in overdue}, ())
    still_open = hold_rows.overdue(connection, now=now, user_ids=sorted({one.user_id for one in overdue}), limit=limit)
    hold_rows.expire(posting, still_open, now)
    for user_id in sorted({one.user_id for one in still_open}):
        expiring.settle(posting, user_id, now)
    posting.write()
    return len(still_open)


def _run(found: StoredHold, used: CaptureRequest | None) -> ChargeRequest:
    run = ChargeRequest(
        found.user_id,
        found.prompt_id,
        found.model_name,
        found.creator_id,
        found.creator_fee_credits,
        found.input_tokens,
        found.output_tokens,
        usage=found.usage,
        service_tier=found.service_tier,
    )
    if used is None:
        return run
    return replace(
        run,
        usage=used.usage,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        service_tier=used.service_tier or found.service_tier,
    )


def _book_of(connection: Connection, found: StoredHold, book: PriceBook) -> PriceBook:
    """The price book that the hold was made with: its plan and its price list."""
    models = book.models
    if found.price_list is not None and found.price_list != book.price_list:
        models = replace(lists.models_of(connection, found.price_list), elsewhere=book.models.elsewhere)
    return replace(book, plan=book.plans[found.plan_id], models=models, price_list=found.price_list)


def _require_open(found: StoredHold, now: datetime) -> None:
    state = found.state(now)
    if state != "open":
        raise HoldEnded(found.id, state, found.ended_by_entry_id)


def _require_covered(found: StoredHold, total_credits: int, most_credits: int) -> None:
    if total_credits > most_credits:
        is_of_usage = found.usage is not None or found.input_tokens is not None
        raise HoldTooSmall(found.id, total_credits, most_credits, is_of_usage=is_of_usage)


def _captured_again(posting: Posting, found: StoredHold, charge: Charge, book: PriceBook) -> Captured:
    """The answer to a request that was carried out before. Its key belongs to the run of this hold, or to none."""
    taken = posting.taken[charge.key].entry_id
    if taken is None or taken != found.run_entry_id:
        raise IdempotencyKeyReused(charge.key, taken)
    receipt = charging.charged(posting, charge, book, _NO_RECEIPTS)
    return Captured(receipt, found.id, found.released_credits, posting.balances[found.user_id])
