"""Who may use which flow, and the requests to unlock one that were answered without a payment.

Such an answer moves no credits and has no entry. It keeps the request's key, so that a retry never pays
(docs/decisions/0012-a-retry-belongs-to-its-caller.md).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from credits_core.ledger import accounts, entries
from credits_core.ledger.receipts import FlowAccess, Unlock
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.ledger.requests import NewEntry, UnlockRequest
from credits_core.store.tables import UnlockAnswer, UnlockedFlow
from credits_core.values.days import from_microseconds, to_microseconds


class AccessReason(StrEnum):
    """Why a user may use a flow now, or may not."""

    UNLOCKED = "unlocked"
    OWN_FLOW = "own_flow"
    REFUNDED = "refunded"
    NEVER_UNLOCKED = "never_unlocked"


@dataclass(frozen=True, slots=True)
class AccessNow:
    """Whether a user may use a flow now. The entry is the last unlock, with its time and its refund; None without one.

    An own flow is known from unlocks that name the user as the flow's creator; nothing else tells the ledger.
    """

    reason: AccessReason
    unlock_entry_id: int | None = None
    unlocked_at: datetime | None = None
    refunded_by_entry_id: int | None = None

    @property
    def has_access(self) -> bool:
        """Whether the user may use the flow."""
        return self.reason in (AccessReason.UNLOCKED, AccessReason.OWN_FLOW)


def access_now(connection: Connection, user_id: str, flow_id: str) -> AccessNow:
    """Whether the user may use the flow now, and since which entry or why not.

    Raises:
        UnknownUser: the user has no account.
    """
    accounts.user(connection, user_id)
    last = connection.execute(_LAST_UNLOCK, {"user_id": user_id, "flow_id": flow_id}).one_or_none()
    if last is None:
        is_own = _is_own_flow(connection, user_id, flow_id)
        return AccessNow(AccessReason.OWN_FLOW if is_own else AccessReason.NEVER_UNLOCKED)
    if last.refunded_by_entry_id is None:
        reason = AccessReason.UNLOCKED
    else:
        reason = AccessReason.OWN_FLOW if _is_own_flow(connection, user_id, flow_id) else AccessReason.REFUNDED
    return AccessNow(reason, last.entry_id, from_microseconds(last.created_at_us), last.refunded_by_entry_id)


def repeated_answer(connection: Connection, request: UnlockRequest, entry: NewEntry) -> Unlock:
    """The answer without a payment that this request got before. Its key was just found to be taken by one.

    Raises:
        IdempotencyKeyReused: the key belongs to another request.
    """
    answer = _answer_by_key(connection, entry.idempotency_key)
    assert answer is not None, "the key was just found to be taken"
    if answer.request_hash != entry.request_hash:
        raise IdempotencyKeyReused(entry.idempotency_key, None)
    had_by_entry_id = answer.unlocked_by_entry_id
    if had_by_entry_id is None:
        return Unlock(FlowAccess.OWN_FLOW, None, replayed=True)
    in_force = entries.unlock_in_force(connection, request.user_id, flow_id=request.flow_id)
    access = FlowAccess.REFUNDED if in_force is None else FlowAccess.UNLOCKED_BEFORE
    return Unlock(access, None, had_by_entry_id, entries.refund_of(connection, had_by_entry_id), replayed=True)


def keep_answer(
    connection: Connection, request: UnlockRequest, entry: NewEntry, unlocked_by_entry_id: int | None
) -> None:
    """Keep the key of a request for a flow that the user has: by this entry, or because it is the user's own."""
    connection.execute(
        insert(UnlockAnswer).values(
            idempotency_key=entry.idempotency_key,
            request_hash=entry.request_hash,
            user_id=request.user_id,
            flow_id=request.flow_id,
            creator_id=request.creator_id,
            unlock_fee_credits=request.unlock_fee_credits,
            unlocked_by_entry_id=unlocked_by_entry_id,
            actor=entry.actor,
            answered_at_us=to_microseconds(entry.created_at),
        )
    )


def _answer_by_key(connection: Connection, key: str) -> Any | None:
    return connection.execute(_ANSWER_BY_KEY, {"key": key}).one_or_none()


def _is_own_flow(connection: Connection, user_id: str, flow_id: str) -> bool:
    asked = {"user_id": user_id, "flow_id": flow_id}
    creator_id = connection.execute(_LAST_CREATOR, asked).scalar()
    if creator_id is not None:
        return bool(creator_id == user_id)
    return connection.execute(_OWN_FLOW_ANSWER, asked).first() is not None


_ANSWER_BY_KEY = select(UnlockAnswer.request_hash, UnlockAnswer.unlocked_by_entry_id).where(
    UnlockAnswer.idempotency_key == bindparam("key")
)
_LAST_UNLOCK = (
    select(UnlockedFlow.entry_id, UnlockedFlow.created_at_us, UnlockedFlow.refunded_by_entry_id)
    .where(UnlockedFlow.user_id == bindparam("user_id"), UnlockedFlow.flow_id == bindparam("flow_id"))
    .order_by(UnlockedFlow.entry_id.desc())
    .limit(1)
)
_LAST_CREATOR = (
    select(UnlockedFlow.creator_id)
    .where(UnlockedFlow.flow_id == bindparam("flow_id"))
    .order_by(UnlockedFlow.entry_id.desc())
    .limit(1)
)
_OWN_FLOW_ANSWER = (
    select(UnlockAnswer.flow_id)
    .where(
        UnlockAnswer.user_id == bindparam("user_id"),
        UnlockAnswer.flow_id == bindparam("flow_id"),
        UnlockAnswer.unlocked_by_entry_id.is_(None),
    )
    .limit(1)
)
