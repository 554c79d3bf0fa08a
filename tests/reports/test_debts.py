"""What users owe at the end of some days, what became owed and was paid on them, whatever the daily tables cover."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.reports import daily_totals, debts
from credits_core.reports.debts import Debts, Owed
from credits_core.reports.statements import CreatorStatement, statements
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.days import DayRange
from tests.support import busy_ledger, paying, world
from tests.support.busy_ledger import THIRD_DAY
from tests.support.plain_sql import scalar
from tests.support.world import HAIKU_WITH_FEE

FIRST, SECOND, THIRD = date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6)
BOUNDS = st.none() | st.dates(date(2026, 2, 28), date(2026, 3, 8))


def _ask(engine: Engine, days: DayRange, user_id: str | None = None) -> Debts:
    with database.read(engine) as connection:
        return debts.debts(connection, days, user_id=user_id)


@pytest.fixture(params=["nothing", "everything", "the first half"])
def owing(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """Ben comes to owe 900 on the first day; 560 are paid on the second, and 340 on the third."""
    catch_up: Callable[[], object] = lambda: daily_totals.catch_up(engine)  # noqa: E731
    now = THIRD_DAY + timedelta(days=1)
    world.add(engine, "ada", 100_000, key="fund", now=now)
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}", now=now).entry_id for number in range(2)]
    for number in range(3):
        world.charge(engine, world.run_by("ben"), key=f"spends-{number}", now=now)  # 900 of 1,600
    for run in runs:  # 700 of the first 800 are there
        world.refund(engine, run, key=f"refund-{run}", now=now)
    if request.param == "the first half":
        catch_up()
    for number, fee in enumerate((700, 1_000)):
        later = now + timedelta(days=number + 1)
        run_of_day = busy_ledger.ChargeRequest("ada", "p", "claude-3-haiku", "ben", fee)
        world.charge(engine, run_of_day, key=f"later-{number}", now=later)
    if request.param == "everything":
        catch_up()
    return engine


def test_what_is_owed_became_owed_and_was_paid_on_some_days(owing: Engine) -> None:
    assert _ask(owing, DayRange()) == Debts(0, 900, 900)
    assert _ask(owing, DayRange(FIRST, FIRST)) == Debts(900, 900, 0)
    assert _ask(owing, DayRange(SECOND, SECOND)) == Debts(340, 0, 560)
    assert _ask(owing, DayRange(THIRD, None), "ben") == Debts(0, 0, 340)
    assert _ask(owing, DayRange(SECOND, THIRD), "ada") == Debts(0, 0, 0)
    with database.read(owing) as connection:
        assert debts.owed_now(connection) == 0
        assert statements(connection, DayRange(SECOND, SECOND)) == [
            CreatorStatement("ben", 1, 0, 700, 560, 0, became_owed_credits=0, debt_paid_credits=560)
        ]


def test_nobody_owes_anything_in_an_empty_ledger(engine: Engine) -> None:
    assert _ask(engine, DayRange()) == Debts(0, 0, 0)
    with database.read(engine) as connection:
        assert debts.owed_now(connection) == 0
        assert debts.owed_by(connection, "nobody") == Owed(0, 0)


def test_what_is_owed_for_shares_is_told_from_what_is_owed_for_purchases(engine: Engine) -> None:
    bought = paying.buy(engine, "ben")
    paying.tell(engine, paying.event(Happened.PAID, purchase_id=bought.id))
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, HAIKU_WITH_FEE, key="run").entry_id
    for number in range(6):
        world.charge(engine, world.run_by("ben"), key=f"spends-{number}")  # all 1,800
    world.refund(engine, run, key="refund")
    paying.tell(engine, paying.event(Happened.REFUNDED, 100, purchase_id=bought.id, about="back", at=1))
    with database.read(engine) as connection:
        assert debts.owed_by(connection, "ben") == Owed(800, 1_000)
        assert debts.owed_now(connection) == 1_800
    assert _ask(engine, DayRange()) == Debts(1_800, 1_800, 0)


def test_what_is_owed_at_the_end_of_any_day_is_the_sum_of_its_movements(engine: Engine) -> None:
    busy_ledger.drawn_days(engine, seed=41, actions=120)
    daily_totals.catch_up(engine)
    busy_ledger.drawn_days(engine, seed=42, actions=120)
    sql = (
        "SELECT COALESCE(-SUM(amount_credits), 0) FROM credit_transactions"
        " WHERE account_id LIKE '%debt' AND created_at_us / 86400000000 <= :last"
    )
    assert int(str(scalar(engine, "SELECT COUNT(*) FROM credit_transactions WHERE account_id LIKE '%debt'"))) > 0

    @given(first=BOUNDS, last=BOUNDS)
    def law(first: date | None, last: date | None) -> None:
        found = _ask(engine, DayRange(first, last))
        until = 10**6 if last is None else (last - date(1970, 1, 1)).days
        assert found.owed_credits == scalar(engine, sql, last=until)
        if first is None:
            assert found.became_credits - found.paid_credits == found.owed_credits

    law()
