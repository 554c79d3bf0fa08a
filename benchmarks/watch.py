"""What `/metrics`, alerts and watching cost as a ledger grows: `python -m benchmarks.watch [--entries 1000000]`.

Builds a ledger of 10,000 entries and a larger one, on SQLite, as `benchmarks.growth` does, seals both, and watches all
of both once. Then it prints what one call of each takes in both, in milliseconds, with the ratio: the median of several
calls, by turns. A pass of watching has 200 new runs each time. Nothing is checked by time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from benchmarks import growth
from credits_core import settings
from credits_core.audit import seals
from credits_core.bulk import batch
from credits_core.ledger.requests import ChargeRequest
from credits_core.operations import alerts, jobs, watch
from credits_core.operations.alert_state import read_state
from credits_core.operations.watch_rules import load_watch_rules
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.roles import system
from credits_core.values.time_zones import UTC_ZONE

_BENCH = system("bench")
_NOW = growth.BEGIN + timedelta(days=growth.DAYS)
_NEW_RUNS, _ROUNDS = 200, 5
_RULES = load_watch_rules(settings.WATCH_FILE)


def _watch_all(engine: Engine) -> int:
    """Watch what is new, and return how many entry numbers that were."""
    entries = 0
    while (done := watch.watch_step(engine, _RULES, now=_NOW, zone=UTC_ZONE)) is not None:
        entries += done.entries
    return entries


def _prepared(path: Path, *, entries: int) -> Engine:
    engine = growth.build(path, entries=entries, user_count=entries // 10)
    seals.catch_up(engine, now=_NOW)
    begun = time.perf_counter()
    watched = _watch_all(engine)
    print(f"{entries:,} entries: watched {watched / (time.perf_counter() - begun):,.0f} entries a second")
    return engine


def _calls(engine: Engine) -> dict[str, Callable[[], object]]:
    books, keys, minutes = PriceBooks(settings.load_models()), count(), count()

    def state() -> object:
        with database.read(engine) as connection:
            return read_state(connection, jobs.NAMES, now=_NOW, zone=UTC_ZONE)

    def check() -> object:
        return alerts.check(engine, jobs.NAMES, now=_NOW + timedelta(minutes=next(minutes)), zone=UTC_ZONE)

    def charge() -> Iterator[None]:
        request = ChargeRequest("user-000500", "prompt-0001", "openai/gpt-4o", "creator-0001", 1_000, 1_000, 200)
        while True:
            database.write(
                engine,
                lambda connection: batch.charge_piece(
                    connection,
                    batch.Batch(request, _NEW_RUNS),
                    before=batch.Summary(),
                    book=books.at(connection),
                    key=f"new-{next(keys)}",
                    now=_NOW,
                    actor=_BENCH,
                ),
            )
            daily_totals.catch_up(engine)
            yield

    new_runs = charge()
    return {
        "the state, as /metrics reads it": state,
        "alerts, judged and kept": check,
        f"{_NEW_RUNS} new runs (not watching)": lambda: next(new_runs),
        "a pass of watching": lambda: _watch_all(engine),
    }


def main() -> None:
    """Build both ledgers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the large ledger; a tenth are users")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        sizes = (10_000, arguments.entries)
        ledgers = [_prepared(Path(folder) / f"{size}.db", entries=size) for size in sizes]
        calls = [_calls(engine) for engine in ledgers]
        print(f"{'':<36}{sizes[0]:>12,}{sizes[1]:>12,}   ratio")
        times: dict[str, list[list[float]]] = {name: [[], []] for name in calls[0]}
        for _ in range(_ROUNDS + 1):
            for name in calls[0]:
                for of_size, by_name in zip(times[name], calls, strict=True):
                    begun = time.perf_counter()
                    by_name[name]()
                    of_size.append((time.perf_counter() - begun) * 1_000)
        for name, both in times.items():
            small, large = (statistics.median(of_size[1:]) for of_size in both)
            print(f"{name:<36}{small:>12.1f}{large:>12.1f}{large / small:>8.1f}")
        for engine in ledgers:
            engine.dispose()


if __name__ == "__main__":
    main()
