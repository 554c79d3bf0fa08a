"""What people read while the database stands still: screens open, and an action says what became of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from credits_core.errors import CreditsError
from credits_core.store import database
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting, Unavailable
from pages.parts import failures, show
from tests.support import page_driver, world
from tests.support.plain_sql import balance, scalar

RUNS = "SELECT COUNT(*) FROM prompt_runs"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A dashboard whose actions have a second, and ada with 10,000 credits."""
    monkeypatch.setenv("CREDITS_DEADLINE_SECONDS", "1")
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 10_000, key="fund")
        yield engine


@contextmanager
def _somebody_writes(engine: Engine) -> Iterator[None]:
    is_inside, may_end = threading.Event(), threading.Event()

    def slowly(_: Connection) -> None:
        is_inside.set()
        may_end.wait(120)

    writing = threading.Thread(target=database.write, args=(engine, slowly))
    writing.start()
    assert is_inside.wait(120)
    try:
        yield
    finally:
        may_end.set()
        writing.join()


def _ready_to_run() -> AppTest:
    return page_driver.open_page("act/simulate_runs.py", user="ada", model="claude-3-haiku", prompt="summarise")


def _told(page: AppTest) -> list[tuple[str, str]]:
    return [(box.proto.title, box.value) for box in [*page.error, *page.warning]]


def test_a_screen_opens_while_somebody_writes_for_long(ledger: Engine) -> None:
    with _somebody_writes(ledger):
        page = page_driver.open_page("explore/balances.py")
        assert page_driver.table(page)[0]["User"] == "ada"


def test_an_action_that_could_not_begin_says_so_and_can_be_done_again(ledger: Engine) -> None:
    page = _ready_to_run()
    with _somebody_writes(ledger):
        page_driver.click(page, "Run")
        assert _told(page) == [("The database is busy.", "Nothing was changed. Try again in a moment.")]
        assert scalar(ledger, RUNS) == 0
    page_driver.click(page, "Run")
    assert _told(page) == []
    assert scalar(ledger, RUNS) == 1


def test_an_action_whose_end_is_not_known_says_so_and_is_not_charged_twice(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _ready_to_run()
    write = database.write

    def commit_and_say_nothing(engine: Engine, action: Any) -> None:
        write(engine, action)
        raise DeadlinePassed(may_have_happened=True)

    monkeypatch.setattr(database, "write", commit_and_say_nothing)
    page_driver.click(page, "Run")
    ((title, said),) = _told(page)
    assert title == "The database did not answer"
    assert said == (
        "Click the same button again in a moment: you see whether it was done, and nothing is charged twice."
    )
    monkeypatch.setattr(database, "write", write)
    page_driver.click(page, "Run")
    assert scalar(ledger, RUNS) == 1
    assert balance(ledger, "ada") == 9_700


@pytest.mark.parametrize(
    ("refusal", "claims"),
    [
        (DeadlinePassed(), True),
        (TooManyWaiting(200), True),
        (DeadlinePassed(may_have_happened=True), False),
        (Unavailable(), False),
    ],
)
def test_nothing_is_said_to_be_undone_that_may_have_been_done(
    refusal: CreditsError, claims: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for kind in ("error", "warning"):
        monkeypatch.setattr(st, kind, lambda body, *, title, icon: told.append(f"{title} {body}"))
    show.refusal(refusal, undone="Nothing was charged.")
    ((said),) = told
    assert ("Nothing was" in said) is claims
    assert "Idempotency" not in said


@pytest.mark.parametrize(
    ("failure", "title"),
    [
        (DeadlinePassed(), "The database does not answer"),
        (OperationalError("SELECT 1", {}, Exception("refused")), "The database does not answer"),
        (PermissionError(13, "credits.db.lock"), "The database does not answer"),
        (RuntimeError("of ours"), "This page could not be shown"),
    ],
)
def test_a_page_without_a_database_is_told_from_one_that_failed(
    failure: Exception, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for kind in ("error", "warning"):
        monkeypatch.setattr(st, kind, lambda _body, *, title, icon: told.append(title))
    assert failures.hide_and_log(failure)
    assert told == [title]
