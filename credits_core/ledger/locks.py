"""Who waits for whom: the locks of users and of the whole journal, which every unit of work that posts takes."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from credits_core.values.fields import folded_id

# PostgreSQL's advisory locks, because a user who is paid for the first time has no row to lock yet. The users come in
# one order for all, Python's, so that nobody waits in a circle; a server may order texts differently. Before them comes
# a lock that all writers share.
# The settings belong to this unit of work: the server would plan statements with lists of ids anew every time, which
# costs more than carrying them out; a plan that it keeps must use the indexes, also when the tables were small then.
_JOURNAL_LOCK = 7_206_151_033
_LOCK_USERS = f"""
SELECT pg_advisory_xact_lock_shared({_JOURNAL_LOCK}), set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
UNION ALL SELECT pg_advisory_xact_lock(hashtextextended(user_id, 0)), '', '', '' FROM unnest(%s::text[]) AS user_id
"""
_WRITERS = f"""
SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = {_JOURNAL_LOCK >> 32} AND objid = {_JOURNAL_LOCK & 0xFFFFFFFF}
"""


def lock_users(connection: Connection, user_ids: Iterable[str]) -> None:
    """Make others that would change these users' balances wait until this unit of work ends; on SQLite all wait."""
    lock(connection, locked_as(user_ids))


def lock(connection: Connection, folded: list[str]) -> None:
    """The same, of users as `locked_as` gives them."""
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        driver.execute(_LOCK_USERS, (folded,))


def locked_as(user_ids: Iterable[str]) -> list[str]:
    """What is locked of these users: ids that differ only in upper and lower case are one."""
    return sorted({folded_id(user_id) for user_id in user_ids})


def lock_everyone(connection: Connection) -> None:
    """Make every other writer wait until this unit of work ends; it may then post for no user in particular.

    For an import: PostgreSQL's table of locks has no room for tens of thousands of users one by one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_JOURNAL_LOCK})"))


def writers_under_way(connection: Connection) -> set[str]:
    """The units of work that may still make an entry visible that has its number already; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(connection.execute(text(_WRITERS)).scalars())
