"""Finds entries that led to a finding, for somebody to look at: at most twenty, the newest first. Reads only.

Of an account the newest 20,000 transactions are looked through, which are more than it can have in one step.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, literal_column, or_, select

from credits_core.operations import watch_sums
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_rules import WatchRule
from credits_core.operations.watch_sums import Step
from credits_core.store.kinds import TransactionType
from credits_core.store.tables import CreditTransaction, JournalEntry, PartialRefund, PromptRun, UnlockedFlow
from credits_core.values.time_zones import TimeZone

MOST = 20
_READ = 20_000


def entries(connection: Connection, found: Found, of: Step, zone: TimeZone) -> tuple[int, ...]:
    """The numbers of entries that led to this finding, up to the step's last one: the largest or the newest."""
    match found.rule:
        case WatchRule.SPENDING:
            asked = _spent(found.subject, found.day, of, zone)
        case WatchRule.REFUNDS:
            asked = _refunds(found.subject, of)
        case WatchRule.ONE_PAYER | WatchRule.OWN_RUNS:
            asked = _paid(found.subject, str(found.numbers["payer"]), of)
        case WatchRule.BELOW_COST:
            asked = _cheap(found.subject, of)
        case WatchRule.MANY_USERS:
            asked = _charged(found.subject, of)
    return joined(connection.execute(asked.limit(MOST)).scalars().all(), ())


def _spent(user_id: str, day: int, of: Step, zone: TimeZone) -> Select[int]:
    moved = _newest_of(user_id, of)
    spent = (TransactionType.PROMPT_RUN.value, TransactionType.FLOW_UNLOCK.value)
    begin_us, end_us = zone.start_of_day(day), zone.start_of_day(day + 1)
    return (
        select(moved.c.entry_id)
        .where(moved.c.type.in_(spent), moved.c.created_at_us >= begin_us, moved.c.created_at_us < end_us)
        .order_by(moved.c.amount_credits, moved.c.entry_id.desc())
    )


def _paid(creator_id: str, payer: str, of: Step) -> Select[int]:
    moved = _newest_of(creator_id, of)
    return (
        select(moved.c.entry_id)
        .outerjoin(PromptRun, PromptRun.entry_id == moved.c.entry_id)
        .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == moved.c.entry_id)
        .where(moved.c.type == TransactionType.CREATOR_PAYMENT.value, moved.c.amount_credits > 0)
        .where(func.coalesce(PromptRun.user_id, UnlockedFlow.user_id) == payer)
        .order_by(moved.c.entry_id.desc())
    )


def _newest_of(account_id: str, of: Step) -> Any:
    moved = CreditTransaction
    return (
        select(moved.entry_id, moved.type, moved.amount_credits, moved.created_at_us)
        .where(CreditTransaction.account_id == account_id, CreditTransaction.entry_id <= of.up_to)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(_READ)
        .subquery()
    )


def _refunds(creator_id: str, of: Step) -> Select[int]:
    # Written out, because SQLite uses the index of rare types only for their very text.
    is_refund = CreditTransaction.type == literal_column(f"'{TransactionType.REFUND.value}'")
    newest = (
        select(CreditTransaction.entry_id)
        .where(is_refund, CreditTransaction.entry_id <= of.up_to)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(_READ)
        .subquery()
    )
    refunded = func.coalesce(JournalEntry.refunds_entry_id, PartialRefund.original_id)
    return (
        select(JournalEntry.id)
        .where(JournalEntry.id.in_(select(newest.c.entry_id)))
        .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
        .outerjoin(PromptRun, PromptRun.entry_id == refunded)
        .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == refunded)
        .where(or_(PromptRun.creator_id == creator_id, UnlockedFlow.creator_id == creator_id))
        .order_by(JournalEntry.id.desc())
    )


def _cheap(subject: str, of: Step) -> Select[int]:
    model_id, _, plan_id = subject.rpartition(" under ")
    is_cheap = watch_sums.is_cheap_of(model_id, plan_id)
    return select(PromptRun.entry_id).where(of.has(PromptRun.entry_id), is_cheap).order_by(PromptRun.entry_id.desc())


def _charged(actor: str, of: Step) -> Select[int]:
    """One entry of each user, so that one sees how different they are."""
    used = watch_sums.used(of)
    newest = func.max(used.c.entry_id)
    return (
        select(newest)
        .join(JournalEntry, JournalEntry.id == used.c.entry_id)
        .where(JournalEntry.actor == actor)
        .group_by(used.c.user_id)
        .order_by(newest.desc())
    )


def joined(new: Sequence[int], old: Sequence[int]) -> tuple[int, ...]:
    """Both without doubles, the newest first, at most twenty.

    >>> joined((5, 3), (3, 1))
    (5, 3, 1)
    """
    return tuple(sorted({*new, *old}, reverse=True)[:MOST])
