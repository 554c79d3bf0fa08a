"""What the ledger does for purchases: grants what was paid, and takes back or freezes what the payer's bank asks for.

As `ledger.actions`: in the caller's unit of work, and never commits. `payments` says how much of each purchase is paid,
gone and disputed; what is done about it follows from these numbers and from what the user has spent (`ledger.stakes`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, literal, select, text

from credits_core.ledger import actions, expiring, parts, purchase_rows, writer
from credits_core.ledger.movements import Movement, for_debt, for_frozen, for_reversal
from credits_core.ledger.refusals import CirculationTooLarge
from credits_core.ledger.requests import new_entry
from credits_core.ledger.stakes import SIGN, Due, Move, Stake, moves
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import CreditSource, EntryType, Part, Step
from credits_core.store.tables import PurchaseMove, PurchaseReceipt
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May

_RECEIPTS_LOCK = 7_306_401
_ENTRY_TYPES = {Step.TAKEN: EntryType.REVERSAL, Step.RETURNED: EntryType.REVERSAL}
_WORDS = {
    Step.FROZEN: "Frozen while the payment is disputed",
    Step.THAWED: "Not frozen any more",
    Step.TAKEN: "The money of the purchase went back",
    Step.RETURNED: "The money of the purchase came again",
    Step.LENT: "Owed, because the credits were spent",
    Step.REPAID: "Paid of what was owed",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the gateway's news of a purchase come to, in credits, of the purchase and of its bonus.

    Nothing is granted unless `is_paid`. `bonus_days` is how long the bonus can be spent; None for ever.
    """

    purchase_id: int
    is_paid: bool
    credits: int
    taken_credits: int
    frozen_credits: int
    bonus_credits: int
    bonus_taken_credits: int
    bonus_frozen_credits: int
    bonus_days: int | None = None


def open_account(connection: Connection, user_id: str, *, now: datetime, distinct: bool = False) -> None:
    """Lock the user, who gets an account with 0 credits where there is none yet.

    Raises:
        AccountLooksAlike: the user has no account, but one whose id differs only in upper and lower case is there.
        InvalidRequest: the id of a new user looks like one that a spreadsheet has broken.
    """
    posting = writer.begin(connection, [user_id], ())
    posting.open_account(user_id, now, distinct=distinct)
    posting.write()


def settle(
    connection: Connection,
    user_id: str,
    wanted: Callable[[Connection], Sequence[Wanted]],
    *,
    now: datetime,
    actor: Actor,
    of_one: Callable[[Connection], Wanted] | None = None,
) -> bool:
    """Bring one user's purchases to what `wanted` says of all of them, which it reads once the user is locked.

    Returns whether all were looked at, and not only the one that news came of. Repeating it changes nothing. A purchase
    is granted once, with a receipt, and its bonus with it.

    With `of_one`, what is wanted of the purchase that news came of, the user's other purchases are left alone where
    they cannot matter: the user owes nothing, and nothing of this purchase goes back. Then it costs the same with one
    purchase as with many.

    Raises:
        CirculationTooLarge, BalanceTooLarge: as `actions.add_credits`; nothing is changed.
    """
    actor.require(May.MOVE_CREDITS)
    posting = writer.begin(connection, [user_id], ())
    alone = None if of_one is None else _alone(connection, user_id, of_one(connection))
    if alone is not None:
        asked, found = alone
    else:
        asked = {one.purchase_id: one for one in wanted(connection)}
        found = purchase_rows.lots_of_user(connection, user_id)
    before = {one.purchase_id for one in found}
    granted = [one for one in asked.values() if one.is_paid and one.purchase_id not in before]
    is_special = any(_is_special(asked[one.purchase_id], one.now) for one in found) or any(map(_is_asked_back, granted))
    if is_special or any(one.bonus_days is not None for one in granted):
        posting.lots.begin(user_id)  # before anything is added to them
        expiring.settle(posting, user_id, now)
    for one in granted:
        _grant(posting, user_id, one, now, actor)
    if is_special:
        _settle_lots(posting, user_id, asked, [*found, *_new_lots(posting, granted)], now, actor)
    if granted and connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_RECEIPTS_LOCK})"))
    posting.write()
    if granted and writer.circulating_credits(connection) > actions.MAX_CIRCULATION_CREDITS:
        raise CirculationTooLarge(sum(one.credits for one in granted), actions.MAX_CIRCULATION_CREDITS)
    return alone is None


def _alone(
    connection: Connection, user_id: str, one: Wanted
) -> tuple[dict[int, Wanted], list[purchase_rows.Granted]] | None:
    """What is wanted of one purchase and its lots, where no other one can matter; else None."""
    found = purchase_rows.lots_of(connection, [one.purchase_id]).get(one.purchase_id, [])
    if _is_asked_back(one) or any(lot.now != Due() for lot in found):
        return None
    return None if parts.of_user(connection, user_id).get(Part.DEBT) else ({one.purchase_id: one}, found)


def _is_special(asked: Wanted, now: Due) -> bool:
    return _is_asked_back(asked) or now != Due()


def _is_asked_back(asked: Wanted) -> bool:
    return bool(asked.taken_credits or asked.frozen_credits)


def _grant(posting: Posting, user_id: str, one: Wanted, now: datetime, actor: Actor) -> None:
    """Decide what a paid purchase adds, and its receipt, whose number follows the last one's."""
    until = None if one.bonus_days is None else now + timedelta(days=one.bonus_days)
    for source, credits, reason, expires_at in (
        (CreditSource.PURCHASE, one.credits, f"Purchase {one.purchase_id}", None),
        (CreditSource.BONUS, one.bonus_credits, f"Bonus of purchase {one.purchase_id}", until),
    ):
        if not credits:
            continue
        receipt = actions.post_credits(
            posting,
            user_id,
            credits,
            source=source,
            reason=reason,
            expires_at=expires_at,
            key=f"purchase:{one.purchase_id}:{source.value}",
            now=now,
            actor=actor,
        )
        _keep(posting, receipt.entry_id, one.purchase_id, Step.GRANTED, receipt.entry_id, source, credits)
    number = select(
        func.coalesce(func.max(PurchaseReceipt.id), 0) + 1, literal(one.purchase_id), literal(to_microseconds(now))
    )
    posting.also(insert(PurchaseReceipt).from_select(["id", "purchase_id", "issued_at_us"], number))


def _settle_lots(
    posting: Posting,
    user_id: str,
    asked: dict[int, Wanted],
    lots: Sequence[purchase_rows.Granted],
    now: datetime,
    actor: Actor,
) -> None:
    """Decide the steps from what is to what should be."""
    stakes = []
    for lot in sorted(lots, key=lambda lot: (lot.purchase_id, lot.is_bonus)):
        one = asked[lot.purchase_id]
        taken, frozen = one.taken_credits, one.frozen_credits
        if lot.is_bonus:
            taken, frozen = one.bonus_taken_credits, one.bonus_frozen_credits
        left_credits = posting.lots.left_credits(user_id, lot.lot)
        stakes.append(Stake(*lot[:4], left_credits, lot.now, taken, frozen))
    for move in moves(stakes):
        _post(posting, user_id, move, now, actor)
    expiring.settle(posting, user_id, now)  # what came back of lots whose time is over by now


def _new_lots(posting: Posting, granted: Sequence[Wanted]) -> list[purchase_rows.Granted]:
    """The lots that were added in this unit of work."""
    lots = []
    for one in granted:
        for source, credits in ((CreditSource.PURCHASE, one.credits), (CreditSource.BONUS, one.bonus_credits)):
            if credits:
                entry_id = posting.taken[f"purchase:{one.purchase_id}:{source.value}"].entry_id
                assert entry_id is not None, "the lot was granted just now"
                is_bonus = source is CreditSource.BONUS
                lots.append(purchase_rows.Granted(one.purchase_id, entry_id, is_bonus, credits, Due()))
    return lots


def _post(posting: Posting, user_id: str, move: Move, now: datetime, actor: Actor) -> None:
    entry = new_entry(
        _ENTRY_TYPES.get(move.step, EntryType.TRANSFER),
        (move.step.value, move.purchase_id, move.lot, move.credits),
        key=f"purchase:{move.purchase_id}:{posting.peek_number()}",
        now=now,
        actor=actor,
        description=f"Purchase {move.purchase_id}: {_WORDS[move.step][0].lower()}{_WORDS[move.step][1:]}",
    )
    source = CreditSource.BONUS if move.is_bonus else CreditSource.PURCHASE
    of = posting.lots.of_one(user_id, move.lot, move.credits)
    entry_id, _ = posting.post(entry, _movements(user_id, move, source), of=of)
    _keep(posting, entry_id, move.purchase_id, move.step, move.lot, source, move.credits)


def _movements(user_id: str, move: Move, source: CreditSource) -> list[Movement]:
    away_credits = -SIGN[move.step] * move.credits
    if move.step in (Step.FROZEN, Step.THAWED):
        return for_frozen(user_id, away_credits)
    if move.step in (Step.LENT, Step.REPAID):
        return for_debt(user_id, away_credits)
    return for_reversal(user_id, away_credits, of=source)


def _keep(
    posting: Posting, entry_id: int, purchase_id: int, step: Step, lot: int, source: CreditSource, credits: int
) -> None:
    row = {
        "id": entry_id,
        "purchase_id": purchase_id,
        "step": step.value,
        "lot": lot,
        "is_bonus": source is CreditSource.BONUS,
        "credits": credits,
    }
    posting.also(insert(PurchaseMove).values(row))
