"""The switch that makes a user a test user, on the user's own screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.values.roles import PersonRole
from tests.support import world
from tests.support.acting import actor_as, signed_in
from tests.support.page_driver import open_page, run, small_dashboard
from tests.support.plain_sql import rows


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 100, key="fund")
        yield engine


def switched(page: AppTest, *, on: bool) -> AppTest:
    page.get_by_key("test-user:ada").set_value(on)
    return run(page)


def test_an_admin_makes_a_user_a_test_user_and_no_more(ledger: Engine) -> None:
    with signed_in(actor_as(PersonRole.ADMIN)):
        page = switched(open_page("explore/balances.py", user="ada"), on=True)
        assert rows(ledger, "SELECT user_id, actor FROM trial_users") == [("ada", "dashboard/admin@example.org")]
        switched(page, on=False)
    assert rows(ledger, "SELECT user_id FROM trial_users") == []
    assert rows(ledger, "SELECT kind, subject FROM activity ORDER BY id DESC LIMIT 2") == [
        ("test_user_removed", "ada"),
        ("test_user_added", "ada"),
    ]
