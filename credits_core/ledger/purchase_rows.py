"""Reads what the ledger did for purchases."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from credits_core.ledger.stakes import SIGN, Due
from credits_core.store.kinds import Step
from credits_core.store.tables import Purchase, PurchaseMove


class StoredMove(NamedTuple):
    """What one entry did for a purchase. `lot` is the entry that added the lot."""

    entry_id: int
    purchase_id: int
    step: Step
    lot: int
    is_bonus: bool
    credits: int


class Granted(NamedTuple):
    """A lot of a purchase: what was granted, and what has become of it."""

    purchase_id: int
    lot: int
    is_bonus: bool
    granted_credits: int
    now: Due


def lots_of_user(connection: Connection, user_id: str) -> list[Granted]:
    """The lots of the user's purchases, in the order of the purchases, the bonus after its purchase."""
    of_user = _MOVES.join(Purchase, Purchase.id == PurchaseMove.purchase_id).where(Purchase.user_id == user_id)
    return _granted(_moves(connection, of_user))


def owed_credits(connection: Connection, user_id: str) -> int:
    """What the user owes because the money of purchases went back, in credits."""
    return sum(lot.now.owed_credits for lot in lots_of_user(connection, user_id))


def moves_of(connection: Connection, purchase_ids: Sequence[int]) -> list[StoredMove]:
    """What the ledger did for these purchases, in order."""
    return _moves(connection, _MOVES.where(PurchaseMove.purchase_id.in_(purchase_ids)))


def lots_of(connection: Connection, purchase_ids: Sequence[int]) -> dict[int, list[Granted]]:
    """The lots of these purchases, by purchase, the bonus last; nothing of one that was not paid."""
    found: dict[int, list[Granted]] = defaultdict(list)
    for lot in _granted(moves_of(connection, purchase_ids)):
        found[lot.purchase_id].append(lot)
    return found


def purchase_of_entry(connection: Connection, entry_id: int) -> int | None:
    """The purchase that an entry belongs to, or None."""
    return connection.execute(select(PurchaseMove.purchase_id).where(PurchaseMove.id == entry_id)).scalar()


def _moves(connection: Connection, wanted: Select[*tuple[Any, ...]]) -> list[StoredMove]:
    return [
        StoredMove(entry_id, purchase_id, Step(step), *rest)
        for entry_id, purchase_id, step, *rest in connection.execute(wanted)
    ]


def _granted(moves: list[StoredMove]) -> list[Granted]:
    sums: dict[int, dict[Step, int]] = defaultdict(lambda: dict.fromkeys(Step, 0))
    for move in moves:
        sums[move.lot][move.step] += move.credits
    found = []
    for first in moves:
        if first.step is Step.GRANTED:
            of = sums[first.lot]
            taken, frozen, owed = (
                of[Step.TAKEN] - of[Step.RETURNED],
                of[Step.FROZEN] - of[Step.THAWED],
                of[Step.LENT] - of[Step.REPAID],
            )
            found.append(Granted(first.purchase_id, first.lot, first.is_bonus, first.credits, Due(taken, frozen, owed)))
    return sorted(found, key=lambda one: (one.purchase_id, one.is_bonus))


def signed_credits(move: StoredMove) -> int:
    """What the step put into the lot, in credits; negative: what it took from it."""
    return SIGN[move.step] * move.credits


_MOVES: Select[*tuple[Any, ...]] = select(
    PurchaseMove.id,
    PurchaseMove.purchase_id,
    PurchaseMove.step,
    PurchaseMove.lot,
    PurchaseMove.is_bonus,
    PurchaseMove.credits,
).order_by(PurchaseMove.id)
