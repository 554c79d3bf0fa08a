"""Pages and sums of movements, and that no report depends on how far the daily tables have caught up."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.ledger import accounts
from credits_core.ledger.accounts import TransactionFilter
from credits_core.reports import daily_totals, earnings, movements, statements, sums, users
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from credits_core.values.days import DayRange
from tests.support import world
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW, UNLOCK

NEXT_DAY = NOW + timedelta(days=1)
TODAY, TOMORROW = DayRange(NOW.date(), NOW.date()), DayRange(NEXT_DAY.date(), NEXT_DAY.date())
FILTERS = (
    TransactionFilter(),
    TransactionFilter(days=TODAY),
    TransactionFilter(days=TOMORROW),
    TransactionFilter(days=TOMORROW, headline_only=True),
    TransactionFilter(types=[TransactionType.REFUND]),
    TransactionFilter(types=[TransactionType.REFUND, TransactionType.CREDIT_PURCHASE], days=TODAY),
    TransactionFilter(types=[TransactionType.CREATOR_PAYMENT], days=TOMORROW),
    TransactionFilter(types=[TransactionType.GRANT], days=TODAY),
    TransactionFilter(types=[TransactionType.REFUND, TransactionType.PROMPT_RUN]),
    TransactionFilter(account_id="ben", days=TOMORROW),
    TransactionFilter(entry_id=2),
    TransactionFilter(key_prefix="two"),
    TransactionFilter(key_prefix="two", days=TODAY, headline_only=True),
)


def _reports(engine: Engine) -> list[object]:
    every_day = DayRange()
    with database.read(engine) as connection:
        return [
            sums.totals_by_day(connection, every_day),
            sums.spending(connection, TOMORROW),
            sums.entry_days(connection),
            [earnings.top_prompts(connection, days) for days in (every_day, TODAY, TOMORROW)],
            [earnings.top_flows(connection, days, creator_id="ben") for days in (every_day, TODAY, TOMORROW)],
            [statements.statements(connection, days) for days in (every_day, TODAY, TOMORROW)],
            [statements.plan_ids(connection, days) for days in (every_day, TODAY, TOMORROW)],
            earnings.creator_totals(connection, TOMORROW),
            users.roles(connection, ["ada", "ben", "nobody"]),
            [movements.page(connection, wanted, limit=100) for wanted in FILTERS],
            [movements.in_all(connection, wanted) for wanted in FILTERS],
        ]


def _from_the_ledger_alone(engine: Engine) -> list[object]:
    with database.read(engine) as connection:
        return [
            [accounts.transactions(connection, wanted, limit=100) for wanted in FILTERS],
            [accounts.sums(connection, wanted) for wanted in FILTERS],
        ]


def test_no_report_depends_on_how_far_the_daily_tables_have_caught_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_totals, "_ENTRIES_PER_UNIT_OF_WORK", 2)
    world.add(engine, "ada", 100_000, key="fund")
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}") for number in range(3)]
    world.charge(engine, HAIKU, key="without-fee")
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    daily_totals.catch_up(engine)
    # Refunds of what the tables have, on another day, and one of what they do not have.
    world.refund(engine, runs[0].entry_id, key="back-0", now=NEXT_DAY)
    world.refund(engine, unlocked.entry_id, key="back-1", now=NEXT_DAY)
    later = world.charge(engine, HAIKU_WITH_FEE, key="later", now=NEXT_DAY)
    world.refund(engine, later.entry_id, key="back-2", now=NEXT_DAY)

    behind = _reports(engine)
    assert behind[-2:] == _from_the_ledger_alone(engine)
    assert daily_totals.catch_up(engine) == 4
    assert _reports(engine) == behind
    with engine.begin() as connection:  # as if nothing had ever been summed up
        for table in ("daily_totals", "daily_sums", "daily_works"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("UPDATE rollup_watermark SET entry_id = 0, circulating_credits = 0")
    assert _reports(engine) == behind

    # Written out: two of ben's three runs of the first day are left, with fees of 1,001 and shares of 800.
    prompts = behind[3]
    assert prompts == [
        [earnings.WorkTotals("summarise", "ben", 2, 2_002, 1_600)],
        [earnings.WorkTotals("summarise", "ben", 2, 2_002, 1_600)],
        [],
    ]
