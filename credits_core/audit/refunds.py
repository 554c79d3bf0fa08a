"""Invariants of refunds: each reverses its entry once, under the rule that it was made under, which is recorded.

Those of entries that are refunded in parts are held against their entry in `audit.partial_refunds`.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, case, func, select, union_all
from sqlalchemy.orm import aliased

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.ledger import entries
from credits_core.reports import sums
from credits_core.store.kinds import (
    PLATFORM_INFERENCE,
    PLATFORM_REFUNDED_INFERENCE,
    REFUNDS,
    EntryType,
    RefundRule,
    TransactionType,
)
from credits_core.store.tables import CreditTransaction, JournalEntry, PartialRefund, Refund

_REFUNDS_AT_ONCE = 500
_IN_ORDER = ["cost_booked_back", "platform_bears_cost", "creator_owes_share"]
"""The rules in the order in which they were in force."""


def refunds_reverse_once(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every refund reverses its entry account by account, except what the platform paid in place of somebody.

    The refunded entry came before, is not a refund itself and is refunded only once. Under the present rule a creator
    gives back the whole share; what is owed of it is for the invariant of debts. Under earlier rules the platform pays
    only what a creator no longer has; that it pays exactly that much follows because both entries sum to zero. It bears
    the inference cost exactly where the refund's rule says so. What gives back the rest after some parts is only held
    against the entry that it is of.
    """
    refunds = [refund for refund in _refunds(connection, since) if refund.type == EntryType.REFUND.value]
    whole = [refund.id for refund in refunds if refund.part_id is None]
    kept_by: dict[int, dict[str, int]] = {}
    cost_of: dict[int, int] = {}
    for first in range(0, len(whole), _REFUNDS_AT_ONCE):
        among = whole[first : first + _REFUNDS_AT_ONCE]
        kept_by |= _kept_by_refund(connection, among)
        cost_of |= _refunded_costs(connection, among)
    violations, seen = [], _refunded_before(connection, since)
    for refund in refunds:
        if (
            refund.original_type in (None, *REFUNDS)
            or refund.refunds_entry_id >= refund.id
            or refund.refunds_entry_id in seen
        ):
            violations.append(
                f"refund {refund.id} is of entry {refund.refunds_entry_id}, which cannot be refunded or was refunded"
                " before"
            )
        seen.add(refund.refunds_entry_id)
        kept = kept_by.get(refund.id, {})
        kept_cost = kept.pop(PLATFORM_INFERENCE, 0), -kept.pop(PLATFORM_REFUNDED_INFERENCE, 0)
        due_credits = 0 if _returns_cost(refund) else cost_of.get(refund.id, 0)
        if refund.part_id is None and refund.rule is not None and kept_cost != (due_credits, due_credits):
            violations.append(
                f"refund {refund.id} leaves an inference cost of {kept_cost[0]}, of which the platform bears "
                f"{kept_cost[1]}, but its rule gives {due_credits}"
            )
        creators = _creators(connection, refund.refunds_entry_id) if kept else set()
        for account_id, kept_credits in sorted(kept.items()):
            if kept_credits < 0 or account_id not in creators or refund.rule == RefundRule.CREATOR_OWES_SHARE.value:
                violations.append(f"refund {refund.id} leaves {kept_credits} with {account_id}")
            elif (held_credits := entries.balance_at(connection, account_id, entry_id=refund.id)) != 0:
                violations.append(
                    f"refund {refund.id} leaves {kept_credits} with {account_id}, who held {held_credits}"
                )
    return Finding("every refund reverses its entry, once", len(refunds), tuple(violations))


def refunds_have_a_rule(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """The rule of every refund is recorded, no other entry has one, and each rule ended before the next one began.

    The order is checked because the rule alone decides nothing for a refund without an inference cost.
    """
    violations: list[str] = []
    newest = _newest_rule(connection, since)
    refunds = _refunds(connection, since)
    for refund in refunds:
        if refund.rule is None:
            violations.append(f"refund {refund.id} has no recorded rule")
        elif newest is None or _IN_ORDER.index(refund.rule) >= _IN_ORDER.index(newest[0]):
            newest = refund.rule, refund.id
        else:
            violations.append(
                f"refund {refund.id} has the rule {refund.rule}, but refund {newest[1]} before it has {newest[0]}"
            )
    misplaced = connection.execute(
        select(JournalEntry.id, JournalEntry.type)
        .join(Refund, Refund.entry_id == JournalEntry.id)
        .where(Refund.entry_id > since.entry_id, JournalEntry.type.not_in(REFUNDS))
        .order_by(JournalEntry.id)
    )
    violations += [f"entry {id_} has a rule of refunds but is a {type_}" for id_, type_ in misplaced]
    return Finding("every refund has its rule", len(refunds), tuple(violations))


def _refunds(connection: Connection, since: Since) -> list[Row[Any]]:
    """Every refund in order, with the type of the entry it refunds, its rule and its part; None where there is none."""
    original = aliased(JournalEntry)
    statement = (
        select(
            JournalEntry.id,
            JournalEntry.type,
            JournalEntry.refunds_entry_id,
            original.type.label("original_type"),
            Refund.rule,
            Refund.provider_refunded,
            PartialRefund.id.label("part_id"),
        )
        .outerjoin(original, original.id == JournalEntry.refunds_entry_id)
        .outerjoin(Refund, Refund.entry_id == JournalEntry.id)
        .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
        .where(JournalEntry.type.in_(REFUNDS), JournalEntry.id > since.entry_id)
        .order_by(JournalEntry.id)
    )
    return list(connection.execute(statement))


def _refunded_before(connection: Connection, since: Since) -> set[int | None]:
    """The entries that were refunded already where the audit begins and are refunded again after it."""
    again = aliased(JournalEntry)
    statement = select(JournalEntry.refunds_entry_id).where(
        JournalEntry.id <= since.entry_id,
        JournalEntry.refunds_entry_id.in_(select(again.refunds_entry_id).where(again.id > since.entry_id)),
    )
    return set() if since.is_beginning else set(connection.execute(statement).scalars())


def _newest_rule(connection: Connection, since: Since) -> tuple[str, int] | None:
    """The rule of the last refund before where the audit begins, and that refund."""
    statement = select(Refund.rule, Refund.entry_id).where(Refund.entry_id <= since.entry_id)
    last = connection.execute(statement.order_by(Refund.entry_id.desc()).limit(1)).one_or_none()
    return None if last is None else (last.rule, last.entry_id)


def _returns_cost(refund: Row[Any]) -> bool:
    return bool(refund.provider_refunded) or refund.rule == RefundRule.COST_BOOKED_BACK.value


def _kept_by_refund(connection: Connection, among: Sequence[int]) -> dict[int, dict[str, int]]:
    """The credits that each of these refunds left with accounts of its entry, by the refund.

    Without what the platform paid for creators, debts and what pays them, and without zeros. What the platform bears
    of an inference cost is negative, on the account for that.
    """
    is_borne = sums.borne_by_platform(CreditTransaction.account_id, CreditTransaction.type)
    is_of_debt = CreditTransaction.type == TransactionType.TRANSFER.value
    moved = union_all(
        select(JournalEntry.id, CreditTransaction.account_id, CreditTransaction.amount_credits)
        .join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.refunds_entry_id)
        .where(JournalEntry.id.in_(among), ~is_of_debt),
        select(JournalEntry.id, CreditTransaction.account_id, CreditTransaction.amount_credits)
        .join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .where(JournalEntry.id.in_(among), ~is_borne, ~is_of_debt),
    ).subquery()
    sum_credits = func.sum(moved.c.amount_credits)
    rows = connection.execute(
        select(moved.c.id, moved.c.account_id, sum_credits)
        .group_by(moved.c.id, moved.c.account_id)
        .having(sum_credits != 0)
    )
    kept: dict[int, dict[str, int]] = {}
    for refund_id, account_id, kept_credits in rows:
        kept.setdefault(refund_id, {})[account_id] = int(kept_credits)
    return kept


def _refunded_costs(connection: Connection, among: Sequence[int]) -> dict[int, int]:
    """The inference cost of the run that each of these refunds is of, by the refund."""
    # Not as a condition: a database would then begin with the account, of which nearly every run has a part.
    is_cost = CreditTransaction.account_id == PLATFORM_INFERENCE
    rows = connection.execute(
        select(JournalEntry.id, func.sum(case((is_cost, CreditTransaction.amount_credits), else_=0)))
        .join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.refunds_entry_id)
        .where(JournalEntry.id.in_(among))
        .group_by(JournalEntry.id)
    )
    return {refund_id: int(cost_credits) for refund_id, cost_credits in rows}


def _creators(connection: Connection, entry_id: int) -> set[str]:
    statement = select(CreditTransaction.account_id).where(
        CreditTransaction.entry_id == entry_id, CreditTransaction.type == TransactionType.CREATOR_PAYMENT.value
    )
    return set(connection.execute(statement).scalars())
