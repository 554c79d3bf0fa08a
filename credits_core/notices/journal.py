"""Reads events out of what is recorded: the journal's entries, activations of plans, and events that are no entries.

The journal is the outbox: an entry is there exactly when what it tells of happened, so nothing has to be written beside
it, and nobody who charges pays for those who are told.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from credits_core.ledger.locks import writers_under_way
from credits_core.notices.events import Content, Event, event
from credits_core.store import database
from credits_core.store.kinds import (
    EntryType,
    EventKind,
    HoldEnd,
    Part,
    PayoutStep,
    is_part,
    is_platform,
    part_account,
)
from credits_core.store.tables import (
    CreditTransaction,
    Hold,
    HoldEnding,
    JournalEntry,
    PartialRefund,
    Payout,
    PayoutMove,
    PlanActivation,
    PromptRun,
    PurchaseMove,
    WebhookEvent,
)
from credits_core.values.days import from_microseconds

_OF_TYPES = {
    EntryType.PROMPT_RUN: EventKind.RUN_CHARGED,
    EntryType.CREDIT_PURCHASE: EventKind.PURCHASE_PAID,
    EntryType.REFUND: EventKind.REFUND_MADE,
    EntryType.PARTIAL_REFUND: EventKind.REFUND_MADE,
    EntryType.REVERSAL: EventKind.REFUND_MADE,
    EntryType.TRANSFER: EventKind.HOLD_EXPIRED,
    EntryType.PAYOUT: EventKind.PAYOUT_PAID,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """Up to where nothing can still appear: the newest entry with its key, and the newest event that is no entry."""

    entry_id: int
    key: str
    event_id: int


def settled(engine: Engine) -> Settled | None:
    """Up to where events can be read now; None while somebody writes for very long.

    On PostgreSQL an entry can become visible after a later one. So this waits for those who were writing when the
    newest was read, and keeps nobody from writing meanwhile.
    """
    newest = select(JournalEntry.id, JournalEntry.idempotency_key).order_by(JournalEntry.id.desc()).limit(1)
    with database.read(engine) as connection:
        found = connection.execute(newest).one_or_none()
        event_id = connection.execute(select(func.coalesce(func.max(WebhookEvent.id), 0))).scalar_one()
        if not database.outlasts(lambda: writers_under_way(connection)):
            return None
    return Settled(0, "", event_id) if found is None else Settled(found.id, found.idempotency_key, event_id)


def is_still_there(connection: Connection, settled: Settled) -> bool:
    """Whether the ledger is still the one that was read: a demo may have been started over meanwhile."""
    last = select(JournalEntry.id).where(
        JournalEntry.id == settled.entry_id, JournalEntry.idempotency_key == settled.key
    )
    return settled.entry_id == 0 or connection.execute(last).first() is not None


Numbered = tuple[int, Event]
"""An event with the number of its entry, or of its own row."""


def of_entries(connection: Connection, after: int, up_to: int, kinds: Collection[EventKind]) -> Iterator[Numbered]:
    """The events of these kinds that the entries after one and up to another are, in the order of the entries."""
    return _of_entries(connection, kinds, JournalEntry.id > after, JournalEntry.id <= up_to)


def of_entries_of(
    connection: Connection, user_id: str, after: int, up_to: int, kinds: Collection[EventKind], *, limit: int
) -> tuple[list[Numbered], int]:
    """The events of one user that so many of the user's entries are, and up to which entry that is all."""
    row = CreditTransaction
    accounts = [user_id, *(part_account(user_id, part) for part in Part)]
    own = select(row.entry_id).where(row.account_id.in_(accounts), row.entry_id > after, row.entry_id <= up_to)
    ids = list(connection.execute(own.distinct().order_by(row.entry_id).limit(limit)).scalars())
    found = [one for one in _of_entries(connection, kinds, JournalEntry.id.in_(ids)) if one[1].user_id == user_id]
    return found, up_to if len(ids) < limit else ids[-1]


def _of_entries(
    connection: Connection, kinds: Collection[EventKind], *where: ColumnElement[bool]
) -> Iterator[Numbered]:
    types = [type_.value for type_, kind in _OF_TYPES.items() if kind in kinds]
    if not types:
        return
    entries = connection.execute(
        select(JournalEntry.id, JournalEntry.type, JournalEntry.idempotency_key, JournalEntry.refunds_entry_id)
        .add_columns(JournalEntry.created_at_us)
        .where(*where, JournalEntry.type.in_(types))
        .order_by(JournalEntry.id)
    ).all()
    read = _Read(connection, [row.id for row in entries])
    for row in entries:
        kind = _OF_TYPES[EntryType(row.type)]
        told = read.told(row, kind)
        if told is not None:
            user_id, content = told
            named = f"{row.id} {row.idempotency_key}"
            yield row.id, event(kind, user_id, content, happened_at=from_microseconds(row.created_at_us), named=named)


class _Read:
    """What some entries did: their movements of users' own accounts, runs, purchases and expired holds."""

    def __init__(self, connection: Connection, ids: list[int]) -> None:
        moved = CreditTransaction
        found = connection.execute(
            select(moved.entry_id, moved.account_id, moved.amount_credits, moved.balance_after_credits)
            .where(moved.entry_id.in_(ids), moved.balance_after_credits.is_not(None))
            .order_by(moved.entry_id, moved.position)
        )
        self._moved: dict[int, list[Any]] = {}
        for row in found:
            if not is_part(row.account_id) and not is_platform(row.account_id):
                self._moved.setdefault(row.entry_id, []).append(row)
        runs = select(
            PromptRun.entry_id,
            PromptRun.prompt_id,
            PromptRun.model_id,
            PromptRun.creator_id,
            PromptRun.total_credits,
            PromptRun.creator_share_credits,
        )
        self._runs = {row.entry_id: row for row in connection.execute(runs.where(PromptRun.entry_id.in_(ids)))}
        bought = select(PurchaseMove.id, PurchaseMove.purchase_id, PurchaseMove.lot).where(PurchaseMove.id.in_(ids))
        self._bought = {row.id: row for row in connection.execute(bought)}
        parts = (
            select(
                PartialRefund.id,
                PartialRefund.original_id,
                PartialRefund.through_credits,
                moved.amount_credits.label("paid_credits"),
            )
            .join(moved, (moved.entry_id == PartialRefund.original_id) & (moved.position == 0))
            .where(PartialRefund.id.in_(ids))
        )
        self._parts = {row.id: row for row in connection.execute(parts)}
        expired = (
            select(HoldEnding.id, HoldEnding.hold_id, Hold.held_credits)
            .join(Hold, Hold.id == HoldEnding.hold_id)
            .where(HoldEnding.id.in_(ids), HoldEnding.kind == HoldEnd.EXPIRED.value)
        )
        self._expired = {row.id: row for row in connection.execute(expired)}
        paid = (
            select(PayoutMove.id, PayoutMove.payout_id, Payout.creator_id, Payout.amount_credits)
            .join(Payout, Payout.id == PayoutMove.payout_id)
            .where(PayoutMove.id.in_(ids), PayoutMove.step == PayoutStep.PAID.value)
        )
        self._paid = {row.id: row for row in connection.execute(paid)}

    def told(self, entry: Any, kind: EventKind) -> tuple[str, Content] | None:
        """Whom an event concerns and what it says; None for an entry that is no event, such as a hold that was made."""
        if kind is EventKind.PAYOUT_PAID:
            return self._payout(entry)
        moved = self._moved.get(entry.id)
        if not moved:  # only something of the platform or of another part of a user moved
            return None
        user_id = moved[0].account_id
        own = [row for row in moved if row.account_id == user_id]
        content: dict[str, str | int | bool | None] = {"entry_id": entry.id, "user_id": user_id}
        if kind is EventKind.RUN_CHARGED:
            run = self._runs[entry.id]
            content |= {"prompt_id": run.prompt_id, "model_id": run.model_id, "creator_id": run.creator_id}
            content |= {"total_credits": run.total_credits, "creator_share_credits": run.creator_share_credits}
        elif kind is EventKind.HOLD_EXPIRED:
            if entry.id not in self._expired:
                return None
            hold = self._expired[entry.id]
            content |= {"hold_id": hold.hold_id, "held_credits": hold.held_credits}
        else:
            bought = self._bought.get(entry.id)
            content["amount_credits"] = own[0].amount_credits
            content["purchase_id"] = None if bought is None else bought.purchase_id
            if kind is EventKind.REFUND_MADE:
                content |= self._refunded(entry, own[0].amount_credits)
        return user_id, content | {"balance_credits": own[-1].balance_after_credits}

    def _refunded(self, entry: Any, amount_credits: int) -> dict[str, int | None]:
        """What a refund is of: the entry, and how much of it is refunded by now and left.

        A reversal takes back what a purchase added by an entry. How much of it is left is for the purchase to say.
        """
        bought, part = self._bought.get(entry.id), self._parts.get(entry.id)
        if bought is not None:
            return {"refunds_entry_id": bought.lot, "refunded_credits": None, "left_credits": None}
        if part is None:
            return {
                "refunds_entry_id": entry.refunds_entry_id,
                "refunded_credits": abs(amount_credits),
                "left_credits": 0,
            }
        return {
            "refunds_entry_id": part.original_id,
            "refunded_credits": part.through_credits,
            "left_credits": -part.paid_credits - part.through_credits,
        }

    def _payout(self, entry: Any) -> tuple[str, Content] | None:
        """A payout that arrived; nothing of one that the bank sent back."""
        paid = self._paid.get(entry.id)
        if paid is None:
            return None
        content = {"entry_id": entry.id, "payout_id": paid.payout_id, "amount_credits": paid.amount_credits}
        return paid.creator_id, {**content, "user_id": paid.creator_id}


def of_activations(connection: Connection, after: int) -> list[Numbered]:
    """Each plan that was made live after an activation, with the activation's number."""
    row = PlanActivation
    found = connection.execute(
        select(row.id, row.plan_id, row.reason, row.activated_at_us, row.seal).where(row.id > after).order_by(row.id)
    )
    return [
        (
            one.id,
            event(
                EventKind.PLAN_ACTIVATED,
                "",
                {"activation_id": one.id, "plan_id": one.plan_id, "reason": one.reason},
                happened_at=from_microseconds(one.activated_at_us),
                named=f"{one.id} {one.seal}",
            ),
        )
        for one in found
    ]


def of_others(
    connection: Connection, after: int, up_to: int, kinds: Collection[EventKind], *, user_id: str | None = None
) -> Iterator[Numbered]:
    """The events of these kinds that are no entries, after one and up to another, of one user or of all."""
    row = WebhookEvent
    asked = (
        select(row.id, row.kind, row.user_id, row.about, row.content, row.happened_at_us)
        .where(row.id > after, row.id <= up_to, row.kind.in_([kind.value for kind in kinds]))
        .order_by(row.id)
    )
    if user_id is not None:
        asked = asked.where(row.user_id == user_id)
    for one in connection.execute(asked):
        content, happened_at = json.loads(one.content), from_microseconds(one.happened_at_us)
        yield one.id, event(EventKind(one.kind), one.user_id, content, happened_at=happened_at, named=one.about)
