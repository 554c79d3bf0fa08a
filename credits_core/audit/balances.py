"""Invariants of the accounts: balances are sums, and follow each other."""

from sqlalchemy import Connection, func, select

from credits_core.audit.finding import Finding, Plans
from credits_core.store.kinds import PLATFORM_PREFIX
from credits_core.store.tables import CreditTransaction, UserCredits

_is_user = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX


def balances_are_sums(connection: Connection, _: Plans) -> Finding:
    """Every user's balance is the sum of the user's transactions, and not negative."""
    sums = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits).label("sum_credits"))
        .where(_is_user)
        .group_by(CreditTransaction.account_id)
        .subquery()
    )
    summed = func.coalesce(sums.c.sum_credits, 0)
    bad = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits, summed)
        .outerjoin(sums, sums.c.account_id == UserCredits.user_id)
        .where((UserCredits.balance_credits != summed) | (UserCredits.balance_credits < 0))
        .order_by(UserCredits.user_id)
    )
    violations = [
        f"{user} has {balance} " + (f"but the transactions sum to {sum_}" if balance != sum_ else "and is negative")
        for user, balance, sum_ in bad
    ]
    without_row = connection.execute(
        select(sums.c.account_id)
        .outerjoin(UserCredits, UserCredits.user_id == sums.c.account_id)
        .where(UserCredits.user_id.is_(None))
        .order_by(sums.c.account_id)
    ).scalars()
    violations += [f"{user} has transactions but no account" for user in without_row]
    checked = connection.execute(select(func.count()).select_from(UserCredits)).scalar_one()
    return Finding("every balance is the sum of its transactions", checked, tuple(violations))


def balances_follow_each_other(connection: Connection, _: Plans) -> Finding:
    """In the ledger's order, each balance is the previous balance plus the transaction's amount, and never negative."""
    order = (CreditTransaction.entry_id, CreditTransaction.position)
    before = func.lag(CreditTransaction.balance_after_credits).over(
        partition_by=CreditTransaction.account_id, order_by=order
    )
    chain = (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.account_id,
            CreditTransaction.balance_after_credits.label("after_credits"),
            (func.coalesce(before, 0) + CreditTransaction.amount_credits).label("due_credits"),
        )
        .where(_is_user)
        .subquery()
    )
    bad = connection.execute(
        select(chain.c.account_id, chain.c.entry_id, chain.c.after_credits, chain.c.due_credits)
        .where(chain.c.after_credits.is_distinct_from(chain.c.due_credits) | (chain.c.after_credits < 0))
        .order_by(chain.c.account_id, chain.c.entry_id)
    )
    return Finding(
        "every balance follows from the one before",
        connection.execute(select(func.count()).select_from(CreditTransaction).where(_is_user)).scalar_one(),
        tuple(
            f"{user} has {after} after entry {entry_id}, "
            + (f"where {due} follow from the balance before" if after != due else "which is negative")
            for user, entry_id, after, due in bad
        ),
    )
