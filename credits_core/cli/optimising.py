"""What `plan optimise` does: looks for price plans on the ledger's history or on logs of requests. Writes nothing."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from credits_core import settings
from credits_core.bulk.trace_record import record_of_traces
from credits_core.cli.opened import opened_ledger, price_books, print_json
from credits_core.cli.plans import current_book, day, stored_plans, sums_named
from credits_core.datasets.folder import Folder
from credits_core.datasets.record import history_of
from credits_core.errors import InvalidRequest
from credits_core.lab.finder import report
from credits_core.lab.finder.measures import Assessor
from credits_core.lab.finder.rules import Rules
from credits_core.lab.finder.search import USUAL_PLANS, Answer, Question, Search, with_ids
from credits_core.lab.finder.space import usual_moves
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.report import scope
from credits_core.pricing.plan import PricePlan
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange


def optimise(
    traces: Sequence[Path],
    model: str | None,
    *,
    data: str | None,
    sums: str | None,
    first: str | None,
    last: str | None,
    seed: int,
    plans: int | None,
    most_increase_bps: int,
    card_fee_bps: int,
    most_tiers: int,
    as_json: bool,
) -> None:
    """Look for plans that are better than the live one on what is recorded, and print them with their figures."""
    if data is not None and traces:
        raise InvalidRequest("data", "and --trace are two kinds of runs; give one of them")
    if sums is not None and data is None:
        raise InvalidRequest("sums", "is for rows of a data set; name one with --data")
    if traces and (first or last):
        raise InvalidRequest("from", "and --to are days of the ledger; leave them out with --trace")
    if bool(traces) != (model is not None):
        raise InvalidRequest("model", "and --trace go together: name the model of the runs of a log")
    if traces:
        book = current_book(None)
        today = book.plan
        history = record_of_traces(traces, book.models[model or ""], today, at=datetime.now(UTC))
    elif data is not None:
        days, book = DayRange(day("from", first), day("to", last), settings.time_zone()), current_book(None)
        today = book.plan
        history = history_of(Folder(settings.usage_folder()), data, book=book, days=days, sums=sums_named(sums))
        if history.is_empty:
            raise InvalidRequest("data", f"{data} has no run to look at ({scope(days)})")
    else:
        days = DayRange(day("from", first), day("to", last), settings.time_zone())
        today, history = _of_ledger(days)
    found, stopped = search(
        history,
        today,
        Question(
            moves=replace(usual_moves(today), most_tiers=most_tiers),
            rules=Rules(
                card_fee=CardFee(card_fee_bps, 0) if card_fee_bps else None,
                most_tiers=most_tiers,
                most_increase_bps=most_increase_bps,
            ),
            seed=seed,
            most_plans=plans or USUAL_PLANS,
        ),
        stored={name: record.plan for name, record in stored_plans().items()},
    )
    if as_json:
        print_json(report.as_json(found, today, stopped=stopped))
        return
    for line in report.lines(found, today, stopped=stopped):
        typer.echo(line)


def search(
    history: RecordedHistory, today: PricePlan, question: Question, *, stored: Mapping[str, PricePlan]
) -> tuple[Answer, bool]:
    """The best plans on this record, whatever it is of, and whether Ctrl-C stopped the search before its end."""
    running = Search(Assessor(history, today), question)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stopped, console = False, Console(stderr=True)
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as bar, closing(running.steps()) as steps:
        task = bar.add_task("Trying plans", total=question.most_plans)
        try:
            for progress in steps:
                bar.update(task, completed=progress.done, total=progress.total)
        except KeyboardInterrupt:
            stopped = True
    return with_ids(running.answer(), today, stored), stopped


def _of_ledger(days: DayRange) -> tuple[PricePlan, RecordedHistory]:
    books = price_books()
    with opened_ledger() as engine, database.read(engine) as connection:
        today, history = books.at(connection).plan, recorded_history(connection, days)
    if history.is_empty:
        raise InvalidRequest("ledger", f"has no run and no unlock to try plans on ({scope(days)})")
    return today, history
