"""Reads what stands beside a user's balance: the role, and what a typical run of the platform costs.

Roles come from the daily tables and the entries after them, so they are exact at any moment. Amounts are whole credits.
Writes nothing.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection, func, select, union

from credits_core.reports.sums import watermark_for
from credits_core.store.kinds import TransactionType
from credits_core.store.tables import CreditTransaction, DailyTotal, PromptRun
from credits_core.values.time_zones import UTC_ZONE, TimeZone

LOW_RUNS = 5
"""With fewer median runs left than these, a balance is low."""
_MEDIAN_RUNS = 10_000
_MEDIAN_US = timedelta(days=30) // timedelta(microseconds=1)


class Role(StrEnum):
    """What a user does here: pays for runs and unlocks, earns from them, or both."""

    USER = "user"
    CREATOR = "creator"
    BOTH = "both"


def roles(connection: Connection, user_ids: Sequence[str], zone: TimeZone = UTC_ZONE) -> dict[str, Role]:
    """The role of each of these users, in the same order. `zone` is the one whose days the daily tables have.

    Whoever was paid for a run or an unlock is a creator. Whoever got or spent credits in any other way is a user, and
    so is an account on which nothing has happened.
    """
    watermark = watermark_for(connection, zone)
    kept = select(DailyTotal.account_id, DailyTotal.type).where(DailyTotal.account_id.in_(user_ids))
    later = select(CreditTransaction.account_id, CreditTransaction.type).where(
        CreditTransaction.account_id.in_(user_ids), CreditTransaction.entry_id > watermark
    )
    found = connection.execute(union(kept, later) if watermark else later.distinct())
    kinds = {(account_id, type_ == TransactionType.CREATOR_PAYMENT.value) for account_id, type_ in found}
    return {user_id: _role((user_id, False) in kinds, (user_id, True) in kinds) for user_id in user_ids}


def _role(is_user: bool, is_creator: bool) -> Role:
    if is_creator:
        return Role.BOTH if is_user else Role.CREATOR
    return Role.USER


def median_total_credits(connection: Connection) -> int | None:
    """The median total of the newest 10,000 runs, refunded ones included; None without runs.

    Only runs of the 30 days up to the newest one count. Of an even number of runs it is the lower one of the two in the
    middle (nearest rank).
    """
    newest = (
        select(PromptRun.total_credits, PromptRun.created_at_us)
        .order_by(PromptRun.entry_id.desc())
        .limit(_MEDIAN_RUNS)
        .subquery()
    )
    newest_us = select(func.max(newest.c.created_at_us)).scalar_subquery()
    ranked = (
        select(
            newest.c.total_credits,
            func.row_number().over(order_by=newest.c.total_credits).label("rank"),
            func.count().over().label("runs"),
        )
        .where(newest.c.created_at_us > newest_us - _MEDIAN_US)
        .subquery()
    )
    median = connection.execute(
        select(ranked.c.total_credits).where(ranked.c.rank == (ranked.c.runs + 1) // 2)
    ).scalar_one_or_none()
    return None if median is None else int(median)


def runs_left(balance_credits: int, median_credits: int | None) -> int | None:
    """How many runs at the median price the balance covers; None where no run has a price.

    >>> runs_left(1_499, 300), runs_left(1_500, None)
    (4, None)
    """
    return balance_credits // median_credits if median_credits else None


def is_low(balance_credits: int, median_credits: int | None, role: Role) -> bool:
    """Whether somebody who runs prompts has fewer than `LOW_RUNS` median runs left. A creator alone runs none.

    >>> is_low(1_499, 300, Role.USER), is_low(1_500, 300, Role.BOTH), is_low(0, 300, Role.CREATOR)
    (True, False, False)
    """
    left = runs_left(balance_credits, median_credits)
    return left is not None and left < LOW_RUNS and role is not Role.CREATOR
