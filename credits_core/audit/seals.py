"""Seals what is new, outside of charges: the only writer of the chain of seals.

A seal covers at most 1,000 entries and as many other records. Whoever seals reads and hashes without keeping anybody
from writing, and then adds the seals in one short unit of work. Only one process seals at a time; one that is killed
leaves nothing half done.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, text

from credits_core.audit import heads, seal_keys
from credits_core.audit.check_proof import RECORD_TABLES, SEAL, root_of, seal_hash, skipped_to
from credits_core.audit.heads import Head
from credits_core.audit.refusals import BehindTheKeptHead, SealDamaged
from credits_core.audit.seal_keys import SealKey
from credits_core.audit.seal_rows import Hashing, Leaf, Ranges, Reader
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.tables import Base, JournalEntry, Seal
from credits_core.values.days import from_microseconds, to_microseconds

MOST_IN_A_SEAL = 1_000
"""How many entries a seal covers at most, and how many other records."""
_SEALS_IN_A_UNIT = 20
_LOCK = 7_267_474  # any number that nothing else locks
_WRITERS = """
SELECT virtualtransaction FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND relname = ANY(:tables)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_log = logging.getLogger("promptflow.ledger")
_seals = Base.metadata.tables["seals"]
_HEADER = tuple(_seals.c[name] for name in (*SEAL, "hash", "key_id", "signature"))


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """A seal as it is stored, but for its leaves. `records_up_to` has the last number of each table that is covered."""

    number: int
    last_entry_id: int
    entry_count: int
    record_count: int
    records_up_to: str
    root: str
    previous_hash: str
    skip_hash: str
    sealed_at_us: int
    hash: str
    key_id: str | None
    signature: str | None

    @property
    def sealed_at(self) -> datetime:
        """When it was sealed, in UTC."""
        return from_microseconds(self.sealed_at_us)

    def up_to(self, table: str) -> int | None:
        """The number of the last row of another table that is covered; None for none, or where that is not told."""
        try:
            found = json.loads(self.records_up_to).get(table)
        except (ValueError, AttributeError):
            return None  # damaged
        return found if type(found) is int else None

    def is_whole(self) -> bool:
        """Whether it has the hash of what it says. One that was changed may hold anything."""
        numbers = (self.number, self.last_entry_id, self.entry_count, self.record_count, self.sealed_at_us)
        return all(type(number) is int for number in numbers) and self.hash == seal_hash(self.header())

    def header(self) -> dict[str, Any]:
        """The values that are hashed, by their names."""
        return {name: getattr(self, name) for name in SEAL}


@dataclass(frozen=True, slots=True)
class Unsealed:
    """How many entries and how many other records no seal covers yet."""

    entries: int
    records: int


@dataclass(frozen=True, slots=True)
class _Made:
    seal: StoredSeal
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The numbers up to which nothing can still appear, with the key of that entry."""

    entry_id: int
    key: str | None
    records: Mapping[str, int]


def obstacle(connection: Connection) -> CreditsError | None:
    """Why the key of this process cannot sign the next seal, as `catch_up` says; None when nothing is in the way."""
    try:
        _begins_to_sign(newest(connection), seal_keys.configured(), begins_signing=False)
    except CreditsError as refusal:
        return refusal
    return None


def newest(connection: Connection) -> StoredSeal | None:
    """The newest seal, or None when nothing was sealed yet."""
    found = connection.execute(select(*_HEADER).order_by(Seal.number.desc()).limit(1)).one_or_none()
    return None if found is None else StoredSeal(*found)


def numbered(connection: Connection, number: int) -> StoredSeal | None:
    """The seal with this number, or None."""
    found = connection.execute(select(*_HEADER).where(Seal.number == number)).one_or_none()
    return None if found is None else StoredSeal(*found)


def unsealed(connection: Connection) -> Unsealed:
    """What is not sealed yet, in this snapshot. While the newest seal is a changed one, nothing counts as sealed."""
    last = newest(connection)
    if last is not None and _wrong(last, _last_number(connection, "journal_entries")) is not None:
        last = None
    entries = select(func.count()).select_from(JournalEntry)
    if last is not None:
        entries = entries.where(JournalEntry.id > last.last_entry_id)
    records = 0
    for name in RECORD_TABLES:
        table = Base.metadata.tables[name]
        up_to = None if last is None else last.up_to(name)
        rows = select(func.count()).select_from(table)
        records += connection.execute(rows if up_to is None else rows.where(table.c.id > up_to)).scalar_one()
    return Unsealed(connection.execute(entries).scalar_one(), records)


def catch_up_quietly(engine: Engine, *, now: datetime, most_seals: int | None = None) -> int:
    """Seal what is new, for those whose work this is not: what keeps it from being sealed is only logged."""
    try:
        return catch_up(engine, now=now, key=seal_keys.configured(), most_seals=most_seals)
    except CreditsError as refusal:
        _log.error("new entries cannot be sealed: %s", refusal)
        return 0


def catch_up(
    engine: Engine,
    *,
    now: datetime,
    key: SealKey | None = None,
    begins_signing: bool = False,
    most_seals: int | None = None,
    hashing: Hashing | None = None,
) -> int:
    """Seal every entry and record that is not sealed yet, and return how many seals that took.

    Does nothing while another process is sealing. With a key each seal is signed. `most_seals` leaves the rest for
    later. `begins_signing`: a first signed seal is made, even over nothing new, whatever the head beside the key says.
    `hashing` reads and hashes entries elsewhere, such as on every core.

    Raises:
        SealDamaged: the newest seal was changed, or covers what is not there.
        BehindTheKeptHead: the chain does not have the seal whose head is kept beside the key.
        InvalidRequest: the newest seal is signed and there is no key; or there is one, no seal is signed with it, and
            nobody said to begin: somebody without the key may have made the chain anew.
    """
    made_in_all, top = 0, None
    with database.alone(engine, "seals", _LOCK) as is_alone:
        bounds = _settled(engine) if is_alone else None
        while bounds is not None and (most_seals is None or made_in_all < most_seals):
            most = _SEALS_IN_A_UNIT if most_seals is None else min(_SEALS_IN_A_UNIT, most_seals - made_in_all)
            with database.read(engine) as connection:
                last = newest(connection)
                _require_trusted(connection, last, bounds, None if begins_signing else key)
                is_first_signed = _begins_to_sign(last, key, begins_signing=begins_signing)
                top = last
                if not _is_there(connection, bounds):
                    break  # a demo was started over meanwhile; the next time seals it
                reader = Reader(connection)
                ranges = _next_ranges(reader, last, bounds, most)
                made = _make(
                    connection,
                    last,
                    bounds,
                    key,
                    entries=iter((hashing or reader.each)(ranges)),
                    now=now,
                    most=most,
                    one_at_least=is_first_signed,
                )
            if not made or not database.write(engine, partial(_append, after=last, made=made)):
                break
            made_in_all += len(made)
            top = made[-1].seal
            for one in made:
                _tell(one.seal)
        _keep(top, key)
    return made_in_all


def _require_trusted(connection: Connection, last: StoredSeal | None, bounds: _Bounds, key: SealKey | None) -> None:
    """Refuse to seal upon a seal that was changed, or without one whose head is kept beside the key."""
    if last is not None:
        why = _wrong(last, bounds.entry_id, bounds.records)
        if why is not None:
            raise SealDamaged(last.number, why)
    if key is not None and key.file is not None:
        kept = heads.beside(key.file)
        said = None if kept is None else heads.against(connection, kept)
        if said is not None:
            raise BehindTheKeptHead(said, str(heads.file_beside(key.file)))


def _wrong(last: StoredSeal, newest_entry_id: int, newest_records: Mapping[str, int] | None = None) -> str | None:
    """What is wrong with the newest seal by itself, as the rest of a sentence; None when it can be sealed upon."""
    if not last.is_whole():
        return "it does not have the hash of what it says"
    if last.last_entry_id > newest_entry_id:
        return f"it covers entries up to {last.last_entry_id}, but the newest is {newest_entry_id}"
    for table, number in (newest_records or {}).items():
        if (last.up_to(table) or 0) > number:
            return f"it covers {table} up to {last.up_to(table)}, but the newest is {number}"
    return None


def _keep(top: StoredSeal | None, key: SealKey | None) -> None:
    """Keep the newest head beside the key, for the next time. Where that cannot be written, the log says so."""
    if top is None or key is None or key.file is None or top.key_id != key.key_id:
        return
    head = Head(top.number, top.hash)
    try:
        is_kept = heads.beside(key.file) == head
    except DataFileInvalid:  # somebody said to begin anew
        is_kept = False
    try:
        if not is_kept:
            heads.keep(key.file, head)
    except OSError as error:
        _log.error("the newest head cannot be kept in %s: %s", heads.file_beside(key.file), error.strerror)


def _begins_to_sign(last: StoredSeal | None, key: SealKey | None, *, begins_signing: bool) -> bool:
    """Whether the next seal is the first one with this key."""
    if key is None:
        if last is not None and last.signature is not None:
            raise InvalidRequest(
                "CREDITS_SEAL_KEY_FILE", "is not set, but the newest seal is signed, so the next one must be, too"
            )
        return False
    if last is not None and last.key_id == key.key_id and key.has_signed(last.hash, last.signature or ""):
        return False
    if not begins_signing:
        raise InvalidRequest(
            "CREDITS_SEAL_KEY_FILE",
            "names a key that did not sign the newest seal. If the key is new, compare the record with a head that you "
            "kept, and run: python -m credits_core proof seal --begin-signing",
        )
    return True


def _settled(engine: Engine) -> _Bounds | None:
    """Up to where nothing can still appear; None when somebody is writing for very long.

    On PostgreSQL a row can become visible after one with a later number. So this waits for those who were writing when
    the newest rows were read, and keeps nobody from writing meanwhile (`daily_totals.last_settled_entry`).
    """
    with database.read(engine) as connection:
        records = {name: _last_number(connection, name) for name in RECORD_TABLES}
        if not database.outlasts(lambda: _writers(connection)):
            return None
    with database.read(engine) as connection:
        is_empty = connection.execute(select(JournalEntry.id).limit(1)).first() is None
    if is_empty:
        return _Bounds(0, None, records)
    settled = daily_totals.last_settled_entry(engine)
    return None if settled is None else _Bounds(*settled, records)


def _last_number(connection: Connection, table: str) -> int:
    return int(connection.execute(select(func.coalesce(func.max(Base.metadata.tables[table].c.id), 0))).scalar_one())


def _writers(connection: Connection) -> set[str]:
    if connection.dialect.name != "postgresql":
        return set()
    return set(connection.execute(text(_WRITERS), {"tables": list(RECORD_TABLES)}).scalars())


def _is_there(connection: Connection, bounds: _Bounds) -> bool:
    entry = select(JournalEntry.id).where(
        JournalEntry.id == bounds.entry_id, JournalEntry.idempotency_key == bounds.key
    )
    return bounds.key is None or connection.execute(entry).first() is not None


def _make(
    connection: Connection,
    last: StoredSeal | None,
    bounds: _Bounds,
    key: SealKey | None,
    *,
    entries: Iterator[list[Leaf]],
    now: datetime,
    most: int,
    one_at_least: bool,
) -> list[_Made]:
    reader, made, before = Reader(connection), list[_Made](), last
    while len(made) < most:
        leaves, entry_id, records = _next_leaves(reader, before, bounds, next(entries, []))
        if not leaves and not (one_at_least and not made):
            break
        number = 1 if before is None else before.number + 1
        header: dict[str, Any] = {
            "number": number,
            "last_entry_id": entry_id,
            "entry_count": sum(leaf.kind == "entry" for leaf in leaves),
            "record_count": sum(leaf.kind != "entry" for leaf in leaves),
            "records_up_to": json.dumps(records, sort_keys=True, separators=(",", ":")),
            "root": root_of([leaf.hash for leaf in leaves]).hex(),
            "previous_hash": "" if before is None else before.hash,
            "skip_hash": _hash_of(connection, skipped_to(number), made),
            "sealed_at_us": to_microseconds(now),
        }
        hash_ = seal_hash(header)
        signed = (None, None) if key is None else (key.key_id, key.sign(hash_))
        before = StoredSeal(**header, hash=hash_, key_id=signed[0], signature=signed[1])
        made.append(_Made(before, tuple(leaves)))
    return made


def _next_ranges(reader: Reader, last: StoredSeal | None, bounds: _Bounds, most: int) -> Ranges:
    """The entries of each of the next seals, of at most so many."""
    ranges, after = list[tuple[int | None, int]](), None if last is None else last.last_entry_id
    while len(ranges) < most:
        up_to = reader.last_of_next("journal_entries", after, bounds.entry_id, MOST_IN_A_SEAL)
        if up_to is None:
            break
        ranges.append((after, up_to))
        after = up_to
    return ranges


def _next_leaves(
    reader: Reader, before: StoredSeal | None, bounds: _Bounds, entries: list[Leaf]
) -> tuple[list[Leaf], int, dict[str, int]]:
    """The leaves of the next seal, and up to where it covers entries and other tables."""
    leaves = [*entries]
    entry_id = entries[-1].number if entries else 0 if before is None else before.last_entry_id
    records, left = {}, MOST_IN_A_SEAL
    for table in RECORD_TABLES:
        up_to = None if before is None else before.up_to(table)
        last = reader.last_of_next(table, up_to, bounds.records[table], left) if left else None
        found = [] if last is None else reader.records(table, up_to, last)
        covered = up_to if last is None else last
        if covered is not None:
            records[table] = covered
        leaves += found
        left -= len(found)
    return leaves, entry_id, records


def _hash_of(connection: Connection, number: int, made: list[_Made]) -> str:
    if number == 0:
        return ""
    if made and number >= made[0].seal.number:
        return made[number - made[0].seal.number].seal.hash
    found = numbered(connection, number)
    return "" if found is None else found.hash


def _append(connection: Connection, *, after: StoredSeal | None, made: list[_Made]) -> bool:
    """Add the seals, unless somebody else did meanwhile, or what they are over is no longer there."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK + 1)))
    if newest(connection) != after or not _still_has(connection, made[-1]):
        return False
    rows = [
        {name: getattr(one.seal, name) for name in StoredSeal.__slots__}
        | {"leaves": b"".join(leaf.hash for leaf in one.leaves)}
        for one in made
    ]
    connection.execute(insert(Seal), rows)
    return True


def _still_has(connection: Connection, made: _Made) -> bool:
    """Whether the last record is still there as it was hashed: a demo may have been started over meanwhile."""
    if not made.leaves:
        return True
    last, reader = made.leaves[-1], Reader(connection)
    if last.kind == "entry":
        return reader.entries(last.number - 1, last.number) == [last]
    return reader.records(last.kind, last.number - 1, last.number) == [last]


def _tell(seal: StoredSeal) -> None:
    _log.info(
        "sealed",
        extra={
            "seal": seal.number,
            "hash": seal.hash,
            "last_entry_id": seal.last_entry_id,
            "entries": seal.entry_count,
            "records": seal.record_count,
            "key_id": seal.key_id,
        },
    )
