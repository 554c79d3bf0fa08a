"""How fast history is priced again under another plan: `python -m benchmarks.replay_plan [--runs N] [--keep FILE]`.

A ledger of a million runs is written once, by bulk inserts into a SQLite database of its own. Then
`recorded_history` and `compare` replay it, twice: under a plan that nobody is refused under, and under a dearer one
that runs a twentieth of the users dry, so that balances are walked. The seconds of each part are printed, the median
over the rounds.

Then the last month is replayed as the screens Plans and Compare do it, with at most 200,000 runs: it is read once, and
after that each change of a plan prices it again and compares it with the other plan.

The baseline is a plain sum of the record: the bare driver reads the same columns of the same runs, and a loop adds up
total, creators' and platform's part, by user, creator and model. It prices nothing again and follows no balance. The
last line printed is `ratio 0.NN`: the baseline's seconds over those of the slower replay.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from credits_core.lab.inspector.findings import findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay.between import between
from credits_core.lab.replay.counterfactual import replay
from credits_core.lab.replay.hits import hits
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.quote_many import quote_costs
from credits_core.reports import daily_totals
from credits_core.reports.recent_days import recent_days
from credits_core.reports.recorded_runs import recorded_history
from credits_core.settings import load_price_book
from credits_core.store import database
from credits_core.values.days import DayRange

_USERS, _CREATORS, _MODELS, _DAYS = 2_000, 200, 20, 90
_FIRST_US, _DAY_US = 1_767_225_600_000_000, 86_400_000_000
_INSERTS = {
    "journal_entries": "INSERT INTO journal_entries VALUES (?, ?, ?, ?, 'bench', NULL, ?, ?)",
    "credit_transactions": "INSERT INTO credit_transactions VALUES (?, ?, ?, ?, ?, ?, ?)",
    "prompt_runs": (
        "INSERT INTO prompt_runs (entry_id, user_id, prompt_id, model_id, creator_id, plan_id, run_price_credits,"
        " inference_cost_credits, creator_fee_credits, platform_markup_credits, total_credits, creator_share_credits,"
        " created_at_us) VALUES (?, ?, 'summarise', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ),
    "refunds": "INSERT INTO refunds VALUES (?, 'platform_bears_cost', FALSE)",
}
_RECORD = (
    "SELECT entry_id, user_id, creator_id, model_id, plan_id, created_at_us / 86400000000, inference_cost_credits,"
    " creator_fee_credits, platform_markup_credits, creator_share_credits FROM prompt_runs ORDER BY entry_id"
)


class _Ledger:
    """Writes entries in bulk, with balances that add up."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _INSERTS}
        self._balances: dict[str, int] = defaultdict(int)
        self._entries = 0

    def add(self, type_: str, at_us: int, *movements: tuple[str, str, int], refunds: int | None = None) -> int:
        self._entries += 1
        number = self._entries
        self._rows["journal_entries"].append((number, type_, f"bench-{number:09}", "0" * 64, refunds, at_us))
        for position, (account, kind, credits) in enumerate(movements):
            after = None
            if not account.startswith("platform:"):
                self._balances[account] += credits
                after = self._balances[account]
            self._rows["credit_transactions"].append((number, position, account, kind, credits, after, at_us))
        if refunds is not None:
            self._rows["refunds"].append((number,))
        if len(self._rows["journal_entries"]) >= 20_000:
            self.write()
        return number

    def add_run(self, *row: object) -> None:
        self._rows["prompt_runs"].append(row)

    def write(self) -> None:
        for table, rows in self._rows.items():
            self._connection.executemany(_INSERTS[table], rows)
            rows.clear()

    def finish(self) -> None:
        self.write()
        users = [(user, credits, _FIRST_US) for user, credits in self._balances.items()]
        self._connection.executemany(
            "INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES (?, ?, ?)", users
        )


def _make(path: Path, runs: int, plan: PricePlan) -> None:
    engine = database.create_engine_for(f"sqlite:///{path}")
    database.migrate(engine)
    engine.dispose()
    connection = database.sqlite_driver().connect(str(path))
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    random = np.random.default_rng(1)
    costs = random.lognormal(8.5, 1.3, runs).astype(np.int64) + 1
    fees = np.where(random.random(runs) < 0.4, random.integers(50, 5_000, runs), 0)
    quoted = quote_costs(plan, costs, creator_fee_credits=fees)
    users, creators = random.integers(0, _USERS, runs), random.integers(0, _CREATORS, runs)
    models = random.integers(0, _MODELS, runs)
    spent = np.zeros(_USERS, np.int64)
    np.add.at(spent, users, quoted.total_credits)
    ledger = _Ledger(connection)
    for user, credits in enumerate(spent.tolist()):
        # Every twentieth user has just what was spent.
        bought = max(credits, 1) if user % 20 == 0 else 2 * credits + 1_000_000
        outside = ("platform:payments_in", "credit_purchase", -bought)
        ledger.add("credit_purchase", _FIRST_US, (f"user-{user:05}", "credit_purchase", bought), outside)
    columns = (users, creators, models, costs, fees, quoted.platform_markup_credits, quoted.total_credits)
    rows = zip(*(column.tolist() for column in columns), quoted.creator_share_credits.tolist(), strict=True)
    for number, (user, creator, model, cost, fee, markup, total, share) in enumerate(rows):
        # A tenth of the creators are users and spend what they earn.
        earner = f"user-{creator:05}" if creator % 10 == 0 else f"creator-{creator:04}"
        at_us = _FIRST_US + _DAY_US * _DAYS * number // runs
        income = markup + fee - share
        paid = [(f"user-{user:05}", "prompt_run", -total)]
        paid += [(earner, "creator_payment", share)] if share else []
        paid += [("platform:revenue", "platform_revenue", income)] if income else []
        paid += [("platform:inference", "inference_cost", cost)]
        entry = ledger.add("prompt_run", at_us, *paid)
        priced = (cost, cost, fee, markup, total, share, at_us)
        ledger.add_run(entry, f"user-{user:05}", f"model-{model:02}", earner if fee else None, plan.id, *priced)
        if number % 200 == 199:  # one run in two hundred is refunded at once
            back = [(account, "refund" if kind == "prompt_run" else kind, -credits) for account, kind, credits in paid]
            back[-1] = ("platform:refunded_inference", "refund", -cost)
            ledger.add("refund", at_us, *back, refunds=entry)
    ledger.finish()
    connection.execute("COMMIT")
    connection.close()


def _plain_sum(path: Path) -> int:
    by_user: dict[str, int] = defaultdict(int)
    by_creator: dict[str, int] = defaultdict(int)
    by_model: dict[str, int] = defaultdict(int)
    platform = 0
    connection = database.sqlite_driver().connect(str(path))
    for _, user, creator, model, _, _, cost, fee, markup, share in connection.execute(_RECORD):
        total = cost + fee + markup
        by_user[user] += total
        by_model[model] += total
        platform += markup + fee - share
        if creator is not None:
            by_creator[creator] += share
    connection.close()
    assert sum(by_user.values()) == sum(by_model.values())
    return platform


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _plans(plan: PricePlan) -> Iterator[tuple[str, PricePlan]]:
    dearer = (*(MarkupTier(tier.below_credits, 3_000, None) for tier in plan.tiers[:-1]), plan.tiers[-1])
    yield "nobody refused", replace(plan, id="capped", cap_down=True)
    yield "a twentieth run dry", replace(plan, id="dearer", tiers=dearer)


def _last_month(engine: Engine, plan: PricePlan, *, rounds: int) -> None:
    daily_totals.catch_up(engine)
    with database.read(engine) as connection:
        finding, recent = _seconds(lambda: recent_days(connection, days=30, most_runs=200_000))
        assert recent is not None
        reading, history = _seconds(lambda: recorded_history(connection, recent.days))
    print(f"last month: {finding + reading:.2f} s to read {recent.runs:,} of {recent.runs_of_period:,} runs")
    card_fee = CardFee(290, 0)
    live = replay(history, plan)
    for name, other in _plans(plan):
        seconds = statistics.median(
            _seconds(lambda p=other: between(history, live, replay(history, p)))[0]  # type: ignore[misc]
            for _ in range(rounds)
        )
        print(f"last month under another plan, {name}: {seconds:.3f} s")
    counting, _ = _seconds(lambda: hits(history, plan, findings(plan, card_fee), card_fee))
    print(f"last month's runs that the findings hit: {counting:.3f} s")


def main() -> None:
    """Replay and compare with the baseline; the ratio is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are counted")
    parser.add_argument("--keep", type=Path, help="keep the ledger in this file, or use the one that is there")
    arguments = parser.parse_args()
    book = load_price_book()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = arguments.keep or Path(folder) / "replay.db"
        if not path.exists():
            making, _ = _seconds(lambda: _make(path, arguments.runs, book.plan))
            print(f"wrote a ledger of {arguments.runs:,} runs in {making:.0f} s")
        engine = database.create_engine_for(f"sqlite:///{path}")
        slowest, plain = 0.0, statistics.median(_seconds(lambda: _plain_sum(path))[0] for _ in range(arguments.rounds))
        print(f"plain sum of the record: {plain:.2f} s")
        for name, plan in _plans(book.plan):
            times = []
            for _ in range(arguments.rounds):
                with database.read(engine) as connection:
                    reading, history = _seconds(lambda c=connection: recorded_history(c, DayRange()))  # type: ignore[misc]
                comparing, found = _seconds(lambda h=history, p=plan: compare(h, p, book.plans))  # type: ignore[misc]
                times.append((reading + comparing, reading, comparing))
            seconds, reading, comparing = sorted(times)[len(times) // 2]
            print(
                f"{name}: {seconds:.2f} s (reading {reading:.2f}, pricing, following and adding up {comparing:.2f});"
                f" {found.runs:,} runs, {found.refused_runs:,} refused"
            )
            slowest = max(slowest, seconds)
        _last_month(engine, book.plan, rounds=arguments.rounds)
        engine.dispose()
    print(f"ratio {plain / slowest:.2f}")


if __name__ == "__main__":
    main()
