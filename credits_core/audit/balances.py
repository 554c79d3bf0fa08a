"""Invariants of the accounts: balances are sums, and follow each other."""

from itertools import chain
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, ScalarSelect, case, exists, func, literal, select, true, union_all
from sqlalchemy.orm import aliased

from credits_core.audit import said
from credits_core.audit.blocks import blocks
from credits_core.audit.carried import held_by_users, is_own, is_users
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import Part
from credits_core.store.tables import CreditTransaction, UserCredits, UserPart

_DEBT = f":{Part.DEBT.value}"
_WRONG_SIDE = {True: "which is negative", False: "though a debt is never above 0"}
_SUMS = "every balance is the sum of its transactions"


def balances_are_sums(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every user's balance is the sum of the user's transactions, and not negative.

    After an earlier audit: each user who has moved credits since, and the sum of all. If one of them is not as it
    follows from that audit, all are checked.
    """
    if not since.is_beginning and (checked := _follow_from(connection, since)) is not None:
        return Finding(_SUMS, checked, ())
    moved = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits).label("sum_credits"))
        .where(is_own)
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
        f"{user} has {said.credits(balance)}, "
        + (f"but the transactions sum to {said.grouped(sum_)}" if balance != sum_ else "which is negative")
        for user, balance, sum_, has_account in bad
        if has_account
    ]
    violations += [f"{user} has transactions but no account" for user, *_, has_account in bad if not has_account]
    checked = connection.execute(select(func.count()).select_from(UserCredits)).scalar_one()
    return Finding(_SUMS, checked, tuple(violations))


def _follow_from(connection: Connection, since: Since) -> int | None:
    """How many users moved credits since; None when a balance, or the sum of all, does not follow from before."""
    moved = (
        select(
            func.max(CreditTransaction.account_id).label("account_id"),
            func.sum(CreditTransaction.amount_credits).label("credits"),
        )
        .where(CreditTransaction.entry_id > since.entry_id, is_own)
        .group_by(CreditTransaction.account_id.concat(""))  # SQLite would read the whole index of accounts for a column
        .subquery()
    )
    due = moved.c.credits + func.coalesce(_balance_before(moved.c.account_id, since), 0)
    users, wrong = connection.execute(
        select(func.count(), func.count(case((UserCredits.balance_credits.is_distinct_from(due), 1))))
        .select_from(moved)
        .outerjoin(UserCredits, UserCredits.user_id == moved.c.account_id)
    ).one()
    last = connection.execute(select(func.coalesce(func.max(CreditTransaction.entry_id), 0))).scalar_one()
    of_users = select(func.coalesce(func.sum(UserCredits.balance_credits), 0)).scalar_subquery()
    of_parts = select(func.coalesce(func.sum(UserPart.balance_credits), 0)).scalar_subquery()
    circulating = connection.execute(select(of_users + of_parts)).scalar_one()
    follows = since.circulating_credits + held_by_users(connection, since.entry_id, last)
    return users if wrong == 0 and circulating == follows else None


def _balance_before(account_id: ColumnElement[str], since: Since) -> ScalarSelect[int]:
    """What the account held after its last transaction before an audit begins; no number when it had none."""
    earlier = aliased(CreditTransaction)
    return (
        select(earlier.balance_after_credits)
        .where(earlier.account_id == account_id, earlier.entry_id <= since.entry_id)
        .order_by(earlier.entry_id.desc(), earlier.position.desc())
        .limit(1)
        .scalar_subquery()
    )


def balances_follow_each_other(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """In the ledger's order, each balance is the previous one plus the transaction's amount. Only a debt is below 0."""
    moved = (
        select(
            CreditTransaction.entry_id,
            CreditTransaction.account_id,
            CreditTransaction.amount_credits,
            CreditTransaction.balance_after_credits,
        )
        .where(CreditTransaction.entry_id > since.entry_id, is_users)
        .order_by(CreditTransaction.entry_id, CreditTransaction.position)
    )
    checked, bad = 0, []
    last = _last_balances(connection, since)
    for entry_id, user, amount, after in chain.from_iterable(blocks(connection, moved)):
        checked += 1
        due = last.get(user, 0) + amount
        if after != due or (after > 0 if user.endswith(_DEBT) else after < 0):
            bad.append((user, entry_id, after, due))
        last[user] = after or 0
    return Finding(
        "every balance follows from the one before",
        checked,
        tuple(
            f"{user} has {said.credits(after)} after entry {entry_id}, "
            + (f"where {said.grouped(due)} follow from the balance before" if after != due else _WRONG_SIDE[after < 0])
            for user, entry_id, after, due in sorted(bad, key=itemgetter(0, 1))
        ),
    )


def _last_balances(connection: Connection, since: Since) -> dict[str, int]:
    """What each user who moved credits since had before, if anything."""
    if since.is_beginning:
        return {}
    users = (
        select(func.max(CreditTransaction.account_id).label("account_id"))
        .where(CreditTransaction.entry_id > since.entry_id, is_users)
        .group_by(CreditTransaction.account_id.concat(""))
        .subquery()
    )
    rows = connection.execute(select(users.c.account_id, _balance_before(users.c.account_id, since)))
    return {user: credits for user, credits in rows if credits is not None}
