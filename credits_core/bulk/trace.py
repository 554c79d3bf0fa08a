"""Charges one run per row of a trace of real requests, at the row's time. Can stop and go on.

A trace is a CSV file with the columns TIMESTAMP, ContextTokens and GeneratedTokens. The key of a row's charge names the
file's content, the user, the model and the row's line, so starting again goes on where it stopped and charges nothing
twice.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from credits_core.bulk import csv_rows
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import accounts, actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.units import MAX_COUNT
from credits_core.store import database
from credits_core.values.days import EARLIEST, LATEST

_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_COUNT = re.compile(r"[0-9]{1,10}")
_BATCH = 100
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a trace, from the given line of the file."""

    line: int
    at: datetime
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did. The total, in credits, counts both new and earlier charges of the same replay."""

    rows: int
    charged_now: int
    charged_before: int
    refused: int
    total_credits: int


def read_trace(path: Path, *, limit: int | None = None) -> list[TraceRow]:
    """The rows of a trace file in order, at most `limit`. Times without a zone are UTC; blank lines are skipped.

    Raises:
        DataFileInvalid: the file cannot be read, has other columns, no rows, or bad rows; the first ten bad rows are
            named by their line.
    """
    rows: list[TraceRow] = []
    problems: list[str] = []
    for line, fields in islice(csv_rows.read_rows(path, _COLUMNS), limit):
        try:
            rows.append(_parse(line, fields))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    _refuse_any(path, problems)
    if not rows:
        raise DataFileInvalid(str(path), ["has no rows to charge"])
    return rows


def plan_replay(
    engine: Engine, path: Path, *, user_id: str, model_id: str, book: PriceBook, limit: int | None = None
) -> list[Charge]:
    """One charge per row of the trace, for this user and model. Charges nothing yet.

    Raises:
        DataFileInvalid: as `read_trace`, or the model cannot price a row.
        UnknownUser, UnknownModel: the user has no account, or the model is not in the registry.
    """
    rows = read_trace(path, limit=limit)
    book.models[model_id]  # an unknown model is refused before a row is looked at
    with database.read(engine) as connection:
        accounts.user(connection, user_id)
    # Hashed together, because a key has no room for a user's and a model's longest ids beside the file's hash.
    file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    replay_hash = hashlib.sha256(f"{file_hash}:{user_id}:{model_id}".encode()).hexdigest()[:32]
    charges, problems = [], []
    for row in rows:
        request = ChargeRequest(
            user_id,
            f"trace-{file_hash[:8]}",
            model_id,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
        )
        try:
            actions.quote_prompt(request, book, now=row.at)
        except InvalidRequest as refusal:
            problems.append(f"line {row.line}: {refusal}")
        charges.append(Charge(request, key=f"replay:{replay_hash}:{row.line}", now=row.at))
    _refuse_any(path, problems)
    return charges


def replay(
    engine: Engine,
    charges: Sequence[Charge],
    *,
    book: PriceBook,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    """Carry out the charges of `plan_replay`, a hundred in one unit of work.

    Rows that the user cannot pay for are counted as refused and not charged; they are tried again next time.
    `on_progress` is called after each unit of work with the number of rows it took.
    """
    charged_now = charged_before = refused = total_credits = 0
    for first in range(0, len(charges), _BATCH):
        batch = charges[first : first + _BATCH]
        charge_batch = partial(actions.charge_prompts, charges=batch, book=book, actor="replay")
        for outcome in database.write(engine, charge_batch):
            if isinstance(outcome, Receipt):
                charged_before += outcome.replayed
                charged_now += not outcome.replayed
                total_credits += -outcome.transactions[0].amount_credits
            elif isinstance(outcome, InsufficientCredits):
                refused += 1
            else:
                raise outcome
        on_progress(len(batch))
    return ReplaySummary(len(charges), charged_now, charged_before, refused, total_credits)


def _parse(line: int, fields: list[str]) -> TraceRow:
    if len(fields) != len(_COLUMNS):
        raise ValueError(csv_rows.mismatch(_COLUMNS, fields))
    timestamp, context, generated = fields
    try:
        at = datetime.fromisoformat(timestamp)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the last day of the year 9999 west of Greenwich
        raise ValueError(f"TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not {timestamp[:40]!r}") from None
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"TIMESTAMP must be from 1970 to 9998, not {timestamp[:40]!r}")
    return TraceRow(line, at, _count("ContextTokens", context), _count("GeneratedTokens", generated))


def _count(column: str, digits: str) -> int:
    if not _COUNT.fullmatch(digits) or int(digits) > MAX_COUNT:
        raise ValueError(f"{column} must be a whole number from 0 to {MAX_COUNT:,}, not {digits[:40]!r}")
    return int(digits)


def _refuse_any(path: Path, problems: list[str]) -> None:
    if problems:
        more = [f"and {len(problems) - _SHOWN:,} more lines"] if len(problems) > _SHOWN else []
        raise DataFileInvalid(str(path), problems[:_SHOWN] + more)
