"""What stands beside a balance: the role of a user, and the median price of a run, on both databases."""

from datetime import timedelta
from statistics import median_low

import pytest
from sqlalchemy import Engine

from credits_core.reports import daily_totals, users
from credits_core.reports.users import Role
from credits_core.store import database
from tests.support import busy_ledger, world
from tests.support.busy_ledger import COVERED
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW

A_MICROSECOND = timedelta(microseconds=1)


def roles(engine: Engine, *user_ids: str) -> dict[str, Role]:
    with database.read(engine) as connection:
        return users.roles(connection, user_ids)


def median(engine: Engine) -> int | None:
    with database.read(engine) as connection:
        return users.median_total_credits(connection)


@pytest.mark.parametrize("covered", COVERED)
def test_a_role_is_what_one_pays_and_earns(engine: Engine, covered: str) -> None:
    busy_ledger.covered_three_days(engine, covered)
    # Dev's grant was refunded; Ben and Cara were paid and ran a prompt themselves.
    assert roles(engine, "dev", "cara", "ben", "ada", "nobody") == {
        "dev": Role.USER,
        "cara": Role.BOTH,
        "ben": Role.BOTH,
        "ada": Role.USER,
        "nobody": Role.USER,
    }
    assert list(roles(engine, "ben", "ada")) == ["ben", "ada"]
    assert roles(engine) == {}


def test_a_creator_whose_share_was_refunded_is_a_creator_still(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    paid = world.charge(engine, HAIKU_WITH_FEE, key="run")
    assert roles(engine, "ben") == {"ben": Role.CREATOR}
    world.refund(engine, paid.entry_id, key="back")
    daily_totals.catch_up(engine)
    assert roles(engine, "ben") == {"ben": Role.CREATOR}
    world.add(engine, "ben", 1, key="own")
    assert roles(engine, "ben") == {"ben": Role.BOTH}


def test_the_median_is_of_the_30_days_up_to_the_latest_run(engine: Engine) -> None:
    assert median(engine) is None
    world.add(engine, "ada", 1_000_000, key="fund")
    assert median(engine) is None
    gpt_4 = world.ChargeRequest("ada", "write", "gpt-4")  # 30,000 and 10 % markup
    world.charge(engine, gpt_4, key="one", now=NOW)
    assert median(engine) == 33_000
    world.charge(engine, HAIKU, key="two", now=NOW)
    assert median(engine) == 300  # of two it is the lower one
    world.charge(engine, gpt_4, key="three", now=NOW)
    assert median(engine) == 33_000
    world.charge(engine, HAIKU_WITH_FEE, key="four", now=NOW + timedelta(days=30) - A_MICROSECOND)
    assert median(engine) == 1_251  # 300, 1,251, 33,000, 33,000
    world.charge(engine, HAIKU, key="five", now=NOW + timedelta(days=30))
    assert median(engine) == 300  # the three of the first day are too old


def test_the_median_of_drawn_runs_is_the_one_in_the_middle(engine: Engine) -> None:
    busy_ledger.drawn_days(engine, seed=51)
    totals = [int(str(total)) for (total,) in rows(engine, "SELECT total_credits FROM prompt_runs")]
    assert len(set(totals)) > 10
    assert median(engine) == median_low(totals)
