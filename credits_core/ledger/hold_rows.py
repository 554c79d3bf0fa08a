"""Reads holds, and decides how one ends: what the actions on holds and charges share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from credits_core.ledger.movements import for_hold_end
from credits_core.ledger.refusals import UnknownHold
from credits_core.ledger.requests import NewEntry, new_entry
from credits_core.ledger.writer import Posting
from credits_core.pricing.units import Usage, read_usage_text
from credits_core.store.kinds import EntryType, HoldEnd
from credits_core.store.tables import Hold, HoldEnding, JournalEntry, PromptRun
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import Actor, system

_EXPIRING = system("expiry")
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoredHold:
    """A hold as it is now. Its id is the number of the entry that made it.

    `model_name` is the model as the caller named it. Usage and token counts are the most that the caller expected.
    `made_by` is whoever made it, as recorded. `end` says how it ended, `run_entry_id` and `total_credits` are the run
    that was charged then.
    """

    id: int
    user_id: str
    prompt_id: str
    model_id: str
    model_name: str
    creator_id: str | None
    creator_fee_credits: int
    usage: Usage | None
    input_tokens: int | None
    output_tokens: int | None
    service_tier: str | None
    asked_credits: int | None
    held_credits: int
    plan_id: str
    price_list: int | None
    created_at: datetime
    expires_at: datetime
    made_by: str
    end: HoldEnd | None
    ended_by_entry_id: int | None
    run_entry_id: int | None
    total_credits: int | None

    @property
    def released_credits(self) -> int:
        """How many of the held credits came back to what the user can spend; 0 while it is open."""
        if self.end is None:
            return 0
        return max(0, self.held_credits - (self.total_credits or 0))

    def state(self, now: datetime) -> str:
        """What the hold is at this moment: `open`, or how it ended. One whose time is over is `expired` at once."""
        if self.end is not None:
            return self.end.value
        return HoldEnd.EXPIRED.value if self.expires_at <= now else "open"


def hold(connection: Connection, hold_id: int) -> StoredHold:
    """One hold, as this unit of work sees it.

    Raises:
        UnknownHold: no hold has this id.
    """
    found = None
    if type(hold_id) is int and 0 < hold_id <= _LARGEST_ID:
        found = connection.execute(_holds().where(Hold.id == hold_id)).one_or_none()
    if found is None:
        raise UnknownHold(hold_id)
    return _stored(found)


def holds_of(connection: Connection, user_id: str, *, limit: int = 50) -> list[StoredHold]:
    """The user's newest holds, open or not, newest first."""
    rows = connection.execute(_holds().where(Hold.user_id == user_id).order_by(Hold.id.desc()).limit(limit))
    return [_stored(row) for row in rows]


def overdue(
    connection: Connection, *, now: datetime, user_ids: Sequence[str] | None = None, limit: int
) -> list[StoredHold]:
    """Holds that are open although their time is over, the oldest first; of these users alone where they are given."""
    is_overdue = (Hold.ended_by_entry_id.is_(None), Hold.expires_at_us <= to_microseconds(now))
    wanted = _holds().where(*is_overdue).order_by(Hold.expires_at_us, Hold.id).limit(limit)
    if user_ids is not None:
        wanted = wanted.where(Hold.user_id.in_(user_ids))
    return [_stored(row) for row in connection.execute(wanted)]


def run_of_hold(connection: Connection, run_entry_id: int) -> int | None:
    """The hold that was captured by this run, or None."""
    return connection.execute(select(HoldEnding.hold_id).where(HoldEnding.run_entry_id == run_entry_id)).scalar()


def end_entry(of: StoredHold, end: HoldEnd, *, key: str | None = None, now: datetime, actor: Actor) -> NewEntry:
    """The entry that ends a hold in this way. Without a key it has one of the hold's own."""
    return new_entry(
        EntryType.TRANSFER,
        (end.value, of.id),
        key=end_key(of.id, end) if key is None else key,
        now=now,
        actor=actor,
        description=f"Hold {of.id} {end.value}",
    )


def end_key(hold_id: int, end: HoldEnd) -> str:
    """The idempotency key of the entry that ends a hold, where nobody gives one."""
    return f"hold:{hold_id}:{end.value}"


def give_back(posting: Posting, of: StoredHold, entry: NewEntry) -> int:
    """Decide that the held credits come back, and return the entry's number. `mark_ended` has to follow."""
    drawn = posting.lots.drawn_by(of.user_id, of.id)
    return posting.post(entry, for_hold_end(of.user_id, of.held_credits), of=drawn)[0]


def mark_ended(posting: Posting, of: StoredHold, end: HoldEnd, entry_id: int, run_entry_id: int | None = None) -> None:
    """Write how the hold ended. The database refuses a second end of one hold."""
    row = {"id": entry_id, "hold_id": of.id, "kind": end.value, "run_entry_id": run_entry_id}
    is_open = (Hold.id == of.id, Hold.ended_by_entry_id.is_(None))
    posting.ended.add(of.id)
    posting.also(insert(HoldEnding).values(row), update(Hold).where(*is_open).values(ended_by_entry_id=entry_id))


def expire(posting: Posting, of: Sequence[StoredHold], now: datetime) -> None:
    """Decide that these holds, whose users are locked and which are open, have expired."""
    for one in of:
        entry = end_entry(one, HoldEnd.EXPIRED, now=now, actor=_EXPIRING)
        mark_ended(posting, one, HoldEnd.EXPIRED, give_back(posting, one, entry))


def _holds() -> Select[Any]:
    return (
        select(
            Hold.__table__,
            JournalEntry.actor.label("made_by"),
            HoldEnding.kind.label("end"),
            HoldEnding.run_entry_id,
            PromptRun.total_credits,
        )
        .join(JournalEntry, JournalEntry.id == Hold.id)
        .outerjoin(HoldEnding, HoldEnding.hold_id == Hold.id)
        .outerjoin(PromptRun, PromptRun.entry_id == HoldEnding.run_entry_id)
    )


def _stored(row: Any) -> StoredHold:
    return StoredHold(
        id=row.id,
        user_id=row.user_id,
        prompt_id=row.prompt_id,
        model_id=row.model_id,
        model_name=row.asked_model or row.model_id,
        creator_id=row.creator_id,
        creator_fee_credits=row.creator_fee_credits,
        usage=None if row.usage is None else read_usage_text(row.usage),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        service_tier=row.service_tier,
        asked_credits=row.asked_credits,
        held_credits=row.held_credits,
        plan_id=row.plan_id,
        price_list=row.price_list_id,
        created_at=from_microseconds(row.created_at_us),
        expires_at=from_microseconds(row.expires_at_us),
        made_by=row.made_by,
        end=None if row.end is None else HoldEnd(row.end),
        ended_by_entry_id=row.ended_by_entry_id,
        run_entry_id=row.run_entry_id,
        total_credits=row.total_credits,
    )
