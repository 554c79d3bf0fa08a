"""Who is a test user: somebody whose credits are for trying things out, so that more people may move them.

In a database that began as the demo every user is one. Elsewhere they are those who were made test users (the table
`trial_users`; `access.trial_users` adds and removes them), and those whose ids begin with the prefix that the setting
`CREDITS_TEST_USER_PREFIX` names. This module only asks.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select

from credits_core.store.tables import JournalEntry, TrialUser
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import Actor, May

DEMO_ACTOR = "demo"
DEMO_KEYS = "demo:"
"""With this the keys of all entries of the demo world begin, and no others."""


def require_test_users(connection: Connection, actor: Actor, otherwise: May, user_ids: Collection[str]) -> None:
    """Do nothing for an actor who may do `otherwise`, or who may try things out when all these are test users.

    It asks the database only for an actor who may not do `otherwise`.

    Raises:
        NotAllowed: the actor may do neither.
    """
    if otherwise in actor.may:
        return
    actor.require(otherwise, May.TRY)
    if not are_test_users(connection, user_ids, actor.test_prefix):
        actor.require(otherwise)


def require_may_charge(connection: Connection, actor: Actor, user_id: str, creator_id: str | None) -> None:
    """Do nothing for an actor who may charge everybody, or who may try things out when both are test users.

    The creator is asked for too: otherwise a tester could give a test user credits and have them paid to anybody.

    Raises:
        NotAllowed: the actor may not charge this user, or not pay this creator.
    """
    require_test_users(connection, actor, May.CHARGE, [user_id])
    if May.CHARGE in actor.may or creator_id is None:
        return
    if not are_test_users(connection, [creator_id], actor.test_prefix):
        raise NotAllowed(actor.recorded, "pay a creator who is not a test user", ())


def are_test_users(connection: Connection, user_ids: Collection[str], prefix: str) -> bool:
    """Whether all these users are test users. Reads a row or two, however long the ledger is."""
    others = {user_id for user_id in user_ids if not prefix or not user_id.startswith(prefix)}
    if not others or began_as_demo(connection):
        return True
    named = select(TrialUser.user_id).where(TrialUser.user_id.in_(others))
    return others <= set(connection.execute(named).scalars())


def first_entry(connection: Connection) -> tuple[str, str] | None:
    """The actor and the key of the entry with the lowest number."""
    first = connection.execute(
        select(JournalEntry.actor, JournalEntry.idempotency_key).order_by(JournalEntry.id).limit(1)
    ).first()
    return None if first is None else (first.actor, first.idempotency_key)


def is_of_demo(actor: str, key: str) -> bool:
    """Whether an entry with this actor and key is one of the demo world."""
    return actor == DEMO_ACTOR and key.startswith(DEMO_KEYS)


def began_as_demo(connection: Connection) -> bool:
    """Whether the database began as the demo world."""
    first = first_entry(connection)
    return first is not None and is_of_demo(*first)
