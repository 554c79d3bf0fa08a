"""How long a charge waits for long work: `python -m benchmarks.holds [--rows N] [--runs N] [--rounds N]`.

A process charges one run again and again, with short rests, and records how long each charge takes: alone, while an
import and then a batch of runs go into another database, and while they go into its own. The other database makes the
machine as busy but holds nobody up, so what comes on top of it is the hold. First on PostgreSQL, with a quarter of the
rows and runs: on the server of `--postgres-url`, whose user may create databases, or on a durable one that is started
for it where the machine has the binaries. Every round takes new databases. The last line printed is `ratio 0.NN`: on
SQLite, the longest wait beside the import into another database against the longest beside the import; the median over
the rounds. 1 would be an import that nobody feels.
"""

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psycopg
from sqlalchemy import Engine, make_url

from credits_core.bulk import pieces
from credits_core.bulk.batch import Batch, Summary, charge_piece
from credits_core.bulk.opening_balances import import_legacy
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.reports import daily_totals
from credits_core.settings import load_price_book
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import system
from tests.support import postgres_server

_BENCH = system("bench")
_REQUEST = ChargeRequest("ada", "summarise", "openai/gpt-4o", "ben", 1_001, 1_020, 129)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PLENTY_CREDITS = 10**12
_LONGEST_REST_SECONDS = 0.01
_ALONE_SECONDS = 5
_BOUND_SECONDS = 0.1
_ALONE, _ELSEWHERE, _HERE = "alone", "while it goes into another database", "while it goes into this database"
_DATABASES = ("bench_holds_here", "bench_holds_elsewhere")


@dataclass(slots=True)
class _Waits:
    """How long each charge took, in seconds: one list per round."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def longest(self) -> list[float]:
        return [max(waits) for waits in self.rounds]

    def __str__(self) -> str:
        waits = sorted(seconds for round_ in self.rounds for seconds in round_)
        p50, p99 = (1_000 * waits[len(waits) * percent // 100] for percent in (50, 99))
        longest = ", ".join(f"{1_000 * seconds:.0f}" for seconds in self.longest)
        over = sum(seconds > _BOUND_SECONDS for seconds in waits)
        return f"p50 {p50:.1f}, p99 {p99:.0f}, longest of each round {longest} ms; {over} of {len(waits):,} over 100 ms"


def charge_again_and_again(answers: Pipe, url: str, prefix: str) -> None:
    """Charge runs until told to stop by the pipe; sends how long each took, in seconds."""
    engine, book, rest = database.create_engine_for(url), load_price_book(), random.Random(1)  # noqa: S311
    waits: list[float] = []
    while not answers.poll():
        key = f"{prefix}-{len(waits)}"
        began = time.perf_counter()
        database.write(
            engine,
            lambda connection, key=key: actions.charge_prompt(  # type: ignore[misc]
                connection, _REQUEST, book=book, key=key, now=_NOW, actor=_BENCH
            ),
        )
        waits.append(time.perf_counter() - began)
        if len(waits) == 1:  # the first charge prepares the statements
            answers.send("begun")
        time.sleep(rest.uniform(0, _LONGEST_REST_SECONDS))
    engine.dispose()
    answers.send(waits[1:])


def _waits_beside(url: str, prefix: str, work: Callable[[], None]) -> list[float]:
    ours, theirs = multiprocessing.Pipe()
    processes = multiprocessing.get_context("spawn")
    process = processes.Process(target=charge_again_and_again, args=(theirs, url, prefix), daemon=True)
    process.start()
    assert ours.recv() == "begun"
    work()
    ours.send("stop")
    waits: list[float] = ours.recv()
    process.join()
    return waits


def _import(engine: Engine, rows: int) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file:
        file.write("user_id,credits\n" + "".join(f"user{number},{number + 1}\n" for number in range(rows)))
        file.flush()
        import_legacy(engine, Path(file.name), now=_NOW, actor=_BENCH)
    daily_totals.catch_up(engine)


def _batch(engine: Engine, runs: int) -> None:
    batch, summary, book = Batch(replace(_REQUEST, prompt_id="batch"), runs), Summary(), load_price_book()
    with pieces.undisturbed():  # as `pages.parts.action` does it
        while summary.runs < runs:
            summary = database.write(
                engine,
                lambda connection, before=summary: charge_piece(  # type: ignore[misc]
                    connection, batch, before=before, book=book, key="batch", now=_NOW, actor=_BENCH
                ),
            )
            pieces.pause()
    assert summary.charged == runs
    daily_totals.catch_up(engine)


@contextmanager
def _migrated(url: str) -> Iterator[Engine]:
    engine = database.create_engine_for(url)
    database.migrate(engine)
    database.write(
        engine,
        lambda connection: actions.add_credits(
            connection, "ada", _PLENTY_CREDITS, source=CreditSource.PURCHASE, key="fund", now=_NOW, actor=_BENCH
        ),
    )
    yield engine
    engine.dispose()


def _round(here_url: str, elsewhere_url: str, works: dict[str, Callable[[Engine], None]]) -> dict[str, list[float]]:
    with _migrated(here_url) as here, _migrated(elsewhere_url) as elsewhere:
        waits = {_ALONE: _waits_beside(here_url, "alone", lambda: time.sleep(_ALONE_SECONDS))}
        for name, work in works.items():
            for where, engine in ((_ELSEWHERE, elsewhere), (_HERE, here)):
                prefix = f"{name.replace(' ', '-')}-{engine is here}"
                waits[f"{name}, {where}"] = _waits_beside(here_url, prefix, lambda w=work, e=engine: w(e))  # type: ignore[misc]
    return waits


def _measure(
    name: str, rounds: int, databases: Callable[[], Iterator[tuple[str, str]]], rows: int, runs: int
) -> dict[str, _Waits]:
    works: dict[str, Callable[[Engine], None]] = {
        f"import of {rows:,} rows": lambda engine: _import(engine, rows),
        f"batch of {runs:,} runs": lambda engine: _batch(engine, runs),
    }
    measured: dict[str, _Waits] = {}
    for _ in range(rounds):
        with contextmanager(databases)() as (here_url, elsewhere_url):
            for what, waits in _round(here_url, elsewhere_url, works).items():
                measured.setdefault(what, _Waits()).rounds.append(waits)
    for what, found in measured.items():
        print(f"{name}, {what}: {found}", flush=True)
    return measured


def _sqlite_files() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        yield f"sqlite:///{folder}/here.db", f"sqlite:///{folder}/elsewhere.db"


def _on_postgres(url: str, rounds: int, rows: int, runs: int) -> None:
    def databases() -> Iterator[tuple[str, str]]:
        with closing(psycopg.connect(url, autocommit=True)) as admin:
            for name in _DATABASES:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                admin.execute(f"CREATE DATABASE {name}")
            here, elsewhere = (make_url(url).set(database=name) for name in _DATABASES)
            yield here.render_as_string(hide_password=False), elsewhere.render_as_string(hide_password=False)
            for name in _DATABASES:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    _measure("PostgreSQL", rounds, databases, rows, runs)


def main() -> None:
    """Measure on both databases; the ratio on SQLite is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the import")
    parser.add_argument("--runs", type=int, default=10_000, help="runs of the batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres-url", default="", help="measure on this PostgreSQL server instead of a new one")
    arguments = parser.parse_args()
    binaries = postgres_server.find_binaries()
    if arguments.postgres_url:
        _on_postgres(arguments.postgres_url, arguments.rounds, arguments.rows >> 2, arguments.runs >> 2)
    elif binaries is None:
        print("PostgreSQL: skipped, no server binaries found")
    else:
        with postgres_server.running_server(binaries, durable=True) as url:
            _on_postgres(url, arguments.rounds, arguments.rows >> 2, arguments.runs >> 2)
    measured = _measure("SQLite", arguments.rounds, _sqlite_files, arguments.rows, arguments.runs)
    elsewhere, here = (measured[f"import of {arguments.rows:,} rows, {where}"] for where in (_ELSEWHERE, _HERE))
    ratio = statistics.median(e / h for e, h in zip(elsewhere.longest, here.longest, strict=True))
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
