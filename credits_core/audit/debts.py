"""The invariant of what creators owe: each debt and what became of earnings, worked out from the journal.

Nothing here is taken from `ledger.debts` or `ledger.movements`: the rule is written a second time, plainly.
"""

from collections.abc import Iterator
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, union

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.ledger import entries
from credits_core.store.kinds import Part
from credits_core.store.tables import (
    CreditTransaction,
    JournalEntry,
    Payout,
    PayoutMove,
    PurchaseMove,
    Refund,
    UserPart,
)

_DEBT = ":debt"
_BRINGS_EARNINGS = {"prompt_run", "flow_unlock"}
_REFUNDS = {"refund", "partial_refund"}
_OWES = "creator_owes_share"


class _Moved(NamedTuple):
    """A movement of a creator or of one of the creator's parts, with what its entry says."""

    entry_id: int
    account_id: str
    type: str
    amount_credits: int
    balance_after_credits: int | None
    entry_type: str
    rule: str | None
    purchase_step: str | None
    payout_step: str | None


def earnings_are_paid_left_or_owed(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """What a creator owes is what was missing of refunded shares, less what later earnings paid of it, first of all.

    All that a creator earned or got in another way, less what was given back, spent or has expired, was paid out, is
    left, or is set aside, less what is owed. For every creator who ever owed something or was paid; after an earlier
    audit: those of them whose credits moved since, from what they had and owed then.
    """
    checked, violations = 0, list[str]()
    for creator_id in connection.execute(_creators(since)).scalars().all():
        checked += 1
        violations += _of_one(connection, creator_id, since)
    violations += _without_debt(connection, since)
    return Finding("all that creators earned is paid, left or owed", checked, tuple(violations))


def _creators(since: Since) -> Select[str]:
    every = union(
        select(UserPart.user_id.label("user_id")).where(UserPart.account_id.endswith(_DEBT)),
        select(Payout.creator_id).join(PayoutMove, PayoutMove.payout_id == Payout.id),
    ).subquery()
    found = select(every.c.user_id).order_by(every.c.user_id)
    if since.is_beginning:
        return found
    moved = select(CreditTransaction.entry_id).where(
        CreditTransaction.account_id.in_([every.c.user_id, every.c.user_id.concat(_DEBT)]),
        CreditTransaction.entry_id > since.entry_id,
    )
    return found.where(moved.exists())


def _of_one(connection: Connection, creator_id: str, since: Since) -> Iterator[str]:
    due_credits = of_purchases = left = aside = earned = other = paid_out = 0
    is_as_due = True
    owed, held = (0, 0) if since.is_beginning else _before(connection, creator_id, since)
    wanted = _movements(creator_id).where(CreditTransaction.entry_id > since.entry_id)
    movements = map(_Moved._make, chain.from_iterable(blocks(connection, wanted)))
    for entry_id, of_entry in groupby(movements, key=attrgetter("entry_id")):
        moved = list(of_entry)
        own = [one for one in moved if one.account_id == creator_id]
        debt = [one.amount_credits for one in moved if one.account_id.endswith(_DEBT)]
        paid, lent = _due(moved, own, owed=owed, held=held)
        if moved[0].entry_type in _REFUNDS and moved[0].rule is None:  # reported by the invariant of rules
            lent = -sum(debt)
        due_credits += lent - paid
        if moved[0].purchase_step is not None:
            of_purchases -= sum(debt)
        else:
            beside = [one.amount_credits for one in own if one.type == "transfer"]
            if moved[0].entry_type == "transfer":  # its first movement is to or from another part
                beside = beside[1:]
            changes = [change for change in (paid, -lent) if change]
            if debt != changes or beside != [-change for change in changes]:
                is_as_due = False
                yield (
                    f"entry {entry_id} adds {-sum(debt)} to what {creator_id} owes, against {sum(beside)} that "
                    f"{creator_id} has, but {lent - paid} is due"
                )
            owed -= sum(debt)
        left += sum(one.amount_credits for one in own)
        held = own[-1].balance_after_credits or 0 if own else held
        for one in moved:
            if one.type == "payout":
                paid_out -= one.amount_credits
            elif one.type == "creator_payment":
                earned += one.amount_credits
            elif one.type != "transfer":
                other += one.amount_credits
            if one not in own and not one.account_id.endswith(_DEBT):
                aside += one.amount_credits
    owes = due_credits + of_purchases
    if is_as_due and earned + other != paid_out + left + aside - owes:
        yield (
            f"{creator_id} earned {earned} and got {other} otherwise, but was paid {paid_out}, has {left}, has "
            f"{aside} set aside, and owes {owes}"
        )


def _before(connection: Connection, creator_id: str, since: Since) -> tuple[int, int]:
    """What the creator owed for shares and could spend where the audit begins."""
    is_step = select(PurchaseMove.id).where(PurchaseMove.id == CreditTransaction.entry_id).exists()
    owed = select(func.coalesce(-func.sum(CreditTransaction.amount_credits), 0)).where(
        CreditTransaction.account_id == f"{creator_id}{_DEBT}", CreditTransaction.entry_id <= since.entry_id, ~is_step
    )
    held = entries.balance_at(connection, creator_id, entry_id=since.entry_id)
    return int(connection.execute(owed).scalar_one()), held


def _due(moved: list[_Moved], own: list[_Moved], *, owed: int, held: int) -> tuple[int, int]:
    """What an entry must pay of what is owed, and what it must lend; of an entry that does neither, nothing."""
    of, share = moved[0], sum(one.amount_credits for one in own if one.type == "creator_payment")
    if of.entry_type in _BRINGS_EARNINGS:
        return min(owed, share), 0
    if of.entry_type in _REFUNDS and of.rule == _OWES:
        refunded = sum(one.amount_credits for one in own if one.type == "refund")
        return 0, max(0, -share - held - refunded)
    if of.payout_step == "set_aside":
        return owed, 0
    if of.payout_step == "returned":
        return min(owed, own[0].amount_credits if own else 0), 0
    return 0, 0


def _without_debt(connection: Connection, since: Since) -> Iterator[str]:
    """Entries that pay or lend something, of users who never owed anything."""
    owes = UserPart.account_id == CreditTransaction.account_id.concat(_DEBT)
    moved = (
        select(CreditTransaction.entry_id, CreditTransaction.account_id)
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(
            CreditTransaction.type == "transfer",
            CreditTransaction.entry_id > since.entry_id,
            JournalEntry.type.in_([*_BRINGS_EARNINGS, *_REFUNDS]),
            ~CreditTransaction.account_id.contains(":"),
            ~select(UserPart.account_id).where(owes).exists(),
        )
        .order_by(CreditTransaction.entry_id)
    )
    yield from (
        f"entry {entry_id} pays or lends something of {account}, who owes nothing"
        for entry_id, account in connection.execute(moved).all()
    )


def _movements(creator_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.account_id,
            CreditTransaction.type,
            CreditTransaction.amount_credits,
            CreditTransaction.balance_after_credits,
            JournalEntry.type,
            Refund.rule,
            PurchaseMove.step,
            PayoutMove.step,
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .outerjoin(Refund, Refund.entry_id == CreditTransaction.entry_id)
        .outerjoin(PurchaseMove, PurchaseMove.id == CreditTransaction.entry_id)
        .outerjoin(PayoutMove, PayoutMove.id == CreditTransaction.entry_id)
        .where(CreditTransaction.account_id.in_([creator_id, *(f"{creator_id}:{part}" for part in Part)]))
        .order_by(CreditTransaction.entry_id, CreditTransaction.position)
    )
