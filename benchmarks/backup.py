"""What backups cost: `python -m benchmarks.backup [--entries 200000] [--ledger FILE]`.

Builds a SQLite ledger as `benchmarks.growth` does, or takes a copy of the one in FILE; makes a backup, restores it and
tries it, each with its time. Then charges one run after another, by turns alone and beside backups that follow each
other without a pause, and compares the pace. With `--postgres` the copy, the restore and the pace are those of a
PostgreSQL server of its own, with a ledger of a tenth of the entries. Nothing is checked by time.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url

from benchmarks.growth import build
from credits_core.audit import seals
from credits_core.ledger import actions, opening
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.operations.backups import create, drill, restore
from credits_core.operations.backups.manifest import Drilled, Manifest
from credits_core.operations.backups.place import Place, place_at
from credits_core.plans.book import PriceBooks
from credits_core.settings import load_models
from credits_core.startup import migrate
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.values.roles import system
from tests.support import postgres_server

Result = TypeVar("Result")
_BENCH = system("bench")
_CHARGES, _ROUNDS, _AT_ONCE = 1_500, 5, 1_000
_PAYER = "user-000500"


def main() -> None:
    """Measure, and print a line for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000, help="entries of the ledger; a tenth are users")
    parser.add_argument("--ledger", type=Path, help="take a copy of this SQLite file instead")
    parser.add_argument("--postgres", action="store_true", help="measure PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-", dir=Path.cwd())))
        if arguments.postgres:
            engine, into = _postgres(opened, arguments.entries // 10)
        else:
            engine, into = _sqlite(folder, arguments), f"sqlite:///{folder / 'restored.db'}"
        where = place_at(str(folder / "backups"))
        seals.catch_up(engine, now=datetime.now(UTC))  # as a server has done before
        made = _timed("made a backup", lambda: _back_up(engine, where))
        print(f"{made.figures.entries:,} entries, {made.content_bytes:,} bytes become {made.stored_bytes:,}")
        _timed(
            "restored",
            lambda: finish(
                restore.restoring(
                    where,
                    made.name,
                    into=into,
                    replace=False,
                    identity_file=None,
                    now=datetime.now(UTC),
                    actor=_BENCH,
                )
            ),
        )
        drilled = _timed("tried in a drill", lambda: _try(engine, where, made.name))
        print(drilled.message)
        _charge_by_turns(engine, where)
        engine.dispose()


def _sqlite(folder: Path, arguments: argparse.Namespace) -> Engine:
    path = folder / "ledger.db"
    if arguments.ledger is None:
        return build(path, entries=arguments.entries, user_count=arguments.entries // 10)
    engine = database.create_engine_for(f"sqlite:///{shutil.copy(arguments.ledger, path)}")
    database.migrate(engine)
    return engine


def _postgres(opened: ExitStack, entries: int) -> tuple[Engine, str]:
    binaries = postgres_server.find_binaries()
    assert binaries is not None, "install Debian's package postgresql"
    url = make_url(opened.enter_context(postgres_server.running_server(binaries, durable=True)))
    engine = database.create_engine_for(url.render_as_string(hide_password=False))
    migrate(engine)
    books = PriceBooks(load_models())
    given = {f"user-{number:06}": 10**9 for number in range(_AT_ONCE)}
    now = datetime.now(UTC)
    database.write(
        engine, partial(opening.import_opening_balances, opening_credits=given, now=now, actor=_BENCH, leaves_room=True)
    )
    for first in range(0, entries, _AT_ONCE):
        charges = [Charge(_run(), f"run-{number}", now, _BENCH) for number in range(first, first + _AT_ONCE)]
        database.write(engine, partial(_charge_all, charges=charges, books=books))
    return engine, url.set(database="restored").render_as_string(hide_password=False)


def _charge_all(connection: Connection, charges: list[Charge], books: PriceBooks) -> None:
    actions.charge_prompts(connection, charges, book=books.asked(connection))


def _back_up(engine: Engine, where: Place) -> Manifest:
    return finish(create.creating(engine, where, recipients=(), now=datetime.now(UTC), actor=_BENCH))


def _try(engine: Engine, where: Place, name: str) -> Drilled:
    return finish(
        drill.drilling(
            engine,
            where,
            name,
            scratch_url=None,
            identity_file=None,
            models=load_models(),
            clock=lambda: datetime.now(UTC),
            actor=_BENCH,
        )
    )


def _timed(what: str, work: Callable[[], Result]) -> Result:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    print(f"{what} in {time.perf_counter() - wall:.1f} s, {time.process_time() - processor:.1f} s of processor time")
    return result


def _charge_by_turns(engine: Engine, where: Place) -> None:
    """The pace of charges alone and beside backups, by turns; and the longest wait of a charge in each."""
    paces: dict[bool, list[float]] = {False: [], True: []}
    longest = {False: 0.0, True: 0.0}
    books, made = PriceBooks(load_models()), 0
    for number in range(_ROUNDS):
        for beside in (False, True):
            done = threading.Event()
            backing_up = _Backups(engine, where, done)
            if beside:
                backing_up.start()
            begun = time.perf_counter()
            for charge in range(_CHARGES):
                charged = time.perf_counter()
                _charge(engine, books, f"{number}-{beside}-{charge}")
                longest[beside] = max(longest[beside], time.perf_counter() - charged)
            paces[beside].append(_CHARGES / (time.perf_counter() - begun))
            done.set()
            if beside:
                backing_up.join()
                made += backing_up.made
    ratio = statistics.median(beside / alone for alone, beside in zip(paces[False], paces[True], strict=True))
    alone, with_backups = (statistics.median(paces[beside]) for beside in (False, True))
    print(f"{alone:,.0f} charges/s alone, {with_backups:,.0f} beside {made} backups: ratio {ratio:.2f}")
    print(f"longest charge: {longest[False] * 1000:,.0f} ms alone, {longest[True] * 1000:,.0f} ms beside backups")


class _Backups(threading.Thread):
    """Makes backups one after the other until it is told to end."""

    def __init__(self, engine: Engine, where: Place, done: threading.Event) -> None:
        super().__init__()
        self._engine, self._where, self._done = engine, where, done
        self.made = 0

    def run(self) -> None:
        while not self._done.is_set():
            made = _back_up(self._engine, self._where)
            self._where.delete(made)
            self.made += 1


def _run() -> ChargeRequest:
    return ChargeRequest(_PAYER, "prompt-0001", "openai/gpt-4o", "creator-0001", 1_000, 1_000, 200)


def _charge(engine: Engine, books: PriceBooks, key: str) -> None:
    database.write(
        engine,
        lambda connection: actions.charge_prompt(
            connection,
            _run(),
            book=books.asked(connection),
            key=f"backup-{key}",
            now=datetime.now(UTC),
            actor=_BENCH,
        ),
    )


if __name__ == "__main__":
    main()
