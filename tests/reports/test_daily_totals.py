"""The daily totals: the sums of what they cover, nothing twice, nothing left out."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.audit import daily_tables, invariants
from credits_core.ledger import actions
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals, sums
from credits_core.store import database
from credits_core.values import days
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row, rows, scalar
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW, UNLOCK

LAST_MOMENT = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
MIDNIGHT = LAST_MOMENT + timedelta(microseconds=1)
MARCH_1, MARCH_2 = 20_513, 20_514  # days since 1970-01-01


def _two_days(engine: Engine) -> None:
    """Six entries; the fourth happened before the third."""
    world.add(engine, "ada", 10_000, key="fund", now=NOW)
    charged = world.charge(engine, HAIKU_WITH_FEE, key="run-1", now=LAST_MOMENT)
    world.charge(engine, HAIKU_WITH_FEE, key="run-2", now=MIDNIGHT)
    world.charge(engine, HAIKU, key="run-3", now=NOW)
    world.unlock(engine, UNLOCK, key="unlock", now=MIDNIGHT)
    world.refund(engine, charged.entry_id, key="refund", now=MIDNIGHT)


# day, account, kind of entry, kind of transaction, credits, transactions
TWO_DAYS = [
    (MARCH_1, "ada", "credit_purchase", "credit_purchase", 10_000, 1),
    (MARCH_1, "ada", "prompt_run", "prompt_run", -1_251 - 300, 2),
    (MARCH_1, "ben", "prompt_run", "creator_payment", 800, 1),
    (MARCH_1, "platform:inference", "prompt_run", "inference_cost", 250 + 250, 2),
    (MARCH_1, "platform:payments_in", "credit_purchase", "credit_purchase", -10_000, 1),
    (MARCH_1, "platform:revenue", "prompt_run", "platform_revenue", 201 + 50, 2),
    (MARCH_2, "ada", "flow_unlock", "flow_unlock", -1_001, 1),
    (MARCH_2, "ada", "prompt_run", "prompt_run", -1_251, 1),
    (MARCH_2, "ada", "refund", "refund", 1_251, 1),
    (MARCH_2, "ben", "flow_unlock", "creator_payment", 800, 1),
    (MARCH_2, "ben", "prompt_run", "creator_payment", 800, 1),
    (MARCH_2, "ben", "refund", "creator_payment", -800, 1),
    (MARCH_2, "platform:inference", "prompt_run", "inference_cost", 250, 1),
    (MARCH_2, "platform:refunded_inference", "refund", "refund", -250, 1),
    (MARCH_2, "platform:revenue", "flow_unlock", "platform_revenue", 201, 1),
    (MARCH_2, "platform:revenue", "prompt_run", "platform_revenue", 201, 1),
    (MARCH_2, "platform:revenue", "refund", "platform_revenue", -201, 1),
]


def _totals(engine: Engine) -> list[tuple[object, ...]]:
    return sorted(rows(engine, "SELECT * FROM daily_totals"), key=repr)


def _sums(engine: Engine) -> list[tuple[object, ...]]:
    """What the totals must be once everything is covered, by plain SQL."""
    return sorted(
        rows(
            engine,
            "SELECT t.created_at_us / 86400000000, t.account_id, e.type, t.type, CAST(SUM(t.amount_credits) AS BIGINT),"
            " COUNT(*) FROM credit_transactions t JOIN journal_entries e ON e.id = t.entry_id GROUP BY 1, 2, 3, 4",
        ),
        key=repr,
    )


def test_the_totals_are_the_sums_by_utc_day_account_and_kinds(engine: Engine) -> None:
    _two_days(engine)
    assert _totals(engine) == []

    assert daily_totals.catch_up(engine) == 6

    assert _totals(engine) == TWO_DAYS
    assert _sums(engine) == TWO_DAYS
    assert scalar(engine, "SELECT entry_id FROM rollup_watermark") == scalar(
        engine, "SELECT MAX(id) FROM journal_entries"
    )


def test_an_empty_ledger_has_nothing_to_catch_up(engine: Engine) -> None:
    before = every_row(engine)
    assert daily_totals.catch_up(engine) == 0
    assert every_row(engine) == before


def test_catching_up_again_adds_nothing(engine: Engine) -> None:
    _two_days(engine)
    daily_totals.catch_up(engine)
    after_first = every_row(engine)
    assert daily_totals.catch_up(engine) == 0
    assert every_row(engine) == after_first


def test_entries_posted_since_are_added_to_the_totals_of_their_days(engine: Engine) -> None:
    _two_days(engine)
    daily_totals.catch_up(engine)
    world.charge(engine, HAIKU, key="run-4", now=MIDNIGHT)
    world.charge(engine, HAIKU_WITH_FEE, key="run-5", now=LAST_MOMENT)
    assert _totals(engine) == TWO_DAYS

    assert daily_totals.catch_up(engine) == 2

    assert _totals(engine) == _sums(engine)
    assert (MARCH_1, "ada", "prompt_run", "prompt_run", -1_251 - 300 - 1_251, 3) in _totals(engine)
    assert (MARCH_2, "platform:revenue", "prompt_run", "platform_revenue", 201 + 50, 2) in _totals(engine)


def test_catching_up_in_several_steps_covers_everything_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_days(engine)
    world.charge(engine, HAIKU, key="run-4", now=MIDNIGHT)
    monkeypatch.setattr(daily_totals, "_ENTRIES_PER_UNIT_OF_WORK", 2)
    assert daily_totals.catch_up(engine) == 7
    assert _totals(engine) == _sums(engine)


def test_a_unit_of_work_covers_two_thousand_entries_at_most(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered: list[object] = []

    def write(engine: Engine, action: Callable[[Connection], object]) -> object:
        covered.append(database.write(engine, action))
        return covered[-1]

    columns = "id, type, idempotency_key, request_hash, actor, created_at_us"
    with sqlite_engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO journal_entries ({columns}) VALUES (5000, 'grant', 'the last', '', 'tester', 0)")
        )
    monkeypatch.setattr(daily_totals, "database", SimpleNamespace(write=write, read=database.read))
    assert daily_totals.catch_up(sqlite_engine) == 5_000
    assert covered == [2_000, 2_000, 1_000, 0]


def test_reports_do_not_depend_on_how_far_the_totals_have_caught_up(engine: Engine) -> None:
    def by_day() -> list[sums.DayTotals]:
        with database.read(engine) as connection:
            return sums.totals_by_day(connection, days.DayRange())

    _two_days(engine)
    before = by_day()
    assert [(totals.inference_credits, totals.platform_credits, totals.creators_credits) for totals in before] == [
        (500, 251, 800),
        (250, 201, 800),
    ]
    daily_totals.catch_up(engine)
    assert by_day() == before
    world.charge(engine, HAIKU, key="run-4", now=MIDNIGHT)
    half_way = by_day()
    daily_totals.catch_up(engine)
    assert by_day() == half_way == [before[0], _with_a_run(before[1], inference=250, platform=50, circulation=-300)]


def _with_a_run(day: sums.DayTotals, *, inference: int, platform: int, circulation: int) -> sums.DayTotals:
    """The day with one run more."""
    return replace(
        day,
        inference_credits=day.inference_credits + inference,
        platform_credits=day.platform_credits + platform,
        circulation_change_credits=day.circulation_change_credits + circulation,
        runs=day.runs + 1,
    )


def test_many_who_catch_up_at_once_count_nothing_twice(engine: Engine) -> None:
    _two_days(engine)
    covered = racers.at_once([lambda: daily_totals.catch_up(engine)] * 6)
    assert sum(covered) == 6
    assert _totals(engine) == TWO_DAYS


def test_catching_up_while_charges_go_on_loses_none(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 10**6, key="fund")

    def charge_often(name: str) -> int:
        for number in range(15):
            world.charge(engine, HAIKU_WITH_FEE, key=f"{name}-{number}")
        return 0

    def catch_up_often() -> int:
        return sum(daily_totals.catch_up(engine) for _ in range(10))

    racers.at_once([lambda name=name: charge_often(name) for name in "abcd"] + [catch_up_often, catch_up_often])

    daily_totals.catch_up(engine)
    assert _totals(engine) == _sums(engine)
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def test_an_entry_still_under_way_with_a_lower_number_is_not_lost(postgres_engine: Engine, book: PriceBook) -> None:
    world.add(postgres_engine, "ada", 10_000, key="fund-ada")
    world.add(postgres_engine, "cleo", 10_000, key="fund-cleo")
    covered: list[int] = []
    catching_up = threading.Thread(target=lambda: covered.append(daily_totals.catch_up(postgres_engine)))

    with postgres_engine.begin() as connection:
        slow = actions.charge_prompt(connection, HAIKU, book=book, key="slow", now=NOW, actor=TESTER)
        quick = world.charge(postgres_engine, world.run_by("cleo"), key="quick")
        assert quick.entry_id > slow.entry_id
        catching_up.start()
        catching_up.join(1)
        assert catching_up.is_alive()  # it waits for the slow one, and nobody waits for it
        world.charge(postgres_engine, world.run_by("cleo"), key="meanwhile")
    catching_up.join()

    assert covered == [4]
    assert daily_totals.catch_up(postgres_engine) == 1
    assert _totals(postgres_engine) == _sums(postgres_engine)


def test_a_writer_that_never_ends_leaves_its_entries_for_the_next_time(
    postgres_engine: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LONGEST_WAIT_SECONDS", 0.1)
    world.add(postgres_engine, "ada", 10_000, key="fund-ada")
    with postgres_engine.begin() as connection:
        actions.charge_prompt(connection, HAIKU, book=book, key="slow", now=NOW, actor=TESTER)
        assert daily_totals.catch_up(postgres_engine) == 0
    assert daily_totals.catch_up(postgres_engine) == 2


def test_the_audit_sees_totals_that_are_wrong(engine: Engine, book: PriceBook) -> None:
    _two_days(engine)
    daily_totals.catch_up(engine)
    for damage in (
        "UPDATE daily_totals SET amount_credits = amount_credits + 1 WHERE account_id = 'ben'",
        "UPDATE daily_totals SET transaction_count = 0 WHERE account_id = 'ben'",
        "DELETE FROM daily_totals WHERE account_id = 'ben'",
        "INSERT INTO daily_totals VALUES (1, 'ben', 'grant', 'grant', 5, 1)",
        "UPDATE rollup_watermark SET entry_id = entry_id - 1",
        "UPDATE rollup_watermark SET circulating_credits = circulating_credits + 1",
        "UPDATE daily_sums SET given_credits = given_credits + 1 WHERE party = 'users' AND type = 'prompt_run'",
        "UPDATE daily_sums SET first_entry_id = first_entry_id + 1 WHERE party = 'platform:inference'",
        "UPDATE daily_sums SET last_entry_id = last_entry_id - 1 WHERE party = 'platform:inference'",
        "DELETE FROM daily_sums WHERE party = 'platform:revenue'",
        "UPDATE daily_works SET uses = uses + 1",
        "UPDATE daily_works SET refunded_uses = refunded_uses + 1",
        "UPDATE daily_works SET fees_credits = fees_credits + 1 WHERE creator_id = 'ben'",
        "DELETE FROM daily_works WHERE creator_id = 'ben'",
    ):
        with engine.connect() as connection:
            assert daily_tables.daily_totals_are_sums(connection, book.plans).ok
            connection.execute(text(damage))
            assert not daily_tables.daily_totals_are_sums(connection, book.plans).ok
            connection.rollback()
