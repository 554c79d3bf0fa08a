"""Reads and writes what users have beside what they can spend: the balances of their other parts, such as `ada:held`.

Only `ledger.writer` writes here. A user without another part costs nothing: `user_credits.has_parts` says so.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert, select, update

from credits_core.store.kinds import Part, is_part, owner_of, part_account
from credits_core.store.tables import UserCredits, UserPart


def balances(connection: Connection, user_ids: Sequence[str]) -> dict[str, int]:
    """The balances in credits of the other parts of these users, by their accounts."""
    found = select(UserPart.account_id, UserPart.balance_credits).where(UserPart.user_id.in_(user_ids))
    return {row.account_id: row.balance_credits for row in connection.execute(found)}


def of_user(connection: Connection, user_id: str) -> dict[Part, int]:
    """What the user has in each other part, in credits; without parts that never had any."""
    found = balances(connection, [user_id])
    return {part: found[account] for part in Part if (account := part_account(user_id, part)) in found}


def write(connection: Connection, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Write the balances of parts that have changed, each on the condition that it was as it was read."""
    for account_id, balance_credits in after.items():
        if not is_part(account_id) or before.get(account_id) == balance_credits:
            continue
        user_id = owner_of(account_id)
        if account_id not in before:
            row = {"account_id": account_id, "user_id": user_id, "balance_credits": balance_credits}
            connection.execute(insert(UserPart).values(row))
            connection.execute(update(UserCredits).where(UserCredits.user_id == user_id).values(has_parts=True))
            continue
        as_read = (UserPart.account_id == account_id, UserPart.balance_credits == before[account_id])
        if connection.execute(update(UserPart).where(*as_read).values(balance_credits=balance_credits)).rowcount != 1:
            raise RuntimeError("the balance of a part has changed although its user was locked")
