"""Invariants of the accounts: balances are sums, and follow each other."""

from itertools import chain
from operator import itemgetter

from sqlalchemy import Connection, exists, func, literal, select, true, union_all

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import Finding, Plans
from credits_core.store.kinds import PLATFORM_PREFIX
from credits_core.store.tables import CreditTransaction, UserCredits

_is_user = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX


def balances_are_sums(connection: Connection, _: Plans) -> Finding:
    """Every user's balance is the sum of the user's transactions, and not negative."""
    moved = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits).label("sum_credits"))
        .where(_is_user)
        .group_by(CreditTransaction.account_id)
        .subquery()
    )
    balance = UserCredits.balance_credits
    with_transactions = (
        select(moved.c.account_id, balance, moved.c.sum_credits, UserCredits.user_id.is_not(None).label("has_account"))
        .outerjoin(UserCredits, UserCredits.user_id == moved.c.account_id)
        .where(UserCredits.user_id.is_(None) | (balance != moved.c.sum_credits) | (balance < 0))
    )
    without_any = select(UserCredits.user_id, balance, literal(0), true()).where(
        balance != 0, ~exists().where(CreditTransaction.account_id == UserCredits.user_id)
    )
    both = union_all(with_transactions, without_any).subquery()
    bad = connection.execute(select(both).order_by(both.c.account_id)).all()
    violations = [
        f"{user} has {balance} " + (f"but the transactions sum to {sum_}" if balance != sum_ else "and is negative")
        for user, balance, sum_, has_account in bad
        if has_account
    ]
    violations += [f"{user} has transactions but no account" for user, *_, has_account in bad if not has_account]
    checked = connection.execute(select(func.count()).select_from(UserCredits)).scalar_one()
    return Finding("every balance is the sum of its transactions", checked, tuple(violations))


def balances_follow_each_other(connection: Connection, _: Plans) -> Finding:
    """In the ledger's order, each balance is the previous balance plus the transaction's amount, and never negative."""
    moved = (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.account_id,
            CreditTransaction.amount_credits,
            CreditTransaction.balance_after_credits,
        )
        .where(_is_user)
        .order_by(CreditTransaction.entry_id, CreditTransaction.position)
    )
    checked, bad = 0, []
    last: dict[str, int] = {}
    for entry_id, user, amount, after in chain.from_iterable(blocks(connection, moved)):
        checked += 1
        due = last.get(user, 0) + amount
        if after != due or after < 0:
            bad.append((user, entry_id, after, due))
        last[user] = after or 0
    return Finding(
        "every balance follows from the one before",
        checked,
        tuple(
            f"{user} has {after} after entry {entry_id}, "
            + (f"where {due} follow from the balance before" if after != due else "which is negative")
            for user, entry_id, after, due in sorted(bad, key=itemgetter(0, 1))
        ),
    )
