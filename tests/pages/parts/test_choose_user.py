"""Choosing a user of a ledger that has more of them than the box lists."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from credits_core.ledger import accounts, opening
from credits_core.store import database
from tests.support import page_driver, world
from tests.support.actors import TESTER
from tests.support.page_driver import open_page, run

NOBODY = "No user has this id. Similar ids:"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A ledger of 300 users, from user-000 to user-299."""
    with page_driver.small_dashboard(tmp_path_factory.mktemp("users")) as engine:
        given = {f"user-{number:03}": 1_000_000 for number in range(300)}
        database.write(
            engine,
            lambda connection: opening.import_opening_balances(
                connection, opening_credits=given, now=world.NOW, actor=TESTER, leaves_room=True
            ),
        )
        yield engine


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "path", ["act/simulate_runs.py", "act/add_credits.py", "test_credits.py", "build/api_console.py"]
)
def test_a_part_of_an_id_offers_the_users_that_have_it(path: str) -> None:
    page = open_page(path, user="29")
    offered = [button for button in page.button if (button.key or "").startswith("choose-user-")]
    assert NOBODY in [caption.value for caption in page.caption]
    # Of 029, 129, 229 and from 290 to 299 the first eight.
    expected = ["029", "129", "229", "290", "291", "292", "293", "294"]
    assert [button.key for button in offered] == [f"choose-user-user-{number}" for number in expected]
    offered[2].click()
    run(page)
    assert page.session_state["user"] == "user-229"
    assert NOBODY not in [caption.value for caption in page.caption]


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("user", ["user-007", "user-299", "nobody-at-all"])
def test_nothing_is_offered_for_an_id_that_is_there_or_that_nobody_has_a_part_of(user: str) -> None:
    page = open_page("act/add_credits.py", user=user)
    assert NOBODY not in [caption.value for caption in page.caption]


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("user", "searches"), [("user-299", []), ("user-29", ["user-29"])])
def test_all_users_are_searched_only_for_an_id_that_nobody_has(
    monkeypatch: pytest.MonkeyPatch, user: str, searches: list[str]
) -> None:
    searched: list[str] = []
    users = accounts.users

    def keep(connection: Connection, *, search: str = "", limit: int = 50) -> list[accounts.UserBalance]:
        searched.extend([search] if search else [])
        return users(connection, search=search, limit=limit)

    monkeypatch.setattr(accounts, "users", keep)
    open_page("act/add_credits.py", user=user)
    assert searched == searches
