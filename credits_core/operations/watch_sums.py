"""Reads the sums that watching decides on, for those whom some entries touched. Reads only.

How much is read depends on the entries of the step and on fixed limits, never on how long the ledger is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, case, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from credits_core.operations.watch_decide import CheapRuns, Payments, Refunded, Spent
from credits_core.operations.watch_rules import RefundRule, SpendingRule
from credits_core.store.day_columns import day_number
from credits_core.store.kinds import TransactionType
from credits_core.store.tables import (
    CreditTransaction,
    DailyTotal,
    DailyWork,
    JournalEntry,
    PartialRefund,
    PromptRun,
    UnlockedFlow,
)
from credits_core.values.time_zones import Offset, TimeZone

_SPENT = (TransactionType.PROMPT_RUN.value, TransactionType.FLOW_UNLOCK.value)
_NAMES_AT_ONCE = 500
_READ_PER_PAYMENT = 5  # rows of a creator, of which one is a payment: the others are the creator's own runs


@dataclass(frozen=True, slots=True)
class Step:
    """Some entries, after one (exclusive) up to another (inclusive), with their days in a time zone.

    `day` is that of the latest of them by the clock.
    """

    after: int
    up_to: int
    offsets: tuple[Offset, ...]
    day: int

    def has(self, entry_id: InstrumentedAttribute[int]) -> Any:
        """The condition that an entry is one of these."""
        return (entry_id > self.after) & (entry_id <= self.up_to)


def step(connection: Connection, after: int, up_to: int, zone: TimeZone) -> Step | None:
    """The entries of a step; None when there are none."""
    created = JournalEntry.created_at_us
    times = select(func.min(created), func.max(created)).where(JournalEntry.id > after, JournalEntry.id <= up_to)
    first_us, last_us = connection.execute(times).one()
    if first_us is None:
        return None
    return Step(after, up_to, zone.offsets(first_us, last_us), zone.day_number(last_us))


def spent(connection: Connection, of: Step, rule: SpendingRule) -> Iterator[Spent]:
    """Of everybody who spent in these entries: each of the days on which they spent at least what the rule asks."""
    day = day_number(CreditTransaction.created_at_us, of.offsets).label("day")
    touched = (
        select(day, CreditTransaction.account_id)
        .where(of.has(CreditTransaction.entry_id), CreditTransaction.type.in_(_SPENT))
        .distinct()
    )
    by_day: dict[int, list[str]] = defaultdict(list)
    for number, account_id in connection.execute(touched):
        by_day[int(number)].append(account_id)
    for number, names in sorted(by_day.items()):
        for some in _some(names):
            for account_id, credits in _spent_on(connection, number, some, rule.at_least_credits):
                largest_credits, days = _past(connection, account_id, number, rule.past_days)
                yield Spent(account_id, number, credits, largest_credits, days)


def _spent_on(connection: Connection, day: int, names: Sequence[str], at_least: int) -> list[tuple[str, int]]:
    credits = -func.sum(DailyTotal.amount_credits)
    rows = connection.execute(
        select(DailyTotal.account_id, credits)
        .where(DailyTotal.day == day, DailyTotal.account_id.in_(names), DailyTotal.type.in_(_SPENT))
        .group_by(DailyTotal.account_id)
        .having(credits >= at_least)
        .order_by(DailyTotal.account_id)
    )
    return [(account_id, int(spent_credits)) for account_id, spent_credits in rows]


def _past(connection: Connection, account_id: str, day: int, days: int) -> tuple[int, int]:
    """The most that somebody spent on one of the days before, and on how many of them they spent anything."""
    by_day = (
        select(-func.sum(DailyTotal.amount_credits).label("credits"))
        .where(
            *(DailyTotal.account_id == account_id, DailyTotal.type.in_(_SPENT)),
            *(DailyTotal.day >= day - days, DailyTotal.day < day),
        )
        .group_by(DailyTotal.day)
    )
    sums = [int(credits) for credits in connection.execute(by_day).scalars()]
    return max(sums, default=0), len(sums)


def refunded(connection: Connection, of: Step, rule: RefundRule) -> Iterator[Refunded]:
    """Of every creator of whom something was refunded in these entries: what they earned in the rule's days."""
    creators: set[str] = set()
    wanted = (
        (refund_id, original_id, work)
        for refund_id, original_id in (
            (JournalEntry.id, JournalEntry.refunds_entry_id),
            (PartialRefund.id, PartialRefund.original_id),
        )
        for work in (PromptRun, UnlockedFlow)
    )
    for refund_id, original_id, work in wanted:
        found = (
            select(work.creator_id)
            .join(refund_id.class_, original_id == work.entry_id)
            .where(of.has(refund_id), work.creator_share_credits > 0)
            .distinct()
        )
        creators |= {str(name) for name in connection.execute(found).scalars()}
    for some in _some(sorted(creators)):
        rows = connection.execute(
            select(
                DailyWork.creator_id,
                func.sum(DailyWork.creator_share_credits),
                func.sum(DailyWork.refunded_share_credits),
            )
            .where(DailyWork.creator_id.in_(some), DailyWork.day > of.day - rule.past_days, DailyWork.day <= of.day)
            .group_by(DailyWork.creator_id)
            .order_by(DailyWork.creator_id)
        )
        for creator_id, earned_credits, refunded_credits in rows:
            yield Refunded(creator_id, of.day, int(earned_credits), int(refunded_credits))


def payments(connection: Connection, of: Step, newest: int) -> Iterator[Payments]:
    """Of every creator who was paid in these entries: so many of the newest payments, by who paid."""
    paid = (
        select(CreditTransaction.account_id)
        .where(of.has(CreditTransaction.entry_id), CreditTransaction.type == TransactionType.CREATOR_PAYMENT.value)
        .distinct()
        .order_by(CreditTransaction.account_id)
    )
    for creator_id in connection.execute(paid).scalars().all():
        last = _newest_payments(creator_id, of.up_to, newest)
        payer = func.coalesce(PromptRun.user_id, UnlockedFlow.user_id)
        rows = connection.execute(
            select(payer, func.sum(last.c.amount_credits), func.count())
            .select_from(last)
            .outerjoin(PromptRun, PromptRun.entry_id == last.c.entry_id)
            .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == last.c.entry_id)
            .group_by(payer)
            .order_by(payer)
        ).all()
        by_payer = {str(name): int(credits) for name, credits, _ in rows}
        yield Payments(creator_id, of.day, sum(count for *_, count in rows), by_payer)


def _newest_payments(creator_id: str, up_to: int, newest: int) -> FromClause:
    rows = (
        select(CreditTransaction.entry_id, CreditTransaction.type, CreditTransaction.amount_credits)
        .where(CreditTransaction.account_id == creator_id, CreditTransaction.entry_id <= up_to)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(newest * _READ_PER_PAYMENT)
        .subquery()
    )
    return (
        select(rows.c.entry_id, rows.c.amount_credits)
        .where(rows.c.type == TransactionType.CREATOR_PAYMENT.value, rows.c.amount_credits > 0)
        .order_by(rows.c.entry_id.desc())
        .limit(newest)
        .subquery()
    )


_LOST = PromptRun.inference_cost_credits + PromptRun.creator_share_credits - PromptRun.total_credits
_IS_CHEAP = or_(PromptRun.inference_cost_credits == 0, _LOST > 0)


def cheap_runs(connection: Connection, of: Step) -> Iterator[CheapRuns]:
    """The runs of these entries whose model cost nothing, or that the user paid less for than the platform."""
    day = day_number(PromptRun.created_at_us, of.offsets).label("day")
    by = (day, PromptRun.model_id, PromptRun.plan_id)
    rows = connection.execute(
        select(*by, func.count(), func.sum(case((_LOST > 0, _LOST), else_=0)))
        .where(of.has(PromptRun.entry_id), _IS_CHEAP)
        .group_by(*by)
        .order_by(*by)
    )
    for number, model_id, plan_id, runs, lost_credits in rows:
        yield CheapRuns(model_id, plan_id, int(number), int(runs), int(lost_credits))


def used(of: Step) -> FromClause:
    """The runs and unlocks of these entries: the entry, the user, and the microsecond."""
    return union_all(
        *(
            select(work.entry_id, work.user_id, work.created_at_us).where(of.has(work.entry_id))
            for work in (PromptRun, UnlockedFlow)
        )
    ).subquery()


def is_cheap_of(model_id: str, plan_id: str) -> Any:
    """The condition for runs of one model under one plan that `cheap_runs` counts."""
    return _IS_CHEAP & (PromptRun.model_id == model_id) & (PromptRun.plan_id == plan_id)


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), _NAMES_AT_ONCE):
        yield names[first : first + _NAMES_AT_ONCE]
