"""Reads what users owe: how much at the end of some days, what became owed on them, and what was paid of it.

Sums come from the daily tables plus the entries after their watermark, so they are exact at any moment. Amounts are
whole credits, days are those of a time zone. Writes nothing.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, case, func, select

from credits_core.ledger import purchase_rows
from credits_core.reports.sums import totals_of
from credits_core.store.kinds import EntryType, Part, owner_of, part_account
from credits_core.store.tables import UserPart
from credits_core.values.days import DayRange, number_of_day

_DEBTS = UserPart.account_id.endswith(f":{Part.DEBT.value}")
_BY = ("day", "account_id", "entry_type")


@dataclass(frozen=True, slots=True)
class Debts:
    """What was owed at the end of some days, what became owed on them and what was paid of it, in credits, from 0.

    What one purchase owed and paid on one day counts as the difference.
    """

    owed_credits: int
    became_credits: int
    paid_credits: int


@dataclass(frozen=True, slots=True)
class Owed:
    """What one user owes now, in credits: for refunded shares, and for purchases whose money went back."""

    shares_credits: int
    purchases_credits: int


def debts(connection: Connection, days: DayRange, *, user_id: str | None = None) -> Debts:
    """The debts of all users, or of one."""
    accounts = select(UserPart.account_id).where(_DEBTS)
    if user_id is not None:
        accounts = accounts.where(UserPart.user_id == user_id)
    if connection.execute(accounts.limit(1)).first() is None:
        return Debts(0, 0, 0)
    totals = totals_of(connection, replace(days, first=None))
    by_day = (
        select(*(totals.c[name] for name in _BY), func.sum(totals.c.amount_credits).label("credits"))
        .where(totals.c.account_id.in_(accounts))
        .group_by(*(totals.c[name] for name in _BY))
        .subquery()
    )
    credits = by_day.c.credits
    is_here = by_day.c.day >= (0 if days.first is None else number_of_day(days.first))
    owed, became, paid = connection.execute(
        select(
            func.coalesce(-func.sum(credits), 0),
            func.coalesce(func.sum(case((is_here & (credits < 0), -credits), else_=0)), 0),
            func.coalesce(func.sum(case((is_here & (credits > 0), credits), else_=0)), 0),
        )
    ).one()
    return Debts(int(owed), int(became), int(paid))


def of_shares(connection: Connection, days: DayRange) -> dict[str, tuple[int, int]]:
    """What of refunded shares became owed on these days, and what later shares paid of it, by creator, in credits."""
    accounts = select(UserPart.account_id).where(_DEBTS)
    if connection.execute(accounts.limit(1)).first() is None:
        return {}
    totals = totals_of(connection, days)
    credits = totals.c.amount_credits
    became = func.coalesce(func.sum(case((credits < 0, -credits), else_=0)), 0)
    paid = func.coalesce(func.sum(case((credits > 0, credits), else_=0)), 0)
    rows = connection.execute(
        select(totals.c.account_id, became, paid)
        .where(totals.c.account_id.in_(accounts), totals.c.entry_type != EntryType.TRANSFER.value)
        .group_by(totals.c.account_id)
    )
    return {owner_of(account_id): (int(lent), int(repaid)) for account_id, lent, repaid in rows}


def owed_now(connection: Connection) -> int:
    """What all users together owe now, in credits."""
    owed = select(func.coalesce(-func.sum(UserPart.balance_credits), 0)).where(_DEBTS)
    return int(connection.execute(owed).scalar_one())


def owed_by(connection: Connection, user_id: str) -> Owed:
    """What one user owes now."""
    account = UserPart.account_id == part_account(user_id, Part.DEBT)
    owed = -int(connection.execute(select(UserPart.balance_credits).where(account)).scalar() or 0)
    of_purchases = purchase_rows.owed_credits(connection, user_id) if owed else 0
    return Owed(owed - of_purchases, of_purchases)
