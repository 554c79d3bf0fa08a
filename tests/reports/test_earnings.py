from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.ledger.requests import UnlockRequest
from credits_core.reports import daily_totals, earnings
from credits_core.reports.earnings import CreatorDay, Earned, ListedUnlock, WorkTotals
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, world
from tests.support.busy_ledger import COVERED, LAST_MOMENT, MIDNIGHT
from tests.support.plain_sql import rows
from tests.support.world import HAIKU_WITH_FEE

MARCH_1, MARCH_2, MARCH_3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
ALL = DayRange()
BOUNDS = st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 7))
CREATORS = st.sampled_from([None, "ada", "Ben", "c_d", "cxd", "nobody"])
DAY = "created_at_us / 86400000000"


@pytest.fixture(params=COVERED)
def three_days(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """The hand-written days, of which the daily totals cover nothing, everything or the first half."""
    busy_ledger.covered_three_days(engine, request.param)
    return engine


@pytest.fixture
def drawn_days(engine: Engine) -> Engine:
    """Drawn days, of which the daily totals cover the first half."""
    busy_ledger.drawn_days(engine, seed=21, actions=90)
    daily_totals.catch_up(engine)
    busy_ledger.drawn_days(engine, seed=22, actions=90)
    return engine


def _ask(engine: Engine, query: Callable[..., Any], days: DayRange = ALL, **options: object) -> Any:
    with database.read(engine) as connection:
        return query(connection, days, **options)


def _where(
    first: date | None, last: date | None, creator_id: str | None, creator: str
) -> tuple[str, dict[str, object]]:
    """A plain SQL condition for these days and this creator, with its parameters."""
    epoch = date(1970, 1, 1)
    return f"{DAY} BETWEEN :first AND :last AND (:creator = 'anyone' OR {creator} = :creator)", {
        "first": -1_000_000 if first is None else (first - epoch).days,
        "last": 1_000_000 if last is None else (last - epoch).days,
        "creator": creator_id or "anyone",
    }


def test_a_creator_earns_shares_less_what_refunds_took_back(three_days: Engine) -> None:
    ben = Earned(runs_credits=1_600, unlocks_credits=800, taken_back_credits=0, runs=2, unlocks=1)
    cara = Earned(runs_credits=1_720, unlocks_credits=0, taken_back_credits=1_720, runs=1, unlocks=0)
    assert _ask(three_days, earnings.creator_totals) == [("ben", ben), ("cara", cara)]
    assert (ben.earned_credits, cara.earned_credits) == (2_400, 0)  # ben has spent it
    assert _ask(three_days, earnings.creator_totals, creator_id="ada") == []
    assert _ask(three_days, earnings.creator_totals, creator_id="cara") == [("cara", cara)]
    assert _ask(three_days, earnings.creator_totals, limit=1) == [("ben", ben)]
    assert _ask(three_days, earnings.creator_totals, DayRange(MARCH_3, MARCH_3)) == [
        ("cara", Earned(0, 0, 1_720, 0, 0))
    ]


def test_earnings_stand_on_the_day_they_were_made_or_taken_back(three_days: Engine) -> None:
    assert _ask(three_days, earnings.earned_by_day) == [
        (MARCH_1, Earned(800, 0, 0, 1, 0)),
        (MARCH_2, Earned(800 + 1_720, 800, 0, 2, 1)),
        (MARCH_3, Earned(0, 0, 1_720, 0, 0)),
    ]
    assert _ask(three_days, earnings.earned_by_day, DayRange(MARCH_2, MARCH_2), creator_id="ben") == [
        (MARCH_2, Earned(800, 800, 0, 1, 1))
    ]


def test_the_other_creators_stand_together_when_they_are_wanted(three_days: Engine) -> None:
    by_day = earnings.earned_by_day_and_creator
    ben = [CreatorDay(MARCH_1, "ben", 800), CreatorDay(MARCH_2, "ben", 1_600)]
    cara = [CreatorDay(MARCH_2, "cara", 1_720), CreatorDay(MARCH_3, "cara", -1_720)]
    assert _ask(three_days, by_day, creator_ids=["ben", "cara"], with_others=True) == ben + cara
    assert _ask(three_days, by_day, creator_ids=["cara"], with_others=False) == cara
    with_others = _ask(three_days, by_day, creator_ids=["cara"], with_others=True)
    assert sorted(with_others, key=lambda row: (row.day, str(row.creator_id))) == [
        CreatorDay(MARCH_1, None, 800),
        CreatorDay(MARCH_2, None, 1_600),
        *cara,
    ]


def test_refunded_runs_and_unlocks_bring_nothing_in(three_days: Engine) -> None:
    # Of Ben's two paid runs one was refunded, of Cara's one one, of the flow's one unlock one.
    assert _ask(three_days, earnings.top_prompts) == [WorkTotals("summarise", "ben", 1, 1_001, 800)]
    assert _ask(three_days, earnings.top_prompts, creator_id="cara") == []
    assert _ask(three_days, earnings.top_flows) == []

    unlocked = world.unlock(three_days, UnlockRequest("ada", "report-flow", "ben", 502), key="again", now=MIDNIGHT)
    assert unlocked.receipt is not None
    assert _ask(three_days, earnings.top_flows) == [WorkTotals("report-flow", "ben", 1, 502, 401)]
    assert [
        (one.unlock_fee_credits, one.refunded_by_entry_id is None) for one in _ask(three_days, earnings.unlocks)
    ] == [(502, True), (1_001, False)]


def test_an_unlock_is_listed_as_it_was_paid(engine: Engine) -> None:
    ids = busy_ledger.three_days(engine)
    (listed,) = _ask(engine, earnings.unlocks, DayRange(MARCH_2, MARCH_2))
    assert listed == ListedUnlock(
        entry_id=ids["unlock"],
        created_at=MIDNIGHT,
        flow_id="report-flow",
        user_id="ada",
        creator_id="ben",
        unlock_fee_credits=1_001,
        creator_share_credits=800,
        refunded_by_entry_id=ids["refund of unlock"],
        parts_credits=0,
    )
    assert _ask(engine, earnings.unlocks, DayRange(MARCH_3, None)) == []


def test_a_run_before_midnight_belongs_to_the_day_before(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    world.charge(engine, HAIKU_WITH_FEE, key="before", now=LAST_MOMENT)
    world.charge(engine, HAIKU_WITH_FEE, key="after", now=MIDNIGHT)
    for day in (MARCH_1, MARCH_2):
        assert _ask(engine, earnings.top_prompts, DayRange(day, day)) == [WorkTotals("summarise", "ben", 1, 1_001, 800)]
        assert _ask(engine, earnings.creator_totals, DayRange(day, day)) == [("ben", Earned(800, 0, 0, 1, 0))]


def test_the_prompts_with_the_highest_fees_come_first(engine: Engine) -> None:
    world.add(engine, "ada", 100_000, key="fund")
    for number, (prompt_id, fee) in enumerate([("b", 300), ("a", 200), ("a", 200), ("c", 300)]):
        request = world.ChargeRequest("ada", prompt_id, "claude-3-haiku", "ben", fee)
        world.charge(engine, request, key=f"run-{number}")
    assert _ask(engine, earnings.top_prompts) == [
        WorkTotals("a", "ben", 2, 400, 320),
        WorkTotals("b", "ben", 1, 300, 240),
        WorkTotals("c", "ben", 1, 300, 240),
    ]
    assert [work.work_id for work in _ask(engine, earnings.top_prompts, limit=2)] == ["a", "b"]


def test_an_empty_ledger_has_no_earnings(engine: Engine) -> None:
    for query in (
        earnings.earned_by_day,
        earnings.creator_totals,
        earnings.top_prompts,
        earnings.top_flows,
        earnings.unlocks,
    ):
        assert _ask(engine, query) == []


def test_what_anyone_earned_in_any_days_is_the_sum_of_the_payments(drawn_days: Engine) -> None:
    @given(first=BOUNDS, last=BOUNDS, creator_id=CREATORS)
    def law(first: date | None, last: date | None, creator_id: str | None) -> None:
        where, parameters = _where(first, last, creator_id, "account_id")
        payments = rows(
            drawn_days,
            f"SELECT account_id, {DAY}, amount_credits FROM credit_transactions"
            f" WHERE type = 'creator_payment' AND {where}",
            **parameters,
        )
        by_creator: dict[object, int] = {}
        by_day: dict[object, int] = {}
        for account, day, amount in payments:
            by_creator[account] = by_creator.get(account, 0) + int(str(amount))
            by_day[day] = by_day.get(day, 0) + int(str(amount))
        days = DayRange(first, last)

        totals = _ask(drawn_days, earnings.creator_totals, days, creator_id=creator_id)
        assert {creator: earned.earned_credits for creator, earned in totals} == by_creator
        assert [earned.earned_credits for _, earned in totals] == sorted(by_creator.values(), reverse=True)
        found_by_day = _ask(drawn_days, earnings.earned_by_day, days, creator_id=creator_id)
        assert {(day - date(1970, 1, 1)).days: earned.earned_credits for day, earned in found_by_day} == by_day
        paid = sum(int(str(amount)) > 0 for _, _, amount in payments)
        assert sum(earned.runs + earned.unlocks for _, earned in totals) == paid

    law()


def test_fees_of_any_days_are_the_sums_of_what_was_not_refunded(drawn_days: Engine) -> None:
    unrefunded = "entry_id NOT IN (SELECT refunds_entry_id FROM journal_entries WHERE refunds_entry_id IS NOT NULL)"

    @given(first=BOUNDS, last=BOUNDS, creator_id=CREATORS)
    def law(first: date | None, last: date | None, creator_id: str | None) -> None:
        where, parameters = _where(first, last, creator_id, "creator_id")
        runs, unlocks = (
            rows(
                drawn_days,
                f"SELECT {work}, creator_id, COUNT(*), SUM({fee}), SUM(creator_share_credits) FROM {table}"
                f" WHERE creator_id IS NOT NULL AND {unrefunded} AND {where} GROUP BY 1, 2",
                **parameters,
            )
            for table, work, fee in (
                ("prompt_runs", "prompt_id", "creator_fee_credits"),
                ("unlocked_flows", "flow_id", "unlock_fee_credits"),
            )
        )
        days = DayRange(first, last)
        for query, expected in ((earnings.top_prompts, runs), (earnings.top_flows, unlocks)):
            found = _ask(drawn_days, query, days, creator_id=creator_id, limit=100)
            assert {
                (work.work_id, work.creator_id, work.uses, work.fees_credits, work.creator_share_credits)
                for work in found
            } == {(row[0], row[1], *(int(str(number)) for number in row[2:])) for row in expected}

    law()


def test_the_drawn_days_have_unlocks_in_force_and_refunded_ones(drawn_days: Engine) -> None:
    listed = _ask(drawn_days, earnings.unlocks, limit=100)
    assert {one.refunded_by_entry_id is None for one in listed} == {True, False}
    assert [one.entry_id for one in listed] == sorted((one.entry_id for one in listed), reverse=True)
    assert max(one.created_at for one in listed) - min(one.created_at for one in listed) > timedelta(days=1)
