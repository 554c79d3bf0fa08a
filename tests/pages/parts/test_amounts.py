"""One switch for the whole dashboard: credits with dollars beside them, or dollars alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support import page_driver, world
from tests.support.page_driver import charts, metrics, open_page, run, table


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_234_567, key="fund")
        world.charge(engine, world.HAIKU_WITH_FEE, key="run")  # 1,251, of which 800 are Ben's
        yield engine


def in_dollars(page: AppTest) -> AppTest:
    page.radio(key="amounts").set_value("Dollars")
    return run(page)


def test_a_metric_has_credits_with_dollars_under_them_or_the_other_way_round(ledger: Engine) -> None:
    page = open_page("explore/balances.py", user="ada")
    assert metrics(page)["Balance"] == ("1,233,316", "$1.23")
    assert metrics(page)["Credits out"] == ("1,251", "$0.001251")
    in_dollars(page)
    assert metrics(page)["Balance"] == ("$1.23", "1,233,316 credits")
    assert metrics(page)["Credits out"] == ("$0.001251", "1,251 credits")


def test_a_table_has_both_or_exact_dollars_alone_with_their_points_under_each_other(ledger: Engine) -> None:
    page = open_page("explore/balances.py")
    of_credits = [(row["User"], row["Balance"], row["Dollars"]) for row in table(page)]
    assert of_credits == [("ada", 1_233_316, "$1.23"), ("ben", 800, "$0.0008")]
    rows = table(in_dollars(page))
    assert [(row["User"], row["Balance"]) for row in rows] == [("ada", "$1.233316"), ("ben", "$0.000800")]
    assert "Dollars" not in rows[0]


def test_amounts_below_zero_and_columns_without_dollars_are_in_dollars_too(ledger: Engine) -> None:
    page = in_dollars(open_page("explore/balances.py", user="ada"))
    assert [(row["Credits"], row["Balance after"]) for row in table(page)] == [
        ("-$0.001251", "$1.233316"),
        ("$1.234567", "$1.234567"),
    ]


def test_the_switch_stays_as_one_goes_to_another_screen(ledger: Engine) -> None:
    page = in_dollars(open_page("explore/balances.py"))
    run(page.switch_page("explore/creator_earnings.py"))
    assert metrics(page)["Net"] == ("$0.0008", "800 credits")
    assert charts(page)


def test_it_begins_in_credits(ledger: Engine) -> None:
    switch = open_page("explore/balances.py").radio(key="amounts")
    assert (switch.options, switch.value, switch.horizontal) == (["Credits", "Dollars"], "Credits", True)
