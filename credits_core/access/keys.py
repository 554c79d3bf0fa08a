"""Makes, checks, lists and revokes the API's keys. Only a key's hash is stored.

A key is 256 random bits, so a plain hash is as good as a slow one: there is nothing to guess. Whoever makes a key
passes it in (`new_key`), because no action here draws random numbers or asks for the time.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from credits_core.access.refusals import KeyNameTaken, Unauthorized, UnknownKey
from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts
from credits_core.store.kinds import Role
from credits_core.store.tables import ApiKey
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_id

KEY_PREFIX = "pfk_"
MAX_NAME = 64
_FORM = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")
_SHOWN = len(KEY_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored about a key. `beginning` is its first characters, by which its owner recognises it."""

    id: int
    name: str
    role: Role
    user_id: str | None
    beginning: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def actor(self) -> str:
        """The name under which entries record whoever acts with this key: `api/NAME`."""
        return f"api/{self.name}"

    def problem(self, now: datetime) -> str | None:
        """Why the key is refused at this time, as the rest of a sentence; None when it is valid."""
        if self.revoked_at is not None:
            return "was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "has expired"
        return None


def new_key() -> str:
    """A new random key: `pfk_` and 43 characters."""
    return f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"


def create_key(
    connection: Connection,
    name: str,
    *,
    key: str,
    role: Role,
    user_id: str | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> KeyRecord:
    """Store a key and return what is stored about it. A key with the role user reads only that user's own data.

    Raises:
        InvalidRequest: the name is not an id of at most 64 characters; a key with the role user names no user, or
            another key names one; or the expiry is not after now.
        UnknownUser: the user has no account.
        KeyNameTaken: there is a key with this name that was not revoked.
    """
    if len(require_id("name", name)) > MAX_NAME:
        raise InvalidRequest("name", f"must have at most {MAX_NAME} characters")
    if (role is Role.USER) != (user_id is not None):
        raise InvalidRequest("user_id", "must be given for a key with the role user, and only then")
    if user_id is not None:
        accounts.user(connection, require_id("user_id", user_id))
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at", f"must be after {now:%Y-%m-%d %H:%M} UTC")
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key_id = connection.execute(
        insert_(ApiKey)
        .values(
            name=name,
            role=role.value,
            user_id=user_id,
            key_hash=_hash(key),
            beginning=key[:_SHOWN],
            created_at_us=to_microseconds(now),
            expires_at_us=None if expires_at is None else to_microseconds(expires_at),
        )
        .on_conflict_do_nothing()
        .returning(ApiKey.id)
    ).scalar()
    if key_id is None:
        raise KeyNameTaken(name)
    return KeyRecord(key_id, name, role, user_id, key[:_SHOWN], now, expires_at, None)


def authenticate(connection: Connection, key: str, *, now: datetime) -> KeyRecord:
    """The record of the key that a caller sent.

    Raises:
        Unauthorized: it is not a key, is unknown, was revoked or has expired.
    """
    row = connection.execute(_BY_HASH, {"key_hash": _hash(key)}).one_or_none() if _FORM.fullmatch(key) else None
    if row is None:
        raise Unauthorized("The key is unknown")
    record = _record(row)
    if problem := record.problem(now):
        raise Unauthorized(f"The key {record.name} {problem}")
    return record


def list_keys(connection: Connection) -> list[KeyRecord]:
    """Every key that was ever made, newest first."""
    rows = connection.execute(select(ApiKey.__table__).order_by(ApiKey.id.desc()))
    return [_record(row) for row in rows]


def revoke_key(connection: Connection, name: str, *, now: datetime) -> KeyRecord:
    """Refuse the key with this name from now on; the name is free again.

    Raises:
        UnknownKey: there is no key with this name, or it was revoked before.
    """
    row = connection.execute(
        update(ApiKey)
        .where(ApiKey.name == name, ApiKey.revoked_at_us.is_(None))
        .values(revoked_at_us=to_microseconds(now))
        .returning(*ApiKey.__table__.c)
    ).one_or_none()
    if row is None:
        raise UnknownKey(name)
    return _record(row)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _record(row: Any) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        user_id=row.user_id,
        beginning=row.beginning,
        created_at=from_microseconds(row.created_at_us),
        expires_at=None if row.expires_at_us is None else from_microseconds(row.expires_at_us),
        revoked_at=None if row.revoked_at_us is None else from_microseconds(row.revoked_at_us),
    )


_BY_HASH = select(ApiKey.__table__).where(ApiKey.key_hash == bindparam("key_hash"))
