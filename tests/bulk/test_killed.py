"""Long work whose process is killed in the middle of a piece: nobody sees half a piece, and doing it again goes on."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.bulk import batch as batch_module
from credits_core.bulk import opening_balances
from credits_core.bulk import replay as replay_module
from credits_core.bulk.batch import Batch, Summary, charge_piece
from credits_core.bulk.opening_balances import ImportSummary, import_legacy
from credits_core.bulk.replay import ReplaySummary, plan_replay, replay
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import TESTER, named
from tests.support.plain_sql import balance, rows, scalar
from tests.support.world import HAIKU_WITH_FEE, NOW

Item = TypeVar("Item")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def _import(engine: Engine, path: Path) -> ImportSummary:
    return import_legacy(engine, path, now=NOW, actor=named("cli"))


def _replay(engine: Engine, path: Path) -> ReplaySummary:
    book = world.price_book()
    plan = plan_replay(engine, path, user_id="ada", model_id="openai/gpt-4o", book=book, now=NOW)
    return replay(engine, plan, book_at=lambda _: book, clock=lambda: NOW, actor=TESTER)


def _batch(engine: Engine, _: Path) -> Summary:
    batch, summary, book = Batch(HAIKU_WITH_FEE, 50), Summary(), world.price_book()
    while summary.runs < batch.runs:
        charge = partial(charge_piece, batch=batch, before=summary, book=book, key="b", now=NOW, actor=TESTER)
        summary = database.write(engine, charge)
    return summary


def _in_tens(answers: Pipe) -> Callable[[Iterable[Item]], Iterator[Item]]:
    """Pieces of ten; in the third one, after four, says so and waits to be killed."""
    begun = []

    def pace(items: Iterable[Item]) -> Iterator[Item]:
        begun.append(1)
        for position, item in enumerate(items):
            if len(begun) == 3 and position == 4:
                answers.send("in the middle")
                threading.Event().wait()
            yield item
            if position == 9:
                return

    return pace


def do_until_killed(answers: Pipe, url: str, work: Callable[[Engine, Path], object], path: Path) -> None:
    """Do the work, until the process is killed in the middle of its third piece. Never returns."""
    pace: Callable[[Iterable[object]], Iterator[object]] = _in_tens(answers)
    for module in (opening_balances, replay_module, batch_module):
        module.for_a_while = pace  # type: ignore[attr-defined]
    work(database.create_engine_for(url), path)


def _kill(engine: Engine, work: Callable[[Engine, Path], object], path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    process, answers = racers.start(do_until_killed, url, work, path)
    assert answers.recv() == "in the middle"
    process.kill()
    process.join()
    assert process.exitcode == -9
    answers.close()


def _audit(engine: Engine, book: PriceBook) -> list[object]:
    return [finding for finding in invariants.check(engine, book.plans) if not finding.ok]


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_import_that_was_killed_is_finished_by_running_it_again(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    path = _write(tmp_path, "user_id,credits", *(f"user{number},5" for number in range(50)))
    _kill(engine, _import, path)
    assert rows(engine, "SELECT COUNT(*), SUM(balance_credits) FROM user_credits") == [(20, 100)]
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == 20
    assert _audit(engine, book) == []
    assert _import(engine, path) == ImportSummary(imported=30, imported_before=20, empty=0, imported_credits=150)
    assert rows(engine, "SELECT COUNT(*), SUM(balance_credits) FROM user_credits") == [(50, 250)]
    assert _audit(engine, book) == []


def test_a_replay_of_a_log_that_was_killed_is_finished_by_running_it_again(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    # 40 input tokens are 100 credits and 20 % of markup.
    lines = (f"2026-02-28 12:00:{number:02},40,0" for number in range(50))
    path = _write(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens", *lines)
    _kill(engine, _replay, path)
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 20
    assert balance(engine, "ada") == 10_000 - 20 * 120
    assert _audit(engine, book) == []
    assert _replay(engine, path) == ReplaySummary(50, 30, 20, 0, 50 * 120)
    assert balance(engine, "ada") == 10_000 - 50 * 120
    assert _audit(engine, book) == []


def test_a_batch_that_was_killed_goes_on_under_its_key_and_charges_no_run_twice(
    engine: Engine, book: PriceBook, tmp_path: Path
) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    _kill(engine, _batch, tmp_path)
    keys = rows(engine, "SELECT idempotency_key FROM journal_entries WHERE type = 'prompt_run' ORDER BY id")
    assert keys == [(f"b:{number}",) for number in range(1, 21)]
    assert (balance(engine, "ada"), balance(engine, "ben")) == (100_000 - 20 * 1_251, 20 * 800)
    assert _audit(engine, book) == []
    # A run of before the kill that is refunded meanwhile stays refunded.
    run_7 = int(str(scalar(engine, "SELECT id FROM journal_entries WHERE idempotency_key = 'b:7'")))
    world.refund(engine, run_7, key="refund")
    summary = _batch(engine, tmp_path)
    assert (summary.charged, summary.refused_count, summary.total_credits) == (50, 0, 50 * 1_251)
    assert (summary.creators_credits, summary.platform_credits) == (50 * 800, 50 * 201)
    assert scalar(engine, "SELECT COUNT(*) FROM prompt_runs") == 50
    assert (balance(engine, "ada"), balance(engine, "ben")) == (100_000 - 49 * 1_251, 49 * 800)
    assert _audit(engine, book) == []
