"""Lots: a user's credits by source and expiry, and which of them each movement takes or gives. Pure.

One rule says what is drawn first, `ORDER`. All lots follow from the journal by it, from a user's first entry on. They
are stored only for users who have credits that expire, or of whom a payment went back or was disputed
(`ledger.lot_rows`); for all others the balance is enough.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from credits_core.pricing.refund_shares import RefundPart
from credits_core.store.kinds import EntryType, TransactionType

EARNINGS = 0
"""The number of the lot of all that a user earns as a creator. Any other lot has that of the entry that added it."""
_NEVER = 2**63


class LotSource(StrEnum):
    """Where the credits of a lot are from."""

    BONUS = "bonus"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    PURCHASE = "purchase"
    EARNED = "earned"


ORDER: tuple[LotSource, ...] = (
    LotSource.BONUS,
    LotSource.GRANT,
    LotSource.ADJUSTMENT,
    LotSource.PURCHASE,
    LotSource.EARNED,
)
"""What is drawn first of lots that expire at the same time, or never: by source, and of one source the oldest first."""
SOURCES: dict[EntryType, LotSource] = {
    EntryType.BONUS: LotSource.BONUS,
    EntryType.GRANT: LotSource.GRANT,
    EntryType.ADJUSTMENT: LotSource.ADJUSTMENT,
    EntryType.CREDIT_PURCHASE: LotSource.PURCHASE,
}


class Draw(NamedTuple):
    """What a movement took from a lot, in credits; negative: what it gave to the lot."""

    lot: int
    credits: int


@dataclass(slots=True)
class Lot:
    """One lot of a user. `number` is that of the entry that added it, or `EARNINGS`; `left_credits` can be spent."""

    number: int
    source: LotSource
    expires_at_us: int | None
    left_credits: int

    @property
    def place(self) -> tuple[int, int, int]:
        """The place in the order in which lots are drawn: the soonest expiry first, then `ORDER`, then the oldest."""
        return (_NEVER if self.expires_at_us is None else self.expires_at_us, ORDER.index(self.source), self.number)

    def is_expired(self, at_us: int) -> bool:
        """Whether its time is over at this moment: from `expires_at_us` on."""
        return self.expires_at_us is not None and self.expires_at_us <= at_us


class Lots:
    """The lots of one user, changed by one movement after the other."""

    def __init__(self, lots: Iterable[Lot] = ()) -> None:
        """Begin with these lots."""
        self.lots = {lot.number: lot for lot in lots}

    def spendable_credits(self, at_us: int) -> int:
        """What can be spent at this moment: lots whose time is over cannot, whether or not a job has taken them."""
        return sum(lot.left_credits for lot in self.lots.values() if not lot.is_expired(at_us))

    def expired_credits(self, at_us: int) -> int:
        """What is left in lots whose time is over at this moment."""
        return sum(lot.left_credits for lot in self.lots.values() if lot.is_expired(at_us))

    def add(self, lot: Lot) -> list[Draw]:
        """Add a lot, or more credits to a lot that is there."""
        known = self.lots.setdefault(lot.number, Lot(lot.number, lot.source, lot.expires_at_us, 0))
        return self._take([Draw(known.number, -lot.left_credits)])

    def part_of(self, drawn: Sequence[Draw], part: RefundPart) -> list[Draw]:
        """What a refund gives back of what a payment drew, when it is `part` of it: last drawn, first given back.

        >>> lots = Lots([Lot(1, LotSource.GRANT, 900, 0), Lot(2, LotSource.PURCHASE, None, 0)])
        >>> paid = [Draw(1, 30), Draw(2, 50)]
        >>> [lots.part_of(paid, RefundPart(*ends)) for ends in [(0, 40), (40, 60), (60, 80)]]
        [[Draw(lot=2, credits=40)], [Draw(lot=2, credits=10), Draw(lot=1, credits=10)], [Draw(lot=1, credits=20)]]
        """
        given: list[Draw] = []
        begins_credits = 0
        for lot, credits in sorted(drawn, key=lambda draw: self.lots[draw.lot].place, reverse=True):
            ends_credits = begins_credits + credits
            back = min(ends_credits, part.through_credits) - max(begins_credits, part.before_credits)
            if back > 0:
                given.append(Draw(lot, back))
            begins_credits = ends_credits
        return given

    def give_back(self, drawn: Sequence[Draw]) -> list[Draw]:
        """Give back what an earlier movement drew, to the lots that it was drawn from."""
        return self._take([Draw(lot, -credits) for lot, credits in drawn])

    def draw(self, credits: int, at_us: int, *, first: Sequence[Draw] = ()) -> list[Draw] | None:
        """Draw credits by the rule: of `first` first, at most as much as it says and whether or not that is expired.

        None, and nothing is drawn, when there are not enough.

        >>> lots = Lots([Lot(1, LotSource.PURCHASE, None, 50), Lot(2, LotSource.GRANT, None, 30),
        ...     Lot(3, LotSource.PURCHASE, 900, 20), Lot(4, LotSource.GRANT, 800, 10)])
        >>> lots.draw(70, 850), lots.draw(40, 850)
        ([Draw(lot=3, credits=20), Draw(lot=2, credits=30), Draw(lot=1, credits=20)], None)
        """
        drawn: dict[int, int] = {}
        wanted = credits
        for lot, most in sorted(
            (one for one in first if one.lot in self.lots), key=lambda one: self.lots[one.lot].place
        ):
            taken = min(wanted, most, self.lots[lot].left_credits)
            if taken:
                drawn[lot] = drawn.get(lot, 0) + taken
                wanted -= taken
        for one in sorted(self.lots.values(), key=_place):
            if wanted and not one.is_expired(at_us):
                taken = min(wanted, one.left_credits - drawn.get(one.number, 0))
                if taken:
                    drawn[one.number] = drawn.get(one.number, 0) + taken
                    wanted -= taken
        return None if wanted else self._take([Draw(lot, taken) for lot, taken in drawn.items()])

    def expire(self, at_us: int) -> list[Draw]:
        """Take all that is left in lots whose time is over at this moment."""
        over = [lot for lot in sorted(self.lots.values(), key=_place) if lot.is_expired(at_us) and lot.left_credits]
        return self._take([Draw(lot.number, lot.left_credits) for lot in over])

    def _take(self, draws: list[Draw]) -> list[Draw]:
        for lot, credits in draws:
            self.lots[lot].left_credits -= credits
        return draws


def _place(lot: Lot) -> tuple[int, int, int]:
    return lot.place


class Move(NamedTuple):
    """A movement of what a user can spend, with what its entry says about lots.

    `of` is what an earlier movement drew: the hold that ends or is captured, or what is refunded; or the lot that a
    step of a purchase is about. `expires_at_us` is when added credits expire.
    """

    entry_id: int
    entry_type: EntryType
    type: TransactionType
    amount_credits: int
    at_us: int
    of: Sequence[Draw] = ()
    expires_at_us: int | None = None


def is_of_debt(entry_type: EntryType, type_: TransactionType) -> bool:
    """Whether a movement pays what a creator owes from a share, or lends what is missing of one: a transfer beside it.

    In a transfer of its own, credits go to another part of the user.
    """
    return type_ is TransactionType.TRANSFER and entry_type is not EntryType.TRANSFER


def moved(lots: Lots, move: Move) -> list[Draw] | None:
    """Change the lots by one movement, and say which lots it took from or gave to; None when they do not have enough.

    A creator's shares make one lot, and a share that is given back comes from it first; so does what a share pays of a
    debt, and what is missing of a share is lent to it. What is given back by a refund or a hold goes
    to the lots that paid, even to one whose time is over by now.
    """
    credits = move.amount_credits
    if move.type is TransactionType.CREATOR_PAYMENT or is_of_debt(move.entry_type, move.type):
        if credits > 0:
            return lots.add(Lot(EARNINGS, LotSource.EARNED, None, credits))
        return lots.draw(-credits, move.at_us, first=[Draw(EARNINGS, -credits)])
    if move.type is TransactionType.EXPIRY:
        return lots.expire(move.at_us)
    if credits < 0:
        return lots.draw(-credits, move.at_us, first=move.of)
    if move.entry_type in SOURCES:
        return lots.add(Lot(move.entry_id, SOURCES[move.entry_type], move.expires_at_us, credits))
    return lots.give_back(move.of)
