"""Makes, checks, lists, replaces and revokes the API's keys. Only a key's hash is stored.

A key's name is its caller. Whatever is kept for a caller belongs to the name, so it stays when the key is replaced.

A key is 256 random bits, so a plain hash is as good as a slow one: there is nothing to guess. Whoever makes a key
passes it in (`new_key`), because no action here draws random numbers or asks for the time.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from credits_core.access.refusals import KeyNameTaken, Unauthorized, UnknownKey
from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import ApiKey
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import require_id
from credits_core.values.roles import Actor, May, Role, key_holder

KEY_PREFIX = "pfk_"
MAX_NAME = 64
USUAL_OVERLAP, LONGEST_OVERLAP = timedelta(hours=24), timedelta(days=30)
"""How long a replaced key goes on working, and how long at most."""
_ROTATION_LOCK = 7_206_151_035
_FORM = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")
_SHOWN = len(KEY_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored about a key. `beginning` is its first characters, by which its owner recognises it.

    A replaced key works until it expires. `has_numbered_requests` is true when the name had a key before migration
    0005, so that there may be requests that name the key's number instead (`access.callers`).
    """

    id: int
    name: str
    role: Role
    user_id: str | None
    beginning: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_at: datetime | None = None
    has_numbered_requests: bool = False

    @property
    def actor(self) -> Actor:
        """Whoever acts with this key, recorded as `api/NAME`."""
        return key_holder(self.name, self.role)

    def problem(self, now: datetime) -> str | None:
        """Why the key is refused at this time, as the rest of a sentence; None when it is valid."""
        if self.revoked_at is not None:
            return "was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "has expired" if self.replaced_at is None else "was replaced"
        return None

    def require_valid(self, now: datetime) -> None:
        """Do nothing for a key that is valid at this time.

        Raises:
            Unauthorized: it was revoked or has expired.
        """
        if problem := self.problem(now):
            raise Unauthorized(f"The key {self.name} {problem}")


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
    actor: Actor,
) -> KeyRecord:
    """Store a key and return what is stored about it. A key with the role user reads only that user's own data.

    Raises:
        NotAllowed: the actor may not manage keys.
        InvalidRequest: the name is not an id of at most 64 characters; a key with the role user names no user, or
            another key names one; or the expiry is not after now.
        UnknownUser: the user has no account.
        KeyNameTaken: there is a key with this name that was not revoked.
    """
    actor.require(May.MANAGE)
    if len(require_id("name", name)) > MAX_NAME:
        raise InvalidRequest("name", f"must have at most {MAX_NAME} characters")
    if (role is Role.USER) != (user_id is not None):
        raise InvalidRequest("user_id", "must be given for a key with the role user, and only then")
    if user_id is not None:
        accounts.user(connection, require_id("user_id", user_id))
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at", f"must be after {now:%Y-%m-%d %H:%M} UTC")
    made = _insert(connection, name, key=key, role=role, user_id=user_id, expires_at=expires_at, now=now)
    _note(connection, Change.KEY_MADE, made, actor, now)
    return made


def _note(
    connection: Connection, change: Change, of: KeyRecord, actor: Actor, now: datetime, *, ids: Sequence[int] = ()
) -> None:
    """Note a change of a key; of several that are changed together, `of` is the newest."""
    until = None if of.expires_at is None else f"{of.expires_at:%Y-%m-%d %H:%M} UTC"
    detail: dict[str, str | int | None] = {"key": of.id, "role": of.role.value, "user": of.user_id, "until": until}
    if len(ids) > 1:
        detail["keys"] = ",".join(map(str, sorted(ids)))
    activity.note(connection, change, of.name, actor=actor.recorded, now=now, detail=detail)


def _insert(
    connection: Connection,
    name: str,
    *,
    key: str,
    role: Role,
    user_id: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> KeyRecord:
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
            has_numbered_requests=False,
        )
        .on_conflict_do_nothing()
        .returning(ApiKey.id)
    ).scalar()
    if key_id is None:
        raise KeyNameTaken(name)
    return _record(connection.execute(_every_key().where(ApiKey.id == key_id)).one())


def authenticate(connection: Connection, key: str, *, now: datetime) -> KeyRecord:
    """The record of the key that a caller sent.

    Raises:
        Unauthorized: it is not a key, is unknown, was revoked or has expired.
    """
    row = connection.execute(_BY_HASH, {"key_hash": _hash(key)}).one_or_none() if _FORM.fullmatch(key) else None
    if row is None:
        raise Unauthorized("The key is unknown")
    record = _record(row)
    record.require_valid(now)
    return record


def list_keys(connection: Connection) -> list[KeyRecord]:
    """Every key that was ever made, newest first."""
    return [_record(row) for row in connection.execute(_every_key().order_by(ApiKey.id.desc()))]


def rotate_key(
    connection: Connection,
    name: str,
    *,
    key: str,
    overlap: timedelta = USUAL_OVERLAP,
    expires_at: datetime | None = None,
    only_id: int | None = None,
    now: datetime,
    actor: Actor,
) -> KeyRecord:
    """Store a new key under the name of the present one, which goes on working until the overlap ends.

    Both are the same caller. The new key has the old one's role and user, and its expiry when no other is given.
    `only_id` is the number of the key to be replaced, when the person has chosen one.

    Raises:
        NotAllowed: the actor may not manage keys.
        InvalidRequest: the overlap is not from 0 to 30 days, or the new key would expire at once.
        UnknownKey: no key has this name, or it was revoked or replaced before.
    """
    actor.require(May.MANAGE)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest("overlap", "must be from 0 to 30 days")
    _wait_for_others(connection)
    row = connection.execute(_every_key().where(ApiKey.name == name, *_IN_FORCE)).one_or_none()
    if row is None or only_id not in (None, row.id):
        raise UnknownKey(name)
    old = _record(row)
    expires_at = expires_at or old.expires_at
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at", f"must be given, after {now:%Y-%m-%d %H:%M} UTC: the old key has expired")
    works_until = min(filter(None, (old.expires_at, now + overlap)))
    connection.execute(
        update(ApiKey)
        .where(ApiKey.id == old.id)
        .values(replaced_at_us=to_microseconds(now), expires_at_us=to_microseconds(works_until))
    )
    made = _insert(connection, name, key=key, role=old.role, user_id=old.user_id, expires_at=expires_at, now=now)
    _note(connection, Change.KEY_REPLACED, made, actor, now)
    return made


def revoke_key(
    connection: Connection, name: str, *, only_id: int | None = None, now: datetime, actor: Actor
) -> KeyRecord:
    """Refuse every key with this name from now on, a replaced one too; the name is free again. Returns the newest.

    `only_id` is the number of a key, when only that one shall be refused.

    Raises:
        NotAllowed: the actor may not manage keys.
        UnknownKey: there is no such key, or it was revoked before.
    """
    actor.require(May.MANAGE)
    asked = ApiKey.id == only_id if only_id is not None else ApiKey.name == name
    revoked = connection.execute(
        update(ApiKey)
        .where(ApiKey.name == name, asked, ApiKey.revoked_at_us.is_(None))
        .values(revoked_at_us=to_microseconds(now))
        .returning(ApiKey.id)
    )
    ids = revoked.scalars().all()
    if not ids:
        raise UnknownKey(name)
    newest = _record(connection.execute(_every_key().where(ApiKey.id == max(ids))).one())
    _note(connection, Change.KEY_REVOKED, newest, actor, now, ids=ids)
    return newest


def _wait_for_others(connection: Connection) -> None:
    # Two rotations of one name follow each other; callers are let in meanwhile. On SQLite there is one writer. Not a
    # lock of the table: the role that the product runs as may not take one.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ROTATION_LOCK})"))


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
        replaced_at=None if row.replaced_at_us is None else from_microseconds(row.replaced_at_us),
        has_numbered_requests=bool(row.name_has_numbered_requests),
    )


def _every_key() -> Select[Any]:
    of_name = aliased(ApiKey)
    numbered = exists().where(of_name.name == ApiKey.name, of_name.has_numbered_requests)
    return select(ApiKey.__table__, numbered.label("name_has_numbered_requests"))


_IN_FORCE = (ApiKey.revoked_at_us.is_(None), ApiKey.replaced_at_us.is_(None))
_BY_HASH = _every_key().where(ApiKey.key_hash == bindparam("key_hash"))
