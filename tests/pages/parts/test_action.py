"""One action at a time: what becomes of a click that comes twice, that is refused, or whose page run is ended."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.bulk import batch, pieces
from credits_core.bulk.batch import Batch, Summary, charge_piece
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.store import database
from credits_core.store.refusals import Unavailable
from credits_core.values.roles import Actor
from pages.parts import action as page_action
from pages.parts import resources
from pages.parts.action import Performed
from tests.support import page_driver, plain_sql, world

RUNS = "SELECT COUNT(*) FROM prompt_runs"


class Session(dict[str, Any]):
    """Streamlit's session of one browser tab. Once the run of the page is ended, touching it ends the thread's work."""

    ended = False

    def __getitem__(self, name: str) -> Any:
        self._stop_if_ended()
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._stop_if_ended()
        super().__setitem__(name, value)

    def __contains__(self, name: object) -> bool:
        self._stop_if_ended()
        return super().__contains__(name)

    def _stop_if_ended(self) -> None:
        if self.ended:
            raise SystemExit


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    session = Session()
    monkeypatch.setattr(st, "session_state", session)
    return session


@pytest.fixture
def ledger(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(settings, "load_models", lambda: world.price_book().models)
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        world.put_in_force(engine, world.price_book().plan)
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []


def charge(connection: Connection, key: str, now: datetime, actor: Actor) -> Receipt:
    return actions.charge_prompt(
        connection, world.HAIKU, book=resources.book_at(connection), key=key, now=now, actor=actor
    )


def click(request: object = "a run") -> Performed[Receipt]:
    return page_action.perform("run", request, charge)


def entry_id(outcome: Performed[Any] | None) -> int:
    assert outcome is not None
    assert isinstance(outcome.result, Receipt)
    return outcome.result.entry_id


def test_an_outcome_stays_until_the_person_starts_over(ledger: Engine) -> None:
    assert page_action.performed("run") is None
    assert not page_action.has_result("run")
    outcome = click()
    assert page_action.performed("run") == outcome
    assert page_action.has_result("run")
    page_action.start_over("run")
    assert page_action.performed("run") is None


def test_the_same_request_is_carried_out_once(ledger: Engine) -> None:
    first, second = click(), click()
    assert (first.repeated, second.repeated) == (False, True)
    assert entry_id(second) == entry_id(first)
    assert plain_sql.scalar(ledger, RUNS) == 1


def test_the_same_request_is_a_new_action_after_starting_over(ledger: Engine) -> None:
    click()
    page_action.start_over("run")
    assert not click().repeated
    assert plain_sql.scalar(ledger, RUNS) == 2


def test_another_request_is_a_new_action(ledger: Engine) -> None:
    click("a run")
    assert not click("another run").repeated
    assert not click("a run").repeated
    assert plain_sql.scalar(ledger, RUNS) == 3


def test_actions_of_different_names_do_not_meet(ledger: Engine) -> None:
    click()
    assert page_action.performed("add") is None


def test_a_refused_request_can_be_made_again_when_the_reason_is_gone(ledger: Engine) -> None:
    def refuse(connection: Connection, key: str, now: datetime, actor: Actor) -> Receipt:
        raise InsufficientCredits("ada", 1, 2)

    refused = page_action.perform("run", "a run", refuse)
    assert isinstance(refused.refusal, InsufficientCredits)
    assert not page_action.has_result("run")
    accepted = click()
    assert (accepted.refusal, accepted.repeated) == (None, False)
    assert plain_sql.scalar(ledger, RUNS) == 1


def test_a_refused_request_leaves_the_database_as_it_was(ledger: Engine) -> None:
    def charge_and_refuse(connection: Connection, key: str, now: datetime, actor: Actor) -> Receipt:
        charge(connection, key, now, actor)
        raise InsufficientCredits("ada", 1, 2)

    before = plain_sql.every_row(ledger)
    page_action.perform("run", "a run", charge_and_refuse)
    assert plain_sql.every_row(ledger) == before


def test_an_outcome_is_kept_although_the_run_is_ended_in_its_unit_of_work(ledger: Engine, session: Session) -> None:
    def charge_as_the_run_is_ended(connection: Connection, key: str, now: datetime, actor: Actor) -> Receipt:
        session.ended = True
        return charge(connection, key, now, actor)

    page_action.perform("run", "a run", charge_as_the_run_is_ended)
    with pytest.raises(SystemExit):
        page_action.performed("run")
    session.ended = False
    kept = page_action.performed("run")
    assert entry_id(click()) == entry_id(kept)
    assert plain_sql.scalar(ledger, RUNS) == 1


def test_when_nobody_knows_whether_it_was_committed_the_database_replays_the_receipt(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = database.write

    def commit_and_break_down(engine: Engine, action: Any) -> None:
        write(engine, action)
        raise ConnectionError("the answer to the commit was lost")

    monkeypatch.setattr(database, "write", commit_and_break_down)
    assert isinstance(click().refusal, Unavailable)
    monkeypatch.setattr(database, "write", write)
    outcome = click()
    assert outcome.result is not None
    assert outcome.result.replayed
    assert plain_sql.scalar(ledger, RUNS) == 1


def test_a_second_run_of_the_page_waits_for_the_first_ones_unit_of_work(ledger: Engine) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def charge_slowly(connection: Connection, key: str, now: datetime, actor: Actor) -> Receipt:
        begun.set()
        assert may_end.wait(120)
        return charge(connection, key, now, actor)

    seen: list[Performed[Any] | None] = []
    page_action.performed("run")
    first = threading.Thread(target=lambda: page_action.perform("run", "a run", charge_slowly))
    second = threading.Thread(target=lambda: seen.append(click()))
    reader = threading.Thread(target=lambda: seen.append(page_action.performed("run")))
    first.start()
    assert begun.wait(120)
    second.start()
    reader.start()
    reader.join(0.2)
    assert seen == []
    may_end.set()
    for thread in (first, second, reader):
        thread.join(120)
    assert {entry_id(outcome) for outcome in seen} == {2}
    assert plain_sql.scalar(ledger, RUNS) == 1


# --- actions of many pieces -----------------------------------------------------------------------------------------

BATCH = Batch(world.HAIKU, 25)


def run_batch() -> Iterator[Performed[Summary]]:
    return page_action.perform_in_pieces(
        "batch",
        BATCH,
        lambda connection, key, now, actor, before: charge_piece(
            connection,
            BATCH,
            before=before or Summary(),
            book=resources.book(),
            key=key,
            now=now,
            actor=actor,
        ),
        is_whole=lambda summary: summary.runs == BATCH.runs,
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pieces of ten runs on any machine; an entry for each pause between two of them."""
    pauses: list[int] = []
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
    monkeypatch.setattr(batch, "_LARGEST_PIECE", 10)
    monkeypatch.setattr(pieces, "pause", lambda: pauses.append(1))
    return pauses


def charged(outcome: Performed[Any] | None) -> tuple[int, bool]:
    """How many runs were charged, and whether those are all."""
    assert outcome is not None
    return outcome.result.charged, outcome.is_whole


def test_a_batch_tells_how_far_it_is_after_each_piece(ledger: Engine, pauses: list[int]) -> None:
    assert [charged(outcome) for outcome in run_batch()] == [(10, False), (20, False), (25, True)]
    assert len(pauses) == 2
    assert charged(page_action.performed("batch")) == (25, True)
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 25 * 300


def test_a_batch_that_was_ended_between_two_pieces_goes_on_where_it_stopped(ledger: Engine, pauses: list[int]) -> None:
    next(run_batch())
    assert charged(page_action.performed("batch")) == (10, False)
    assert [charged(outcome) for outcome in run_batch()] == [(20, False), (25, True)]
    assert plain_sql.scalar(ledger, RUNS) == 25


def test_a_batch_that_is_asked_for_again_is_not_charged_again(ledger: Engine) -> None:
    *_, first = run_batch()
    (second,) = run_batch()
    assert second.repeated
    assert second.result == first.result
    assert plain_sql.scalar(ledger, RUNS) == 25


def test_a_batch_that_two_runs_of_the_page_carry_out_at_once_is_charged_once(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one run in each piece
    page_action.performed("batch")
    together = threading.Barrier(2)

    def work() -> None:
        together.wait(120)
        for _ in run_batch():
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert charged(page_action.performed("batch")) == (25, True)
    assert plain_sql.scalar(ledger, RUNS) == 25
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 25 * 300
