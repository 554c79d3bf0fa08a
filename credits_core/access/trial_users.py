"""Makes users test users, and lists who was made one: whose credits testers may move (`ledger.trial_users`)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from credits_core.ledger import accounts
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import TrialUser
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_id
from credits_core.values.roles import Actor, May


@dataclass(frozen=True, slots=True)
class TrialUserRecord:
    """Somebody who was made a test user: since when and by whom."""

    user_id: str
    since: datetime
    actor: str


def add(connection: Connection, user_id: str, *, now: datetime, actor: Actor) -> bool:
    """Make somebody a test user; False for one who was made one before, which changes nothing.

    Raises:
        NotAllowed: the actor may not manage people.
        InvalidRequest: it is no id.
        UnknownUser: the user has no account.
    """
    actor.require(May.MANAGE)
    accounts.user(connection, require_id("user_id", user_id))
    if named(connection, user_id) is not None:
        return False
    row = {"user_id": user_id, "since_us": to_microseconds(now), "actor": actor.recorded}
    connection.execute(insert(TrialUser).values(row))
    activity.note(connection, Change.TEST_USER_ADDED, user_id, actor=actor.recorded, now=now)
    return True


def remove(connection: Connection, user_id: str, *, now: datetime, actor: Actor) -> bool:
    """Make somebody a test user no more; False for one who was not made one, which changes nothing.

    Raises:
        NotAllowed: the actor may not manage people.
        InvalidRequest: it is no id.
    """
    actor.require(May.MANAGE)
    found = connection.execute(delete(TrialUser).where(TrialUser.user_id == require_id("user_id", user_id)))
    if not found.rowcount:
        return False
    activity.note(connection, Change.TEST_USER_REMOVED, user_id, actor=actor.recorded, now=now)
    return True


def named(connection: Connection, user_id: str) -> TrialUserRecord | None:
    """Since when and by whom somebody is a test user; None for one who was not made one."""
    row = connection.execute(select(TrialUser.__table__).where(TrialUser.user_id == user_id)).one_or_none()
    return None if row is None else TrialUserRecord(row.user_id, from_microseconds(row.since_us), row.actor)


def listed(connection: Connection) -> list[TrialUserRecord]:
    """Everybody who was made a test user, by their ids."""
    rows = connection.execute(select(TrialUser.__table__).order_by(TrialUser.user_id))
    return [TrialUserRecord(row.user_id, from_microseconds(row.since_us), row.actor) for row in rows]
