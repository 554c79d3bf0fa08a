"""Spending limits on the user's own screen: set, seen and removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.page_driver import button_labels, click, open_page, run, small_dashboard
from tests.support.plain_sql import rows

LIMITS = "SELECT subject, period, limit_credits FROM spending_limits"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 100_000, key="fund")
        yield engine


def test_a_limit_is_set_seen_and_removed(ledger: Engine) -> None:
    page = open_page("explore/balances.py", user="ada")
    assert "Remove limit" not in button_labels(page)
    page.get_by_key("user_limit_credits").set_value("20,000")
    page = click(run(page), "Set limit")
    assert rows(ledger, LIMITS) == [("ada", "day", 20_000)]
    (bar,) = page.get("progress")
    assert bar.proto.text.startswith("Today: **20,000 credits")
    assert "(0 spent), until " in bar.proto.text
    page = click(page, "Remove limit")
    assert rows(ledger, LIMITS) == []
    assert not page.get("progress")


def test_a_limit_that_is_no_number_cannot_be_set(ledger: Engine) -> None:
    page = open_page("explore/balances.py", user="ada")
    page.get_by_key("user_limit_credits").set_value("-5")
    (button,) = [one for one in run(page).button if one.label == "Set limit"]
    assert button.disabled
