"""Which of a user's lots an entry took credits from, and to which it gave: which credits paid, and when others go."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from credits_core.ledger import lot_rows
from credits_core.ledger.lots import EARNINGS, Draw, Lot, LotSource
from credits_core.ledger.receipts import Receipt
from credits_core.store.kinds import Step, is_part, is_platform
from credits_core.store.tables import PurchaseMove
from credits_core.values.days import from_microseconds

MOST_MOVEMENTS = 2_000
"""How many movements of a user are read where no lots are stored, some 30 ms. Beyond that nothing is said."""


class LotPart(NamedTuple):
    """What an entry took from one lot, below 0, or gave to it, in credits.

    `entry_id` is the entry that added the lot; None for what a user earned. `purchase_id` is the purchase that it is
    of, and `expires_at` None for credits that never expire.
    """

    entry_id: int | None
    source: LotSource
    expires_at: datetime | None
    purchase_id: int | None
    amount_credits: int


def payer_of(receipt: Receipt) -> str | None:
    """The user whose credits an entry moved first: of a run or an unlock, whoever paid. None where there is none."""
    accounts = (posted.account_id for posted in receipt.transactions)
    return next((one for one in accounts if not is_platform(one) and not is_part(one)), None)


def lots_of(connection: Connection, entry_id: int, user_id: str, *, most: int = MOST_MOVEMENTS) -> list[LotPart] | None:
    """The lots of this user that the entry moved, in the order in which lots are drawn.

    Where no lots are stored they are worked out from the user's movements up to the entry. None when that are more
    than `most`, or when a damaged ledger has lots that do not have what was taken, or has not the lots that are named:
    `verify` says so.
    """
    draws = lot_rows.stored_draws(connection, user_id, entry_id)
    if draws:
        stored = _stored_lots(connection, user_id, draws)
        return None if stored is None else _parts(connection, draws, stored)
    if lot_rows.has_more_movements(connection, user_id, most, up_to=entry_id):
        return None
    try:
        history = lot_rows.replayed(connection, user_id, up_to=entry_id)
    except (lot_rows.LotsMissing, KeyError):  # a step of a purchase may name a lot that is not there
        return None
    moved = history.newest if history.newest_entry_id == entry_id else []
    return _parts(connection, moved, history.lots.lots)


def _stored_lots(connection: Connection, user_id: str, draws: Sequence[Draw]) -> dict[int, Lot] | None:
    """The lots that are drawn from, by their numbers; None where one is missing."""
    found = {draw.lot: lot_rows.stored_lot(connection, user_id, draw.lot) for draw in draws}
    lots = {number: lot for number, lot in found.items() if lot is not None}
    return lots if len(lots) == len(found) else None


def _parts(connection: Connection, draws: Sequence[Draw], lots: Mapping[int, Lot]) -> list[LotPart]:
    numbers = {draw.lot for draw in draws}
    of_purchase = select(PurchaseMove.id, PurchaseMove.purchase_id).where(
        PurchaseMove.id.in_(numbers), PurchaseMove.step == Step.GRANTED.value
    )
    purchases = {row.id: row.purchase_id for row in connection.execute(of_purchase)}
    return [
        LotPart(
            None if number == EARNINGS else number,
            lots[number].source,
            _moment(lots[number].expires_at_us),
            purchases.get(number),
            -credits,
        )
        for number, credits in sorted(draws, key=lambda draw: lots[draw.lot].place)
    ]


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_microseconds(at_us)
