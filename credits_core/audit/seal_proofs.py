"""Makes what one keeps or hands on: the head of the chain, and the proof that an entry is in it."""

from typing import Any

from sqlalchemy import Connection, select

from credits_core.audit import seals
from credits_core.audit.check_proof import (
    FORMAT,
    PROOF_FORMAT,
    STATEMENT_FORMAT,
    named,
    path_to,
    way_down,
)
from credits_core.audit.refusals import NotSealed, SealDamaged
from credits_core.audit.seal_check import leaves_of
from credits_core.audit.seal_rows import Reader
from credits_core.audit.seals import StoredSeal
from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import UnknownEntry
from credits_core.store.tables import CreditTransaction, Seal
from credits_core.values.days import DayRange

MOST_IN_A_STATEMENT = 5_000


def head(seal: StoredSeal) -> dict[str, Any]:
    """What one keeps of a seal elsewhere, ready for JSON."""
    return {
        "format": FORMAT,
        "number": seal.number,
        "hash": seal.hash,
        "sealed_at": seal.sealed_at.isoformat(),
        "last_entry_id": seal.last_entry_id,
        "key_id": seal.key_id,
        "signature": seal.signature,
    }


def in_words(connection: Connection) -> str:
    """The newest seal and what it covers, for a paper that somebody keeps."""
    seal = seals.newest(connection)
    if seal is None:
        return "Nothing is sealed yet."
    sealed_at = f"{seal.sealed_at:%Y-%m-%d %H:%M} UTC"
    return f"Seal {seal.number} of {sealed_at} covers the ledger up to entry {seal.last_entry_id}: {seal.hash}."


def proof_of(connection: Connection, entry_id: int, *, head_number: int | None = None) -> dict[str, Any]:
    """An entry with all its parts and the proof that the chain up to a head has it, ready for JSON.

    The head is the newest seal unless another one is named. `check_proof.check` checks the proof.

    Raises:
        UnknownEntry: there is no such entry.
        NotSealed: the entry is not sealed yet, or only after that head; or there is no such seal.
        SealDamaged: the head or the entry's seal was changed.
    """
    record = Reader(connection).entry(entry_id)
    if record is None:
        raise UnknownEntry(entry_id)
    top = seals.newest(connection) if head_number is None else seals.numbered(connection, head_number)
    if top is None:
        raise NotSealed(entry_id, head_number)
    if not top.is_whole():
        raise SealDamaged(top.number, "it does not have the hash of what it says")
    over = select(Seal.number, Seal.leaves).where(Seal.last_entry_id >= entry_id).order_by(Seal.number).limit(1)
    found = connection.execute(over).one_or_none()
    if found is None or found.number > top.number:
        raise NotSealed(entry_id, head_number)
    chain = [seals.numbered(connection, number) for number in way_down(top.number, found.number)]
    before = seals.numbered(connection, found.number - 1)
    ids = [
        leaf.number for leaf in Reader(connection).entries(None if before is None else before.last_entry_id, entry_id)
    ]
    index = len(ids) - 1
    leaves = leaves_of(found.leaves)
    if not leaves:
        raise SealDamaged(found.number, "its leaves are not those that it was made over")
    _, entry, transactions, run, unlock, refund = record
    return {
        "format": PROOF_FORMAT,
        "record": {
            "entry": named("entry", entry),
            "transactions": [named("transactions", row) for row in transactions],
            "run": named("run", run),
            "unlock": named("unlock", unlock),
            "refund": named("refund", refund),
        },
        "index": index,
        "path": [beside.hex() for beside in path_to(leaves, index)],
        "chain": [seal.header() for seal in chain if seal],
    }


def statement_of(
    connection: Connection, user_id: str, days: DayRange, *, head_number: int | None = None
) -> dict[str, Any]:
    """Every entry of a user or creator in these days, at most 5,000, each with its proof, ready for JSON.

    Raises:
        InvalidRequest: there are none in these days, or too many.
        NotSealed, SealDamaged: as `proof_of`.
    """
    entries = select(CreditTransaction.entry_id).where(CreditTransaction.account_id == user_id).distinct()
    if days.begin_us is not None:
        entries = entries.where(CreditTransaction.created_at_us >= days.begin_us)
    if days.end_us is not None:
        entries = entries.where(CreditTransaction.created_at_us < days.end_us)
    limited = entries.order_by(CreditTransaction.entry_id).limit(MOST_IN_A_STATEMENT + 1)
    ids = connection.execute(limited).scalars().all()
    if not 0 < len(ids) <= MOST_IN_A_STATEMENT:
        raise InvalidRequest(
            "USER",
            f"has no entries in these days: {user_id}"
            if not ids
            else f"has more than {MOST_IN_A_STATEMENT:,} entries in these days; choose fewer days",
        )
    proofs = [proof_of(connection, entry_id, head_number=head_number) for entry_id in ids]
    return {"format": STATEMENT_FORMAT, "user": user_id, "proofs": proofs}
