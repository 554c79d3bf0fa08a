"""Long files are sent while they are read, to whoever may have them at that moment."""

import re
import tracemalloc
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.access import people
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from pages.parts import csv_files, sending
from tests.support import signed_in, world
from tests.support.page_driver import fetched, open_page, small_dashboard
from tests.support.plain_sql import rows

FINA = "fina@example.org"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine


def address_on_the_history() -> str:
    (button,) = open_page("explore/history.py", period="all").get("link_button")
    assert button.proto.label == "Download all matches as CSV"
    return str(button.proto.url)


def exported(engine: Engine) -> list[tuple[object, ...]]:
    return rows(engine, "SELECT subject, actor FROM activity WHERE kind = 'exported'")


def test_the_file_is_sent_as_often_as_it_is_asked_for_and_each_time_leaves_a_line(ledger: Engine) -> None:
    path = address_on_the_history()
    assert re.fullmatch(r"/download/[\w-]{43}", path)
    for _ in range(2):
        answer = fetched(path)
        assert answer.status_code == HTTPStatus.OK
        assert answer.headers["content-disposition"] == 'attachment; filename="credit-transactions.csv"'
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.text.splitlines()) == 2
    assert exported(ledger) == [("credit-transactions.csv", "dashboard")] * 2


def test_a_screen_that_is_drawn_again_offers_its_file_in_place_of_the_last(ledger: Engine) -> None:
    page = open_page("explore/history.py", period="all")
    first = page.get("link_button")[0].proto.url
    world.add(ledger, "ben", 5, key="b")
    assert page.run().get("link_button")[0].proto.url == first
    assert b"ben" in fetched(first).content


@pytest.mark.parametrize("token", ["x", "A" * 43])
def test_what_was_not_offered_is_not_there(ledger: Engine, token: str) -> None:
    address_on_the_history()
    answer = fetched(f"/download/{token}")
    assert (answer.status_code, "Open the screen again" in answer.text) == (HTTPStatus.NOT_FOUND, True)
    assert exported(ledger) == []


@pytest.mark.parametrize("how", ["removed", "made a viewer", "signed out"])
def test_whoever_may_not_have_it_any_more_does_not_get_it(ledger: Engine, how: str) -> None:
    signed_in.add(ledger, FINA, PersonRole.FINANCE)
    signed_in.add(ledger, "ann@example.org", PersonRole.ADMIN)
    with signed_in.signed_in(FINA):
        path = address_on_the_history()
        assert fetched(path).status_code == HTTPStatus.OK
        root, now = operator(Way.CLI), world.NOW
        if how == "removed":
            database.write(ledger, lambda one: people.remove(one, FINA, actor=root, now=now))
        elif how == "made a viewer":
            database.write(ledger, lambda one: people.change_roles(one, FINA, [PersonRole.VIEWER], actor=root, now=now))
        else:
            database.write(ledger, lambda one: one.exec_driver_sql("UPDATE sign_in_sessions SET ended_at_us = 1"))
        answer = fetched(path)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "may not" in answer.text
    assert exported(ledger) == [("credit-transactions.csv", f"dashboard/{FINA}")]


def test_a_long_file_takes_no_more_memory_than_a_short_one() -> None:
    def peak_bytes(lines: int) -> int:
        tracemalloc.start()
        for _piece in csv_files.csv_pieces(["line"], ([number] for number in range(lines))):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert peak_bytes(100_000) < 2 * peak_bytes(2_000)


def test_the_oldest_offers_end(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = address_on_the_history()
    monkeypatch.setattr(sending, "_MOST_OFFERS", 1)
    other = address_on_the_history()
    assert [fetched(one).status_code for one in (path, other)] == [HTTPStatus.NOT_FOUND, HTTPStatus.OK]
