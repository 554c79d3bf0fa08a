"""Reads a log of real requests: a CSV file with one request per row.

It has the columns TIMESTAMP, ContextTokens and GeneratedTokens, in any order, and RequestId where the requests have ids
of their own. Does not know what becomes of the rows.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from credits_core.bulk import csv_rows
from credits_core.errors import DataFileInvalid
from credits_core.pricing.units import MAX_COUNT
from credits_core.usage import formats
from credits_core.usage.files import FileAt, form_of
from credits_core.values.days import EARLIEST, LATEST
from credits_core.values.fields import is_broken_by_spreadsheet

ID_COLUMN = "RequestId"
_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_COUNT = re.compile(r"[0-9]{1,10}")
_MAX_ID = 500
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a log, from the given line of the file, with its own id where it has one."""

    line: int
    at: datetime
    input_tokens: int
    output_tokens: int
    own_id: str = ""


def read_trace(path: Path, *, limit: int | None = None) -> list[TraceRow]:
    """The rows of a log in order, at most `limit`. Times without a zone are UTC; rows without content are skipped.

    Blanks around a request's own id are not part of it, and the same letters are the same id, however they are encoded.

    Raises:
        DataFileInvalid: the file cannot be read, has other columns, no rows, or bad rows; the first ten bad rows are
            named by their line.
    """
    rows: list[TraceRow] = []
    problems: list[str] = []
    try:
        for line, fields in islice(csv_rows.read_rows(path, _COLUMNS, optional=[ID_COLUMN]), limit):
            try:
                rows.append(_parse(line, fields))
            except ValueError as error:
                problems.append(f"line {line}: {error}")
    except DataFileInvalid as refusal:
        raise _with_nearest(path, refusal) from None
    refuse_any(path, problems)
    if not rows:
        raise DataFileInvalid(str(path), ["has no rows to charge"])
    return rows


def _with_nearest(path: Path, refusal: DataFileInvalid) -> DataFileInvalid:
    """The refusal of other columns, which also names the known format that they are of, or are most like."""
    if not refusal.problems[0].startswith("line 1 "):
        return refusal
    try:
        columns = form_of(FileAt(path)).columns
    except DataFileInvalid:
        return refusal
    near = formats.nearest(columns)
    found = formats.recognise(columns) or (near[0] if near else None)
    if found is None or found.key == "azure":
        return refusal
    said = f"{refusal.problems[0]}. The nearest known format is {found.key} ({found.title}), which usage import reads"
    return DataFileInvalid(refusal.path, [said])


def refuse_any(path: Path, problems: list[str]) -> None:
    """Refuse the file when it has problems, each a sentence about a line.

    Raises:
        DataFileInvalid: there are problems; the first ten are listed and the others counted.
    """
    if problems:
        raise DataFileInvalid(str(path), problems[:_SHOWN], unlisted=max(0, len(problems) - _SHOWN))


def _parse(line: int, fields: list[str]) -> TraceRow:
    if len(fields) != len(_COLUMNS) + 1:
        raise ValueError(csv_rows.mismatch(_COLUMNS, fields))
    timestamp, context, generated, own_id = fields
    try:
        at = datetime.fromisoformat(timestamp)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the last day of the year 9999 west of Greenwich
        raise ValueError(f"TIMESTAMP must be a time such as 2023-11-16 18:15:46.68, not {timestamp[:40]!r}") from None
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"TIMESTAMP must be from 1970 to 9998, not {timestamp[:40]!r}")
    input_tokens, output_tokens = _count("ContextTokens", context), _count("GeneratedTokens", generated)
    return TraceRow(line, at, input_tokens, output_tokens, _own_id(own_id))


def _own_id(text: str) -> str:
    own_id = unicodedata.normalize("NFC", text).strip()
    if len(own_id) > _MAX_ID or not own_id.isprintable():
        raise ValueError(f"{ID_COLUMN} must be at most {_MAX_ID} printable characters")
    if is_broken_by_spreadsheet(own_id):
        raise ValueError(
            f"{ID_COLUMN} must not be {own_id[:40]!r}: a spreadsheet or program has probably changed the id. Format "
            "the column as text and write the id again"
        )
    return own_id


def _count(column: str, digits: str) -> int:
    if not _COUNT.fullmatch(digits) or int(digits) > MAX_COUNT:
        raise ValueError(f"{column} must be a whole number from 0 to {MAX_COUNT:,}, not {digits[:40]!r}")
    return int(digits)
