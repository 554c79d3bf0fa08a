"""Replays a trace of real requests as charges: one run per row, at the row's time, resumable.

A trace is a CSV file with the columns TIMESTAMP, ContextTokens and GeneratedTokens. The key of a row's charge names the
file's content, the row, the user and the model, so that starting again goes on where it stopped and charges nothing
twice.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from credits_core import database, queries, services
from credits_core.errors import CreditsError, DataFileInvalid, InsufficientCredits
from credits_core.ledger import Receipt
from credits_core.pricing import ChargeRequest, PriceBook
from credits_core.services import Charge

_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_BATCH = 100


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a trace; `number` counts from 1."""

    number: int
    at: datetime
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did. Totals are in credits and count new and earlier charges of the same replay alike."""

    rows: int
    charged_now: int
    charged_before: int
    refused: int
    total_credits: int


def read_trace(path: Path, *, limit: int | None = None) -> list[TraceRow]:
    """The rows of a trace file in order, at most `limit`. Times without a zone are UTC.

    Raises:
        DataFileInvalid: the file cannot be read, has other columns, no rows, or rows that cannot be used; each is named
            by its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header != _COLUMNS:
                raise DataFileInvalid(str(path), [f"must begin with the line {','.join(_COLUMNS)}, not {header}"])
            problems: list[str] = []
            rows = [row for row in _parse(islice(reader, limit), problems) if row is not None]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileInvalid(str(path), [f"cannot be read: {error}"]) from None
    if problems:
        shown = problems[:10] + ([f"and {len(problems) - 10} more"] if len(problems) > 10 else [])
        raise DataFileInvalid(str(path), shown)
    if not rows:
        raise DataFileInvalid(str(path), ["has no rows to charge"])
    return rows


def replay(
    engine: Engine,
    path: Path,
    *,
    user_id: str,
    model_id: str,
    book: PriceBook,
    limit: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    """Charge the user one run of the model per row of the trace, a hundred rows in one unit of work.

    Rows that the user cannot pay for are counted as refused and charged nothing; they are tried again next time.
    `on_progress` is called after each unit of work with the number of rows it took.

    Raises:
        DataFileInvalid: as `read_trace`.
        UnknownUser, UnknownModel, InvalidRequest: the user has no account, or the model is not in the registry.
    """
    rows = read_trace(path, limit=limit)
    book.models[model_id]  # an unknown model is refused before anything is charged
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    with database.read(engine) as connection:
        queries.user(connection, user_id)
    prompt_id = f"trace-{digest[:8]}"
    charged_now = charged_before = refused = total_credits = 0
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        charges = [
            Charge(
                ChargeRequest(
                    user_id, prompt_id, model_id, input_tokens=row.input_tokens, output_tokens=row.output_tokens
                ),
                key=f"replay:{digest}:{row.number}:{user_id}:{model_id}",
                now=row.at,
            )
            for row in batch
        ]
        for outcome in _charge(engine, charges, book):
            if isinstance(outcome, Receipt):
                charged_before += outcome.replayed
                charged_now += not outcome.replayed
                total_credits += -outcome.transactions[0].amount_credits
            elif isinstance(outcome, InsufficientCredits):
                refused += 1
            else:
                raise outcome
        on_progress(len(batch))
    return ReplaySummary(len(rows), charged_now, charged_before, refused, total_credits)


def _charge(engine: Engine, charges: list[Charge], book: PriceBook) -> list[Receipt | CreditsError]:
    return database.write(
        engine, lambda connection: services.charge_prompts(connection, charges, book=book, actor="replay")
    )


def _parse(rows: Iterator[list[str]], problems: list[str]) -> Iterator[TraceRow | None]:
    for number, row in enumerate(rows, 1):
        try:
            timestamp, context, generated = row
            at = datetime.fromisoformat(timestamp)
            yield TraceRow(number, at if at.tzinfo else at.replace(tzinfo=UTC), _count(context), _count(generated))
        except ValueError as error:
            problems.append(f"line {number + 1} is not TIMESTAMP,ContextTokens,GeneratedTokens: {error}")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is not a number of tokens")
    return int(text)
