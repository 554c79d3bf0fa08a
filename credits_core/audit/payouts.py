"""The invariant of payouts: what a cycle says follows from its numbers, and what was paid was approved and earned.

Nothing here is taken from `payments` or `ledger.payouts`: the rules are worked out a second time, plainly.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, String, and_, cast, exists, func, literal, or_, select
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
    PayoutFile,
    PayoutFileLine,
    PayoutMove,
    PayoutReport,
    PayoutTerms,
    Proposal,
    UserPart,
)
from credits_core.values.credits import div_floor
from credits_core.values.roles import Way

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
    (): {frozenset(), frozenset({"short"}), frozenset({"stopped"})},
    ("set_aside",): {frozenset()},
    ("set_aside", "paid"): {frozenset({"paid"})},
    ("set_aside", "returned"): {frozenset({"failed"})},
    ("set_aside", "paid", "unpaid", "returned"): {frozenset({"paid", "failed"})},
}


class _Said(NamedTuple):
    """What a cycle says of one creator, with the cycle's rules and people, the terms that it names, and its file."""

    id: int
    creator_id: str
    left_credits: int
    waiting_credits: int
    reserved_credits: int
    owed_credits: int
    amount_credits: int
    verdict: str
    terms_id: int | None
    threshold_credits: int
    reserve_bps: int
    approved_at_us: int | None
    terms_creator_id: str | None
    destination_kind: str | None
    paused_because: str | None
    cycle_id: int
    cycle_of_file: int | None


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

    Each step is the entry that it should be, and what is on the way of a creator is the sum of the steps. A bank was
    told of each transfer before it arrived, in one file. One person did not both propose and approve, nor say alone
    that money came back. Nobody was paid more than was ever earned. After an earlier audit: the payouts with new steps.
    """
    checked, violations = 0, list[str]()
    on_the_way: dict[str, int] = defaultdict(int)
    for block in blocks(connection, _said(since)):
        ids = [row[0] for row in block]
        moves, reports = _moves_of(connection, ids), _reports_of(connection, ids)
        for said in map(_Said._make, block):
            checked += 1
            of = moves.get(said.id, [])
            violations += _wrongly_said(said)
            violations += _wrongly_carried_out(said, of, reports.get(said.id, frozenset()))
            steps = {move.step for move in of}
            if "set_aside" in steps and "returned" not in steps and "paid" not in steps:
                on_the_way[f"{said.creator_id}{_ON_THE_WAY}"] += said.amount_credits
    if since.is_beginning:
        violations += _wrong_parts(connection, on_the_way)
        violations += _paid_too_much(connection)
    violations += chain(_of_no_payout(connection, since), _by_one_person(connection, since))
    return Finding("every payout follows from its cycle", checked, tuple(violations))


def _wrongly_said(said: _Said) -> Iterator[str]:
    earned = said.left_credits - said.waiting_credits
    reserved = -div_floor(-earned * said.reserve_bps, 10_000)
    amount, without_reserve = (
        div_floor(credits, _CENT_CREDITS) * _CENT_CREDITS
        for credits in (earned - reserved - said.owed_credits, earned - said.owed_credits)
    )
    least = max(said.threshold_credits, _CENT_CREDITS)
    if said.reserved_credits != reserved:
        yield f"payout {said.id} holds back {said.reserved_credits}, but its rules give {reserved}"
    if said.paused_because is not None:
        verdict = "paused"
    elif earned == 0 and (said.left_credits > 0 or said.owed_credits == 0):
        verdict = "all_waiting"
    elif said.owed_credits >= earned:
        verdict = "owed"
    elif amount < least:
        verdict = "below_threshold" if without_reserve < least else "reserved"
    elif said.destination_kind is None:
        verdict = "no_destination"
    else:
        verdict = "paid_out"
    due = (verdict, amount if verdict == "paid_out" else 0)
    if (said.verdict, said.amount_credits) != due:
        yield f"payout {said.id} says {said.verdict} {said.amount_credits}, but its numbers give {due[0]} {due[1]}"
    if said.terms_id is not None and said.terms_creator_id != said.creator_id:
        yield f"payout {said.id} goes where another creator is paid"
    if said.cycle_of_file not in (None, said.cycle_id):
        yield f"payout {said.id} is in a file of another cycle"


def _wrongly_carried_out(said: _Said, moves: list[_Move], reports: frozenset[str]) -> Iterator[str]:
    steps = tuple(move.step for move in moves)
    if reports not in _WAYS.get(steps, set()):
        yield f"payout {said.id} took the steps {list(steps)}, but the reports are {sorted(reports)}"
    if (moves or reports) and (said.approved_at_us is None or not said.amount_credits):
        yield f"payout {said.id} was carried out, but nothing was approved"
    is_bank, is_in_file = said.destination_kind == "bank", said.cycle_of_file is not None
    if is_in_file and (not is_bank or not moves):
        yield f"payout {said.id} is in a file for the bank, but was not set aside for a bank"
    if is_bank and "paid" in reports and not is_in_file:
        yield f"payout {said.id} is said to have arrived, but no bank was told of it"
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
    lost = (
        select(PayoutMove.id)
        .outerjoin(Payout, Payout.id == PayoutMove.payout_id)
        .where(PayoutMove.id > since.entry_id, Payout.id.is_(None))
        .order_by(PayoutMove.id)
    )
    yield from (f"entry {id_} is of a payout that is not there" for id_ in connection.execute(lost).scalars())
    entries = (
        select(JournalEntry.id)
        .outerjoin(PayoutMove, PayoutMove.id == JournalEntry.id)
        .where(JournalEntry.type == "payout", JournalEntry.id > since.entry_id, PayoutMove.id.is_(None))
        .order_by(JournalEntry.id)
    )
    yield from (f"entry {id_} is of no payout" for id_ in connection.execute(entries).scalars())


def _by_one_person(connection: Connection, since: Since) -> Iterator[str]:
    """Cycles that one person both proposed and approved, and money that one person alone said came back."""
    is_person = f"{Way.DASHBOARD}/"
    cycles = (
        select(PayoutCycle.id)
        .join(PayoutApproval, PayoutApproval.id == PayoutCycle.id)
        .where(PayoutCycle.actor == PayoutApproval.actor, PayoutApproval.actor.startswith(is_person))
        .order_by(PayoutCycle.id)
    )
    yield from (f"cycle {id_} was proposed and approved by one person" for id_ in connection.execute(cycles).scalars())
    second = select(Proposal.id).where(
        Proposal.kind == "payout_failed",
        Proposal.subject == literal("payout ").concat(cast(PayoutReport.payout_id, String)),
        Proposal.state == "approved",
        Proposal.decided_by == PayoutReport.actor,
    )
    handed_over = or_(
        exists().where(PayoutFileLine.payout_id == PayoutReport.payout_id), PayoutTerms.destination_kind == "gateway"
    )
    failures = (
        select(PayoutReport.payout_id)
        .join(Payout, Payout.id == PayoutReport.payout_id)
        .join(PayoutTerms, PayoutTerms.id == Payout.terms_id)
        .where(PayoutReport.kind == "failed", PayoutReport.actor.startswith(is_person), handed_over, ~second.exists())
        .order_by(PayoutReport.payout_id)
    )
    if not since.is_beginning:
        failures = failures.where(PayoutReport.payout_id.in_(_newly_moved(since)))
    yield from (f"one person alone said that payout {id_} failed" for id_ in connection.execute(failures).scalars())


def _said(since: Since) -> Select[*tuple[Any, ...]]:
    said = (
        select(
            *(getattr(Payout, name) for name in _Said._fields[:9]),
            PayoutCycle.threshold_credits,
            PayoutCycle.reserve_bps,
            PayoutApproval.approved_at_us,
            PayoutTerms.creator_id,
            PayoutTerms.destination_kind,
            PayoutTerms.paused_because,
            Payout.cycle_id,
            PayoutFile.cycle_id,
        )
        .join(PayoutCycle, PayoutCycle.id == Payout.cycle_id)
        .outerjoin(PayoutApproval, PayoutApproval.id == Payout.cycle_id)
        .outerjoin(PayoutTerms, PayoutTerms.id == Payout.terms_id)
        .outerjoin(PayoutFileLine, PayoutFileLine.payout_id == Payout.id)
        .outerjoin(PayoutFile, PayoutFile.id == PayoutFileLine.file_id)
        .order_by(Payout.id)
    )
    return said if since.is_beginning else said.where(Payout.id.in_(_newly_moved(since)))


def _newly_moved(since: Since) -> Select[int]:
    return select(PayoutMove.payout_id).where(PayoutMove.id > since.entry_id)


def _moves_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[_Move]]:
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
        .where(PayoutMove.payout_id.in_(ids))
        .order_by(PayoutMove.id)
    )
    found: dict[int, list[_Move]] = defaultdict(list)
    for row in connection.execute(wanted):
        found[row[0]].append(_Move._make(row))
    return found


def _reports_of(connection: Connection, ids: Sequence[int]) -> dict[int, frozenset[str]]:
    wanted = select(PayoutReport.payout_id, PayoutReport.kind).where(PayoutReport.payout_id.in_(ids))
    found: dict[int, set[str]] = defaultdict(set)
    for payout_id, kind in connection.execute(wanted):
        found[payout_id].add(kind)
    return {payout_id: frozenset(kinds) for payout_id, kinds in found.items()}
