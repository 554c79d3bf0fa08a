"""What the ledger does for payouts: sets earnings aside, lets them leave, and takes them back when they did not arrive.

As `ledger.actions`: in the caller's unit of work, and never commits. Repeating a step changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, insert, select, text

from credits_core.ledger import debts, lot_rows, writer
from credits_core.ledger.lots import EARNINGS, Draw, Lots
from credits_core.ledger.movements import for_paid_out, for_payout, paying_debt
from credits_core.ledger.refusals import CycleReplaced, UnknownCycle
from credits_core.ledger.requests import new_entry
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import EntryType, Part, PayoutNews, PayoutStep, part_account
from credits_core.store.tables import (
    ADDED,
    CreditTransaction,
    Payout,
    PayoutApproval,
    PayoutCycle,
    PayoutMove,
    PayoutReport,
    PayoutTerms,
    UserCredits,
)
from credits_core.values.days import to_microseconds
from credits_core.values.refusals import NeedsApproval
from credits_core.values.roles import Actor, May, is_person, name_in

_CYCLES_LOCK = 7_206_151_041
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
    """A cycle: its number, who proposed it, how many payouts it has and what they come to, and whether it is approved
    or newest.

    `first_time` counts the payouts to accounts that were never paid before.
    """

    id: int
    proposed_by: str
    payouts: int
    total_credits: int
    first_time: int
    is_approved: bool
    is_newest: bool

    @property
    def is_proposed_by_person(self) -> bool:
        """Whether somebody signed in proposed it, so that it waits under Approvals."""
        return is_person(self.proposed_by)


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
    proposed_by = connection.execute(select(PayoutCycle.actor).where(PayoutCycle.id == cycle_id)).scalar()
    if proposed_by is None:
        raise UnknownCycle(cycle_id)
    approval = connection.execute(select(PayoutApproval.id).where(PayoutApproval.id == cycle_id)).first()
    paid = (Payout.cycle_id == cycle_id, Payout.amount_credits > 0)
    sums = select(func.count(), func.coalesce(func.sum(Payout.amount_credits), 0)).where(*paid)
    payouts, total_credits = connection.execute(sums).one()
    first_time = connection.execute(select(func.count()).select_from(Payout).where(*paid, is_first_time())).scalar_one()
    newest = connection.execute(select(func.max(PayoutCycle.id))).scalar()
    is_newest = newest == cycle_id
    return Cycle(cycle_id, proposed_by, int(payouts), int(total_credits), first_time, approval is not None, is_newest)


def is_first_time() -> ColumnElement[bool]:
    """The condition for payouts to an account that the creator was never paid to before."""
    own, before, its = PayoutTerms.__table__.alias(), Payout.__table__.alias(), PayoutTerms.__table__.alias()
    return ~(
        exists()
        .where(own.c.id == Payout.terms_id, before.c.creator_id == Payout.creator_id, before.c.id < Payout.id)
        .where(its.c.id == before.c.terms_id, its.c.address == own.c.address)
        .where(PayoutReport.payout_id == before.c.id, PayoutReport.kind == PayoutNews.PAID.value)
    )


def approve(connection: Connection, cycle_id: int, *, now: datetime, actor: Actor) -> Cycle:
    """Approve a cycle, so that its payouts are carried out. Approving it again changes nothing.

    A person approves what another one has proposed.

    Raises:
        UnknownCycle: there is none with this number.
        NotAllowed: the actor may not approve money.
        NeedsApproval: the actor is a person, and proposed it.
        CycleReplaced: a newer cycle was proposed, so this one pays what may have been spent.
    """
    actor.require(May.APPROVE_MONEY)
    lock_cycles(connection)
    found = cycle(connection, cycle_id)
    if actor.needs_second() and name_in(actor.recorded) == name_in(found.proposed_by):
        raise NeedsApproval(found.total_credits, 0)
    if found.is_approved:
        return found
    if not found.is_newest:
        raise CycleReplaced(cycle_id)
    row = {"id": cycle_id, "actor": actor.recorded, "approved_at_us": to_microseconds(now)}
    connection.execute(insert(PayoutApproval).values(row))
    return found._replace(is_approved=True)


def lock_cycles(connection: Connection) -> None:
    """Wait for whoever proposes or approves a cycle or makes a file of it, and make everybody else wait."""
    if connection.dialect.name == "postgresql":  # on SQLite there is one writer
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_CYCLES_LOCK})"))


def earned_left(connection: Connection, creator_ids: Sequence[str]) -> dict[str, int]:
    """What each of these creators has earned and neither spent nor been paid, in credits.

    A creator who never had other credits has earned the whole balance. Of anybody else the lots tell; where none are
    stored, all of the creator's movements are read.
    """
    users = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits, UserCredits.has_lots).where(
            UserCredits.user_id.in_(creator_ids)
        )
    ).all()
    kept = lot_rows.stored(connection, [user.user_id for user in users if user.has_lots])
    others = _with_other_credits(connection, (user.user_id for user in users if not user.has_lots))
    left = {}
    for user in users:
        if user.has_lots:
            left[user.user_id] = _earnings(kept[user.user_id])
        elif user.user_id in others:
            left[user.user_id] = _earnings(lot_rows.replayed(connection, user.user_id).lots)
        else:
            left[user.user_id] = int(user.balance_credits)
    return left


def _earnings(lots: Lots) -> int:
    earnings = lots.lots.get(EARNINGS)
    return 0 if earnings is None else earnings.left_credits


def _with_other_credits(connection: Connection, user_ids: Iterable[str]) -> set[str]:
    """Those of these users who ever had credits that were not earned: bought, granted, adjusted or a bonus."""
    of_these = CreditTransaction.account_id.in_(list(user_ids))
    return set(
        connection.execute(select(CreditTransaction.account_id).where(of_these, text(ADDED)).distinct()).scalars()
    )


def set_aside(
    connection: Connection, due: Due, kept_back: Callable[[Connection], int], *, now: datetime, actor: Actor
) -> bool:
    """Move a payout's credits to what is on the way, and say whether the creator still had them.

    `kept_back` reads what still waits or is in reserve, once the creator is locked. False, and nothing is moved, when
    the rest, less what the creator owes, does not cover the payout any more. What is owed for shares is paid with it.
    """
    actor.require(May.MOVE_CREDITS)
    posting = writer.begin(connection, [due.creator_id], ())
    if PayoutStep.SET_ASIDE in steps_of(connection, due.payout_id):
        return True
    left_credits = _left(posting, due.creator_id)
    owed_credits = -posting.balances.get(part_account(due.creator_id, Part.DEBT), 0)
    if left_credits - kept_back(connection) - owed_credits < due.amount_credits:
        return False
    _post(posting, due, PayoutStep.SET_ASIDE, now, actor)
    posting.write()
    return True


def pay(connection: Connection, due: Due, *, now: datetime, actor: Actor) -> None:
    """Let the credits leave that were set aside for a payout, because it arrived."""
    _follow(connection, due, {PayoutStep.SET_ASIDE: PayoutStep.PAID}, now=now, actor=actor)


def give_back(connection: Connection, due: Due, *, now: datetime, actor: Actor) -> None:
    """Give a payout's credits back to the creator, because it did not arrive, or the bank sent it back later.

    What the creator owes for shares is paid from them first.
    """
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
        if not _with_other_credits(posting.connection, [creator_id]):
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
    moved = movements(due.creator_id, sign * due.amount_credits)
    paid_credits = _paid_of_debt(posting, due, step)
    if paid_credits:
        moved = paying_debt(moved, due.creator_id, paid_credits)
    entry_id, _ = posting.post(entry, moved, of=of)
    posting.also(insert(PayoutMove).values({"id": entry_id, "payout_id": due.payout_id, "step": step.value}))


def _paid_of_debt(posting: Posting, due: Due, step: PayoutStep) -> int:
    """What this step pays of what the creator owes for shares: earnings come back, or others are left to pay it."""
    owed_credits = debts.owed_credits(posting, due.creator_id)
    if step is PayoutStep.SET_ASIDE:
        return owed_credits
    return min(owed_credits, due.amount_credits) if step is PayoutStep.RETURNED else 0
