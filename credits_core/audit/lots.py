"""The invariant of lots: those that are stored are those that follow from the journal, worked out again by itself.

Nothing here is taken from `ledger.lots`: the rule that says what is drawn first is written a second time, plainly.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import EntryType, Step, TransactionType
from credits_core.store.tables import (
    CreditTransaction,
    HoldEnding,
    JournalEntry,
    LotDraw,
    LotTerms,
    PartialRefund,
    Payout,
    PayoutMove,
    Purchase,
    PurchaseMove,
    StoredLot,
    UserCredits,
)

_DRAWN_FIRST = ["bonus", "grant", "adjustment", "purchase", "earned"]
_ADDED = {"bonus": "bonus", "grant": "grant", "adjustment": "adjustment", "credit_purchase": "purchase"}
_EARNINGS = 0

Draws = dict[tuple[int, int, int], int]
"""By entry, position and lot: the credits that were taken from the lot, negative where they were given to it."""


class _Movement(NamedTuple):
    """A movement of what a user can spend, with what its entry says."""

    entry_id: int
    position: int
    type: str
    amount_credits: int
    created_at_us: int
    entry_type: str
    refunds_entry_id: int | None
    part_of_entry_id: int | None
    part_credits: int | None
    through_credits: int | None
    expires_at_us: int | None
    ended_hold_id: int | None
    captured_hold_id: int | None
    purchase_lot: int | None
    payout_id: int | None


def lots_follow_from_the_journal(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """For every user whose lots are kept: the stored lots and draws are those that the journal gives.

    They are kept from the first credits that expire, the first step of a purchase after it was granted, or the first
    payout to somebody who had other credits before it.

    Nothing is drawn from a lot whose time is over, and what expires is all that is left of such lots. Nobody else has
    stored lots. After an earlier audit: the users who have moved credits since.
    """
    checked, violations = 0, list[str]()
    began = _began(connection)
    for user_id, first_entry_id in sorted(began.items()):
        if not since.is_beginning and not _has_moved(connection, user_id, since):
            continue
        checked += 1
        violations += _differences(connection, user_id, first_entry_id)
    violations += _of_others(connection, set(began))
    violations += _terms_of_nothing(connection, since)
    return Finding("every lot follows from the journal", checked, tuple(violations))


def _began(connection: Connection) -> dict[str, int]:
    """The users whose lots are kept, and the first entry from which on what they drew is kept."""
    rows = connection.execute(
        # Not as a join, for which SQLite would read every transaction.
        select(CreditTransaction.account_id, CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id.in_(select(LotTerms.id)), CreditTransaction.position == 0)
        .order_by(CreditTransaction.entry_id.desc())
    )
    began = {user_id: entry_id for user_id, entry_id in rows}  # noqa: C416
    steps = (
        select(Purchase.user_id, func.min(PurchaseMove.id))
        .join(PurchaseMove, PurchaseMove.purchase_id == Purchase.id)
        .where(PurchaseMove.step != Step.GRANTED.value)
        .group_by(Purchase.user_id)
    )
    for user_id, entry_id in connection.execute(steps):
        began[user_id] = min(entry_id, began.get(user_id, entry_id))
    for user_id, entry_id in connection.execute(_paid_out()):
        began[user_id] = min(entry_id, began.get(user_id, entry_id))
    return began


def _paid_out() -> Select[*tuple[Any, ...]]:
    """The first entry that set earnings aside of each user who had other credits before it."""
    other = (
        select(CreditTransaction.entry_id)
        .where(CreditTransaction.account_id == Payout.creator_id, CreditTransaction.entry_id < PayoutMove.id)
        .where(CreditTransaction.type.in_([*_ADDED]), CreditTransaction.position == 0)
    )
    return (
        select(Payout.creator_id, func.min(PayoutMove.id))
        .join(PayoutMove, PayoutMove.payout_id == Payout.id)
        .where(PayoutMove.step == "set_aside", other.exists())
        .group_by(Payout.creator_id)
    )


def _has_moved(connection: Connection, user_id: str, since: Since) -> bool:
    moved = select(CreditTransaction.entry_id).where(
        CreditTransaction.account_id == user_id, CreditTransaction.entry_id > since.entry_id
    )
    return connection.execute(moved.limit(1)).first() is not None


def _differences(connection: Connection, user_id: str, first_entry_id: int) -> Iterator[str]:
    user = _User()
    for movement in map(_Movement._make, chain.from_iterable(blocks(connection, _movements(user_id)))):
        problem = user.move(movement)
        if problem:
            yield f"entry {movement.entry_id} {problem} of {user_id}"
            return
    told = {
        (row.entry_id, row.position, row.lot): row.credits
        for row in connection.execute(
            select(LotDraw.__table__)
            .join(
                CreditTransaction,
                (CreditTransaction.entry_id == LotDraw.entry_id) & (CreditTransaction.position == LotDraw.position),
            )
            .where(CreditTransaction.account_id == user_id)
        )
    }
    # What was drawn just before lots began to be kept may be kept too, as of a grant of the same moment.
    draws = {key: credits for key, credits in user.draws.items() if key[0] >= first_entry_id or key in told}
    stored_lots = connection.execute(
        select(StoredLot.number, StoredLot.source, StoredLot.expires_at_us, StoredLot.left_credits).where(
            StoredLot.user_id == user_id
        )
    )
    found = {row.number: (row.source, row.expires_at_us, row.left_credits) for row in stored_lots}
    due = {number: (*user.terms[number], left) for number, left in user.left.items()}
    for number in sorted(found.keys() | due.keys()):
        if found.get(number) != due.get(number):
            yield f"lot {number} of {user_id} is stored as {found.get(number)}, but the journal gives {due.get(number)}"
    for entry_id, position, lot in sorted(told.keys() | draws.keys()):
        key = (entry_id, position, lot)
        if told.get(key) != draws.get(key):
            yield (
                f"entry {entry_id} is stored to take {told.get(key, 0)} from lot {lot} of {user_id}, "
                f"but the journal gives {draws.get(key, 0)}"
            )


class _User:
    """One user's lots, one movement after the other."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}
        self.terms: dict[int, tuple[str, int | None]] = {}
        self.draws: Draws = {}
        self._paid: dict[int, dict[int, int]] = {}

    def move(self, moved: _Movement) -> str | None:
        """Carry out one movement; what is wrong with it, or None."""
        changes: dict[int, int] = defaultdict(int)
        problem = None
        if moved.amount_credits > 0:
            problem = self._receive(moved, changes)
        elif moved.entry_type == EntryType.EXPIRY:
            for number in self.left:
                if self._is_over(number, moved.created_at_us):
                    changes[number] = self.left[number]
            if sum(changes.values()) != -moved.amount_credits:
                problem = f"takes {-moved.amount_credits} of the {sum(changes.values())} expired credits"
        else:
            problem = self._pay(moved, changes)
        for number, credits in changes.items():
            if credits:
                self.left[number] -= credits
                self.draws[moved.entry_id, moved.position, number] = credits
        if moved.amount_credits < 0:
            self._paid.setdefault(moved.entry_id, {number: one for number, one in changes.items() if one})
        return problem

    def _receive(self, moved: _Movement, changes: dict[int, int]) -> str | None:
        back = moved.ended_hold_id or moved.part_of_entry_id or moved.refunds_entry_id
        terms: tuple[str, int | None]
        if _is_of_earnings(moved):
            number, terms = _EARNINGS, ("earned", None)
        elif moved.purchase_lot not in (None, moved.entry_id):
            changes[moved.purchase_lot or 0] -= moved.amount_credits
            return None
        elif back is not None:
            paid = self._paid.get(back, {})
            if moved.part_of_entry_id is not None:
                paid = self._of_part(paid, moved.through_credits or 0, moved.part_credits or 0)
            if sum(paid.values()) != moved.amount_credits:
                return f"gives back {moved.amount_credits} of {sum(paid.values())} credits"
            for number, credits in paid.items():
                changes[number] -= credits
            return None
        else:
            number, terms = moved.entry_id, (_ADDED.get(moved.entry_type, ""), moved.expires_at_us)
        self.terms.setdefault(number, terms)
        self.left.setdefault(number, 0)
        changes[number] -= moved.amount_credits
        return None

    def _of_part(self, paid: dict[int, int], through_credits: int, part_credits: int) -> dict[int, int]:
        """What one part gives back: credit by credit, what was drawn last goes first."""
        back: dict[int, int] = {}
        passed, before_credits = 0, through_credits - part_credits
        for number in sorted(paid, key=self._place, reverse=True):
            # Of all parts up to this one, less those before it.
            given = [max(0, min(paid[number], end - passed)) for end in (through_credits, before_credits)]
            back[number] = given[0] - given[1]
            passed += paid[number]
        return back

    def _pay(self, moved: _Movement, changes: dict[int, int]) -> str | None:
        wanted = -moved.amount_credits
        first: dict[int, int] = {}
        if _is_of_earnings(moved):
            first = {_EARNINGS: wanted}
        elif moved.captured_hold_id is not None:
            first = self._paid.get(moved.captured_hold_id, {})
        elif moved.refunds_entry_id is not None:
            first = {moved.refunds_entry_id: wanted}
        elif moved.purchase_lot is not None:
            first = {moved.purchase_lot: wanted}
        for number in sorted(first.keys() & self.left.keys(), key=self._place):
            taken = min(wanted, first[number], self.left[number])
            changes[number] += taken
            wanted -= taken
        for number in sorted(self.left, key=self._place):
            if not self._is_over(number, moved.created_at_us):
                taken = min(wanted, self.left[number] - changes[number])
                changes[number] += taken
                wanted -= taken
        return f"takes {wanted} more than the lots have" if wanted else None

    def _place(self, number: int) -> tuple[bool, int, int, int]:
        source, expires_at_us = self.terms[number]
        return expires_at_us is None, expires_at_us or 0, _DRAWN_FIRST.index(source), number

    def _is_over(self, number: int, at_us: int) -> bool:
        expires_at_us = self.terms[number][1]
        return expires_at_us is not None and expires_at_us <= at_us


def _is_of_earnings(moved: _Movement) -> bool:
    """Whether it is of what a creator earned: a share, a payout, or what a share pays of a debt or adds to it."""
    is_of_debt = moved.type == TransactionType.TRANSFER and moved.entry_type != EntryType.TRANSFER
    return moved.type == TransactionType.CREATOR_PAYMENT or is_of_debt or moved.payout_id is not None


def _movements(user_id: str) -> Select[*tuple[Any, ...]]:
    ended, captured = aliased(HoldEnding), aliased(HoldEnding)
    return (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.position,
            CreditTransaction.type,
            CreditTransaction.amount_credits,
            CreditTransaction.created_at_us,
            JournalEntry.type,
            JournalEntry.refunds_entry_id,
            PartialRefund.original_id,
            PartialRefund.refunded_credits,
            PartialRefund.through_credits,
            LotTerms.expires_at_us,
            ended.hold_id,
            captured.hold_id,
            PurchaseMove.lot,
            PayoutMove.payout_id,
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .outerjoin(PartialRefund, PartialRefund.id == CreditTransaction.entry_id)
        .outerjoin(LotTerms, LotTerms.id == CreditTransaction.entry_id)
        .outerjoin(PurchaseMove, PurchaseMove.id == CreditTransaction.entry_id)
        .outerjoin(PayoutMove, PayoutMove.id == CreditTransaction.entry_id)
        .outerjoin(ended, ended.id == CreditTransaction.entry_id)
        .outerjoin(captured, captured.run_entry_id == CreditTransaction.entry_id)
        .where(CreditTransaction.account_id == user_id)
        .order_by(CreditTransaction.entry_id, CreditTransaction.position)
    )


def _of_others(connection: Connection, users: set[str]) -> Iterator[str]:
    marked = set(connection.execute(select(UserCredits.user_id).where(UserCredits.has_lots)).scalars())
    stored = set(connection.execute(select(StoredLot.user_id).distinct()).scalars())
    drawn = (
        select(LotDraw.entry_id, CreditTransaction.account_id)
        .outerjoin(
            CreditTransaction,
            (CreditTransaction.entry_id == LotDraw.entry_id) & (CreditTransaction.position == LotDraw.position),
        )
        .order_by(LotDraw.entry_id)
    )
    yield from (f"{user} is wrongly marked as to lots" for user in sorted(marked ^ users))
    yield from (f"{user} has stored lots, but nothing that asks for them" for user in sorted(stored - users))
    for entry_id, user_id in chain.from_iterable(blocks(connection, drawn)):
        if user_id not in users:
            yield f"entry {entry_id} has draws from lots of {user_id}, though nothing asks for them"


def _terms_of_nothing(connection: Connection, since: Since) -> Iterator[str]:
    wrong = (
        select(LotTerms.id)
        .outerjoin(JournalEntry, JournalEntry.id == LotTerms.id)
        .where(LotTerms.id > since.entry_id)
        .where(
            JournalEntry.id.is_(None)
            | JournalEntry.type.not_in([*_ADDED])
            | (LotTerms.expires_at_us <= JournalEntry.created_at_us)
        )
        .order_by(LotTerms.id)
    )
    yield from (
        f"entry {id_} has an expiry, but adds no credits that could" for id_ in connection.execute(wrong).scalars()
    )
