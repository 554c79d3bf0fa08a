"""Views that people keep by name on Overview and History: saved, opened, renamed, deleted, and each undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.reports import saved_views
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from tests.support import page_driver, world
from tests.support.actors import TESTER, named
from tests.support.page_driver import choose, click, open_page, run
from tests.support.plain_sql import rows

OVERVIEW, HISTORY = "explore/overview.py", "explore/history.py"
KEPT = "SELECT screen, name, query FROM saved_views ORDER BY id"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine


def save(page: AppTest, name: str) -> AppTest:
    page.get_by_key("view:name").set_value(name)
    return click(page, "Save")


def press(page: AppTest, key: str) -> AppTest:
    page.get_by_key(key).click()
    return run(page)


def undo(page: AppTest) -> AppTest:
    """The page after a click on Undo in its head; the list of the visit has another one."""
    (key,) = (str(button.key) for button in page.main.button if str(button.key).startswith("undo:head:"))
    return press(page, key)


def head(page: AppTest) -> list[str]:
    return [text.value for text in page.main.markdown if ":material/" in text.value]


def keep(engine: Engine, screen: str, name: str, query: saved_views.Query) -> int:
    view = database.write(
        engine, lambda connection: saved_views.save(connection, screen, name, query, now=world.NOW, actor=named("x"))
    )
    return view.id


def test_what_is_chosen_is_saved_by_name_and_taken_back(ledger: Engine) -> None:
    page = save(open_page(OVERVIEW, period="last-month"), " Our *month* ")
    assert rows(ledger, KEPT) == [("overview", "Our *month*", '{"period": "last-month"}')]
    assert head(page) == [r":material/check_circle: Saved the view **Our \*month\***."]
    assert page.get_by_key("view:name").value == ""
    undo(page)
    assert rows(ledger, KEPT) == []
    assert head(page) == [":material/undo: Deleted again."]


def test_the_usual_period_is_saved_by_its_name_too(ledger: Engine) -> None:
    save(open_page(OVERVIEW), "Usual")
    save(open_page(OVERVIEW, days=["2026-11-01", "2026-11-05"]), "First days")
    assert rows(ledger, KEPT) == [
        ("overview", "Usual", '{"period": "30d"}'),
        ("overview", "First days", '{"days": ["2026-11-01", "2026-11-05"]}'),
    ]


@pytest.mark.parametrize("query", [{"period": "7d"}, {"days": ["2026-11-01", "2026-11-05"]}])
def test_a_click_opens_a_view_that_somebody_else_has_saved(ledger: Engine, query: saved_views.Query) -> None:
    view_id = keep(ledger, "overview", "Theirs", query)
    page = open_page(OVERVIEW, period="all")
    assert page.get_by_key(f"view:open:{view_id}").proto.icon == ":material/bookmark:"
    press(page, f"view:open:{view_id}")
    assert page.query_params == query
    assert page.get_by_key(f"view:open:{view_id}").proto.icon == ":material/check:"


def test_the_history_keeps_its_filters_and_takes_all_of_them(ledger: Engine) -> None:
    world.charge(ledger, world.HAIKU, key="run", book=None)
    page = open_page(HISTORY, user="ada", period="30d", legs="true")
    choose(page, types=["Prompt run"])
    save(page, "Ada's runs")
    expected = '{"period": "30d", "user": "ada", "types": ["prompt_run"], "legs": "true"}'
    assert rows(ledger, KEPT) == [("history", "Ada's runs", expected)]
    ((view_id,),) = rows(ledger, "SELECT id FROM saved_views")
    bare = keep(ledger, "history", "All", {"period": "all"})
    page = press(open_page(HISTORY), f"view:open:{view_id}")
    chosen = [page.get_by_key(key).value for key in ("user", "types", "legs")]
    assert (chosen, page.query_params["period"]) == (["ada", [TransactionType.PROMPT_RUN], True], "30d")
    press(page, f"view:open:{bare}")
    assert [page.get_by_key(key).value for key in ("user", "types", "legs")] == [None, [], False]


def test_an_open_entry_is_left_for_a_view(ledger: Engine) -> None:
    view_id = keep(ledger, "history", "All", {"period": "all"})
    page = press(open_page(HISTORY, entry="1"), f"view:open:{view_id}")
    assert page.get_by_key("entry").value == ""


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("WEEK", "There is already a view named 'WEEK'\\. Choose another name, or rename that one first\\."),
        ("  ", "Name must be given\\."),
    ],
)
def test_a_bad_name_is_refused_with_a_reason(ledger: Engine, name: str, title: str) -> None:
    keep(ledger, "overview", "week", {"period": "7d"})
    page = save(open_page(OVERVIEW), name)
    assert [(found.proto.title, found.value) for found in page.error] == [(title, "Nothing was saved.")]
    assert len(rows(ledger, KEPT)) == 1
    assert run(page).error == []  # it is about that click alone


def test_a_second_click_on_save_says_nothing(ledger: Engine) -> None:
    page = save(open_page(OVERVIEW, period="7d"), "week")
    save(page, "week")
    assert (len(page.error), len(rows(ledger, KEPT))) == (0, 1)


def test_a_view_is_deleted_at_once_and_comes_back(ledger: Engine) -> None:
    view_id = keep(ledger, "overview", "week", {"period": "7d"})
    page = press(open_page(OVERVIEW), f"view:delete:{view_id}")
    assert rows(ledger, KEPT) == []
    undo(page)
    assert rows(ledger, KEPT) == [("overview", "week", '{"period": "7d"}')]
    assert head(page) == [":material/undo: It is there again."]


def test_what_somebody_else_has_deleted_meanwhile_is_gone_without_a_word(ledger: Engine) -> None:
    view_id = keep(ledger, "overview", "week", {"period": "7d"})
    page = open_page(OVERVIEW)
    database.write(ledger, lambda connection: saved_views.remove(connection, view_id, actor=TESTER))
    press(page, f"view:delete:{view_id}")
    assert (len(page.error), head(page)) == (0, [])


def test_a_view_is_renamed_and_gets_its_name_back(ledger: Engine) -> None:
    view_id = keep(ledger, "overview", "week", {"period": "7d"})
    page = press(open_page(OVERVIEW), f"view:rename:{view_id}")
    page.get_by_key(f"view:new-name:{view_id}").set_value("Seven days")
    click(page, "Rename")
    assert rows(ledger, KEPT) == [("overview", "Seven days", '{"period": "7d"}')]
    assert head(page) == [":material/check_circle: Renamed the view week to **Seven days**."]
    undo(page)
    assert rows(ledger, KEPT) == [("overview", "week", '{"period": "7d"}')]


def test_a_name_that_is_taken_is_refused_in_the_dialog(ledger: Engine) -> None:
    view_id = keep(ledger, "overview", "week", {"period": "7d"})
    keep(ledger, "overview", "month", {"period": "30d"})
    page = press(open_page(OVERVIEW), f"view:rename:{view_id}")
    page.get_by_key(f"view:new-name:{view_id}").set_value("Month")
    click(page, "Rename")
    assert page.error[0].value == "Nothing was renamed."
    assert [name for _, name, _ in rows(ledger, KEPT)] == ["week", "month"]


def test_each_screen_lists_its_own(ledger: Engine) -> None:
    of_history = keep(ledger, "history", "week", {"period": "7d"})
    page = open_page(OVERVIEW)
    assert [button.key for button in page.button if str(button.key).startswith("view:open:")] == []
    page = open_page(HISTORY)
    assert [button.key for button in page.button if str(button.key).startswith("view:open:")] == [
        f"view:open:{of_history}"
    ]
