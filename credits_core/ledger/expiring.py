"""Books credits whose time is over: before somebody spends, and for a job. Judged each time, never only by the job."""

from datetime import datetime

from sqlalchemy import Connection, select

from credits_core.ledger import writer
from credits_core.ledger.movements import for_expiry
from credits_core.ledger.requests import new_entry
from credits_core.ledger.writer import Posting
from credits_core.store.kinds import EntryType
from credits_core.store.tables import StoredLot
from credits_core.values.days import to_microseconds
from credits_core.values.roles import Actor, May, system

MOST_AT_ONCE = 100
"""How many users' lots `expire_lots` books in one unit of work: that many users are locked until it ends."""
_EXPIRING = system("expiry")


def settle(posting: Posting, user_id: str, now: datetime) -> None:
    """Decide that what is left in the user's lots whose time is over has expired, in an entry of its own."""
    expired_credits = posting.lots.expired_credits(user_id, to_microseconds(now))
    if not expired_credits:
        return
    entry = new_entry(
        EntryType.EXPIRY,
        (user_id, expired_credits),
        key=f"expiry:{posting.peek_number()}",
        now=now,
        actor=_EXPIRING,
        description="Credits that were not used in time",
    )
    posting.post(entry, for_expiry(user_id, expired_credits))


def expire_lots(connection: Connection, *, now: datetime, actor: Actor, limit: int = MOST_AT_ONCE) -> int:
    """Book what has expired, of at most `limit` users, and return of how many that was.

    For a job that calls it until it returns 0. Nothing depends on the job: credits whose time is over cannot be spent.
    """
    actor.require(May.CHARGE)
    overdue = (
        select(StoredLot.user_id)
        .where(StoredLot.left_credits > 0, StoredLot.expires_at_us <= to_microseconds(now))
        .order_by(StoredLot.expires_at_us)
        .limit(limit)
    )
    user_ids = sorted(set(connection.execute(overdue).scalars()))
    posting = writer.begin(connection, user_ids, ())
    for user_id in user_ids:
        settle(posting, user_id, now)
    posting.write()
    return len(user_ids)
