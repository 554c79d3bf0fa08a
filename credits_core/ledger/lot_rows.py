"""Reads lots: those that are stored, and those that follow from the journal for users of whom none are stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, select
from sqlalchemy.orm import aliased

from credits_core.ledger.lots import EARNINGS, Draw, Lot, Lots, LotSource, Move, moved
from credits_core.pricing.refund_shares import RefundPart
from credits_core.store.kinds import EntryType, TransactionType
from credits_core.store.tables import (
    CreditTransaction,
    HoldEnding,
    JournalEntry,
    LotDraw,
    LotTerms,
    PartialRefund,
    PayoutMove,
    PurchaseMove,
    StoredLot,
    UserCredits,
)

_LAST_ENTRY_ID = 2**63 - 1


@dataclass(slots=True)
class History:
    """A user's lots as they follow from the journal, and what each payment and hold drew, by its entry.

    `newest` is what the entry `newest_entry_id` took from lots, and gave to them (below 0).
    """

    lots: Lots = field(default_factory=Lots)
    drawn: dict[int, list[Draw]] = field(default_factory=dict)
    newest: list[Draw] = field(default_factory=list)
    newest_entry_id: int | None = None


class LotsMissing(RuntimeError):
    """A damaged journal: its lots do not have what an entry took."""

    def __init__(self, user_id: str, entry_id: int) -> None:
        """Of this user, in this entry."""
        super().__init__(f"the lots of {user_id} do not have what entry {entry_id} took")


def stored(connection: Connection, user_ids: Sequence[str]) -> dict[str, Lots]:
    """The stored lots with something left of each of these users."""
    found: dict[str, list[Lot]] = {user_id: [] for user_id in user_ids}
    wanted = _LOTS.where(StoredLot.user_id.in_(user_ids), StoredLot.left_credits > 0)
    for row in connection.execute(wanted):
        found[row.user_id].append(_lot(row))
    return {user_id: Lots(lots) for user_id, lots in found.items()}


def stored_lot(connection: Connection, user_id: str, number: int) -> Lot | None:
    """One stored lot, also when nothing is left of it."""
    row = connection.execute(_LOTS.where(StoredLot.user_id == user_id, StoredLot.number == number)).one_or_none()
    return None if row is None else _lot(row)


def lots_of(connection: Connection, user_id: str) -> list[Lot]:
    """The user's lots with something left, in the order in which they are drawn.

    Reads all movements of a user of whom no lots are stored.
    """
    has_lots = connection.execute(select(UserCredits.has_lots).where(UserCredits.user_id == user_id)).scalar()
    return kept_lots(connection, user_id) if has_lots else _in_order(replayed(connection, user_id).lots)


def kept_lots(connection: Connection, user_id: str) -> list[Lot]:
    """The same of a user of whom lots are stored; nothing of anybody else, so that it is always quick."""
    return _in_order(stored(connection, [user_id])[user_id])


def expired_credits(connection: Connection, user_id: str, *, at_us: int) -> int:
    """What is left of the user's lots whose time is over: it is in the balance, and cannot be spent."""
    return stored(connection, [user_id])[user_id].expired_credits(at_us)


def drawn_by(connection: Connection, user_id: str, entry_id: int) -> list[Draw]:
    """Which lots the user's payment in this entry drew on, by their numbers.

    Of an entry from before the user's lots were stored, it follows from all movements up to it, which are read.
    """
    taken = [draw for draw in stored_draws(connection, user_id, entry_id, is_first=True) if draw.credits > 0]
    draws = taken or replayed(connection, user_id, up_to=entry_id).drawn.get(entry_id, [])
    return sorted(draws)


def stored_draws(connection: Connection, user_id: str, entry_id: int, *, is_first: bool = False) -> list[Draw]:
    """What the entry took from the user's stored lots, and gave to them (below 0), by their numbers.

    With `is_first`, what its first movement did, which is what a payer paid: not what else is the payer's in it.
    """
    wanted = (
        select(LotDraw.lot, LotDraw.credits)
        .join(
            CreditTransaction,
            (CreditTransaction.entry_id == LotDraw.entry_id) & (CreditTransaction.position == LotDraw.position),
        )
        .where(LotDraw.entry_id == entry_id, CreditTransaction.account_id == user_id)
        .order_by(LotDraw.position, LotDraw.lot)
    )
    if is_first:
        wanted = wanted.where(LotDraw.position == 0)
    return [Draw(*row) for row in connection.execute(wanted)]


def replayed(connection: Connection, user_id: str, *, up_to: int | None = None) -> History:
    """The user's lots after this entry, or now, as they follow from all movements since the first one.

    Raises:
        LotsMissing: the journal is damaged.
    """
    history = History()
    for move in _moves(connection, user_id, up_to, history):
        draws = moved(history.lots, move)
        if draws is None:
            raise LotsMissing(user_id, move.entry_id)
        if move.amount_credits < 0:
            history.drawn.setdefault(move.entry_id, draws)
        history.newest = [*history.newest, *draws] if move.entry_id == history.newest_entry_id else draws
        history.newest_entry_id = move.entry_id
    return history


def has_more_movements(connection: Connection, user_id: str, most: int, *, up_to: int = _LAST_ENTRY_ID) -> bool:
    """Whether what the user can spend was moved more than so often, up to this entry; reads no more than that."""
    one_more = (
        select(CreditTransaction.entry_id)
        .where(CreditTransaction.account_id == user_id, CreditTransaction.entry_id <= up_to)
        .order_by(CreditTransaction.entry_id)
        .offset(most)
        .limit(1)
    )
    return connection.execute(one_more).first() is not None


def _moves(connection: Connection, user_id: str, up_to: int | None, history: History) -> Iterator[Move]:
    wanted = _MOVES.where(CreditTransaction.account_id == user_id)
    if up_to is not None:
        wanted = wanted.where(CreditTransaction.entry_id <= up_to)
    for row in connection.execute(wanted):
        hold_id = row.ended_hold_id or row.captured_hold_id
        of: Sequence[Draw] = history.drawn.get(hold_id or row.original_id or row.refunds_entry_id or 0, ())
        if row.through_credits is not None:
            of = history.lots.part_of(of, RefundPart(row.through_credits - row.refunded_credits, row.through_credits))
        if row.refunds_entry_id is not None and row.amount_credits < 0:
            of = [Draw(row.refunds_entry_id, -row.amount_credits)]
        elif row.lot is not None or row.payout_id is not None:
            of = [Draw(row.lot or EARNINGS, abs(row.amount_credits))]
        yield Move(
            row.entry_id,
            EntryType(row.entry_type),
            TransactionType(row.type),
            row.amount_credits,
            row.created_at_us,
            of,
            row.expires_at_us,
        )


def _in_order(lots: Lots) -> list[Lot]:
    return sorted((lot for lot in lots.lots.values() if lot.left_credits), key=lambda lot: lot.place)


def _lot(row: Any) -> Lot:
    return Lot(row.number, LotSource(row.source), row.expires_at_us, row.left_credits)


_LOTS: Select[Any] = select(StoredLot.__table__)
_ended, _captured = aliased(HoldEnding), aliased(HoldEnding)
_MOVES: Select[*tuple[Any, ...]] = (
    select(
        CreditTransaction.entry_id,
        CreditTransaction.type,
        CreditTransaction.amount_credits,
        CreditTransaction.created_at_us,
        JournalEntry.type.label("entry_type"),
        JournalEntry.refunds_entry_id,
        PartialRefund.original_id,
        PartialRefund.refunded_credits,
        PartialRefund.through_credits,
        LotTerms.expires_at_us,
        _ended.hold_id.label("ended_hold_id"),
        _captured.hold_id.label("captured_hold_id"),
        PurchaseMove.lot,
        PayoutMove.payout_id,
    )
    .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
    .outerjoin(PartialRefund, PartialRefund.id == CreditTransaction.entry_id)
    .outerjoin(LotTerms, LotTerms.id == CreditTransaction.entry_id)
    .outerjoin(_ended, _ended.id == CreditTransaction.entry_id)
    .outerjoin(_captured, _captured.run_entry_id == CreditTransaction.entry_id)
    .outerjoin(PurchaseMove, PurchaseMove.id == CreditTransaction.entry_id)
    .outerjoin(PayoutMove, PayoutMove.id == CreditTransaction.entry_id)
    .order_by(CreditTransaction.entry_id, CreditTransaction.position)
)
