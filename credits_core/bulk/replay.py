"""Charges one run per row of a log of real requests, now, and keeps beside each when it took place. Can stop and go on.

`trace` reads the log, and `row_identity` knows its rows again, so that no row is charged twice.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.bulk.pieces import for_a_while, in_pieces
from credits_core.bulk.refusals import ReplayStopped
from credits_core.bulk.row_identity import Charged, KnownRow, ids_of_others, known_rows
from credits_core.bulk.trace import TraceRow, read_trace, refuse_any
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import accounts, actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits, NothingToCharge
from credits_core.ledger.requests import Charge, ChargeRequest, require_used_at
from credits_core.plans.past import PastBooks
from credits_core.plans.refusals import PriceNotKnown
from credits_core.pricing.models import Model
from credits_core.pricing.quote import PriceBook, Terms
from credits_core.store import database
from credits_core.values.fields import require_new_user_id
from credits_core.values.roles import Actor, May

_LARGEST_PIECE = 100


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One row that will be charged. `book` has the plan and price list of its day; None means the live ones and now."""

    line: int
    request: ChargeRequest
    key: str
    book: PriceBook | None = None

    @property
    def priced_at(self) -> datetime | None:
        """The moment whose price the run has: when it took place, or None for when it is charged."""
        return None if self.book is None else self.request.used_at

    def charge(self, now: datetime, actor: Actor) -> Charge:
        """The charge at this moment, priced then or when the run took place."""
        return Charge(self.request, self.key, now, actor, self.priced_at)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay will do: the runs to charge, and the lines of requests that used nothing.

    `terms` are the live plan, live since `plan_since`, and the live price list. The model's price is known since
    `price_since`, or without a limit. The last two fields count the runs that took place before those times.
    """

    runs: tuple[PlannedRun, ...]
    unused_lines: tuple[int, ...]
    is_of_its_day: bool
    terms: Terms
    plan_since: datetime
    price_since: datetime | None
    older_than_plan: int
    older_than_price: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did: `rows` is the sum of the charged, refused and unused ones.

    Unused are the lines of requests that used nothing or cost nothing. The total, in credits, counts both new and
    earlier charges of the same rows.
    """

    rows: int
    charged_now: int
    charged_before: int
    refused: int
    total_credits: int
    unused_lines: tuple[int, ...] = ()


@dataclass(slots=True)
class _Counts:
    now: int = 0
    before: int = 0
    refused: int = 0
    total_credits: int = 0
    free_lines: list[int] = field(default_factory=list)

    @property
    def charged(self) -> int:
        return self.now + self.before

    def add(self, outcomes: Sequence[Receipt | CreditsError], runs: Iterator[PlannedRun]) -> None:
        """Count a piece that was carried out, of the next runs, and raise its first unexpected refusal."""
        unexpected: list[str] = []
        for outcome, run in zip(outcomes, runs, strict=False):
            if isinstance(outcome, Receipt):
                self.before += outcome.replayed
                self.now += not outcome.replayed
                self.total_credits += -outcome.transactions[0].amount_credits
            elif isinstance(outcome, InsufficientCredits):
                self.refused += 1
            elif isinstance(outcome, NothingToCharge):
                self.free_lines.append(run.line)
            else:
                unexpected.append(f"Line {run.line} was not charged: {_reason(outcome).rstrip('.')}.")
        if unexpected:
            raise ReplayStopped(unexpected[0], self.charged)


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
    each run that is not charged yet has the plan and the price list that were live when it took place.

    Raises:
        DataFileInvalid: as `read_trace`; the model cannot price a row; a row lies more than five minutes ahead, has an
            id that another request had, or, with `of_its_day`, is older than its price is known.
        InvalidRequest: the user's id looks like one that a spreadsheet has broken.
        UnknownUser, UnknownModel: the user has no account, or the model is not offered.
    """
    require_new_user_id("user", user_id)
    rows = read_trace(path, limit=limit)
    model = book.models[model_id]  # an unknown model is refused before a row is looked at
    used, unused_lines = _used(rows, model)
    with database.read(engine) as connection:
        accounts.user(connection, user_id)
        known, charged = known_rows(connection, used, user_id=user_id, model_id=model.id)
        past = PastBooks(connection, book)
        problems = [*_late(used, now), *ids_of_others(known, charged)]
        runs = []
        for one in known:
            try:
                runs.append(_planned(one, charged, past if of_its_day else None))
            except PriceNotKnown as refusal:
                problems.append(f"line {one.row.line}: {refusal}")
        price_since = past.price_since(model, now)
    if not problems:
        problems += _unpriced(runs, charged, book, now)
    refuse_any(path, problems)
    return ReplayPlan(
        runs=tuple(runs),
        unused_lines=tuple(unused_lines),
        is_of_its_day=of_its_day,
        terms=book.terms,
        plan_since=past.plan_since,
        price_since=price_since,
        older_than_plan=sum(row.at < past.plan_since for row in used),
        older_than_price=sum(price_since is not None and row.at < price_since for row in used),
    )


def replay(
    engine: Engine,
    plan: ReplayPlan,
    *,
    book_at: Callable[[Connection], PriceBook],
    clock: Callable[[], datetime],
    actor: Actor,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ReplaySummary:
    """Charge the runs of `plan_replay` in pieces, each a short unit of work, dated when it is posted.

    Rows that the user cannot pay for are counted as refused and not charged; they are tried again next time.
    `on_progress` is called after each unit of work with the number of rows it took.

    Raises:
        NotAllowed: the actor may charge nobody.
        ReplayStopped: another plan or price list was made live meanwhile, or a row was refused for another reason than
            missing credits. What is charged so far stays; replaying again goes on.
    """
    actor.require(May.CHARGE, May.TRY)
    counts = _Counts()

    def charge(piece: Sequence[PlannedRun]) -> list[Receipt | CreditsError]:
        return database.write(
            engine,
            partial(_charge, piece=piece, plan=plan, book_at=book_at, now=clock(), actor=actor, charged=counts.charged),
        )

    for _, of_one_book in groupby(plan.runs, key=_terms_of):
        runs = [*of_one_book]
        left = iter(runs)
        for outcomes in in_pieces(runs, charge, largest=_LARGEST_PIECE):
            counts.add(outcomes, left)
            on_progress(len(outcomes))
    unused_lines = tuple(sorted((*plan.unused_lines, *counts.free_lines)))
    rows = len(plan.runs) + len(plan.unused_lines)
    return ReplaySummary(rows, counts.now, counts.before, counts.refused, counts.total_credits, unused_lines)


def _charge(
    connection: Connection,
    piece: Sequence[PlannedRun],
    plan: ReplayPlan,
    book_at: Callable[[Connection], PriceBook],
    now: datetime,
    actor: Actor,
    charged: int,
) -> list[Receipt | CreditsError]:
    live = book_at(connection)  # on PostgreSQL, nothing else is made live until this piece is committed
    if live.terms != plan.terms:
        raise ReplayStopped(
            f"The replay began with {_named(plan.terms)}, but now {_named(live.terms)} are live.", charged
        )
    charges = [run.charge(now, actor) for run in piece]
    return actions.charge_prompts(connection, charges, book=piece[0].book or live, pace=for_a_while)


def _named(terms: Terms) -> str:
    plan_id, price_list = terms
    return f"price plan {plan_id} and price list {'none' if price_list is None else price_list}"


def _terms_of(run: PlannedRun) -> Terms | None:
    return None if run.book is None else run.book.terms


def _used(rows: list[TraceRow], model: Model) -> tuple[list[TraceRow], list[int]]:
    if not model.is_usage_priced:
        return rows, []
    is_used = [bool(row.input_tokens or row.output_tokens) for row in rows]
    return (
        [row for row, used in zip(rows, is_used, strict=True) if used],
        [row.line for row, used in zip(rows, is_used, strict=True) if not used],
    )


def _late(rows: Iterable[TraceRow], now: datetime) -> Iterator[str]:
    for row in rows:
        try:
            require_used_at(row.at, now=now)
        except InvalidRequest as refusal:
            yield f"line {row.line}: TIMESTAMP {refusal.problem}"


def _planned(one: KnownRow, charged: Charged, past: PastBooks | None) -> PlannedRun:
    book = None if past is None or one.key in charged else past.at(one.row.at, one.request.model_id)
    return PlannedRun(one.row.line, one.request, one.key, book)


def _unpriced(runs: list[PlannedRun], charged: Charged, book: PriceBook, now: datetime) -> Iterator[str]:
    for run in runs:
        if run.key in charged:
            continue
        try:
            actions.quote_prompt(run.request, run.book or book, now=run.priced_at or now)
        except CreditsError as refusal:
            yield f"line {run.line}: {_reason(refusal)}"


def _reason(refusal: CreditsError) -> str:
    """Why a row was refused. Its message says that nothing was charged, which is not true of the other rows."""
    return str(refusal).partition(" Nothing was ")[0]
