"""The invariant of payouts: what a cycle says follows from its numbers, and what was paid was approved and earned.

Nothing here is taken from `payments` or `ledger.payouts`: the rules are worked out a second time, plainly.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.requests import hash_of
from credits_core.store.kinds import PLATFORM_PAYOUTS
from credits_core.store.tables import (
    CreditTransaction,
    JournalEntry,
    Payout,
    PayoutApproval,
    PayoutCycle,
    PayoutMove,
    PayoutReport,
    PayoutTerms,
    UserPart,
)
from credits_core.values.credits import div_floor

_ON_THE_WAY = ":in_payout"
_CENT_CREDITS = 10_000
# The type of entry of each step, its first and its other account, and the sign of the first one.
_FORMS = {
    "set_aside": ("transfer", "", _ON_THE_WAY, -1),
    "returned": ("transfer", "", _ON_THE_WAY, 1),
    "paid": ("payout", _ON_THE_WAY, PLATFORM_PAYOUTS, -1),
    "unpaid": ("payout", _ON_THE_WAY, PLATFORM_PAYOUTS, 1),
}
# The steps that a payout can have taken, in order, and what must have been reported of it.
_WAYS: dict[tuple[str, ...], set[frozenset[str]]] = {
    (): {frozenset(), frozenset({"short"})},
    ("set_aside",): {frozenset()},
    ("set_aside", "paid"): {frozenset({"paid"})},
    ("set_aside", "returned"): {frozenset({"failed"})},
    ("set_aside", "paid", "unpaid", "returned"): {frozenset({"paid", "failed"})},
}


class _Said(NamedTuple):
    """What a cycle says of one creator, with the rules of the cycle and the terms that it names."""

    id: int
    creator_id: str
    left_credits: int
    waiting_credits: int
    owed_credits: int
    amount_credits: int
    verdict: str
    terms_id: int | None
    threshold_credits: int
    approved_at_us: int | None
    terms_creator_id: str | None
    destination_kind: str | None
    paused_because: str | None


class _Move(NamedTuple):
    """A step of a payout with what its entry says."""

    payout_id: int
    id: int
    step: str
    type: str
    request_hash: str
    created_at_us: int
    account: str | None
    amount_credits: int | None
    other: str | None


def payouts_follow_from_their_cycles(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """What a cycle says of a creator follows from its numbers, and only what was approved was paid, once.

    Each step is the entry that it should be, and what is on the way of a creator is the sum of the steps. Nobody was
    paid more than was ever earned. After an earlier audit: the payouts with new steps.
    """
    checked, violations = 0, list[str]()
    moves, reports = _moves_of(connection, since), _reports_of(connection, since)
    on_the_way: dict[str, int] = defaultdict(int)
    for said in map(_Said._make, chain.from_iterable(blocks(connection, _said(since)))):
        checked += 1
        violations += _wrongly_said(said)
        of = moves.pop(said.id, [])
        violations += _wrongly_carried_out(said, of, reports.pop(said.id, frozenset()))
        steps = {move.step for move in of}
        if "set_aside" in steps and "returned" not in steps and "paid" not in steps:
            on_the_way[f"{said.creator_id}{_ON_THE_WAY}"] += said.amount_credits
    violations += [f"entry {move.id} is of a payout that is not there" for of in moves.values() for move in of]
    if since.is_beginning:
        violations += _wrong_parts(connection, on_the_way)
        violations += _paid_too_much(connection)
    violations += _of_no_payout(connection, since)
    return Finding("every payout follows from its cycle", checked, tuple(violations))


def _wrongly_said(said: _Said) -> Iterator[str]:
    payable = said.left_credits - said.waiting_credits
    amount = div_floor(payable - said.owed_credits, _CENT_CREDITS) * _CENT_CREDITS
    if said.paused_because is not None:
        verdict = "paused"
    elif payable == 0:
        verdict = "all_waiting"
    elif said.owed_credits >= payable:
        verdict = "owed"
    elif amount < said.threshold_credits or amount < _CENT_CREDITS:
        verdict = "below_threshold"
    elif said.destination_kind is None:
        verdict = "no_destination"
    else:
        verdict = "paid_out"
    due = (verdict, amount if verdict == "paid_out" else 0)
    if (said.verdict, said.amount_credits) != due:
        yield f"payout {said.id} says {said.verdict} {said.amount_credits}, but its numbers give {due[0]} {due[1]}"
    if said.terms_id is not None and said.terms_creator_id != said.creator_id:
        yield f"payout {said.id} goes where another creator is paid"


def _wrongly_carried_out(said: _Said, moves: list[_Move], reports: frozenset[str]) -> Iterator[str]:
    steps = tuple(move.step for move in moves)
    if reports not in _WAYS.get(steps, set()):
        yield f"payout {said.id} took the steps {list(steps)}, but the reports are {sorted(reports)}"
    if (moves or reports) and (said.approved_at_us is None or not said.amount_credits):
        yield f"payout {said.id} was carried out, but nothing was approved"
    for move in moves:
        type_, first, other, sign = _FORMS[move.step]
        account = f"{said.creator_id}{first}"
        due = (type_, account, sign * said.amount_credits, other if first else f"{said.creator_id}{other}")
        if (move.type, move.account, move.amount_credits, move.other) != due:
            yield f"entry {move.id} is not what payout {said.id} did: {move.step}"
        if move.request_hash != hash_of((type_, move.step, said.id, said.amount_credits)):
            yield f"entry {move.id} differs from the step of payout {said.id} that it was written for"


def _wrong_parts(connection: Connection, due: dict[str, int]) -> Iterator[str]:
    found = connection.execute(
        select(UserPart.account_id, UserPart.balance_credits).where(UserPart.account_id.endswith(_ON_THE_WAY))
    )
    kept = {account: credits for account, credits in found}  # noqa: C416
    for account in sorted(due.keys() | kept.keys()):
        if kept.get(account, 0) != due.get(account, 0):
            yield f"{account} has {kept.get(account, 0)}, but the steps of payouts come to {due.get(account, 0)}"


def _paid_too_much(connection: Connection) -> Iterator[str]:
    """Creators who were paid more than they ever earned."""
    failed = select(PayoutReport.id).where(PayoutReport.payout_id == Payout.id, PayoutReport.kind == "failed")
    paid = (
        select(Payout.creator_id, func.sum(Payout.amount_credits).label("credits"))
        .join(PayoutMove, and_(PayoutMove.payout_id == Payout.id, PayoutMove.step == "set_aside"))
        .where(~failed.exists())
        .group_by(Payout.creator_id)
        .order_by(Payout.creator_id)
    )
    for creator_id, credits in connection.execute(paid).all():
        earned = connection.execute(
            select(func.coalesce(func.sum(CreditTransaction.amount_credits), 0)).where(
                CreditTransaction.account_id == creator_id,
                CreditTransaction.type == "creator_payment",
                CreditTransaction.amount_credits > 0,
            )
        ).scalar_one()
        if credits > earned:
            yield f"{creator_id} was paid {credits}, but earned {earned}"


def _of_no_payout(connection: Connection, since: Since) -> Iterator[str]:
    entries = (
        select(JournalEntry.id)
        .outerjoin(PayoutMove, PayoutMove.id == JournalEntry.id)
        .where(JournalEntry.type == "payout", JournalEntry.id > since.entry_id, PayoutMove.id.is_(None))
        .order_by(JournalEntry.id)
    )
    yield from (f"entry {id_} is of no payout" for id_ in connection.execute(entries).scalars())


def _said(since: Since) -> Select[*tuple[Any, ...]]:
    said = (
        select(
            *(getattr(Payout, name) for name in _Said._fields[:8]),
            PayoutCycle.threshold_credits,
            PayoutApproval.approved_at_us,
            PayoutTerms.creator_id,
            PayoutTerms.destination_kind,
            PayoutTerms.paused_because,
        )
        .join(PayoutCycle, PayoutCycle.id == Payout.cycle_id)
        .outerjoin(PayoutApproval, PayoutApproval.id == Payout.cycle_id)
        .outerjoin(PayoutTerms, PayoutTerms.id == Payout.terms_id)
        .order_by(Payout.id)
    )
    return said if since.is_beginning else said.where(Payout.id.in_(_newly_moved(since)))


def _newly_moved(since: Since) -> Select[int]:
    return select(PayoutMove.payout_id).where(PayoutMove.id > since.entry_id)


def _moves_of(connection: Connection, since: Since) -> dict[int, list[_Move]]:
    own, other = aliased(CreditTransaction), aliased(CreditTransaction)
    wanted = (
        select(
            PayoutMove.payout_id,
            PayoutMove.id,
            PayoutMove.step,
            JournalEntry.type,
            JournalEntry.request_hash,
            JournalEntry.created_at_us,
            own.account_id,
            own.amount_credits,
            other.account_id,
        )
        .join(JournalEntry, JournalEntry.id == PayoutMove.id)
        .outerjoin(own, and_(own.entry_id == PayoutMove.id, own.position == 0))
        .outerjoin(other, and_(other.entry_id == PayoutMove.id, other.position == 1))
        .order_by(PayoutMove.id)
    )
    if not since.is_beginning:
        wanted = wanted.where(PayoutMove.payout_id.in_(_newly_moved(since)))
    found: dict[int, list[_Move]] = defaultdict(list)
    for move in map(_Move._make, chain.from_iterable(blocks(connection, wanted))):
        found[move.payout_id].append(move)
    return found


def _reports_of(connection: Connection, since: Since) -> dict[int, frozenset[str]]:
    wanted = select(PayoutReport.payout_id, PayoutReport.kind)
    if not since.is_beginning:
        wanted = wanted.where(PayoutReport.payout_id.in_(_newly_moved(since)))
    found: dict[int, set[str]] = defaultdict(set)
    for payout_id, kind in connection.execute(wanted):
        found[payout_id].add(kind)
    return {payout_id: frozenset(kinds) for payout_id, kinds in found.items()}
