"""Charges one run per row of a log of real requests, now, and keeps beside each when it took place. Can stop and go on.

A log is a CSV file with the columns TIMESTAMP, ContextTokens and GeneratedTokens, in any order, and RequestId where the
requests have ids of their own. A row's key comes from what it means, not from the file that brings it: its own id, else
user, model, time of use, counts and its number among equal rows of the file. So a longer log, or two logs that overlap,
charge only what is new.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import groupby, islice
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.bulk import csv_rows
from credits_core.bulk.pieces import for_a_while, in_pieces
from credits_core.errors import CreditsError, DataFileInvalid, InvalidRequest
from credits_core.ledger import accounts, actions, entries
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import Charge, ChargeRequest, hash_of, require_used_at
from credits_core.plans import records
from credits_core.plans.records import Activation
from credits_core.pricing.models import Model
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.units import MAX_COUNT
from credits_core.store import database
from credits_core.store.kinds import EntryType
from credits_core.values.days import EARLIEST, LATEST, to_microseconds
from credits_core.values.fields import require_new_user_id

PROMPT_ID = "trace-log"
"""The prompt of every run that is charged from a log, which names none."""
_COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_ID_COLUMN = "RequestId"
_COUNT = re.compile(r"[0-9]{1,10}")
_MAX_ID = 500
_LARGEST_PIECE = 100
_SHOWN = 10
_ACTOR = "replay"


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a log, from the given line of the file, with its own id where it has one."""

    line: int
    at: datetime
    input_tokens: int
    output_tokens: int
    own_id: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One row that will be charged. `book` has the plan of its day; None means the live plan and today's price."""

    line: int
    request: ChargeRequest
    key: str
    book: PriceBook | None = None

    def charge(self, now: datetime) -> Charge:
        """The charge at this moment, priced then or when the run took place."""
        return Charge(self.request, self.key, now, None if self.book is None else self.request.used_at)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay will do: the runs to charge, and the lines of requests that used nothing.

    `plan_id` is the live plan, live since `plan_since`. The price list knows the model's price since `price_since`, or
    without a limit. The last two fields count the runs that took place before those times.
    """

    runs: tuple[PlannedRun, ...]
    unused_lines: tuple[int, ...]
    is_of_its_day: bool
    plan_id: str
    plan_since: datetime
    price_since: date | None
    older_than_plan: int
    older_than_price: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did: `rows` is the sum of the charged, refused and unused ones.

    The total, in credits, counts both new and earlier charges of the same rows.
    """

    rows: int
    charged_now: int
    charged_before: int
    refused: int
    total_credits: int
    unused: int = 0


@dataclass(slots=True)
class _Counts:
    now: int = 0
    before: int = 0
    refused: int = 0
    total_credits: int = 0

    def add(self, outcome: Receipt | CreditsError) -> None:
        if isinstance(outcome, Receipt):
            self.before += outcome.replayed
            self.now += not outcome.replayed
            self.total_credits += -outcome.transactions[0].amount_credits
        elif isinstance(outcome, InsufficientCredits):
            self.refused += 1
        else:
            raise outcome


def read_trace(path: Path, *, limit: int | None = None) -> list[TraceRow]:
    """The rows of a log in order, at most `limit`. Times without a zone are UTC; rows without content are skipped.

    Raises:
        DataFileInvalid: the file cannot be read, has other columns, no rows, or bad rows; the first ten bad rows are
            named by their line.
    """
    rows: list[TraceRow] = []
    problems: list[str] = []
    for line, fields in islice(csv_rows.read_rows(path, _COLUMNS, optional=[_ID_COLUMN]), limit):
        try:
            rows.append(_parse(line, fields))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    _refuse_any(path, problems)
    if not rows:
        raise DataFileInvalid(str(path), ["has no rows to charge"])
    return rows


def plan_replay(
    engine: Engine,
    path: Path,
    *,
    user_id: str,
    model_id: str,
    book: PriceBook,
    now: datetime,
    limit: int | None = None,
    of_its_day: bool = False,
) -> ReplayPlan:
    """What charging the log to this user and model would do. Charges nothing yet.

    Requests with no tokens at all, which failed, are left out for a model priced by what is used. With `of_its_day`,
    each run has the plan that was live and the model's price when it took place.

    Raises:
        DataFileInvalid: as `read_trace`; the model cannot price a row; a row lies more than five minutes ahead, has an
            id that another request had, or, with `of_its_day`, is older than its price is known.
        InvalidRequest: the user's id looks like one that a spreadsheet has broken.
        UnknownUser, UnknownModel: the user has no account, or the model is not offered.
    """
    require_new_user_id("user", user_id)
    rows = read_trace(path, limit=limit)
    model = book.models[model_id]  # an unknown model is refused before a row is looked at
    with database.read(engine) as connection:
        accounts.user(connection, user_id)
        journal = records.activations(connection)
        as_before = _charged_by_earlier_versions(connection, path, rows, user_id=user_id, model_id=model_id)
        used, unused_lines = _used(rows, model)
        runs = [
            as_before.get(row.line) or _planned(row, number, user_id=user_id, model=model)
            for row, number in _numbered(used)
        ]
        problems = [*_late(used, now), *_ids_of_others(connection, used, runs)]
    if of_its_day:
        runs = [_of_its_day(run, row, book, journal) for run, row in zip(runs, used, strict=True)]
        problems += _not_known(runs, used, model)
    problems += _unpriced(runs, as_before, book, now) if not problems else []
    _refuse_any(path, problems)
    price_since = model.price_known_from(now)
    return ReplayPlan(
        runs=tuple(runs),
        unused_lines=tuple(unused_lines),
        is_of_its_day=of_its_day,
        plan_id=book.plan.id,
        plan_since=journal[0].activated_at,
        price_since=price_since,
        older_than_plan=sum(row.at < journal[0].activated_at for row in used),
        older_than_price=sum(price_since is not None and row.at.date() < price_since for row in used),
    )


def replay(
    engine: Engine,
    plan: ReplayPlan,
    *,
    book_at: Callable[[Connection], PriceBook],
    clock: Callable[[], datetime],
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    """Charge the runs of `plan_replay` in pieces, each a short unit of work, dated when it is posted.

    Rows that the user cannot pay for are counted as refused and not charged; they are tried again next time.
    `on_progress` is called after each unit of work with the number of rows it took.

    Raises:
        InvalidRequest: another plan was made live meanwhile. What is charged so far stays; replaying again goes on.
    """
    counts = _Counts()

    def charge(piece: Sequence[PlannedRun]) -> list[Receipt | CreditsError]:
        return database.write(engine, partial(_charge, piece=piece, plan=plan, book_at=book_at, now=clock()))

    for _, of_one_plan in groupby(plan.runs, key=lambda run: None if run.book is None else run.book.plan.id):
        for outcomes in in_pieces(list(of_one_plan), charge, largest=_LARGEST_PIECE):
            for outcome in outcomes:
                counts.add(outcome)
            on_progress(len(outcomes))
    unused = len(plan.unused_lines)
    return ReplaySummary(
        len(plan.runs) + unused, counts.now, counts.before, counts.refused, counts.total_credits, unused
    )


def _charge(
    connection: Connection,
    piece: Sequence[PlannedRun],
    plan: ReplayPlan,
    book_at: Callable[[Connection], PriceBook],
    now: datetime,
) -> list[Receipt | CreditsError]:
    book = piece[0].book or book_at(connection)
    if piece[0].book is None and book.plan.id != plan.plan_id:
        raise InvalidRequest(
            "plan",
            f"{book.plan.id} was made live meanwhile. What is charged so far stays: replay again to go on with it",
        )
    charges = [run.charge(now) for run in piece]
    return actions.charge_prompts(connection, charges, book=book, actor=_ACTOR, pace=for_a_while)


def _used(rows: list[TraceRow], model: Model) -> tuple[list[TraceRow], list[int]]:
    if not model.is_usage_priced:
        return rows, []
    is_used = [bool(row.input_tokens or row.output_tokens) for row in rows]
    return (
        [row for row, used in zip(rows, is_used, strict=True) if used],
        [row.line for row, used in zip(rows, is_used, strict=True) if not used],
    )


def _numbered(rows: list[TraceRow]) -> Iterator[tuple[TraceRow, int]]:
    seen: Counter[TraceRow] = Counter()
    for row in rows:
        meaning = replace(row, line=0)
        seen[meaning] += 1
        yield row, seen[meaning]


def _planned(row: TraceRow, number: int, *, user_id: str, model: Model) -> PlannedRun:
    request = ChargeRequest(
        user_id,
        PROMPT_ID,
        model.id,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        used_at=row.at,
    )
    identity: tuple[object, ...] = (to_microseconds(row.at), row.input_tokens, row.output_tokens, number)
    if row.own_id:
        identity = (row.own_id,)
    # Hashed, because a key has no room for a user's and a model's longest ids.
    named = ascii((user_id, model.id, *identity))
    return PlannedRun(row.line, request, f"usage:{hashlib.sha256(named.encode()).hexdigest()}")


def _charged_by_earlier_versions(
    connection: Connection, path: Path, rows: list[TraceRow], *, user_id: str, model_id: str
) -> dict[int, PlannedRun]:
    """The runs, by their line, that an earlier version charged from this very file, with the keys it gave them."""
    file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    replay_hash = hashlib.sha256(f"{file_hash}:{user_id}:{model_id}".encode()).hexdigest()[:32]
    keys = {row.line: f"replay:{replay_hash}:{row.line}" for row in rows}
    charged = entries.entries_by_keys(connection, list(keys.values()))
    return {
        row.line: PlannedRun(
            row.line,
            ChargeRequest(
                user_id,
                f"trace-{file_hash[:8]}",
                model_id,
                input_tokens=row.input_tokens,
                output_tokens=row.output_tokens,
            ),
            keys[row.line],
        )
        for row in rows
        if keys[row.line] in charged
    }


def _late(rows: list[TraceRow], now: datetime) -> Iterator[str]:
    for row in rows:
        try:
            require_used_at(row.at, now=now)
        except InvalidRequest as refusal:
            yield f"line {row.line}: TIMESTAMP {refusal.problem}"


def _ids_of_others(connection: Connection, rows: list[TraceRow], runs: list[PlannedRun]) -> Iterator[str]:
    """A request's own id belongs to one request, in this file and in the ledger."""
    with_id = [(row, run) for row, run in zip(rows, runs, strict=True) if row.own_id]
    charged = entries.entries_by_keys(connection, [run.key for _, run in with_id])
    first: dict[str, TraceRow] = {}
    for row, run in with_id:
        before = first.setdefault(row.own_id, row)
        if replace(before, line=row.line) != row:
            named = f"line {row.line}: {_ID_COLUMN} {row.own_id[:40]!r}"
            yield f"{named} is already on line {before.line}, of another request"
            continue
        entry_id, request_hash = charged.get(run.key, (0, ""))
        if entry_id and request_hash != hash_of(EntryType.PROMPT_RUN, run.request.as_asked):
            yield (
                f"line {row.line}: {_ID_COLUMN} {row.own_id[:40]!r} was charged before with another time or other "
                f"counts, by entry {entry_id}"
            )


def _of_its_day(run: PlannedRun, row: TraceRow, book: PriceBook, journal: list[Activation]) -> PlannedRun:
    if run.request.used_at is None:  # charged by an earlier version
        return run
    plan_id = next(activation.plan_id for activation in journal if activation.activated_at <= row.at)
    return replace(run, book=replace(book, plan=book.plans[plan_id]))


def _not_known(runs: list[PlannedRun], rows: list[TraceRow], model: Model) -> Iterator[str]:
    for run, row in zip(runs, rows, strict=True):
        since = model.price_known_from(row.at)
        if run.book is not None and since is not None and row.at.date() < since:
            yield f"line {row.line}: the price of {model.id} is not known before {since}, so not on {row.at.date()}"


def _unpriced(
    runs: list[PlannedRun], as_before: dict[int, PlannedRun], book: PriceBook, now: datetime
) -> Iterator[str]:
    for run in runs:
        if run.line in as_before:
            continue
        try:
            request = run.request
            if run.book is None:
                actions.quote_prompt(request, book, now=now)
            else:
                actions.quote_prompt(request, run.book, now=request.used_at or now)
        except InvalidRequest as refusal:
            yield f"line {run.line}: {refusal}"


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
    if len(own_id) > _MAX_ID:
        raise ValueError(f"{_ID_COLUMN} must have at most {_MAX_ID} characters")
    return TraceRow(line, at, _count("ContextTokens", context), _count("GeneratedTokens", generated), own_id)


def _count(column: str, digits: str) -> int:
    if not _COUNT.fullmatch(digits) or int(digits) > MAX_COUNT:
        raise ValueError(f"{column} must be a whole number from 0 to {MAX_COUNT:,}, not {digits[:40]!r}")
    return int(digits)


def _refuse_any(path: Path, problems: list[str]) -> None:
    if problems:
        more = [f"and {len(problems) - _SHOWN:,} more lines"] if len(problems) > _SHOWN else []
        raise DataFileInvalid(str(path), problems[:_SHOWN] + more)
