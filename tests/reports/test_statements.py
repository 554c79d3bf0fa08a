"""The statement of creators: gross fees, share, refunds and net, on both databases, with and without daily totals."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.reports import daily_totals, statements
from credits_core.reports.statements import CreatorStatement, in_all
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, world
from tests.support.busy_ledger import COVERED
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, UNLOCK

JANUARY, FEBRUARY = DayRange(date(2028, 1, 1), date(2028, 1, 31)), DayRange(date(2028, 2, 1), date(2028, 2, 29))
MARCH = DayRange(date(2028, 3, 1), date(2028, 3, 31))
MARCH_1, MARCH_2, MARCH_3 = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
BOUNDS = st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 7))
CREATORS = st.sampled_from([None, "ada", "Ben", "c_d", "cxd", "nobody"])
DAY = "created_at_us / 86400000000"


def at(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2028, month, day, hour, minute, tzinfo=UTC)


def ask(engine: Engine, days: DayRange, **options: str) -> list[CreatorStatement]:
    with database.read(engine) as connection:
        return statements.statements(connection, days, **options)


@pytest.fixture(params=COVERED)
def three_days(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """The hand-written days, of which the daily totals cover nothing, everything or the first half."""
    busy_ledger.covered_three_days(engine, request.param)
    return engine


@pytest.mark.parametrize("has_totals", [False, True])
def test_a_refund_in_a_later_month_lowers_the_later_month(engine: Engine, has_totals: bool) -> None:
    world.add(engine, "ada", 100_000, key="fund", now=at(1, 1))
    refunded = world.charge(engine, HAIKU_WITH_FEE, key="first", now=at(1, 10)).entry_id
    world.charge(engine, HAIKU_WITH_FEE, key="last-minute", now=at(1, 31, 23, 59))
    world.unlock(engine, UNLOCK, key="unlock", now=at(1, 20))
    world.charge(engine, HAIKU, key="no-fee", now=at(1, 20))
    world.charge(engine, HAIKU_WITH_FEE, key="next-month", now=at(2, 1, 0))
    world.refund(engine, refunded, key="back", now=at(3, 3))
    if has_totals:
        daily_totals.catch_up(engine)

    # January: two runs and an unlock, each with a fee of 1,001, of which 800 are Ben's.
    january = CreatorStatement("ben", 2, 1, 3 * 1_001, 3 * 800, 0)
    assert ask(engine, JANUARY) == [january]
    assert january.net_credits == 2_400
    assert ask(engine, FEBRUARY) == [CreatorStatement("ben", 1, 0, 1_001, 800, 0)]
    (march,) = ask(engine, MARCH)
    assert march == CreatorStatement("ben", 0, 0, 0, 0, 800)
    assert march.net_credits == -800
    (whole,) = ask(engine, DayRange())
    assert (whole.gross_fees_credits, whole.share_credits, whole.refunds_credits, whole.net_credits) == (
        4 * 1_001,
        4 * 800,
        800,
        2_400,
    )
    assert ask(engine, JANUARY, creator_id="ada") == []


def test_a_refund_in_the_same_days_stands_beside_the_fees_it_took_back(three_days: Engine) -> None:
    # Ben has spent his 2,400, so refunds of two of his three fees took nothing back under the earlier rule. Cara owes
    # 300 of 1,720.
    ben = CreatorStatement("ben", 2, 1, 3 * 1_001, 3 * 800, 0)
    cara = CreatorStatement("cara", 1, 0, 2_150, 1_720, 1_720, 300, 0)
    assert ask(three_days, DayRange()) == [ben, cara]
    assert (ben.net_credits, cara.net_credits) == (2_400, 0)
    assert in_all([ben, cara]) == CreatorStatement(None, 3, 1, 3_003 + 2_150, 2_400 + 1_720, 1_720, 300, 0)
    assert in_all([ben, cara]).net_credits == 2_400
    assert ask(three_days, DayRange(), creator_id="cara") == [cara]
    assert ask(three_days, DayRange(MARCH_1, MARCH_1)) == [CreatorStatement("ben", 1, 0, 1_001, 800, 0)]
    assert ask(three_days, DayRange(MARCH_3, MARCH_3)) == [CreatorStatement("cara", 0, 0, 0, 0, 1_720, 300, 0)]


def test_the_plans_are_those_that_priced_runs_and_unlocks_of_these_days(engine: Engine) -> None:
    def plans(days: DayRange) -> list[str]:
        with database.read(engine) as connection:
            return statements.plan_ids(connection, days)

    assert plans(DayRange()) == []
    world.add(engine, "ada", 100_000, key="fund", now=at(1, 1))
    world.charge(engine, HAIKU, key="dearer", book=world.dearer_book(), now=at(1, 2))
    world.unlock(engine, UNLOCK, key="unlock", now=at(2, 2))
    assert (plans(DayRange()), plans(JANUARY)) == (["plan-1", "plan-2"], ["plan-2"])
    assert (plans(FEBRUARY), plans(MARCH)) == (["plan-1"], [])


def test_an_empty_ledger_has_no_statement(engine: Engine) -> None:
    assert ask(engine, DayRange()) == []
    assert in_all([]) == CreatorStatement(None, 0, 0, 0, 0, 0)


def test_statements_of_any_days_are_the_sums_of_fees_and_payments(engine: Engine) -> None:
    busy_ledger.drawn_days(engine, seed=31, actions=90)
    daily_totals.catch_up(engine)
    busy_ledger.drawn_days(engine, seed=32, actions=90)

    @given(first=BOUNDS, last=BOUNDS, creator_id=CREATORS)
    def law(first: date | None, last: date | None, creator_id: str | None) -> None:
        epoch = date(1970, 1, 1)
        limits: dict[str, Any] = {
            "first": -1_000_000 if first is None else (first - epoch).days,
            "last": 1_000_000 if last is None else (last - epoch).days,
        }
        # The share of runs and unlocks, what refunds took back, and how many payments of runs and of unlocks.
        paid = rows(
            engine,
            "SELECT t.account_id, SUM(CASE WHEN t.amount_credits > 0 THEN t.amount_credits ELSE 0 END),"
            " SUM(CASE WHEN t.amount_credits < 0 THEN -t.amount_credits ELSE 0 END),"
            " COUNT(r.entry_id), COUNT(f.entry_id) FROM credit_transactions t"
            " LEFT JOIN prompt_runs r ON r.entry_id = t.entry_id LEFT JOIN unlocked_flows f ON f.entry_id = t.entry_id"
            f" WHERE t.type = 'creator_payment' AND t.{DAY} BETWEEN :first AND :last GROUP BY t.account_id",
            **limits,
        )
        fees: dict[object, int] = {}
        for table, fee in (("prompt_runs", "creator_fee_credits"), ("unlocked_flows", "unlock_fee_credits")):
            for creator, credits in rows(
                engine,
                f"SELECT creator_id, {fee} FROM {table}"
                f" WHERE creator_id IS NOT NULL AND {DAY} BETWEEN :first AND :last",
                **limits,
            ):
                fees[creator] = fees.get(creator, 0) + int(str(credits))
        expected = {
            creator: (int(str(runs)), int(str(unlocks)), fees.get(creator, 0), int(str(share)), int(str(back)))
            for creator, share, back, runs, unlocks in paid
            if creator_id in (None, creator)
        }
        found = ask(engine, DayRange(first, last), **({} if creator_id is None else {"creator_id": creator_id}))
        assert {
            one.creator_id: (one.runs, one.unlocks, one.gross_fees_credits, one.share_credits, one.refunds_credits)
            for one in found
        } == expected
        nets = [one.net_credits for one in found]
        assert nets == sorted((share - back for _, _, _, share, back in expected.values()), reverse=True)

    law()
    everything = in_all(ask(engine, DayRange()))
    assert everything.runs > 10
    assert everything.unlocks > 1
    assert everything.refunds_credits > 0
