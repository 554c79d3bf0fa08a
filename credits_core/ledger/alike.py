"""Accounts whose ids look like another's: they differ only in upper and lower case."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from credits_core.ledger import locks
from credits_core.ledger.refusals import AccountLooksAlike
from credits_core.store.tables import UserCredits
from credits_core.values.fields import folded_id, require_new_user_id


def look_alikes(connection: Connection, user_ids: Iterable[str]) -> dict[str, list[str]]:
    """The accounts whose ids are these but for upper and lower case, by their folded id, the oldest first."""
    rows = connection.execute(
        select(UserCredits.user_id)
        .where(func.lower(UserCredits.user_id).in_(locks.locked_as(user_ids)))
        .order_by(UserCredits.created_at_us, UserCredits.user_id)
    )
    found: dict[str, list[str]] = {}
    for user_id in rows.scalars():
        found.setdefault(folded_id(user_id), []).append(user_id)
    return found


def require_may_open(connection: Connection, user_id: str, *, distinct: bool) -> None:
    """Check that posting would open an account for this user, who has none yet.

    Raises:
        InvalidRequest: the id is not valid, or looks like one that a spreadsheet broke.
        AccountLooksAlike: without `distinct`, and an account's id differs only in upper and lower case.
    """
    require_new_user_id("user_id", user_id)
    if not distinct and (alike := look_alikes(connection, [user_id])):
        raise AccountLooksAlike(user_id, alike[folded_id(user_id)][0])
