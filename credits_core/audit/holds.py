"""The invariant of holds: each was made as asked and ended once, as its record, its entries and its run say alike."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.prices import models_of
from credits_core.audit.requests import hash_of, usage_asked
from credits_core.audit.run_groups import UNREADABLE
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.quote import quote
from credits_core.pricing.units import read_usage_text
from credits_core.store.kinds import EntryType, HoldEnd, Part
from credits_core.store.tables import (
    CreditTransaction,
    Hold,
    HoldEnding,
    JournalEntry,
    PayoutMove,
    PromptRun,
    PurchaseMove,
    UserPart,
)
from credits_core.values.days import from_microseconds


class _Made(NamedTuple):
    """A hold with what its entry says."""

    id: int
    user_id: str
    prompt_id: str
    model_id: str
    asked_model: str | None
    creator_id: str | None
    creator_fee_credits: int
    input_tokens: int | None
    output_tokens: int | None
    usage: str | None
    service_tier: str | None
    asked_credits: int | None
    held_credits: int
    plan_id: str
    price_list_id: int | None
    created_at_us: int
    expires_at_us: int
    ended_by_entry_id: int | None
    type: str | None
    request_hash: str | None
    entry_created_at_us: int | None
    account: str | None
    part: str | None
    moved_credits: int | None


class _Ended(NamedTuple):
    """The end of a hold with what its entry, its hold and its run say."""

    id: int
    hold_id: int
    kind: str
    run_entry_id: int | None
    type: str | None
    request_hash: str | None
    created_at_us: int | None
    account: str | None
    part: str | None
    moved_credits: int | None
    user_id: str | None
    held_credits: int | None
    plan_id: str | None
    expires_at_us: int | None
    ended_by_entry_id: int | None
    total_credits: int | None
    is_its_run: int | bool | None


def holds_end_once(connection: Connection, plans: Plans, since: Since = BEGINNING) -> Finding:
    """Every hold was made as asked, at the price of its plan and list, and ended at most once; no transfer is of none.

    A captured one was in time and has one run, of what was held, for at most what the hold and its plan allow. What is
    held of a user is the sum of the user's open holds.
    """
    checked, violations, models = 0, list[str](), dict[int, ModelRegistry | None]()
    for one in map(_Made._make, chain.from_iterable(blocks(connection, _made().where(Hold.id > since.entry_id)))):
        checked += 1
        violations += _wrongly_made(one)
        if one.price_list_id is not None and one.price_list_id not in models:
            models[one.price_list_id] = models_of(connection, one.price_list_id)
        violations += _wrongly_priced(one, plans, models)
    for end in map(
        _Ended._make, chain.from_iterable(blocks(connection, _ended().where(HoldEnding.id > since.entry_id)))
    ):
        checked += 1
        violations += _wrongly_ended(end, plans)
    violations += _without_a_hold(connection, since)
    violations += _not_ended(connection)
    violations += _not_the_sum(connection)
    return Finding("every hold ends once, as it was made", checked, tuple(violations))


def _made() -> Select[Any]:
    own, of_part = aliased(CreditTransaction), aliased(CreditTransaction)
    columns = [Hold.__table__.c[name] for name in _Made._fields[:18]]
    return (
        select(
            *columns,
            JournalEntry.type,
            JournalEntry.request_hash,
            JournalEntry.created_at_us,
            own.account_id,
            of_part.account_id,
            of_part.amount_credits,
        )
        .outerjoin(JournalEntry, JournalEntry.id == Hold.id)
        .outerjoin(own, and_(own.entry_id == Hold.id, own.position == 0))
        .outerjoin(of_part, and_(of_part.entry_id == Hold.id, of_part.position == 1))
        .order_by(Hold.id)
    )


def _ended() -> Select[*tuple[Any, ...]]:
    own, of_part = aliased(CreditTransaction), aliased(CreditTransaction)
    same = (
        *(
            PromptRun.user_id == Hold.user_id,
            PromptRun.prompt_id == Hold.prompt_id,
            PromptRun.model_id == Hold.model_id,
        ),
        *(PromptRun.plan_id == Hold.plan_id, PromptRun.creator_fee_credits == Hold.creator_fee_credits),
        *(PromptRun.price_list_id.is_not_distinct_from(Hold.price_list_id), PromptRun.entry_id > HoldEnding.id),
        *(PromptRun.creator_id.is_not_distinct_from(Hold.creator_id),),
        PromptRun.asked_model.is_not_distinct_from(Hold.asked_model),
    )
    of_run: tuple[Any, ...] = (PromptRun.total_credits, and_(*same))
    return (
        select(
            HoldEnding.id,
            HoldEnding.hold_id,
            HoldEnding.kind,
            HoldEnding.run_entry_id,
            JournalEntry.type,
            JournalEntry.request_hash,
            JournalEntry.created_at_us,
            own.account_id,
            of_part.account_id,
            of_part.amount_credits,
            Hold.user_id,
            Hold.held_credits,
            Hold.plan_id,
            Hold.expires_at_us,
            Hold.ended_by_entry_id,
            *of_run,
        )
        .outerjoin(Hold, Hold.id == HoldEnding.hold_id)
        .outerjoin(JournalEntry, JournalEntry.id == HoldEnding.id)
        .outerjoin(own, and_(own.entry_id == HoldEnding.id, own.position == 0))
        .outerjoin(of_part, and_(of_part.entry_id == HoldEnding.id, of_part.position == 1))
        .outerjoin(PromptRun, PromptRun.entry_id == HoldEnding.run_entry_id)
        .order_by(HoldEnding.id)
    )


def _wrongly_made(one: _Made) -> Iterator[str]:
    moved = (one.user_id, f"{one.user_id}:{Part.HELD.value}", one.held_credits)
    if one.type != EntryType.TRANSFER or (one.account, one.part, one.moved_credits) != moved:
        yield f"hold {one.id} is not what its entry moved"
    if one.created_at_us != one.entry_created_at_us:
        yield f"hold {one.id} was not made when its entry was"
    asked = (
        *(one.user_id, one.prompt_id, one.asked_model or one.model_id, one.creator_id, one.creator_fee_credits),
        *(one.input_tokens, one.output_tokens, usage_asked(one.usage), one.service_tier, one.asked_credits),
    )
    lasts_us = one.expires_at_us - one.created_at_us
    if one.request_hash != hash_of((EntryType.TRANSFER.value, "hold", *asked, lasts_us)):
        yield f"hold {one.id} differs from the request that it was made for"


def _wrongly_priced(one: _Made, plans: Plans, models: dict[int, ModelRegistry | None]) -> Iterator[str]:
    """What is wrong with the credits of a hold: they are the price of its usage, where its caller gave no amount."""
    if one.plan_id not in plans:
        yield f"hold {one.id} names the price plan {one.plan_id}, which was never live"
        return
    if one.asked_credits is not None or one.price_list_id is None:
        return  # without a price list nothing says what a model cost then
    registry = models[one.price_list_id]
    if registry is None:
        yield f"hold {one.id} names price list {one.price_list_id}, which is missing or cannot be read"
        return
    try:
        again = quote(
            registry[one.model_id],
            plans[one.plan_id],
            creator_fee_credits=one.creator_fee_credits,
            usage=None if one.usage is None else read_usage_text(one.usage),
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            service_tier=one.service_tier,
            at=from_microseconds(one.created_at_us),
        )
    except UNREADABLE:
        yield f"hold {one.id} cannot be priced by price list {one.price_list_id}"
        return
    if again.total_credits != one.held_credits:
        yield f"hold {one.id} holds {one.held_credits}, but its run would cost {again.total_credits}"


def _wrongly_ended(end: _Ended, plans: Plans) -> Iterator[str]:
    if end.user_id is None or end.held_credits is None or end.expires_at_us is None:
        return  # `references_exist` says that the hold is missing
    moved = (end.user_id, f"{end.user_id}:{Part.HELD.value}", -end.held_credits)
    if end.type != EntryType.TRANSFER or (end.account, end.part, end.moved_credits) != moved:
        yield f"entry {end.id} does not give hold {end.hold_id} back"
    if end.request_hash != hash_of((EntryType.TRANSFER.value, end.kind, end.hold_id)):
        yield f"entry {end.id} differs from the request to end hold {end.hold_id}"
    if end.ended_by_entry_id != end.id:
        yield f"hold {end.hold_id} says that entry {end.ended_by_entry_id} ended it, and not {end.id}"
    if end.created_at_us is not None and (end.created_at_us >= end.expires_at_us) != (end.kind == HoldEnd.EXPIRED):
        when = "before" if end.kind == HoldEnd.EXPIRED else "after"
        yield f"hold {end.hold_id} was {end.kind} {when} its time was over"
    if end.kind != HoldEnd.CAPTURED:
        return
    if not end.is_its_run:
        yield f"entry {end.run_entry_id} is not the run of hold {end.hold_id}"
        return
    plan = plans.get(end.plan_id or "")
    if plan is not None and (end.total_credits or 0) > plan.most_of_hold(end.held_credits):
        yield f"hold {end.hold_id} was captured for {end.total_credits}, more than its plan allows"


def _without_a_hold(connection: Connection, since: Since) -> Iterator[str]:
    transfers = (
        select(JournalEntry.id)
        .outerjoin(Hold, Hold.id == JournalEntry.id)
        .outerjoin(HoldEnding, HoldEnding.id == JournalEntry.id)
        .outerjoin(PurchaseMove, PurchaseMove.id == JournalEntry.id)
        .outerjoin(PayoutMove, PayoutMove.id == JournalEntry.id)
        .where(JournalEntry.type == EntryType.TRANSFER.value, JournalEntry.id > since.entry_id)
        .where(Hold.id.is_(None), HoldEnding.id.is_(None), PurchaseMove.id.is_(None), PayoutMove.id.is_(None))
        .order_by(JournalEntry.id)
    )
    yield from (
        f"entry {id_} is a transfer of no hold, purchase or payout" for id_ in connection.execute(transfers).scalars()
    )


def _not_ended(connection: Connection) -> Iterator[str]:
    """The holds that say they ended, though nothing ended them."""
    wrong = (
        select(Hold.id)
        .outerjoin(HoldEnding, HoldEnding.hold_id == Hold.id)
        .where(Hold.ended_by_entry_id.is_not(None), HoldEnding.id.is_(None))
        .order_by(Hold.id)
    )
    yield from (f"hold {id_} has no end, but says so" for id_ in connection.execute(wrong).scalars())


def _not_the_sum(connection: Connection) -> Iterator[str]:
    """The users of whom something else is held than the sum of their open holds."""
    is_held = UserPart.account_id.endswith(f":{Part.HELD.value}")
    part = select(UserPart.user_id, UserPart.balance_credits).where(is_held).subquery()
    open_ = (
        select(Hold.user_id, func.sum(Hold.held_credits).label("credits"))
        .where(Hold.ended_by_entry_id.is_(None))
        .group_by(Hold.user_id)
        .subquery()
    )
    wrong = (
        select(part.c.user_id, part.c.balance_credits, func.coalesce(open_.c.credits, 0))
        .outerjoin(open_, open_.c.user_id == part.c.user_id)
        .where(part.c.balance_credits != func.coalesce(open_.c.credits, 0))
        .order_by(part.c.user_id)
    )
    for user, held, due in connection.execute(wrong):
        yield f"{held} credits of {user} are held, but the open holds come to {int(due)}"
