"""The lots of one unit of work's users, where any are stored: decided in memory, then written. For the writer alone."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, update

from credits_core.ledger import lot_rows
from credits_core.ledger.lots import Draw, Lot, Lots, Move, moved
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.pricing.refund_shares import RefundPart
from credits_core.store.kinds import EntryType
from credits_core.store.tables import LotDraw, StoredLot, UserCredits


class LotBook:
    """The lots of those users of whom lots are stored; of all others nothing is known and nothing is kept."""

    def __init__(self, connection: Connection, user_ids: Sequence[str]) -> None:
        """Read the lots of these users."""
        self._connection = connection
        self._lots: dict[str, Lots] = {}
        self._before: dict[tuple[str, int], int] = {}
        if user_ids:
            self._lots = lot_rows.stored(connection, user_ids)
            self._before = {(user, number): lot.left_credits for user, number, lot in self._each()}
        self._draws: list[dict[str, int]] = []
        self._begun: list[str] = []

    @property
    def users(self) -> Collection[str]:
        """The users whose lots are kept."""
        return self._lots.keys()

    def begin(self, user_id: str) -> None:
        """Keep the lots of this user from now on, as they follow from all of the user's movements, which are read."""
        if user_id not in self._lots:
            self._lots[user_id] = lot_rows.replayed(self._connection, user_id).lots
            self._begun.append(user_id)

    def expired_credits(self, user_id: str, at_us: int) -> int:
        """What is left of the user's lots whose time is over."""
        return self._lots[user_id].expired_credits(at_us) if user_id in self._lots else 0

    def left_credits(self, user_id: str, number: int) -> int:
        """What is left of one lot."""
        lot = self._lots[user_id].lots.get(number)
        return 0 if lot is None else lot.left_credits

    def drawn_by(self, user_id: str, entry_id: int, part: RefundPart | None = None) -> list[Draw]:
        """Which lots a payment of the user drew on, so that it can be given back; nothing where none are kept.

        With a part, what that part of the payment gives back to them.
        """
        if user_id not in self._lots:
            return []
        draws = lot_rows.drawn_by(self._connection, user_id, entry_id)
        for draw in draws:
            self._know(user_id, draw.lot)
        return draws if part is None else self._lots[user_id].part_of(draws, part)

    def of_one(self, user_id: str, number: int, credits: int) -> list[Draw]:
        """So many credits of one lot alone, whether they are taken from it or put into it."""
        self._know(user_id, number)
        return [Draw(number, credits)]

    def _know(self, user_id: str, number: int) -> None:
        """Know this lot, also when nothing is left of it."""
        lots = self._lots[user_id].lots
        if number in lots:
            return
        lot = lot_rows.stored_lot(self._connection, user_id, number)
        assert lot is not None, "all lots of a user whose lots are kept are stored, empty ones too"
        self._before[user_id, number] = lot.left_credits
        lots[number] = lot

    def decide(
        self,
        entry_id: int,
        entry_type: EntryType,
        at_us: int,
        posted: Sequence[PostedTransaction],
        *,
        of: Sequence[Draw],
        expires_at_us: int | None,
    ) -> None:
        """Decide what the transactions of an entry take from lots and give to them; a refusal changes nothing.

        Raises:
            InsufficientCredits: a user can spend less than is taken, because credits have expired.
        """
        changed: dict[str, Lots] = {}
        draws = []
        for position, (user_id, type_, amount_credits, _) in enumerate(posted):
            if user_id not in self._lots:
                continue
            lots = changed.setdefault(user_id, _copy(self._lots[user_id]))
            spendable_credits = lots.spendable_credits(at_us)
            move = Move(entry_id, entry_type, type_, amount_credits, at_us, of, expires_at_us)
            found = moved(lots, move)
            if found is None:
                raise InsufficientCredits(user_id, spendable_credits, -amount_credits)
            draws += [
                {"entry_id": entry_id, "position": position, "lot": lot, "credits": credits} for lot, credits in found
            ]
        self._lots |= changed
        self._draws += draws

    def write(self) -> None:
        """Write what has changed, after the entries were written."""
        if not self._lots:
            return
        for user_id in self._begun:
            marked = update(UserCredits).where(UserCredits.user_id == user_id).values(has_lots=True)
            self._connection.execute(marked)
        for user_id, number, lot in self._each():
            before_credits = self._before.get((user_id, number))
            if before_credits == lot.left_credits:
                continue
            changed = update(StoredLot).where(StoredLot.user_id == user_id, StoredLot.number == number)
            if before_credits is not None:
                changed = changed.where(StoredLot.left_credits == before_credits)
            changed = changed.values(left_credits=lot.left_credits)
            if self._connection.execute(changed).rowcount == 1:
                continue
            if before_credits is not None:
                raise RuntimeError("a lot has changed although its user was locked")
            self._connection.execute(insert(StoredLot).values(_row(user_id, lot)))
        if self._draws:
            self._connection.execute(insert(LotDraw), self._draws)

    def _each(self) -> Iterable[tuple[str, int, Lot]]:
        return [(user, number, lot) for user, lots in self._lots.items() for number, lot in lots.lots.items()]


def _copy(lots: Lots) -> Lots:
    return Lots(replace(lot) for lot in lots.lots.values())


def _row(user_id: str, lot: Lot) -> dict[str, object]:
    return {
        "user_id": user_id,
        "number": lot.number,
        "source": lot.source.value,
        "expires_at_us": lot.expires_at_us,
        "left_credits": lot.left_credits,
    }
