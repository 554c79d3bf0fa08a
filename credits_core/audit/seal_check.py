"""Proves the chain of seals: every seal follows from the one before, and every record is as it was sealed.

The whole chain hangs on its newest hash. Whoever can write to the database and has no key can make all of it anew, so
that it fits what they changed; a head that was kept elsewhere then tells, because that seal has another hash now.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from credits_core.audit import heads, seal_keys, seals
from credits_core.audit.blocks import blocks
from credits_core.audit.check_proof import HASH_BYTES, RECORD_TABLES, root_of, skipped_to
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.seal_keys import SealKey
from credits_core.audit.seal_rows import Hashing, Leaf, Ranges, Reader
from credits_core.audit.seals import StoredSeal
from credits_core.store import database
from credits_core.store.tables import Base, JournalEntry, Seal
from credits_core.values.progress import Progress, Work, finish

_SEALS_READ_AT_ONCE = 20
_MOST_NAMED = 1_000
_COLUMNS = tuple(Base.metadata.tables["seals"].c[name] for name in (*StoredSeal.__slots__, "leaves"))


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and one sentence for each thing that differs, for the first thousand.

    `unproved_signatures` counts the signatures that were not checked, because they need another key. `unnamed` is how
    many more things differ than there are sentences.
    """

    seals: int = 0
    entries: int = 0
    records: int = 0
    unproved_signatures: int = 0
    violations: tuple[str, ...] = ()
    unnamed: int = 0


@dataclass(slots=True)
class _Differences:
    """The sentences about what differs: the first thousand, and how many more there are."""

    said: list[str] = field(default_factory=list)
    unnamed: int = 0

    def add(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            if len(self.said) < _MOST_NAMED:
                self.said.append(sentence)
            else:
                self.unnamed += 1


def seals_hold(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every sealed entry and record is as it was sealed, and every seal follows from the one before."""
    return finish(checking_seals(connection, since))


def seals_of_a_copy_hold(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """The same of a copy that is thrown away: its newest seals are not signed with the key, and no head of it is kept.

    So no signature is checked."""
    return _finding(finish(check(connection, since)))


def checking_seals(connection: Connection, since: Since = BEGINNING) -> Work[Finding]:
    """The same as long work."""
    return _finding((yield from check(connection, since, key=seal_keys.configured())))


def _finding(checked: Checked) -> Finding:
    more = (f"and {checked.unnamed:,} more",) if checked.unnamed else ()
    return Finding("the chain of seals holds", checked.entries + checked.records, (*checked.violations, *more))


def check(
    connection: Connection,
    since: Since = BEGINNING,
    *,
    key: SealKey | None = None,
    hashing: Hashing | None = None,
) -> Work[Checked]:
    """Check every seal, or those after the last one that an earlier audit checked; with a key, its signatures, too.

    With a key's private half it also asks the head that is kept beside it. `hashing` reads and hashes entries
    elsewhere, such as on every core.
    """
    differences = _Differences()
    before = seals.numbered(connection, since.seal_number) if since.seal_number else None
    if since.seal_number and before is None:
        differences.add([f"seal {since.seal_number}, the last that was checked, is not there"])
    first = 0 if before is None else before.number
    numbers = select(func.count()).select_from(Seal).where(Seal.number > first)
    total = int(connection.execute(numbers).scalar_one())
    asked = select(*_COLUMNS).where(Seal.number > first).order_by(Seal.number)
    reader = Reader(connection)
    count, entries, records, unproved = 0, 0, 0, 0
    hashes: dict[int, str] = {}
    for rows in blocks(connection, asked, rows_at_once=_SEALS_READ_AT_ONCE):
        loaded = [(StoredSeal(*values), stored) for *values, stored in rows]
        found = iter((hashing or reader.each)(_ranges(before, [seal for seal, _ in loaded])))
        for seal, stored in loaded:
            hashes[seal.number] = seal.hash
            differences.add(_in_the_chain(connection, before, seal, hashes))
            differences.add(_signature(before, seal, key))
            if seal.is_whole():
                differences.add(_over(reader, before, seal, stored, next(found)))
                entries, records = entries + seal.entry_count, records + seal.record_count
            else:
                differences.add([f"seal {seal.number} was changed: it does not have the hash of what it says"])
            count, unproved = count + 1, unproved + _is_unproved(seal, key)
            before = seal
            yield Progress(min(count, total), total)
    if key is not None:
        differences.add(_by_the_key(connection, before, key))
    return Checked(count, entries, records, unproved, tuple(differences.said), differences.unnamed)


def _by_the_key(connection: Connection, last: StoredSeal | None, key: SealKey) -> Iterator[str]:
    """What whoever has the key knows of the end of the chain."""
    if last is not None and last.key_id != key.key_id:
        yield f"seal {last.number}, the newest, is not signed with the key {key.key_id}"
    if last is None and connection.execute(select(JournalEntry.id).limit(1)).first() is not None:
        yield f"there is no seal, but a key that signs, {key.key_id}: all seals were removed, or signing never began"
    kept = None if key.file is None else heads.beside(key.file)
    if kept is None or heads.against(connection, kept) is None:
        return
    with database.read(connection.engine) as now:  # it may have been made after the snapshot that is checked
        said = heads.against(now, kept)
    if said is not None:
        yield f"{said} (beside the key)"


def _in_the_chain(
    connection: Connection, before: StoredSeal | None, seal: StoredSeal, hashes: dict[int, str]
) -> Iterator[str]:
    """What is wrong with a seal by itself and after the one before."""
    number, last = seal.number, 0 if before is None else before.number
    if number != last + 1:
        missing = f"seal {last + 1} is" if number == last + 2 else f"seals {last + 1} to {number - 1} are"
        yield f"{missing} missing"
    elif seal.previous_hash != ("" if before is None else before.hash):
        yield f"seal {number} does not follow from seal {last}"
    skipped = skipped_to(number)
    if skipped and skipped not in hashes:
        found = connection.execute(select(Seal.hash).where(Seal.number == skipped)).scalar_one_or_none()
        hashes[skipped] = found or ""
    if number == last + 1 and seal.skip_hash != (hashes[skipped] if skipped else ""):
        yield f"seal {number} does not follow from seal {skipped}"


def _signature(before: StoredSeal | None, seal: StoredSeal, key: SealKey | None) -> Iterator[str]:
    if seal.signature is None:
        if before is not None and before.signature is not None:
            yield f"seal {seal.number} is not signed, but seal {before.number} is"
    elif key is not None and seal.key_id == key.key_id and not key.has_signed(seal.hash, seal.signature):
        yield f"the signature of seal {seal.number} is wrong"


def _is_unproved(seal: StoredSeal, key: SealKey | None) -> bool:
    return seal.signature is not None and (key is None or key.key_id != seal.key_id)


def _ranges(before: StoredSeal | None, seals: list[StoredSeal]) -> Ranges:
    """The entries that each of these seals covers, but for those that were changed and may say anything."""
    last = [seal.last_entry_id for seal in (before, *seals) if seal is not None]
    after: list[int | None] = [number if type(number) is int else None for number in last]
    if before is None:
        after.insert(0, None)
    return [(after[at], seal.last_entry_id) for at, seal in enumerate(seals) if seal.is_whole()]


def _over(
    reader: Reader, before: StoredSeal | None, seal: StoredSeal, stored: object, entries: list[Leaf]
) -> Iterator[str]:
    """What differs between the records of a seal and those that are there now."""
    sealed = leaves_of(stored)
    if root_of(sealed).hex() != seal.root or len(sealed) != seal.entry_count + seal.record_count:
        yield f"seal {seal.number} was changed: its leaves are not those that it was made over"
    yield from _different(seal, "entry", sealed[: seal.entry_count], entries)
    found: list[Leaf] = []
    for table in RECORD_TABLES:
        up_to = seal.up_to(table)
        if up_to is not None:
            found += reader.records(table, None if before is None else before.up_to(table), up_to)
    yield from _different(seal, "record", sealed[seal.entry_count :], found)


def leaves_of(stored: object) -> list[bytes]:
    """The hashes that stand in the column `leaves`; none where a damaged database holds something else there."""
    content = bytes(stored) if isinstance(stored, bytes | memoryview) else b""
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def _different(seal: StoredSeal, what: str, sealed: list[bytes], found: list[Leaf]) -> Iterator[str]:
    """One sentence for each record that is not as it was sealed, and one for those that are missing."""
    hashes = [leaf.hash for leaf in found]
    if hashes == sealed:
        return
    was_sealed, are_there = set(sealed), set(hashes)
    other = [leaf for leaf in found if leaf.hash not in was_sealed]
    gone = sum(hash_ not in are_there for hash_ in sealed)
    yield from (f"{leaf} is not what seal {seal.number} sealed" for leaf in other)
    if gone > len(other):
        yield f"{_some(gone - len(other), what)} missing of what seal {seal.number} sealed{_where(sealed, found)}"
    elif not other:
        yield f"what seal {seal.number} sealed stands in another order, or twice"


def _some(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {'entries' if what == 'entry' else f'{what}s'} are"


def _where(sealed: list[bytes], found: list[Leaf]) -> str:
    """After which record the first one is missing, where that can be told."""
    for index, hash_ in enumerate(sealed):
        if index >= len(found) or found[index].hash != hash_:
            return f", the first after {found[index - 1]}" if index else ""
    return ""
