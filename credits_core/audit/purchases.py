"""The invariant of purchases: granted exactly when paid, and taken back exactly as far as the money went back.

Nothing here is taken from `payments` or `ledger.stakes`: what events come to is worked out a second time, plainly.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.requests import hash_of
from credits_core.store.kinds import PLATFORM_GRANTS, PLATFORM_PAYMENTS_IN
from credits_core.store.tables import (
    CreditTransaction,
    EventToSettle,
    JournalEntry,
    Purchase,
    PurchaseEvent,
    PurchaseMove,
    PurchaseReceipt,
    UserPart,
)
from credits_core.values.credits import div_floor

# The type of entry of each step, what it does to the user's own account, and the account on the other side.
_FORMS = {
    "frozen": ("transfer", -1, ":frozen"),
    "thawed": ("transfer", 1, ":frozen"),
    "lent": ("transfer", 1, ":debt"),
    "repaid": ("transfer", -1, ":debt"),
    "taken": ("reversal", -1, ""),
    "returned": ("reversal", 1, ""),
}
# What a step adds to the frozen part, or to what is owed, which is below 0.
_PARTS = {"frozen": (":frozen", 1), "thawed": (":frozen", -1), "lent": (":debt", -1), "repaid": (":debt", 1)}


class _Bought(NamedTuple):
    """A purchase as it was asked for."""

    id: int
    user_id: str
    gateway: str
    pack_id: str
    price_minor: int
    fee_minor: int
    credits: int
    bonus_credits: int
    request_hash: str


class _Event(NamedTuple):
    """What a gateway said of a purchase."""

    purchase_id: int
    gateway: str
    event_id: str
    kind: str
    about: str
    amount_minor: int
    happened_at_us: int
    is_left: bool | int


class _Move(NamedTuple):
    """A step of a purchase with what its entry says."""

    purchase_id: int
    id: int
    step: str
    lot: int
    is_bonus: bool | int
    credits: int
    user_id: str
    type: str
    request_hash: str
    account: str | None
    amount_credits: int | None
    other: str | None


def purchases_follow_from_their_events(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every purchase was granted once if it was paid, and what of it was taken back is what its money says.

    What is left to settle may or may not be done. Each step is the entry that it should be. What is frozen and owed of
    a user is the sum of the steps, and never more than is disputed or was taken. Receipts are numbered without a gap.
    After an earlier audit: users with new steps.
    """
    checked, violations = 0, list[str]()
    of_users = _of_users(since)
    purchases = select(*(getattr(Purchase, name) for name in _Bought._fields)).where(of_users).order_by(Purchase.id)
    events = _Groups(connection, _events(of_users))
    moves = _Groups(connection, _moves(of_users))
    due_parts: dict[str, int] = defaultdict(int)
    for purchase in map(_Bought._make, chain.from_iterable(blocks(connection, purchases))):
        checked += 1
        of_purchase = [_Move(*row) for row in moves.of(purchase.id)]
        for move in of_purchase:
            violations += _wrongly_moved(move)
            if move.step in _PARTS:
                part, sign = _PARTS[move.step]
                due_parts[f"{move.user_id}{part}"] += sign * move.credits
        told = [_Event(*row) for row in events.of(purchase.id)]
        wrong = list(_wrongly_stands(purchase, told, of_purchase))
        if wrong and any(event.is_left for event in told):
            wrong = list(_wrongly_stands(purchase, [event for event in told if not event.is_left], of_purchase))
        violations += wrong
    violations += _wrong_parts(connection, due_parts, since)
    violations += _of_no_purchase(connection, since)
    violations += _receipts(connection)
    return Finding("every purchase follows from its payments", checked, tuple(violations))


def _of_users(since: Since) -> ColumnElement[bool]:
    """The purchases to look at: all, or those of users with new steps."""
    if since.is_beginning:
        return true()
    bought = aliased(Purchase)
    return Purchase.user_id.in_(
        select(bought.user_id)
        .join(PurchaseMove, PurchaseMove.purchase_id == bought.id)
        .where(PurchaseMove.id > since.entry_id)
    )


class _Groups:
    """The rows of each purchase, in the order of the purchases; the first value of a row is its purchase's number."""

    def __init__(self, connection: Connection, ordered: Select[*tuple[Any, ...]]) -> None:
        self._groups = groupby(chain.from_iterable(blocks(connection, ordered)), key=itemgetter(0))
        self._next: tuple[int, list[Any]] | None = None

    def of(self, purchase_id: int) -> list[Any]:
        """The rows of this purchase, which comes after all that were asked for before."""
        while self._next is None or self._next[0] < purchase_id:
            found = next(self._groups, None)
            if found is None:
                return []
            self._next = found[0], list(found[1])
        return self._next[1] if self._next[0] == purchase_id else []


def _wrong_parts(connection: Connection, due: dict[str, int], since: Since) -> Iterator[str]:
    """What is frozen or owed of a user is the sum of the steps; when not all users are looked at, of those who are.

    What else is owed is of refunded shares, and for `audit.debts`.
    """
    special = UserPart.account_id.endswith(":frozen") | UserPart.account_id.endswith(":debt")
    found = connection.execute(select(UserPart.account_id, UserPart.balance_credits).where(special))
    kept = {account: credits for account, credits in found}  # noqa: C416
    for account, credits in connection.execute(_owed_for_shares()):
        kept[account] -= credits
    for account in sorted(due.keys() | kept.keys() if since.is_beginning else due.keys()):
        if kept.get(account, 0) != due.get(account, 0):
            yield f"{account} has {kept.get(account, 0)}, but the steps of purchases come to {due.get(account, 0)}"


def _owed_for_shares() -> Select[*tuple[Any, ...]]:
    """What was moved on debts by entries that are no step of a purchase, by account."""
    is_step = select(PurchaseMove.id).where(PurchaseMove.id == CreditTransaction.entry_id).exists()
    debts = select(UserPart.account_id).where(UserPart.account_id.endswith(":debt"))
    return (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits))
        .where(CreditTransaction.account_id.in_(debts), ~is_step)
        .group_by(CreditTransaction.account_id)
    )


def _wrongly_moved(move: _Move) -> Iterator[str]:
    source = ("bonus", PLATFORM_GRANTS) if move.is_bonus else ("credit_purchase", PLATFORM_PAYMENTS_IN)
    if move.step == "granted":
        due = (source[0], move.user_id, move.credits, source[1])
    else:
        type_, sign, part = _FORMS[move.step]
        due = (type_, move.user_id, sign * move.credits, f"{move.user_id}{part}" if part else source[1])
        if move.request_hash != hash_of((type_, move.step, move.purchase_id, move.lot, move.credits)):
            yield f"entry {move.id} differs from the step of purchase {move.purchase_id} that it was written for"
    if (move.type, move.account, move.amount_credits, move.other) != due:
        yield f"entry {move.id} is not what purchase {move.purchase_id} did: {move.step}"


def _wrongly_stands(purchase: _Bought, events: list[_Event], moves: list[_Move]) -> Iterator[str]:
    asked = ascii(("purchase", purchase.user_id, purchase.pack_id, purchase.gateway)).encode("ascii")
    if purchase.request_hash != hashlib.sha256(asked).hexdigest():
        yield f"purchase {purchase.id} differs from the request that it was made for"
    if any(event.gateway != purchase.gateway for event in events):
        yield f"purchase {purchase.id} has an event of another gateway"
    is_paid, taken_minor, disputed_minor = _money(_due(purchase), events)
    granted = sorted((bool(move.is_bonus), move.credits) for move in moves if move.step == "granted")
    due = [(False, purchase.credits)] + [(True, purchase.bonus_credits)] * (purchase.bonus_credits > 0)
    if granted != (due if is_paid or moves else []):
        yield f"purchase {purchase.id} was granted {granted}, but {'paid' if is_paid else 'not paid'}"
        return
    lots = {move.lot: bool(move.is_bonus) for move in moves if move.step == "granted"}
    if any(lots.get(move.lot) != bool(move.is_bonus) for move in moves):
        yield f"purchase {purchase.id} has a step of a lot that is not its own"
        return
    for lot, is_bonus in lots.items():
        yield from _wrongly_taken(purchase, lot, is_bonus, moves, is_paid, taken_minor, disputed_minor)


def _wrongly_taken(
    purchase: _Bought,
    lot: int,
    is_bonus: bool,
    moves: list[_Move],
    is_paid: bool,
    taken_minor: int,
    disputed_minor: int,
) -> Iterator[str]:
    of = {step: sum(move.credits for move in moves if (move.lot, move.step) == (lot, step)) for step in _FORMS}
    taken, frozen, owed = (of[a] - of[b] for a, b in (("taken", "returned"), ("frozen", "thawed"), ("lent", "repaid")))
    credits, due_minor = (purchase.bonus_credits if is_bonus else purchase.credits), _due(purchase)
    most_taken, most_gone = credits, credits
    if is_paid:
        most_taken = div_floor(credits * taken_minor, due_minor)
        most_gone = div_floor(credits * (taken_minor + disputed_minor), due_minor)
    if taken > most_taken or (taken != most_taken and not is_bonus):
        yield f"lot {lot} of purchase {purchase.id} has {taken} taken back, but its money gives {most_taken}"
    if not 0 <= frozen <= most_gone - most_taken:
        yield f"lot {lot} of purchase {purchase.id} has {frozen} frozen of {most_gone - most_taken} that are disputed"
    if owed > taken or (is_bonus and owed):
        yield f"lot {lot} of purchase {purchase.id} owes {owed} of the {taken} that were taken back"


def _due(purchase: _Bought) -> int:
    return purchase.price_minor + purchase.fee_minor


def _money(due_minor: int, events: Sequence[_Event]) -> tuple[bool, int, int]:
    """Whether the events say that it is paid; what of it went back, and what is disputed, in minor units."""
    said = {(event.kind, event.about): event for event in sorted(events, key=_place)}
    last: dict[tuple[str, str], _Event] = {}
    for event in sorted((event for event in said.values() if event.amount_minor), key=_place):
        group = {"refund_failed": "refunded", "won": "ended", "lost": "ended"}.get(event.kind, event.kind)
        last[group, event.about] = event
    sums: dict[str, int] = defaultdict(int)
    for (group, about), event in last.items():
        if group != "disputed" or ("ended", about) not in last:
            sums[event.kind] += event.amount_minor
    if sums["paid"] < due_minor:
        return False, 0, 0
    too_much = sums["paid"] - due_minor
    gone = sums["refunded"] + sums["lost"] - too_much
    taken = min(max(gone, 0), due_minor)
    return True, taken, min(max(gone + sums["disputed"], 0), due_minor) - taken


def _place(event: _Event) -> tuple[int, bool, str, str]:
    return event.happened_at_us, event.kind == "refund_failed", event.kind, event.event_id


def _of_no_purchase(connection: Connection, since: Since) -> Iterator[str]:
    reversals = (
        select(JournalEntry.id)
        .outerjoin(PurchaseMove, PurchaseMove.id == JournalEntry.id)
        .where(JournalEntry.type == "reversal", JournalEntry.id > since.entry_id, PurchaseMove.id.is_(None))
        .order_by(JournalEntry.id)
    )
    yield from (f"entry {id_} is a reversal of no purchase" for id_ in connection.execute(reversals).scalars())


def _receipts(connection: Connection) -> Iterator[str]:
    first, last, count = connection.execute(
        select(func.min(PurchaseReceipt.id), func.max(PurchaseReceipt.id), func.count(PurchaseReceipt.id))
    ).one()
    if count and (first, last) != (1, count):
        yield f"the {count} receipts are numbered from {first} to {last}"
    granted = (PurchaseMove.purchase_id == PurchaseReceipt.purchase_id, PurchaseMove.step == "granted")
    without = (
        select(PurchaseReceipt.id)
        .outerjoin(PurchaseMove, and_(*granted))
        .where(PurchaseMove.id.is_(None))
        .order_by(PurchaseReceipt.id)
    )
    yield from (f"receipt {id_} is of a purchase that was not granted" for id_ in connection.execute(without).scalars())
    missing = (
        select(PurchaseMove.purchase_id)
        .outerjoin(PurchaseReceipt, PurchaseReceipt.purchase_id == PurchaseMove.purchase_id)
        .where(PurchaseMove.step == "granted", PurchaseReceipt.id.is_(None))
        .distinct()
        .order_by(PurchaseMove.purchase_id)
    )
    yield from (f"purchase {id_} was granted without a receipt" for id_ in connection.execute(missing).scalars())


def _events(of_users: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(*(getattr(PurchaseEvent, name) for name in _Event._fields[:-1]), EventToSettle.event_id.is_not(None))
        .join(Purchase, Purchase.id == PurchaseEvent.purchase_id)
        .outerjoin(EventToSettle, EventToSettle.event_id == PurchaseEvent.id)
        .where(of_users)
        .order_by(PurchaseEvent.purchase_id, PurchaseEvent.id)
    )


def _moves(of_users: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    own, other = aliased(CreditTransaction), aliased(CreditTransaction)
    return (
        select(
            PurchaseMove.purchase_id,
            PurchaseMove.id,
            PurchaseMove.step,
            PurchaseMove.lot,
            PurchaseMove.is_bonus,
            PurchaseMove.credits,
            Purchase.user_id,
            JournalEntry.type,
            JournalEntry.request_hash,
            own.account_id,
            own.amount_credits,
            other.account_id,
        )
        .join(Purchase, Purchase.id == PurchaseMove.purchase_id)
        .join(JournalEntry, JournalEntry.id == PurchaseMove.id)
        .outerjoin(own, and_(own.entry_id == PurchaseMove.id, own.position == 0))
        .outerjoin(other, and_(other.entry_id == PurchaseMove.id, other.position == 1))
        .where(of_users)
        .order_by(PurchaseMove.purchase_id, PurchaseMove.id)
    )
