"""The idempotency keys of callers: how a caller's key is kept in the ledger, and how it is found again.

A key belongs to the caller, which is the name of an API key: `caller:NAME:KEY`. So it stays the same when the API key
is replaced, and another caller's equal key is another key. Ids have no colon, and nothing else in the ledger begins
with `caller:`. Before migration 0005 the number of the API key stood in place of the name: `api:NUMBER:KEY`.
"""

import hashlib

from sqlalchemy import Connection, bindparam, select

from credits_core.access.keys import MAX_NAME, KeyRecord
from credits_core.store.tables import ApiKey, JournalEntry
from credits_core.values.fields import is_id

_NUMBERED, _NAMED = "api:", "caller:"


def scoped_key(name: str, key: str) -> str:
    """The key under which the ledger keeps a caller's request: visible ASCII, at most 79 characters more than `key`.

    A name that is no id stands as its hash, whatever its characters and length.

    >>> scoped_key("shop", "order-9")
    'caller:shop:order-9'
    >>> scoped_key("Bäckerei", "order-9")[:24]
    'caller:sha256=719ef67b8b'
    """
    safe = name if is_id(name) and len(name) <= MAX_NAME else f"sha256={hashlib.sha256(name.encode()).hexdigest()}"
    return f"{_NAMED}{safe}:{key}"


def key_as_sent(connection: Connection, caller: KeyRecord, kept_key: str) -> str | None:
    """The idempotency key as this caller sent it; None when another caller or the dashboard chose it."""
    prefixes = [scoped_key(caller.name, "")]
    if caller.has_numbered_requests:
        prefixes += [f"{_NUMBERED}{number}:" for number in _numbers(connection, caller)]
    return next((kept_key.removeprefix(prefix) for prefix in prefixes if kept_key.startswith(prefix)), None)


def numbered_keys(connection: Connection, caller: KeyRecord, key: str) -> list[str]:
    """The keys of entries from before migration 0005 that may answer this request: of any number of the name.

    Asks the database only for a name that had a key then. The newest is first.
    """
    if not caller.has_numbered_requests:
        return []
    kept = [f"{_NUMBERED}{number}:{key}" for number in _numbers(connection, caller)]
    found = select(JournalEntry.idempotency_key).where(JournalEntry.idempotency_key.in_(kept))
    return list(connection.execute(found.order_by(JournalEntry.id.desc())).scalars())


def _numbers(connection: Connection, caller: KeyRecord) -> list[int]:
    return list(connection.execute(_NUMBERS, {"name": caller.name}).scalars())


_NUMBERS = select(ApiKey.id).where(ApiKey.name == bindparam("name"), ApiKey.has_numbered_requests)
