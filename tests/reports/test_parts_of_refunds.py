"""What a refund in parts changes in sums: its part, on the day on which it was made, and the use with the last one."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from credits_core.audit import daily_tables
from credits_core.payments import standings
from credits_core.reports import daily_totals, earnings, first_steps, statements, sums
from credits_core.store import database
from credits_core.values.days import ALL_DAYS, DayRange
from credits_core.values.time_zones import UTC_ZONE
from tests.support import world
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW, UNLOCK

DAY = timedelta(days=1)
TODAY, TOMORROW = DayRange(date(2026, 3, 1), date(2026, 3, 1)), DayRange(date(2026, 3, 2), date(2026, 3, 2))
WORKS = "SELECT refunded_uses, refunded_fees_credits, refunded_share_credits FROM daily_works WHERE creator_id = 'ben'"


@pytest.fixture(params=["live", "covered", "half"])
def parts(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """A run of 1,251 of which 500 are refunded the next day, and the totals of nothing, all, or what was before."""
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    world.charge(engine, HAIKU, key="other")
    if request.param == "half":
        daily_totals.catch_up(engine)
    world.refund(engine, run, amount_credits=500, key="part", now=NOW + DAY)
    if request.param == "covered":
        daily_totals.catch_up(engine)
    return engine


def test_a_part_lowers_the_sums_of_its_day_by_its_part(parts: Engine) -> None:
    with database.read(parts) as connection:
        spent = sums.spending(connection, TOMORROW)
        statement = statements.statements(connection, TOMORROW)
        (top,) = [one for one in earnings.top_prompts(connection, ALL_DAYS) if one.creator_id == "ben"]
        waiting = standings.waiting_credits(connection, "ben", date(2026, 3, 1), UTC_ZONE)
    assert (spent.refunded_credits, spent.refunds_creators_credits, spent.refunds_platform_credits) == (500, 319, 181)
    assert spent.refunded_inference_credits == 100
    assert [(one.creator_id, one.refunds_credits, one.net_credits) for one in statement] == [("ben", 319, -319)]
    # The use stays one; the fee is less by 1,001 x 500 / 1,251 = 400, the share by 319.
    assert (top.uses, top.fees_credits, top.creator_share_credits) == (1, 1_001 - 400, 800 - 319)
    assert waiting == 800 - 319


def test_the_last_part_takes_the_use_and_nothing_is_left_of_fee_and_share(parts: Engine) -> None:
    world.refund(parts, 2, key="rest", now=NOW + DAY)
    with database.read(parts) as connection:
        assert [one for one in earnings.top_prompts(connection, ALL_DAYS) if one.creator_id == "ben"] == []
        assert sums.spending(connection, ALL_DAYS).refunded_credits == 1_251
        assert sums.spending(connection, TODAY).refunded_credits == 0
        assert standings.waiting_credits(connection, "ben", date(2026, 3, 1), UTC_ZONE) == 0
    daily_totals.catch_up(parts)
    assert rows(parts, WORKS) == [(1, 1_001, 800)]
    with database.read(parts) as connection:
        assert daily_tables.daily_totals_are_sums(connection, {}).ok


def test_totals_that_cover_the_first_part_alone_are_added_to(parts: Engine) -> None:
    daily_totals.catch_up(parts)
    assert rows(parts, WORKS) == [(0, 400, 319)]
    world.refund(parts, 2, amount_credits=400, key="second", now=NOW + DAY)
    with database.read(parts) as connection:
        assert daily_tables.daily_totals_are_sums(connection, {}).ok
    daily_totals.catch_up(parts)
    assert rows(parts, WORKS) == [(0, 720, 575)]


def test_a_list_of_unlocks_says_how_much_was_refunded_in_parts(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    for credits, due in ((300, (300, True)), (None, (1_001, False))):
        world.refund(engine, unlocked.entry_id, amount_credits=credits, key=f"back-{credits}")
        with database.read(engine) as connection:
            (one,) = earnings.unlocks(connection, ALL_DAYS)
        assert (one.parts_credits, one.refunded_by_entry_id is None) == due


def test_nobody_is_led_first_to_a_run_that_was_refunded_in_part(parts: Engine) -> None:
    world.refund(parts, 3, amount_credits=1, key="a-little", now=NOW + DAY)
    with database.read(parts) as connection:
        assert first_steps.first_steps(connection, ALL_DAYS).run_entry_id is None
