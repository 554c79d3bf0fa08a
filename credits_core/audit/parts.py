"""The invariant of the parts of users: each is the sum of its transactions, and a transfer stays within one user."""

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from credits_core.audit.blocks import blocks
from credits_core.audit.carried import is_of_part
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import EntryType
from credits_core.store.tables import CreditTransaction, JournalEntry, UserCredits, UserPart

_KEPT = select(UserPart.account_id, UserPart.balance_credits)


def parts_are_sums(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every part of a user is the sum of its transactions, and only a debt is below 0. The user is marked as having it.

    A transfer is between two parts of one user. After an earlier audit: the parts that moved since, each by what its
    last transaction says it had.
    """
    kept = {account: int(credits) for account, credits in connection.execute(_KEPT)}
    due = _sums(connection) if since.is_beginning else _last_balances(connection, since)
    violations = [
        f"{account} has {kept.get(account, 'no row')} but the transactions give {credits}"
        for account, credits in sorted(due.items())
        if kept.get(account) != credits
    ]
    if since.is_beginning:
        violations += [
            f"{account} has {kept[account]} but no transactions" for account in sorted(kept.keys() - due.keys())
        ]
    violations += [
        f"{account} has {credits} and is negative"
        for account, credits in sorted(kept.items())
        if credits < 0 and not account.endswith(":debt")
    ]
    violations += _wrongly_marked(connection, since)
    violations += _between_users(connection, since)
    return Finding("every part of a user is the sum of its transactions", len(kept), tuple(violations))


def _sums(connection: Connection) -> dict[str, int]:
    summed = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits))
        .where(is_of_part)
        .group_by(CreditTransaction.account_id)
    )
    return {account: int(credits) for account, credits in connection.execute(summed)}


def _last_balances(connection: Connection, since: Since) -> dict[str, int]:
    accounts = (
        select(func.max(CreditTransaction.account_id).label("account_id"))
        .where(CreditTransaction.entry_id > since.entry_id, is_of_part)
        .group_by(CreditTransaction.account_id.concat(""))  # as in `audit.balances`, so that only what is new is read
        .subquery()
    )
    last = (
        select(CreditTransaction.balance_after_credits)
        .where(CreditTransaction.account_id == accounts.c.account_id)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    return {account: int(credits) for account, credits in connection.execute(select(accounts.c.account_id, last))}


def _wrongly_marked(connection: Connection, since: Since) -> Iterator[str]:
    """The users who have parts without being marked; when everything is checked, also those who are marked for none."""
    has_parts = select(UserPart.account_id).where(UserPart.user_id == UserCredits.user_id).exists()
    is_wrong = UserCredits.has_parts != has_parts
    if not since.is_beginning:
        is_wrong = UserCredits.user_id.in_(select(UserPart.user_id)) & ~UserCredits.has_parts
    wrong = select(UserCredits.user_id).where(is_wrong).order_by(UserCredits.user_id)
    yield from (f"{user} is wrongly marked as to other parts" for user in connection.execute(wrong).scalars())


def _between_users(connection: Connection, since: Since) -> Iterator[str]:
    """The transfers that are not from one part of a user to another one of the same user."""
    first, second = aliased(CreditTransaction), aliased(CreditTransaction)
    transfers = (
        select(JournalEntry.id, first.account_id, second.account_id)
        .join(first, (first.entry_id == JournalEntry.id) & (first.position == 0))
        .join(second, (second.entry_id == JournalEntry.id) & (second.position == 1))
        .where(JournalEntry.type == EntryType.TRANSFER.value, JournalEntry.id > since.entry_id)
        .order_by(JournalEntry.id)
    )
    for entry_id, one, other in chain.from_iterable(blocks(connection, transfers)):
        if one == other or one.partition(":")[0] != other.partition(":")[0]:
            yield f"entry {entry_id} is no transfer between two parts of one user"
