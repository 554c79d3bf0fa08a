"""What the ledger does for payouts: sets earnings aside, lets them leave, and takes them back when they did not arrive.

As `ledger.actions`: in the caller's unit of work, and never commits. Repeating a step changes nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, text

from credits_core.ledger import lot_rows, writer
from credits_core.ledger.lots import EARNINGS, Draw
from credits_core.ledger.movements import for_paid_out, for_payout
from credits_core.ledger.refusals import CycleReplaced, UnknownCycle
from credits_core.ledger.requests import new_entry
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import EntryType, Part, PayoutStep, part_account
from credits_core.store.tables import (
    ADDED,
    CreditTransaction,
    Payout,
    PayoutApproval,
    PayoutCycle,
    PayoutMove,
    UserCredits,
)
from credits_core.values.days import to_microseconds
from credits_core.values.refusals import NeedsApproval
from credits_core.values.roles import Actor, May

_WORDS = {
    PayoutStep.SET_ASIDE: "set aside",
    PayoutStep.PAID: "paid",
    PayoutStep.UNPAID: "sent back by the bank",
    PayoutStep.RETURNED: "back with the creator",
}


# The kind of entry of each step, and its movements with their sign.
_FORMS = {
    PayoutStep.SET_ASIDE: (EntryType.TRANSFER, for_payout, 1),
    PayoutStep.RETURNED: (EntryType.TRANSFER, for_payout, -1),
    PayoutStep.PAID: (EntryType.PAYOUT, for_paid_out, 1),
    PayoutStep.UNPAID: (EntryType.PAYOUT, for_paid_out, -1),
}


class Due(NamedTuple):
    """A payout that was approved, in credits above 0."""

    payout_id: int
    creator_id: str
    amount_credits: int


class Cycle(NamedTuple):
    """A cycle: its number, how many payouts it has and what they come to, and whether it is approved or newest."""

    id: int
    payouts: int
    total_credits: int
    is_approved: bool
    is_newest: bool


def require_cycle(connection: Connection, cycle_id: int) -> None:
    """Do nothing where there is a cycle with this number.

    Raises:
        UnknownCycle: there is none.
    """
    if connection.execute(select(PayoutCycle.id).where(PayoutCycle.id == cycle_id)).first() is None:
        raise UnknownCycle(cycle_id)


def cycle(connection: Connection, cycle_id: int) -> Cycle:
    """One cycle.

    Raises:
        UnknownCycle: there is none with this number.
    """
    require_cycle(connection, cycle_id)
    approval = connection.execute(select(PayoutApproval.id).where(PayoutApproval.id == cycle_id)).first()
    paid = (Payout.cycle_id == cycle_id, Payout.amount_credits > 0)
    sums = select(func.count(), func.coalesce(func.sum(Payout.amount_credits), 0)).where(*paid)
    payouts, total_credits = connection.execute(sums).one()
    newest = connection.execute(select(func.max(PayoutCycle.id))).scalar()
    return Cycle(cycle_id, int(payouts), int(total_credits), approval is not None, newest == cycle_id)


def approve(connection: Connection, cycle_id: int, *, now: datetime, actor: Actor) -> Cycle:
    """Approve a cycle, so that its payouts are carried out. Approving it again changes nothing.

    Raises:
        UnknownCycle: there is none with this number.
        NotAllowed: the actor may not approve money.
        NeedsApproval: the actor is a person, and nobody else has proposed it.
        CycleReplaced: a newer cycle was proposed, so this one pays what may have been spent.
    """
    actor.require(May.APPROVE_MONEY)
    found = cycle(connection, cycle_id)
    if actor.needs_second():
        raise NeedsApproval(found.total_credits, 0)
    if found.is_approved:
        return found
    if not found.is_newest:
        raise CycleReplaced(cycle_id)
    row = {"id": cycle_id, "actor": actor.recorded, "approved_at_us": to_microseconds(now)}
    connection.execute(insert(PayoutApproval).values(row))
    return found._replace(is_approved=True)


def earned_left(connection: Connection, creator_id: str) -> int:
    """What a creator has earned and neither spent nor been paid, in credits.

    A creator who never had other credits has earned the whole balance. Of anybody else the lots tell; where none are
    stored, all of the creator's movements are read.
    """
    user = connection.execute(
        select(UserCredits.balance_credits, UserCredits.has_lots).where(UserCredits.user_id == creator_id)
    ).one()
    if user.has_lots:
        lots = lot_rows.stored(connection, [creator_id])[creator_id]
    elif has_other_credits(connection, creator_id):
        lots = lot_rows.replayed(connection, creator_id).lots
    else:
        return int(user.balance_credits)
    earnings = lots.lots.get(EARNINGS)
    return 0 if earnings is None else earnings.left_credits


def has_other_credits(connection: Connection, user_id: str) -> bool:
    """Whether the user ever had credits that were not earned: bought, granted, adjusted or a bonus."""
    added = select(CreditTransaction.entry_id).where(CreditTransaction.account_id == user_id, text(ADDED))
    return connection.execute(added.limit(1)).first() is not None


def set_aside(
    connection: Connection, due: Due, waiting: Callable[[Connection], int], *, now: datetime, actor: Actor
) -> bool:
    """Move a payout's credits to what is on the way, and say whether the creator still had them.

    `waiting` reads what still waits, once the creator is locked. False, and nothing is moved, when what is payable now,
    less what the creator owes, does not cover the payout any more.
    """
    actor.require(May.MOVE_CREDITS)
    posting = writer.begin(connection, [due.creator_id], ())
    if PayoutStep.SET_ASIDE in steps_of(connection, due.payout_id):
        return True
    left_credits = _left(posting, due.creator_id)
    owed_credits = -posting.balances.get(part_account(due.creator_id, Part.DEBT), 0)
    if left_credits - waiting(connection) - owed_credits < due.amount_credits:
        return False
    _post(posting, due, PayoutStep.SET_ASIDE, now, actor)
    posting.write()
    return True


def pay(connection: Connection, due: Due, *, now: datetime, actor: Actor) -> None:
    """Let the credits leave that were set aside for a payout, because it arrived."""
    _follow(connection, due, {PayoutStep.SET_ASIDE: PayoutStep.PAID}, now=now, actor=actor)


def give_back(connection: Connection, due: Due, *, now: datetime, actor: Actor) -> None:
    """Give a payout's credits back to the creator, because it did not arrive, or the bank sent it back later."""
    _follow(connection, due, {PayoutStep.PAID: PayoutStep.UNPAID}, now=now, actor=actor)
    before_return = {PayoutStep.SET_ASIDE: PayoutStep.RETURNED, PayoutStep.UNPAID: PayoutStep.RETURNED}
    _follow(connection, due, before_return, now=now, actor=actor)


def steps_of(connection: Connection, payout_id: int) -> list[PayoutStep]:
    """What was done for a payout, in order."""
    done = select(PayoutMove.step).where(PayoutMove.payout_id == payout_id).order_by(PayoutMove.id)
    return [PayoutStep(step) for step in connection.execute(done).scalars()]


def lock(connection: Connection, creator_id: str) -> None:
    """Wait for whoever changes this creator's credits at this moment, and make everybody else wait."""
    writer.begin(connection, [creator_id], ())


def _follow(
    connection: Connection, due: Due, next_of: dict[PayoutStep, PayoutStep], *, now: datetime, actor: Actor
) -> None:
    """Do the next step, where the last one has one."""
    actor.require(May.MOVE_CREDITS)
    posting = writer.begin(connection, [due.creator_id], ())
    done = steps_of(connection, due.payout_id)
    if done and done[-1] in next_of:
        _post(posting, due, next_of[done[-1]], now, actor)
        posting.write()


def _left(posting: Posting, creator_id: str) -> int:
    """As `earned_left`; the lots of a creator with other credits are kept from now on."""
    if creator_id not in posting.lots.users:
        if not has_other_credits(posting.connection, creator_id):
            return posting.balances[creator_id]
        posting.lots.begin(creator_id)
    return posting.lots.left_credits(creator_id, EARNINGS)


def _post(posting: Posting, due: Due, step: PayoutStep, now: datetime, actor: Actor) -> None:
    kind, movements, sign = _FORMS[step]
    entry = new_entry(
        kind,
        (step.value, due.payout_id, due.amount_credits),
        key=f"payout:{due.payout_id}:{step.value}",
        now=now,
        actor=actor,
        description=f"Payout {due.payout_id}: {_WORDS[step]}",
    )
    of: list[Draw] = []
    if kind is EntryType.TRANSFER and due.creator_id in posting.lots.users:
        of = posting.lots.of_one(due.creator_id, EARNINGS, due.amount_credits)
    entry_id, _ = posting.post(entry, movements(due.creator_id, sign * due.amount_credits), of=of)
    posting.also(insert(PayoutMove).values({"id": entry_id, "payout_id": due.payout_id, "step": step.value}))
