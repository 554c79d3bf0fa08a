"""Knows the rows of a log again: the key of each, and what was charged of the log before.

A row's key comes from what it means, not from the file that brings it: its own id, else user, model, time of use,
counts and its number among equal rows of the file. So a longer log, or two logs that overlap, charge only what is new.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from credits_core.bulk.trace import ID_COLUMN, TraceRow
from credits_core.ledger import entries
from credits_core.ledger.requests import ChargeRequest, hash_of
from credits_core.store.kinds import EntryType
from credits_core.store.tables import JournalEntry, PromptRun
from credits_core.values.days import to_microseconds

_EARLIER_ACTOR = "replay"
PROMPT_ID = "trace-log"
"""The prompt of every run that is charged from a log, which names none."""
Charged = Mapping[str, tuple[int, str]]
"""The entry and request hash of every run that was charged before, by its key."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """One row of a log with its request and key. `is_earlier`: charged by a version that made another request of it."""

    row: TraceRow
    request: ChargeRequest
    key: str
    is_earlier: bool = False


def known_rows(
    connection: Connection, rows: list[TraceRow], *, user_id: str, model_id: str
) -> tuple[list[KnownRow], Charged]:
    """The requests and keys of these rows, charged to this user and model, and which of them are charged already."""
    earlier = _charged_by_earlier_versions(connection, rows, user_id=user_id, model_id=model_id)
    known = [
        earlier.get(row.line) or _known(row, number, user_id=user_id, model_id=model_id)
        for row, number in _numbered(rows)
    ]
    return known, entries.entries_by_keys(connection, [one.key for one in known])


def ids_of_others(known: list[KnownRow], charged: Charged) -> Iterator[str]:
    """What is wrong with the rows' own ids: each belongs to one request, in this file and in the ledger."""
    first: dict[str, TraceRow] = {}
    for one in known:
        row = one.row
        if not row.own_id:
            continue
        before = first.setdefault(row.own_id, row)
        if replace(before, line=row.line) != row:
            named = f"line {row.line}: {ID_COLUMN} {row.own_id[:40]!r}"
            yield f"{named} is already on line {before.line}, of another request"
            continue
        entry_id, request_hash = charged.get(one.key, (0, ""))
        if entry_id and not one.is_earlier and request_hash != hash_of(EntryType.PROMPT_RUN, one.request.as_asked):
            yield (
                f"line {row.line}: {ID_COLUMN} {row.own_id[:40]!r} was charged before with another time or other "
                f"counts, by entry {entry_id}"
            )


def _numbered(rows: list[TraceRow]) -> Iterator[tuple[TraceRow, int]]:
    seen: Counter[TraceRow] = Counter()
    for row in rows:
        meaning = replace(row, line=0)
        seen[meaning] += 1
        yield row, seen[meaning]


def _known(row: TraceRow, number: int, *, user_id: str, model_id: str) -> KnownRow:
    request = ChargeRequest(
        user_id,
        PROMPT_ID,
        model_id,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        used_at=row.at,
    )
    identity: tuple[object, ...] = (to_microseconds(row.at), row.input_tokens, row.output_tokens, number)
    if row.own_id:
        identity = (row.own_id,)
    # Hashed, because a key has no room for a user's and a model's longest ids.
    named = ascii((user_id, model_id, *identity))
    return KnownRow(row, request, f"usage:{hashlib.sha256(named.encode()).hexdigest()}")


def _charged_by_earlier_versions(
    connection: Connection, rows: list[TraceRow], *, user_id: str, model_id: str
) -> dict[int, KnownRow]:
    """The rows, by their line, that an earlier version charged, with the prompts and keys it gave them.

    That version knew a row by its file and line, and dated the run at the row's time. So whichever file brings the row
    now, its meaning is found in the run.
    """
    at_us = [to_microseconds(row.at) for row in rows]
    if not at_us:
        return {}
    found = connection.execute(
        select(PromptRun.created_at_us, PromptRun.input_tokens, PromptRun.output_tokens)
        .add_columns(PromptRun.prompt_id, JournalEntry.idempotency_key)
        .join(JournalEntry, JournalEntry.id == PromptRun.entry_id)
        .where(PromptRun.user_id == user_id, PromptRun.model_id == model_id, PromptRun.used_at_us.is_(None))
        .where(PromptRun.created_at_us.between(min(at_us), max(at_us)), PromptRun.prompt_id.startswith("trace-"))
        .where(JournalEntry.actor == _EARLIER_ACTOR, JournalEntry.idempotency_key.startswith("replay:"))
        .order_by(PromptRun.entry_id.desc())
    )
    charged: defaultdict[tuple[int, int, int], list[tuple[str, str]]] = defaultdict(list)
    for at, input_tokens, output_tokens, prompt_id, key in found:
        charged[at, input_tokens, output_tokens].append((prompt_id, key))
    taken: dict[str | int, tuple[str, str]] = {}
    known: dict[int, KnownRow] = {}
    for row, at in zip(rows, at_us, strict=True):
        meaning, named = (at, row.input_tokens, row.output_tokens), row.own_id or row.line
        if named not in taken and charged[meaning]:
            taken[named] = charged[meaning].pop()  # the earliest that no request before has taken
        if named in taken:
            prompt_id, key = taken[named]
            asked = ChargeRequest(user_id, prompt_id, model_id, None, 0, row.input_tokens, row.output_tokens)
            known[row.line] = KnownRow(row, asked, key, is_earlier=True)
    return known
