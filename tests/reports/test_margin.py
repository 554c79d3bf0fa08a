"""What is left for the platform, by everything it can be put together by, against plain sums of the entries."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from credits_core.lab.inspector.shape import CardFee
from credits_core.reports.margin import NO_CREATOR, NO_MODEL, By, Margin, in_all, margins
from credits_core.store import database
from credits_core.values.days import DayRange
from credits_core.values.time_zones import zone_named
from tests.support import busy_ledger, world
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

NO_FEE = CardFee(0, 0)
ALL = DayRange()


def ask(engine: Engine, by: By, days: DayRange = ALL, card_fee: CardFee = NO_FEE) -> list[Margin]:
    with database.read(engine) as connection:
        return margins(connection, days, by, card_fee)


def by_name(found: list[Margin]) -> dict[str, tuple[int, int, int, int, int]]:
    """Charges, paid, inference, creators and platform of each."""
    return {
        one.name: (one.charges, one.paid_credits, one.inference_credits, one.creators_credits, one.platform_credits)
        for one in found
    }


@pytest.fixture
def three_days(engine: Engine) -> Engine:
    busy_ledger.three_days(engine)
    return engine


def test_each_user_has_what_was_paid_and_what_became_of_it(three_days: Engine) -> None:
    # Ada paid 300, twice 1,251 and 1,001, and got back 1,251 and 1,001, of which the platform bore what Ben had spent.
    assert by_name(ask(three_days, By.USER)) == {
        "ada": (4, 300 + 1_251, 3 * 250, 3 * 800, 50 + 2 * 201 + 201 - 201 - 250 - 800 - 201 - 800),
        "ben": (1, 0, 250, 0, 430 - 430 - 250),  # Cara owes the 300 that she had spent
        "cara": (1, 300, 250, 0, 50),
    }


@pytest.mark.parametrize("by", By)
def test_whatever_they_are_put_together_by_the_sums_are_those_of_the_entries(three_days: Engine, by: By) -> None:
    found = in_all(ask(three_days, by))
    platform = "account_id IN ('platform:revenue', 'platform:refunded_inference')"
    assert found.platform_credits == scalar(
        three_days, f"SELECT SUM(amount_credits) FROM credit_transactions WHERE {platform}"
    )
    assert found.inference_credits == scalar(
        three_days, "SELECT SUM(amount_credits) FROM credit_transactions WHERE account_id = 'platform:inference'"
    )
    assert found.creators_credits == scalar(
        three_days, "SELECT SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
    )
    assert found.charges == 6


def test_unlocks_and_runs_without_a_fee_have_names_of_their_own(three_days: Engine) -> None:
    assert by_name(ask(three_days, By.MODEL)).keys() == {"claude-3-haiku", NO_MODEL}
    assert by_name(ask(three_days, By.CREATOR)).keys() == {"ben", "cara", NO_CREATOR}
    assert by_name(ask(three_days, By.PROMPT)).keys() == {"summarise", "report-flow", "translate"}


def test_a_refund_counts_on_its_own_day(three_days: Engine) -> None:
    first = DayRange(date(2026, 3, 1), date(2026, 3, 1))
    third = DayRange(date(2026, 3, 3), date(2026, 3, 3))
    assert by_name(ask(three_days, By.USER, first)) == {"ada": (2, 1_551, 500, 800, 251)}
    assert in_all(ask(three_days, By.USER, third)).charges == 0
    assert in_all(ask(three_days, By.USER, third)).paid_credits == -(1_251 + 1_001 + 2_400)


def test_months_are_those_of_the_time_zone_in_order(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund", now=NOW)
    for number, days in enumerate((0, 30, 31)):  # March 1, March 31 and April 1, each at noon in UTC
        world.charge(engine, world.HAIKU, key=f"run-{number}", now=NOW + timedelta(days=days))
    assert [(one.name, one.charges) for one in ask(engine, By.MONTH)] == [("2026-03", 2), ("2026-04", 1)]
    later = DayRange(zone=zone_named("Pacific/Kiritimati"))  # 14 hours ahead
    assert [(one.name, one.charges) for one in ask(engine, By.MONTH, later)] == [("2026-03", 1), ("2026-04", 2)]


def test_who_loses_most_is_first_and_is_told_what_would_mend_it(engine: Engine) -> None:
    """With a fee of 20 % of what is paid a markup of 20 % loses: 60 of 300, where it earns 50."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "cara", 10_000, key="fund-cara")
    for number in range(2):
        world.charge(engine, world.HAIKU, key=f"run-{number}")
    world.charge(engine, world.run_by("cara", world.HAIKU_WITH_FEE), key="fee")
    listed = ask(engine, By.USER, card_fee=CardFee(2_000, 0))
    assert [(one.name, one.card_fee_credits, one.left_credits) for one in listed] == [
        ("cara", 251, 201 - 251),
        ("ada", 120, 100 - 120),
    ]
    assert [one.mending_bps for one in listed] == [2_000, 400]  # 50 of 250, and 20 of 500
    assert replace(listed[0], inference_credits=0).mending_bps is None
    assert replace(listed[0], card_fee_credits=0).mending_bps == 0


def test_a_refund_in_parts_counts_as_what_it_gives_back(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    run = world.charge(engine, world.HAIKU_WITH_FEE, key="run").entry_id
    world.refund(engine, run, amount_credits=500, key="part")
    (one,) = ask(engine, By.USER)
    moved = dict(rows(engine, "SELECT account_id, SUM(amount_credits) FROM credit_transactions GROUP BY 1"))
    assert (one.paid_credits, one.creators_credits) == (751, moved["ben"])
    assert one.platform_credits == int(str(moved["platform:revenue"])) + int(str(moved["platform:refunded_inference"]))
