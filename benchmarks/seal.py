"""What seals cost: `python -m benchmarks.seal [--entries 1000000] [--ledger FILE]`, on SQLite.

Builds a ledger as `benchmarks.growth` does, or takes a copy of the one in FILE, seals all of it, checks the chain, and
then charges by turns alone and beside a thread that seals every five seconds, twelve times as often as a server. Prints
wall time, processor time, and how many charges a second there were. Nothing is checked by time.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from benchmarks.growth import build
from credits_core.audit import seal_check, seal_workers, seals
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.settings import load_models
from credits_core.store import database
from credits_core.values.progress import finish
from credits_core.values.roles import system

Result = TypeVar("Result")
_CHARGES, _ROUNDS, _SECONDS_BETWEEN = 5_000, 5, 5


def main() -> None:
    """Measure, and print a line for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the ledger; a tenth are users")
    parser.add_argument("--ledger", type=Path, help="take a copy of this SQLite file instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "ledger.db"
        if arguments.ledger is None:
            engine = build(path, entries=arguments.entries, user_count=arguments.entries // 10)
        else:
            engine = database.create_engine_for(f"sqlite:///{shutil.copy(arguments.ledger, path)}")
            database.migrate(engine)
        size = path.stat().st_size
        with seal_workers.for_many(engine, 10**9) as hashing:
            _timed("sealed", lambda: seals.catch_up(engine, now=datetime.now(UTC), hashing=hashing))
            with database.read(engine) as connection:
                _timed("checked on every core", lambda: finish(seal_check.check(connection, hashing=hashing)))
        with database.read(engine) as connection:
            checked = _timed("checked on one core", lambda: finish(seal_check.check(connection)))
        print(f"{checked.seals:,} seals over {checked.entries:,} entries, {len(checked.violations)} wrong")
        print(f"the file grew by {path.stat().st_size / size - 1:.1%}")
        _charge_by_turns(engine)
        engine.dispose()


def _timed(what: str, work: Callable[[], Result]) -> Result:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    print(f"{what} in {time.perf_counter() - wall:.1f} s, {time.process_time() - processor:.1f} s of processor time")
    return result


def _charge_by_turns(engine: Engine) -> None:
    times: dict[bool, list[float]] = {False: [], True: []}
    books = PriceBooks(load_models())
    for number in range(_ROUNDS):
        for beside in (False, True):
            done = threading.Event()
            sealing = threading.Thread(target=_seal_now_and_then, args=(engine, done))
            if beside:
                sealing.start()
            begun = time.perf_counter()
            for charge in range(_CHARGES):
                _charge(engine, books, f"{number}-{beside}-{charge}")
            times[beside].append(time.perf_counter() - begun)
            done.set()
            if beside:
                sealing.join()
    alone, with_seals = (_CHARGES / statistics.median(times[beside]) for beside in (False, True))
    print(f"{alone:,.0f} charges/s alone, {with_seals:,.0f} beside sealing: {1 - with_seals / alone:+.1%} slower")


def _seal_now_and_then(engine: Engine, done: threading.Event) -> None:
    while not done.wait(_SECONDS_BETWEEN):
        seals.catch_up(engine, now=datetime.now(UTC))


def _charge(engine: Engine, books: PriceBooks, key: str) -> None:
    request = ChargeRequest("user-000500", "prompt-0001", "openai/gpt-4o", "creator-0001", 1_000, 1_000, 200)
    database.write(
        engine,
        lambda connection: actions.charge_prompt(
            connection,
            request,
            book=books.asked(connection),
            key=f"seal-{key}",
            now=datetime.now(UTC),
            actor=system("bench"),
        ),
    )


if __name__ == "__main__":
    main()
