from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from credits_core.reports import daily_totals
from credits_core.reports import sums as report_sums
from credits_core.reports.sums import AccountFlow, DayTotals, Overview, Spending
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, world
from tests.support.busy_ledger import COVERED, LAST_MOMENT, MIDNIGHT
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, NOW_US

MARCH_1, MARCH_2, MARCH_3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
BOUNDS = st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 7))
DAY = "created_at_us / 86400000000"
FROM_A_TO_B = f"{DAY} BETWEEN :first AND :last"

# The three days of `busy_ledger`. On the third, two refunds leave 800 with a creator who had spent it; 300 are owed.
DAY_1 = DayTotals(
    day=MARCH_1,
    inference_credits=250 + 250,
    creators_credits=800,
    platform_credits=50 + 201,
    refunded_inference_credits=0,
    circulation_change_credits=1_005_000 - 500 - 251,
    runs=2,
)
DAY_2 = DayTotals(
    day=MARCH_2,
    inference_credits=3 * 250,
    creators_credits=800 + 800 + 1_720,
    platform_credits=201 + 201 + 430 + 50,
    refunded_inference_credits=0,
    circulation_change_credits=-750 - 882,
    runs=3,
)
DAY_3 = DayTotals(
    day=MARCH_3,
    inference_credits=0,  # the providers of both refunded runs are paid all the same
    creators_credits=-1_720,
    platform_credits=-(201 + 800) - (201 + 800) - 430,
    refunded_inference_credits=250 + 250,
    circulation_change_credits=1_251 + 1_001 - 5_000 + 2_400 - 1_720,
    runs=0,
)


@pytest.fixture(params=COVERED)
def three_days(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """The hand-written days, of which the daily totals cover nothing, everything or the first half."""
    busy_ledger.covered_three_days(engine, request.param)
    return engine


@pytest.fixture(params=COVERED)
def drawn_days(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """Drawn days, of which the daily totals cover nothing, everything or the first half."""
    busy_ledger.drawn_days(engine, seed=11, actions=90)
    if request.param == "the first half":
        daily_totals.catch_up(engine)
    busy_ledger.drawn_days(engine, seed=12, actions=90)
    if request.param == "everything":
        daily_totals.catch_up(engine)
    return engine


def _totals(engine: Engine, first: date | None = None, last: date | None = None) -> list[DayTotals]:
    with database.read(engine) as connection:
        return report_sums.totals_by_day(connection, DayRange(first, last))


def _spending(engine: Engine, first: date | None = None, last: date | None = None) -> Spending:
    with database.read(engine) as connection:
        return report_sums.spending(connection, DayRange(first, last))


def _overview(engine: Engine, first: date | None = None, last: date | None = None) -> Overview:
    with database.read(engine) as connection:
        return report_sums.overview(connection, DayRange(first, last))


def _numbers(first: date | None, last: date | None) -> dict[str, int]:
    """The bounds as numbers of days since 1970-01-01, for plain SQL."""
    epoch = date(1970, 1, 1)
    return {
        "first": -1_000_000 if first is None else (first - epoch).days,
        "last": 1_000_000 if last is None else (last - epoch).days,
    }


def test_each_day_has_its_own_sums_with_refunds_on_the_day_they_were_made(three_days: Engine) -> None:
    assert _totals(three_days) == [DAY_1, DAY_2, DAY_3]
    assert _totals(three_days, MARCH_2, MARCH_2) == [DAY_2]
    assert _totals(three_days, None, MARCH_2) == [DAY_1, DAY_2]
    assert _totals(three_days, MARCH_2, None) == [DAY_2, DAY_3]
    assert _totals(three_days, MARCH_3, MARCH_1) == []


def test_what_was_paid_is_split_without_a_rest(three_days: Engine) -> None:
    assert _spending(three_days) == Spending(
        runs_inference_credits=5 * 250,
        runs_creators_credits=800 + 800 + 1_720,
        runs_platform_credits=50 + 201 + 201 + 430 + 50,
        unlocks_creators_credits=800,
        unlocks_platform_credits=201,
        # The refunds of a run and an unlock of Ada's and of Ben's run, and not of the grant, which nobody had paid.
        refunds_creators_credits=1_720,
        refunds_owed_credits=300,
        refunds_platform_credits=(201 + 800 + 250) + (201 + 800) + (430 + 250),
        refunded_inference_credits=250 + 250,
        provider_refunds_credits=0,
        booked_back_credits=0,
    )
    assert _spending(three_days).refunded_credits == 1_251 + 1_001 + 2_400
    assert _spending(three_days).runs_credits == 300 + 1_251 + 1_251 + 2_400 + 300
    assert _spending(three_days).unlocks_credits == 1_001
    assert _spending(three_days, MARCH_3, MARCH_3) == Spending(0, 0, 0, 0, 0, 1_720, 300, 2_932, 500, 0, 0)
    assert _spending(three_days, MARCH_1, MARCH_1) == Spending(250 + 250, 800, 50 + 201, *[0] * 8)


def test_the_overview_sums_its_days_and_carries_circulation_from_before_them(three_days: Engine) -> None:
    after_1 = 1_000_000 - 300 - 1_251 + 5_000 + 800  # ada, dev and ben
    after_2 = after_1 - 1_251 - 1_001 + 800 + 800 - 2_400 + 1_720 - 300
    after_3 = 998_449 + 2_400 - 300  # ada and ben; cara and dev have nothing left, and cara owes 300
    assert _overview(three_days) == Overview(
        days=(DAY_1, DAY_2, DAY_3),
        circulation_by_day_credits=(after_1, after_2, after_3),
        circulation_credits=after_3,
        inference_credits=5 * 250,
        platform_credits=251 + 882 - 2_432,
        refunded_inference_credits=500,
        creators_credits=800 + 3_320 - 1_720,
        runs=5,
    )
    assert _overview(three_days, MARCH_2, MARCH_2) == Overview((DAY_2,), (after_2,), after_2, 750, 882, 0, 3_320, 3)
    quiet = MARCH_3 + timedelta(days=1)
    assert _overview(three_days, quiet, quiet) == Overview((), (), after_3, 0, 0, 0, 0, 0)


def test_what_users_spent_is_what_the_parties_have_of_it_and_other_days_stand_beside_it(three_days: Engine) -> None:
    with database.read(three_days) as connection:
        seen = report_sums.overview(connection, DayRange(MARCH_3, MARCH_3), before=DayRange(MARCH_1, MARCH_2))
        alone = report_sums.overview(connection, DayRange(MARCH_1, MARCH_2))
    # Nothing was run on the third day, and 1,251 + 1,001 + 2,400 were given back. Two refunded runs cost 250 each.
    assert (seen.inference_credits, seen.creators_credits, seen.kept_credits) == (0, -1_720, -2_432 - 500)
    assert seen.spent_credits == -4_652
    assert seen.before == alone
    assert alone.spent_credits == 300 + 1_251 + 1_251 + 2_400 + 300 + 1_001
    assert alone.before is None


def test_a_cost_that_came_back_is_told_by_the_rule_it_came_back_under(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="add")
    runs = [world.charge(engine, HAIKU, key=f"run-{number}").entry_id for number in range(3)]
    world.refund(engine, runs[0], provider_refunded=True, key="by-provider")
    world.refund(engine, runs[1], key="borne")
    # The third as an earlier version refunded it: 300 to Ada, 50 of revenue and 250 of inference cost.
    earlier = [
        "INSERT INTO journal_entries (id, type, idempotency_key, request_hash, actor, refunds_entry_id, created_at_us)"
        f" VALUES (99, 'refund', 'earlier', '', 'tester', {runs[2]}, {NOW_US})",
        "INSERT INTO credit_transactions VALUES"
        f" (99, 0, 'ada', 'refund', 300, 1000, {NOW_US}),"
        f" (99, 1, 'platform:revenue', 'platform_revenue', -50, NULL, {NOW_US}),"
        f" (99, 2, 'platform:inference', 'inference_cost', -250, NULL, {NOW_US})",
        "UPDATE user_credits SET balance_credits = balance_credits + 300",
        "INSERT INTO refunds VALUES (99, 'cost_booked_back', FALSE)",
    ]
    with engine.begin() as connection:
        for statement in earlier:
            connection.execute(text(statement))
    spent = _spending(engine)
    assert (spent.provider_refunds_credits, spent.refunded_inference_credits, spent.booked_back_credits) == (
        250,
        250,
        250,
    )
    assert (spent.refunds_creators_credits, spent.refunds_platform_credits) == (0, 3 * 50 + 250)
    assert spent.refunded_credits == 900
    assert _spending(engine, MARCH_2, None).booked_back_credits == 0
    assert _spending(engine, None, date(2026, 2, 28)).booked_back_credits == 0
    (day,) = _totals(engine)
    assert (day.inference_credits, day.platform_credits, day.refunded_inference_credits) == (250, 0, 250)


def test_what_earlier_refunds_booked_back_is_found_without_reading_the_ledger(sqlite_engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []

    def keep(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(sqlite_engine, "before_cursor_execute", keep)
    _spending(sqlite_engine)
    event.remove(sqlite_engine, "before_cursor_execute", keep)
    ((statement, parameters),) = [one for one in asked if "cost_booked_back" in one[0]]
    with sqlite_engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert plan == [
        "SCAN refunds USING COVERING INDEX ix_refunds_cost_booked_back",
        "SEARCH credit_transactions USING PRIMARY KEY (entry_id=?)",
    ]


def test_an_account_received_and_gave(three_days: Engine) -> None:
    with database.read(three_days) as connection:
        assert report_sums.account_flow(connection, "ada") == AccountFlow(
            1_000_000 + 1_251 + 1_001, 300 + 1_251 * 2 + 1_001, 7
        )
        assert report_sums.account_flow(connection, "platform:revenue") == AccountFlow(
            50 + 201 + 201 + 201 + 430 + 50, 800 + 201 + 800 + 201 + 430, 11
        )
        assert report_sums.account_flow(connection, "nobody") == AccountFlow(0, 0, 0)


def test_the_days_with_entries_are_known(three_days: Engine) -> None:
    with database.read(three_days) as connection:
        assert report_sums.entry_days(connection) == DayRange(MARCH_1, MARCH_3)


def test_an_empty_ledger_has_empty_reports(engine: Engine) -> None:
    assert _totals(engine) == []
    assert _spending(engine) == Spending(*[0] * 11)
    assert _overview(engine) == Overview((), (), 0, 0, 0, 0, 0, 0)
    with database.read(engine) as connection:
        assert report_sums.entry_days(connection) == DayRange(None, None)


def test_a_day_ends_with_its_last_microsecond_in_utc(engine: Engine) -> None:
    world.add(engine, "ada", 10, key="before", now=LAST_MOMENT)
    world.add(engine, "ada", 200, key="after", now=MIDNIGHT)
    assert [(day.day, day.circulation_change_credits) for day in _totals(engine)] == [(MARCH_1, 10), (MARCH_2, 200)]
    assert [day.circulation_change_credits for day in _totals(engine, MARCH_1, MARCH_1)] == [10]
    assert [day.circulation_change_credits for day in _totals(engine, MARCH_2, MARCH_2)] == [200]


def test_totals_of_any_days_are_the_sums_of_their_transactions(drawn_days: Engine) -> None:
    sums = f"""
        SELECT {DAY} AS day,
            SUM(CASE WHEN account_id = 'platform:inference' THEN amount_credits ELSE 0 END),
            SUM(CASE WHEN type = 'creator_payment' THEN amount_credits ELSE 0 END),
            SUM(CASE WHEN account_id = 'platform:revenue' THEN amount_credits ELSE 0 END),
            SUM(CASE WHEN account_id = 'platform:refunded_inference' THEN -amount_credits ELSE 0 END),
            SUM(CASE WHEN account_id NOT LIKE 'platform:%' THEN amount_credits ELSE 0 END),
            SUM(CASE WHEN type = 'prompt_run' THEN 1 ELSE 0 END)
        FROM credit_transactions WHERE {FROM_A_TO_B} GROUP BY 1 ORDER BY 1"""

    @given(first=BOUNDS, last=BOUNDS)
    def law(first: date | None, last: date | None) -> None:
        expected = [
            (date(1970, 1, 1) + timedelta(days=int(str(day))), *map(int, map(str, values)))
            for day, *values in rows(drawn_days, sums, **_numbers(first, last))
        ]
        assert [
            (
                day.day,
                day.inference_credits,
                day.creators_credits,
                day.platform_credits,
                day.refunded_inference_credits,
                day.circulation_change_credits,
                day.runs,
            )
            for day in _totals(drawn_days, first, last)
        ] == expected

    law()


def test_spending_of_any_days_is_what_users_paid_for_runs_and_unlocks(drawn_days: Engine) -> None:
    paid = f"SELECT COALESCE(-SUM(amount_credits), 0) FROM credit_transactions WHERE type = :type AND {FROM_A_TO_B}"
    paid_back = f"""
        SELECT COALESCE(SUM(t.amount_credits), 0) FROM credit_transactions t
            JOIN journal_entries e ON e.id = t.entry_id JOIN journal_entries o ON o.id = e.refunds_entry_id
        WHERE t.position = 0 AND o.type IN ('prompt_run', 'flow_unlock')
            AND t.{DAY} BETWEEN :first AND :last"""
    by_provider = f"""
        SELECT COALESCE(-SUM(t.amount_credits), 0) FROM credit_transactions t
            JOIN refunds r ON r.entry_id = t.entry_id
        WHERE r.provider_refunded AND t.type = 'inference_cost' AND t.{DAY} BETWEEN :first AND :last"""
    assert rows(
        drawn_days,
        "SELECT COUNT(*) > 0 FROM credit_transactions WHERE type = 'refund' AND account_id LIKE 'platform:%'",
    ) == [(True,)]

    @given(first=BOUNDS, last=BOUNDS)
    def law(first: date | None, last: date | None) -> None:
        days = _numbers(first, last)
        spending = _spending(drawn_days, first, last)
        assert rows(drawn_days, paid, type="prompt_run", **days) == [(spending.runs_credits,)]
        assert rows(drawn_days, paid, type="flow_unlock", **days) == [(spending.unlocks_credits,)]
        assert rows(drawn_days, paid_back, **days) == [(spending.refunded_credits,)]
        assert rows(drawn_days, by_provider, **days) == [(spending.provider_refunds_credits,)]
        # After refunds, what users paid is what providers, creators and the platform are left with.
        by_day = _totals(drawn_days, first, last)
        assert spending.runs_credits + spending.unlocks_credits - spending.refunded_credits == sum(
            day.inference_credits + day.creators_credits + day.platform_credits - day.refunded_inference_credits
            for day in by_day
        )
        assert sum(day.refunded_inference_credits for day in by_day) == spending.refunded_inference_credits

    law()
