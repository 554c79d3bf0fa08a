"""How fast a charge is, as ratios in one run: `python -m benchmarks.charge [--charges N]`.

Single charges through `actions.charge_prompt` against the same rows written by the bare driver, both in one durable
commit each, alternating in rounds; batches, and threads whose charges are committed together, against the bare driver's
single charges; first the same on PostgreSQL, against bare psycopg: on the server of `--postgres-url`, or on a durable
one that is started for it where the machine has the binaries. Each ratio is the median over the rounds. The last line
printed is `ratio 0.NN`: single charges on SQLite.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import Engine

from benchmarks import bare
from credits_core.bulk.group_commit import GroupCommit
from credits_core.bulk.pieces import undisturbed
from credits_core.ledger import actions
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.settings import load_models
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import system
from tests.support import postgres_server, racers

_BENCH = system("bench")
_REQUEST = ChargeRequest("ada", "summarise", "openai/gpt-4o", "ben", 1_001, 1_020, 129)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SCHEMAS = ("bench_ours", "bench_bare")
_THREADS, _PER_THREAD = 32, 30


def _compare(name: str, engine: Engine, bare_charge: Callable[[str], object], charges: int, rounds: int) -> float:
    books = PriceBooks(load_models())
    group = GroupCommit(lambda: engine, books.asked)
    waits: list[float] = []
    database.write(
        engine,
        lambda connection: actions.add_credits(
            connection, "ada", bare.PLENTY_CREDITS, source=CreditSource.PURCHASE, key="fund", now=_NOW, actor=_BENCH
        ),
    )

    def single(key: str) -> None:
        database.write(
            engine,
            lambda connection: actions.charge_prompt(
                connection, _REQUEST, book=books.asked(connection), key=key, now=_NOW, actor=_BENCH
            ),
        )

    def batch(key: str, *, size: int) -> None:
        batch_charges = [Charge(_REQUEST, f"{key}-{number}", _NOW, _BENCH) for number in range(size)]
        with undisturbed():
            outcomes = database.write(
                engine,
                lambda connection: actions.charge_prompts(connection, batch_charges, book=books.asked(connection)),
            )
        assert not any(isinstance(outcome, Exception) for outcome in outcomes)

    def at_once(key: str) -> None:
        def charge_some(thread: int) -> None:
            for number in range(_PER_THREAD):
                begun = time.perf_counter()
                group.submit(Charge(_REQUEST, f"{key}-{thread}-{number}", _NOW, _BENCH)).result()
                waits.append(time.perf_counter() - begun)

        with undisturbed():
            racers.at_once([partial(charge_some, thread) for thread in range(_THREADS)])

    kinds: dict[str, tuple[Callable[[str], object], int]] = {
        "bare": (bare_charge, 1),
        "single": (single, 1),
        "batch of 100": (partial(batch, size=100), 100),
        "batch of 1,000": (partial(batch, size=1_000), 1_000),
        f"{_THREADS} threads": (at_once, _THREADS * _PER_THREAD),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round_ in range(rounds + 1):  # the first round warms up and is not counted
        if not round_:
            waits.clear()
        for kind, (charge, per_call) in kinds.items():
            begun = time.perf_counter()
            calls = max(1, charges // per_call)
            for number in range(calls):
                charge(f"{kind}-{round_}-{number}".replace(" ", "-"))
            if round_:
                rates[kind].append(calls * per_call / (time.perf_counter() - begun))
    group.close()
    ratios = {}
    for kind, of_kind in rates.items():
        ratios[kind] = statistics.median(rate / of_bare for rate, of_bare in zip(of_kind, rates["bare"], strict=True))
        print(f"{name}: {kind:<15} {statistics.median(of_kind):>8,.0f}/s, against bare {ratios[kind]:.2f}")
    print(f"{name}: the longest wait of the {_THREADS} threads was {max(waits) * 1000:.0f} ms")
    return ratios["single"]


def on_sqlite(charges: int, rounds: int) -> float:
    """The median ratio of single charges to bare ones, each side on a migrated database of its own."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        engine = database.create_engine_for(f"sqlite:///{folder}/ours.db")
        database.migrate(engine)
        bare_engine = database.create_engine_for(f"sqlite:///{folder}/bare.db")
        database.migrate(bare_engine)
        bare_engine.dispose()
        driver = database.sqlite_driver()
        connection = bare.opened(f"{folder}/bare.db")
        ratio = _compare(
            f"SQLite {driver.sqlite_version}",
            engine,
            lambda key: bare.charge(connection, key),
            charges,
            rounds,
        )
        connection.close()
        engine.dispose()
    return ratio


def on_postgres(url: str, charges: int, rounds: int) -> None:
    """Print the same comparison against bare psycopg on the server at this URL, in two schemas of its own."""
    with psycopg.connect(url, autocommit=True) as admin:
        try:
            for schema in _SCHEMAS:
                admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
                admin.execute(f"CREATE SCHEMA {schema}")
            _compare_on_postgres(url, charges, rounds)
        finally:
            for schema in _SCHEMAS:
                admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def _compare_on_postgres(url: str, charges: int, rounds: int) -> None:
    statements = tuple(statement.replace("?", "%s") for statement in bare.STATEMENTS)
    engines = {
        schema: database.create_engine_for(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}")
        for schema in _SCHEMAS
    }
    try:
        for engine in engines.values():
            database.migrate(engine)
        with psycopg.connect(url, autocommit=True, options="-csearch_path=bench_bare") as connection:
            connection.execute(
                "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ada', %s, 0)",
                (bare.PLENTY_CREDITS,),
            )
            _compare(
                f"PostgreSQL {connection.info.server_version // 10000}",
                engines["bench_ours"],
                lambda key: bare.charge(connection, key, statements, begin="BEGIN"),
                charges,
                rounds,
            )
    finally:
        for engine in engines.values():
            engine.dispose()


def main() -> None:
    """Run both comparisons; the SQLite ratio of single charges is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--charges", type=int, default=1_000, help="charges of each kind per round")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that are counted")
    parser.add_argument("--postgres-url", default="", help="measure this PostgreSQL server instead of a new one")
    arguments = parser.parse_args()
    binaries = postgres_server.find_binaries()
    if arguments.postgres_url:
        on_postgres(arguments.postgres_url, arguments.charges, arguments.rounds)
    elif binaries is None:
        print("PostgreSQL: skipped, no server binaries found")
    else:
        with postgres_server.running_server(binaries, durable=True) as url:
            on_postgres(url, arguments.charges, arguments.rounds)
    ratio = on_sqlite(arguments.charges, arguments.rounds)
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
