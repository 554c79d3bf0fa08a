"""How a purchase came to where it is: after each thing that its gateway told, who bears each of its credits.

Computed by what decides it in the ledger, `payments.standing` and `ledger.stakes`, on what was told up to then and on
what the user had spent by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from credits_core.ledger import lot_rows, purchase_rows
from credits_core.ledger.purchase_rows import StoredMove
from credits_core.ledger.stakes import Due, Stake, due
from credits_core.payments import purchased
from credits_core.payments.purchased import Bought, Told
from credits_core.payments.standing import Standing, standing
from credits_core.store.kinds import Happened
from credits_core.store.tables import CreditTransaction
from credits_core.values.days import to_microseconds

MOST_MOVEMENTS = 20_000
"""How many movements of a user are read to find what was spent of each lot, a third of a second for each moment."""
_MOST_PURCHASES = 1_000
"""How many of the user's newest purchases are looked at, because one may pay what another one owes."""


@dataclass(frozen=True, slots=True)
class Borne:
    """What has become of a purchase's credits. Together they are what was granted, each credit counted once.

    `spent_credits` were spent or have expired, and nobody asks for them. `owed_credits` were spent, and the user owes
    them because their money went back. `lost_credits` were taken by banks that won disputes. `repaid_credits` paid what
    another purchase owed.
    """

    can_spend_credits: int = 0
    spent_credits: int = 0
    frozen_credits: int = 0
    refunded_credits: int = 0
    lost_credits: int = 0
    owed_credits: int = 0
    repaid_credits: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A purchase after one thing that was told. `fees_minor` is what the gateway kept so far, in minor units.

    `borne` is None for a user with more than `MOST_MOVEMENTS`, all of which would have to be read.
    """

    told: Told
    standing: Standing
    fees_minor: int
    borne: Borne | None

    @property
    def out_minor(self) -> int:
        """What went back to payers and their banks so far."""
        return self.standing.refunded_minor + self.standing.lost_minor

    @property
    def kept_minor(self) -> int:
        """What is left of the money after what went back, and the gateway's fee; below 0 when a fee is all there is."""
        return self.standing.paid_minor - self.out_minor - self.fees_minor


def course(connection: Connection, purchase_id: int) -> list[Moment]:
    """The purchase after each thing that was told of it, in the order in which it was told.

    Reads the movements of the user up to each of them, unless there are more than `MOST_MOVEMENTS`.

    Raises:
        UnknownPurchase: there is none.
    """
    bought = purchased.purchase(connection, purchase_id)
    newest = purchased.purchases_of(connection, bought.user_id, limit=_MOST_PURCHASES)
    every = list({one.id: one for one in [*newest, bought] if one.lots or one == bought}.values())
    moves = purchase_rows.moves_of(connection, [one.id for one in every])
    is_short = not lot_rows.has_more_movements(connection, bought.user_id, MOST_MOVEMENTS)
    spent: dict[datetime, Mapping[int, int]] = {}
    found = []
    for number, told in enumerate(bought.told, 1):
        at = told.received_at
        if is_short and at not in spent:
            spent[at] = _spent(connection, bought.user_id, moves, at)
        known = {one.id: tuple(other for other in one.told if other.received_at <= at) for one in every}
        known[bought.id] = bought.told[:number]
        found.append(_moment(bought, every, known, spent.get(at)))
    return found


def _spent(connection: Connection, user_id: str, moves: Sequence[StoredMove], at: datetime) -> dict[int, int]:
    """What the user had spent of each lot that was there by then."""
    own = CreditTransaction.account_id == user_id, CreditTransaction.created_at_us <= to_microseconds(at)
    last_entry = connection.execute(select(func.max(CreditTransaction.entry_id)).where(*own)).scalar()
    if last_entry is None:
        return {}
    lots = lot_rows.replayed(connection, user_id, up_to=last_entry).lots.lots
    found: dict[int, int] = {}
    for move in moves:
        if move.entry_id <= last_entry:
            put_in_credits = purchase_rows.signed_credits(move)
            found[move.lot] = found.get(move.lot, 0) + put_in_credits
    return {lot: credits - (lots[lot].left_credits if lot in lots else 0) for lot, credits in found.items()}


def _moment(
    bought: Bought, every: Sequence[Bought], known: Mapping[int, Sequence[Told]], spent: Mapping[int, int] | None
) -> Moment:
    told = known[bought.id]
    fees: dict[tuple[Happened, str], int] = {}
    for one in told:  # of what is told twice, once: by the event that knows the fee
        fees[one.kind, one.about] = max(one.fee_minor, fees.get((one.kind, one.about), 0))
    borne = None if spent is None else _borne(bought, every, known, spent)
    return Moment(told[-1], _stands(bought, told), sum(fees.values()), borne)


def _borne(
    bought: Bought, every: Sequence[Bought], known: Mapping[int, Sequence[Told]], spent: Mapping[int, int]
) -> Borne:
    stakes, stands = [], _stands(bought, known[bought.id])
    for one in sorted(every, key=lambda one: one.id):
        told = known[one.id]
        if any(_stands(one, told[:number]).is_paid for number in range(len(told) + 1)):
            stakes += _stakes(one, _stands(one, told), spent)
    borne = Borne()
    for stake, became in zip(stakes, due(stakes), strict=True):
        if stake.purchase_id == bought.id:
            borne = _with(borne, stake, became, stands)
    return borne


def _stands(one: Bought, told: Sequence[Told]) -> Standing:
    return standing(one.due_minor, [event.news for event in told])


def _stakes(one: Bought, stands: Standing, spent: Mapping[int, int]) -> list[Stake]:
    found = []
    for lot in one.lots:
        if lot.lot in spent:
            asked = stands.parts_of(one.bonus_credits if lot.is_bonus else one.credits)
            left_credits = lot.granted_credits - spent[lot.lot]
            found.append(Stake(one.id, lot.lot, lot.is_bonus, lot.granted_credits, left_credits, Due(), *asked))
    return found


def _with(borne: Borne, stake: Stake, became: Due, stands: Standing) -> Borne:
    taken, frozen, owed = became
    debt, repaid = max(0, owed), max(0, -owed)
    refunded = stands.refunded_of(stake.granted_credits, taken - debt)
    return Borne(
        borne.can_spend_credits + stake.granted_credits - stake.spent_credits - taken - frozen + owed,
        borne.spent_credits + stake.spent_credits - debt,
        borne.frozen_credits + frozen,
        borne.refunded_credits + refunded,
        borne.lost_credits + taken - debt - refunded,
        borne.owed_credits + debt,
        borne.repaid_credits + repaid,
    )
