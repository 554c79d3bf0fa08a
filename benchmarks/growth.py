"""What reading and writing cost as a ledger grows: `python -m benchmarks.growth [--entries 1000000]`.

Builds a ledger of 10,000 entries and 1,000 users and one of a hundred times as many, on SQLite, through the same bulk
path as an import and a batch, and prints what one call of each takes in both, in milliseconds, with the ratio. Each is
the median of several calls, by turns on the two ledgers. Nothing is checked by time.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from sqlalchemy import Connection, Engine

from credits_core.audit import invariants
from credits_core.bulk.pieces import undisturbed
from credits_core.ledger import accounts, actions, opening
from credits_core.ledger.accounts import TransactionFilter
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals, earnings, movements, recent_days, statements, sums, users
from credits_core.settings import load_models
from credits_core.store import database
from credits_core.store.kinds import CreditSource, TransactionType
from credits_core.values.days import DayRange
from credits_core.values.roles import system

_BENCH = system("bench")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, _CREATORS, _PROMPTS = 30, 200, 1_000
_AT_ONCE = 1_000
_MONTH = DayRange(BEGIN.date(), (BEGIN + timedelta(days=DAYS - 1)).date())
_OLD_DAY = DayRange(BEGIN.date(), BEGIN.date())
_ROUNDS = 5


def build(path: Path, *, entries: int, user_count: int) -> Engine:
    """A ledger of so many entries: an opening balance for each user, then runs over 30 days, one in 500 refunded."""
    engine = database.create_engine_for(f"sqlite:///{path}")
    database.migrate(engine)
    books, random = PriceBooks(load_models()), Random(20_261_126)  # noqa: S311 - not a secret
    names = [f"user-{number:06}" for number in range(user_count)]
    begun = time.perf_counter()
    with undisturbed():
        for first in range(0, user_count, _AT_ONCE):
            given = dict.fromkeys(names[first : first + _AT_ONCE], 10**9)
            database.write(
                engine,
                partial(
                    opening.import_opening_balances, opening_credits=given, now=BEGIN, actor=_BENCH, leaves_room=True
                ),
            )
        imported = time.perf_counter()
        runs = entries - user_count
        for first in range(0, runs, _AT_ONCE):
            charges = [
                _charge(number, random, names, at=BEGIN + timedelta(days=DAYS) * number / runs)
                for number in range(first, min(first + _AT_ONCE, runs))
            ]
            database.write(engine, partial(_charge_all, charges=charges, books=books))
            if first % (20 * _AT_ONCE) == 0:
                _refund(engine, books, user_count + first + 1, at=charges[-1].now)
    print(
        f"{entries:,} entries: {user_count / (imported - begun):,.0f} opening balances a second,"
        f" {runs / (time.perf_counter() - imported):,.0f} runs a second"
    )
    begun = time.perf_counter()
    daily_totals.catch_up(engine)
    print(f"{entries:,} entries: first roll-up {time.perf_counter() - begun:.1f} s")
    return engine


def _charge_all(connection: Connection, charges: list[Charge], books: PriceBooks) -> None:
    actions.charge_prompts(connection, charges, book=books.asked(connection))


def _charge(number: int, random: Random, names: list[str], *, at: datetime) -> Charge:
    prompt = random.randrange(_PROMPTS)
    creator_id = f"creator-{prompt % _CREATORS:04}" if prompt % 3 else None
    run = ChargeRequest(
        names[random.randrange(len(names))],
        f"prompt-{prompt:04}",
        "openai/gpt-4o",
        creator_id,
        1_000 if creator_id else 0,
        random.randrange(100, 4_000),
        random.randrange(10, 800),
    )
    return Charge(run, f"run-{number}", at, _BENCH)


def _refund(engine: Engine, books: PriceBooks, entry_id: int, *, at: datetime) -> None:
    database.write(
        engine,
        lambda connection: actions.refund(
            connection,
            entry_id,
            reason="Benchmark",
            book=books.at(connection),
            key=f"refund-{entry_id}",
            now=at,
            actor=_BENCH,
        ),
    )


def _calls(engine: Engine) -> dict[str, Callable[[], object]]:
    """What is measured, by the words for it."""
    books = PriceBooks(load_models())
    keys = iter(range(10**9))
    now = BEGIN + timedelta(days=DAYS)

    def reading(read: Callable[[Connection], object]) -> Callable[[], object]:
        def call() -> object:
            with database.read(engine) as connection:
                return read(connection)

        return call

    def charge() -> object:
        request = ChargeRequest("user-000500", "prompt-0001", "openai/gpt-4o", "creator-0001", 1_000, 1_000, 200)
        return database.write(
            engine,
            lambda connection: actions.charge_prompt(
                connection, request, book=books.asked(connection), key=f"now-{next(keys)}", now=now, actor=_BENCH
            ),
        )

    def add() -> object:
        return database.write(
            engine,
            lambda connection: actions.add_credits(
                connection,
                "user-000500",
                100,
                source=CreditSource.PURCHASE,
                key=f"add-{next(keys)}",
                now=now,
                actor=_BENCH,
            ),
        )

    def overview(connection: Connection) -> None:
        sums.entry_days(connection)
        sums.overview(connection, _MONTH)
        sums.spending(connection, _MONTH)
        accounts.transactions(connection, TransactionFilter(days=_MONTH, headline_only=True), limit=8)

    def creators(connection: Connection) -> None:
        listed = statements.statements(connection, _MONTH)
        statements.plan_ids(connection, _MONTH)
        earnings.creator_totals(connection, DayRange(), limit=200)
        earnings.earned_by_day(connection, _MONTH)
        leading = [one.creator_id or "" for one in listed[:8]]
        earnings.earned_by_day_and_creator(connection, _MONTH, creator_ids=leading, with_others=True)
        earnings.top_prompts(connection, _MONTH)
        earnings.top_flows(connection, _MONTH)
        earnings.unlocks(connection, _MONTH)

    def one_user(connection: Connection) -> None:
        users.roles(connection, ["user-000500"])
        sums.account_flow(connection, "user-000500")
        accounts.balance_history(connection, "user-000500")
        accounts.transactions(connection, TransactionFilter(account_id="user-000500"), limit=8)

    def balances(connection: Connection) -> None:
        accounts.user_count(connection)
        listed = accounts.users(connection, limit=26)
        users.roles(connection, [one.user_id for one in listed])

    def history(wanted: TransactionFilter) -> Callable[[Connection], object]:
        return lambda connection: (
            movements.page(connection, wanted, limit=26),
            None if wanted.headline_only else movements.in_all(connection, wanted),
        )

    return {
        "one charge": charge,
        "add credits": add,
        "overview's reads": reading(overview),
        "creators' reads": reading(creators),
        "balances' reads": reading(balances),
        "one user's reads": reading(one_user),
        "history, newest": reading(history(TransactionFilter(headline_only=True))),
        "history of a rare type": reading(history(TransactionFilter(types=[TransactionType.REFUND]))),
        "history of an old day": reading(history(TransactionFilter(days=_OLD_DAY, headline_only=True))),
        "history of payments": reading(history(TransactionFilter(types=[TransactionType.CREATOR_PAYMENT]))),
        "find a user by part of the id": reading(lambda connection: accounts.users(connection, search="er-0005")),
        "price of a typical run": reading(users.median_total_credits),
        "days of the last month": reading(
            lambda connection: recent_days.recent_days(connection, days=30, most_runs=100_000)
        ),
    }


def main() -> None:
    """Build both ledgers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the large ledger; a tenth are users")
    parser.add_argument("--verify", action="store_true", help="prove the large ledger, too: most of a minute")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        sizes = (10_000, arguments.entries)
        ledgers = [build(Path(folder) / f"{size}.db", entries=size, user_count=size // 10) for size in sizes]
        calls = [_calls(engine) for engine in ledgers]
        for engine in ledgers:  # the last entries, and the first charge's statements
            daily_totals.catch_up(engine)
        print(f"{'':<32}{sizes[0]:>12,}{sizes[1]:>12,}   ratio")
        for name in calls[0]:
            times: list[list[float]] = [[], []]
            for _ in range(_ROUNDS + 1):
                for of_size, by_name in zip(times, calls, strict=True):
                    begun = time.perf_counter()
                    by_name[name]()
                    of_size.append((time.perf_counter() - begun) * 1_000)
            small, large = (statistics.median(of_size[1:]) for of_size in times)
            print(f"{name:<32}{small:>12.1f}{large:>12.1f}{large / small:>8.1f}")
        if arguments.verify:
            begun = time.perf_counter()
            findings = invariants.check(ledgers[1], PriceBooks(load_models()).at(ledgers[1].connect()).plans)
            print(f"verify {time.perf_counter() - begun:.0f} s, {sum(not finding.ok for finding in findings)} findings")
        for engine in ledgers:
            engine.dispose()


if __name__ == "__main__":
    main()
