"""Views that people keep by name: what is kept, and which names are refused."""

import pytest
from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.reports import saved_views
from credits_core.reports.refusals import UnknownView, ViewNameTaken
from credits_core.reports.saved_views import View
from credits_core.store import database
from tests.support import racers
from tests.support.actors import TESTER
from tests.support.plain_sql import refused, rows
from tests.support.world import NOW

LAST_MONTH = {"period": "last-month"}


def save(engine: Engine, name: str, *, screen: str = "overview", query: saved_views.Query = LAST_MONTH) -> View:
    return database.write(
        engine, lambda connection: saved_views.save(connection, screen, name, query, now=NOW, actor=TESTER)
    )


def rename(engine: Engine, view: View, name: str) -> View:
    return database.write(engine, lambda connection: saved_views.rename(connection, view.id, name, actor=TESTER))


def remove(engine: Engine, view: View) -> View:
    return database.write(engine, lambda connection: saved_views.remove(connection, view.id, actor=TESTER))


def names(engine: Engine, screen: str = "overview") -> list[str]:
    with database.read(engine) as connection:
        return [view.name for view in saved_views.views(connection, screen)]


def test_a_view_is_kept_as_it_was_chosen(engine: Engine) -> None:
    query = {"days": ["2026-11-01", "2026-11-05"], "user": "ada", "types": ["refund"]}
    saved = save(engine, "  Ada's refunds ", screen="history", query=query)
    with database.read(engine) as connection:
        assert saved_views.views(connection, "history") == [saved]
    assert (saved.name, saved.query) == ("Ada's refunds", query)
    assert rows(engine, "SELECT screen, actor FROM saved_views") == [("history", "tester")]


def test_each_screen_has_its_own_in_the_order_of_their_names(engine: Engine) -> None:
    for name in ("week", "Month", "all"):
        save(engine, name)
    save(engine, "week", screen="history")
    assert (names(engine), names(engine, "history")) == (["all", "Month", "week"], ["week"])


@pytest.mark.parametrize("name", ["week", "Week", " WEEK "])
def test_a_screen_has_a_name_once_in_whatever_case(engine: Engine, name: str) -> None:
    save(engine, "week")
    with refused(engine, ViewNameTaken) as caught:
        save(engine, name)
    assert str(caught.value) == (
        f"There is already a view named {name.strip()!r}. Choose another name, or rename that one first."
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must be given"),
        ("  ", "must be given"),
        ("x" * 61, "must be at most 60 printable characters"),
        ("two\nlines", "must be at most 60 printable characters"),
        ("nothing\0", "must be at most 60 printable characters"),
    ],
)
def test_a_bad_name_is_refused_with_a_reason(engine: Engine, name: str, problem: str) -> None:
    view = save(engine, "week")
    for attempt in (lambda: save(engine, name), lambda: rename(engine, view, name)):
        with refused(engine, InvalidRequest) as caught:
            attempt()
        assert str(caught.value) == f"name: {problem}"


@pytest.mark.parametrize("name", ["x" * 60, "ß" * 60, "*all* $5 [week](x)", "Ümit's 週"])
def test_any_other_name_will_do(engine: Engine, name: str) -> None:
    save(engine, name)
    assert names(engine) == [name]


def test_a_view_gets_another_name_and_its_old_one_back(engine: Engine) -> None:
    view = save(engine, "week")
    assert rename(engine, view, "Seven days") == view
    assert names(engine) == ["Seven days"]
    rename(engine, view, "WEEK")
    rename(engine, view, view.name)
    assert names(engine) == ["week"]


def test_it_does_not_get_the_name_of_another_one(engine: Engine) -> None:
    view = save(engine, "week")
    save(engine, "month")
    with refused(engine, ViewNameTaken):
        rename(engine, view, "Month")


def test_a_deleted_view_comes_back_when_it_is_saved_again(engine: Engine) -> None:
    view = remove(engine, save(engine, "week"))
    assert names(engine) == []
    save(engine, view.name, screen=view.screen, query=view.query)
    assert names(engine) == ["week"]


def test_what_somebody_else_has_deleted_is_not_there(engine: Engine) -> None:
    view = save(engine, "week")
    remove(engine, view)
    for attempt in (lambda: remove(engine, view), lambda: rename(engine, view, "month")):
        with refused(engine, UnknownView) as caught:
            attempt()
        assert str(caught.value) == "Somebody else has deleted this view."


def test_of_several_who_save_the_same_name_at_once_one_does(engine: Engine) -> None:
    def attempt() -> bool:
        try:
            save(engine, "week")
        except ViewNameTaken:
            return False
        return True

    assert sorted(racers.at_once([attempt] * 4)) == [False, False, False, True]
