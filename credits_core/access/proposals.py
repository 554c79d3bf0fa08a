"""Proposals: one person proposes a change, another approves it, and what was decided is kept for ever.

A proposal shows what it would do, is open for seven days, and is withdrawn when what it was based on has changed. Its
change is carried out in the unit of work that approves it, under an idempotency key of its own, so at most once. Like
the ledger's actions, these never commit and never ask for the time.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, insert, not_, select, text, update

from credits_core.access import proposed
from credits_core.access.approving import Approval, ProposedChange
from credits_core.access.proposed import AddCredits, UnknownChange
from credits_core.access.refusals import (
    AlreadyProposed,
    OwnProposal,
    ProposalClosed,
    UnknownProposal,
    UnknownProposalKind,
)
from credits_core.errors import CreditsError
from credits_core.plans import actions as plan_actions
from credits_core.pricing.quote import PriceBook
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import Proposal
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_text
from credits_core.values.roles import Actor, May, name_in

OPEN_FOR = timedelta(days=7)
_KEY, _MOST_DIGITS = "proposal", 18
_PROPOSALS_LOCK = 7_206_151_037


class State(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_NOTED = {
    State.APPROVED: Change.APPROVED,
    State.DECLINED: Change.DECLINED,
    State.WITHDRAWN: Change.WITHDRAWN,
    State.EXPIRED: Change.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """A proposal as it is kept. `effect` says what it would have done when it was proposed, a sentence a line.

    `decided_by` is None while it is open, and when nobody decided: it expired, or what it was based on has changed.
    `entry_id` is the entry that the approval posted, where the change is a movement of credits.
    """

    number: int
    change: ProposedChange
    effect: tuple[str, ...]
    based_on: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    state: State
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    entry_id: int | None

    def state_at(self, now: datetime) -> State:
        """Its state at this time: an open one that nobody decided in time has expired, though no row says so yet."""
        return State.EXPIRED if self.state is State.OPEN and self.expires_at <= now else self.state

    def at(self, now: datetime) -> "ProposalRecord":
        """The same, with its state at this time."""
        return replace(self, state=self.state_at(now))


def propose(
    connection: Connection, change: ProposedChange, *, reason: str, actor: Actor, now: datetime
) -> ProposalRecord:
    """Keep a proposal and return it. Nothing else changes until somebody else approves it.

    Raises:
        NotAllowed: the actor may not propose this.
        InvalidRequest: the reason does not have 1 to 500 characters.
        AlreadyProposed: the same change is open.
        CreditsError: the change would be refused, each with its own refusal.
    """
    actor.require(change.asks)
    reason = require_text("reason", reason)
    _wait_for_others(connection)
    for other in map(_record, _open(connection)):
        is_same = other.change.kind == change.kind and other.change.only_once == change.only_once
        if is_same and other.state_at(now) is State.OPEN:
            raise AlreadyProposed(other.number, other.proposed_by)
    row = {
        "kind": change.kind,
        "subject": change.subject,
        "request": proposed.to_json(change),
        "effect": json.dumps(change.effect(connection), ensure_ascii=False),
        "based_on": _hash(change, connection),
        "reason": reason,
        "proposed_by": actor.recorded,
        "proposed_at_us": to_microseconds(now),
        "expires_at_us": to_microseconds(now + OPEN_FOR),
        "state": State.OPEN.value,
    }
    number = connection.execute(insert(Proposal).values(row).returning(Proposal.id)).scalar_one()
    activity.note(
        connection,
        Change.PROPOSED,
        str(number),
        actor=actor.recorded,
        now=now,
        detail={**_named(change), "reason": reason},
    )
    return proposal(connection, number)


def approve(
    connection: Connection,
    number: int,
    *,
    book_at: Callable[[Connection], PriceBook],
    actor: Actor,
    now: datetime,
) -> ProposalRecord:
    """Approve a proposal and carry its change out, or close it; returns what became of it.

    It is `EXPIRED` when its seven days are over, `WITHDRAWN` when what it was based on has changed: then nothing else
    was changed, and the reason says why. `book_at` gives the live price book; do not ask it before.

    Raises:
        UnknownProposal: none has this number.
        UnknownProposalKind: another version made the proposal, and this one does not know what it is.
        NotAllowed: the actor may not approve this.
        OwnProposal: the actor proposed it.
        ProposalClosed: it was decided before.
        CreditsError: the change is refused now, each with its own refusal; the proposal stays open.
    """
    found = _decidable(connection, number)
    actor.require(found.change.approves)
    if is_own(found, actor):
        raise OwnProposal(number)
    if found.state_at(now) is State.EXPIRED:
        return _close(connection, found, State.EXPIRED, by=None, why="Nobody decided in seven days.", now=now)
    if found.change.approves is May.APPROVE_PLANS:
        plan_actions.lock_all(connection)  # what is live stays so between the look and the doing
    changed = _has_changed(connection, found)
    if changed is not None:
        return _close(connection, found, State.WITHDRAWN, by=None, why=changed, now=now)
    approval = Approval(book_at, found.reason, f"{_KEY}:{number}", actor.approving(), now)
    entry_id = found.change.carry_out(connection, approval)
    return _close(connection, found, State.APPROVED, by=actor, why=None, now=now, entry_id=entry_id)


def decline(connection: Connection, number: int, *, reason: str, actor: Actor, now: datetime) -> ProposalRecord:
    """Decline a proposal, which changes nothing else. Whoever made it withdraws it by this, without another.

    Raises:
        UnknownProposal, UnknownProposalKind, ProposalClosed: as `approve`.
        NotAllowed: the actor neither made the proposal nor may approve it.
        InvalidRequest: the reason does not have 1 to 500 characters.
    """
    reason = require_text("reason", reason)
    found = _decidable(connection, number)
    own = is_own(found, actor)
    if not own:
        actor.require(found.change.approves)
    if found.state_at(now) is State.EXPIRED:
        raise ProposalClosed(number, State.EXPIRED.value)
    return _close(connection, found, State.WITHDRAWN if own else State.DECLINED, by=actor, why=reason, now=now)


def close_stale(connection: Connection, *, now: datetime) -> int:
    """Close the open proposals that have expired or whose basis has changed, and return how many those were.

    One that somebody decides at this moment is left to them.
    """
    stale = 0
    for row in _open(connection, but_being_decided=True):
        found = _record(row)
        if found.state_at(now) is State.EXPIRED:
            _close(connection, found, State.EXPIRED, by=None, why="Nobody decided in seven days.", now=now)
        elif is_known(found) and (changed := _has_changed(connection, found)) is not None:
            _close(connection, found, State.WITHDRAWN, by=None, why=changed, now=now)
        else:
            continue
        stale += 1
    return stale


def withdraw_of(connection: Connection, email: str, *, actor: Actor, now: datetime) -> int:
    """Withdraw what is open of a person who can sign in no more, and return how many proposals those were.

    Raises:
        NotAllowed: the actor may not manage people.
    """
    actor.require(May.MANAGE)
    _wait_for_others(connection)
    theirs = [one for one in map(_record, _open(connection)) if name_in(one.proposed_by) == email]
    still_open = [one for one in theirs if one.state_at(now) is State.OPEN]
    for one in still_open:
        _close(connection, one, State.WITHDRAWN, by=actor, why=f"{email} can no longer sign in.", now=now)
    return len(still_open)


def proposal(connection: Connection, number: int) -> ProposalRecord:
    """The proposal with this number.

    Raises:
        UnknownProposal: none has it.
    """
    row = connection.execute(select(Proposal.__table__).where(Proposal.id == number)).one_or_none()
    if row is None:
        raise UnknownProposal(number)
    return _record(row)


def that_posted(connection: Connection, entry_id: int, key: str) -> ProposalRecord | None:
    """The proposal whose approval posted this entry under this idempotency key; None for every other entry."""
    name, _, number = key.partition(":")
    if name != _KEY or not (number.isascii() and number.isdecimal()) or len(number) > _MOST_DIGITS:
        return None
    row = connection.execute(
        select(Proposal.__table__).where(Proposal.id == int(number), Proposal.entry_id == entry_id)
    ).one_or_none()
    return None if row is None else _record(row)


def proposals(
    connection: Connection, *, is_open: bool, now: datetime, before: int | None = None, limit: int = 50
) -> list[ProposalRecord]:
    """At most `limit` open proposals, or closed ones, the newest first; the page begins after the number `before`.

    One that nobody decided in time is a closed one, and says that it has expired.
    """
    waits = and_(Proposal.state == State.OPEN.value, Proposal.expires_at_us > to_microseconds(now))
    older = Proposal.id < before if before is not None else Proposal.id > 0
    wanted = waits if is_open else not_(waits)
    rows = connection.execute(select(Proposal.__table__).where(wanted, older).order_by(Proposal.id.desc()).limit(limit))
    return [_record(row).at(now) for row in rows]


def waiting_for(connection: Connection, actor: Actor, *, now: datetime) -> int:
    """How many open proposals this actor may approve: those of others, whose approval is in the actor's roles."""
    if not any(asked in actor.may for asked in proposed.APPROVED_BY.values()):
        return 0
    return len(waiting(connection, actor, now=now)[0])


def waiting(connection: Connection, actor: Actor, *, now: datetime) -> tuple[list[int], list[int]]:
    """The numbers of all open proposals, the newest first: those that this actor may approve, and the others."""
    kinds = {kind for kind, asked in proposed.APPROVED_BY.items() if asked in actor.may}
    rows = connection.execute(
        select(Proposal.id, Proposal.kind, Proposal.proposed_by)
        .where(Proposal.state == State.OPEN.value, Proposal.expires_at_us > to_microseconds(now))
        .order_by(Proposal.id.desc())
    )
    mine, others = list[int](), list[int]()
    for number, kind, proposed_by in rows:
        may = kind in kinds and name_in(proposed_by) != name_in(actor.recorded)
        (mine if may else others).append(number)
    return mine, others


def may_decide(found: ProposalRecord, actor: Actor) -> bool:
    """Whether the actor may approve the proposal: it is another's, this version knows it, and their roles allow it."""
    return is_known(found) and found.change.approves in actor.may and not is_own(found, actor)


def is_known(found: ProposalRecord) -> bool:
    """Whether this version knows the change. If not, nobody can decide it here, and it ends by itself."""
    return not isinstance(found.change, UnknownChange)


def is_own(found: ProposalRecord, actor: Actor) -> bool:
    """Whether the actor made the proposal, in whatever way they came then."""
    return name_in(actor.recorded) == name_in(found.proposed_by)


def _wait_for_others(connection: Connection) -> None:
    # Two who propose the same at the same moment follow each other. On SQLite there is one writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_PROPOSALS_LOCK})"))


def _open(connection: Connection, *, but_being_decided: bool = False) -> Any:
    rows = select(Proposal.__table__).where(Proposal.state == State.OPEN.value)
    return connection.execute(rows.with_for_update(skip_locked=True) if but_being_decided else rows).all()


def _decidable(connection: Connection, number: int) -> ProposalRecord:
    # Locked, so that two people who decide at once follow each other; on SQLite there is one writer.
    row = connection.execute(select(Proposal.__table__).where(Proposal.id == number).with_for_update()).one_or_none()
    if row is None:
        raise UnknownProposal(number)
    found = _record(row)
    if found.state is not State.OPEN:
        raise ProposalClosed(number, found.state.value)
    if not is_known(found):
        raise UnknownProposalKind(found.change.kind)
    return found


def _has_changed(connection: Connection, found: ProposalRecord) -> str | None:
    """Why what the proposal was based on is no longer so, as a sentence; None when it still is."""
    try:
        return None if _hash(found.change, connection) == found.based_on else "What it was based on has changed."
    except CreditsError as refusal:
        return str(refusal)


def _close(
    connection: Connection,
    found: ProposalRecord,
    state: State,
    *,
    by: Actor | None,
    why: str | None,
    now: datetime,
    entry_id: int | None = None,
) -> ProposalRecord:
    closed = connection.execute(
        update(Proposal)
        .where(Proposal.id == found.number, Proposal.state == State.OPEN.value)
        .values(
            state=state.value,
            decided_by=None if by is None else by.recorded,
            decided_at_us=to_microseconds(now),
            decision_reason=why,
            entry_id=entry_id,
        )
    )
    if closed.rowcount != 1:
        raise ProposalClosed(found.number, "already decided")
    activity.note(
        connection,
        _NOTED[state],
        str(found.number),
        actor="proposals" if by is None else by.recorded,
        now=now,
        detail={**_named(found.change), "reason": why, "entry": entry_id},
    )
    return proposal(connection, found.number)


def _named(change: ProposedChange) -> dict[str, str | int | None]:
    """What the record of changes says of a proposal's change."""
    amount_credits = change.amount_credits if isinstance(change, AddCredits) else None
    return {"change": change.kind.replace("_", " "), "of": change.subject, "amount_credits": amount_credits}


def _hash(change: ProposedChange, connection: Connection) -> str:
    return hashlib.sha256(json.dumps(change.basis(connection)).encode()).hexdigest()


def _record(row: Any) -> ProposalRecord:
    return ProposalRecord(
        number=row.id,
        change=proposed.from_json(row.kind, row.subject, row.request),
        effect=tuple(json.loads(row.effect)),
        based_on=row.based_on,
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=from_microseconds(row.proposed_at_us),
        expires_at=from_microseconds(row.expires_at_us),
        state=State(row.state),
        decided_by=row.decided_by,
        decided_at=None if row.decided_at_us is None else from_microseconds(row.decided_at_us),
        decision_reason=row.decision_reason,
        entry_id=row.entry_id,
    )
