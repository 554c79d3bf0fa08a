"""Who offers, withdraws or makes a list live never undoes another person's change unseen."""

import multiprocessing.synchronize
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from multiprocessing.connection import Connection as Pipe

import pytest
from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.prices import lists, offers
from credits_core.prices.offers import Compared
from credits_core.prices.refusals import (
    LiveListChanged,
    NoLivePriceList,
    NotOffered,
    PriceListLive,
    UnknownPriceList,
)
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import named
from tests.support.plain_sql import refused, rows
from tests.support.prices import per_run_list

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
CORRECTIONS = settings.PRICE_CORRECTIONS_FILE
TWO = per_run_list(5) + per_run_list(7, model_id="small")
DEARER = per_run_list(6) + per_run_list(7, model_id="small")
EMBEDDINGS = ("openai/text-embedding-3-small", "openai/text-embedding-3-large", "openai/text-embedding-ada-002")
_SECONDS = 300


def offer(engine: Engine, name: str = "text-embedding-3-small", *, actor: str = "ada") -> tuple[int, str]:
    return database.write(
        engine,
        lambda connection: offers.offer(
            connection, name, corrections=CORRECTIONS, reason="Asked for", now=NOW, actor=named(actor)
        ),
    )


def withdraw(engine: Engine, model_id: str) -> int:
    return database.write(
        engine, lambda connection: offers.withdraw(connection, model_id, reason="Retired", now=NOW, actor=named("ben"))
    )


def save(engine: Engine, toml: str) -> int:
    return database.write(
        engine, lambda connection: lists.save(connection, toml, source="a test", now=NOW, actor=named("ben"))
    )


def make_live(engine: Engine, number: int, expected_live: int | None, *, reason: str = "A test needs it") -> None:
    database.write(
        engine,
        lambda connection: offers.make_live(
            connection, number, expected_live=expected_live, reason=reason, now=NOW, actor=named("ben")
        ),
    )


def compared(engine: Engine, number: int) -> Compared:
    with database.read(engine) as connection:
        return offers.compare(connection, number)


def offered(engine: Engine) -> list[str]:
    with database.read(engine) as connection:
        return list(lists.models_of(connection, offers.live_list(connection)).models)


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    """A ledger with two models, in list 1."""
    world.make_prices_live(engine, TWO)
    return engine


# --- one after the other --------------------------------------------------------------------------------------------


def test_an_offer_and_a_withdrawal_are_new_lists_that_are_live_at_once(ledger: Engine) -> None:
    assert offer(ledger) == (2, "openai/text-embedding-3-small")
    assert offered(ledger) == ["tiny", "small", "openai/text-embedding-3-small"]
    assert withdraw(ledger, "tiny") == 3
    assert offered(ledger) == ["small", "openai/text-embedding-3-small"]
    assert rows(ledger, "SELECT id, source, actor FROM price_lists WHERE id > 1 ORDER BY id") == [
        (2, "openai/text-embedding-3-small offered", "ada"),
        (3, "tiny withdrawn", "ben"),
    ]
    assert rows(ledger, "SELECT price_list_id, reason FROM price_list_activations WHERE id > 1 ORDER BY id") == [
        (2, "Asked for"),
        (3, "Retired"),
    ]


def test_a_list_is_made_live_over_the_one_that_it_was_compared_with(ledger: Engine) -> None:
    number = save(ledger, DEARER)
    seen = compared(ledger, number)
    assert seen == Compared(2, 1, ("~ tiny: 5 credits per run -> 6 credits per run",))
    make_live(ledger, number, seen.live)
    assert compared(ledger, 1) == Compared(1, 2, ("~ tiny: 6 credits per run -> 5 credits per run",))


def test_a_list_that_would_undo_what_somebody_offered_is_not_made_live_unseen(ledger: Engine) -> None:
    number = save(ledger, DEARER)
    seen = compared(ledger, number)
    offer(ledger)
    with refused(ledger, LiveListChanged) as caught:
        make_live(ledger, number, seen.live)
    assert str(caught.value) == (
        "Price list 3 is live, not 1: 'openai/text-embedding-3-small offered', made live by ada on 2026-11-27 at "
        "12:00:00 UTC. Nothing was changed. See what would change with 'models diff 2', then name the list that is "
        "live: --live-list 3."
    )
    # The person sees the difference and confirms it.
    seen = compared(ledger, number)
    assert seen.differences[-1] == "- openai/text-embedding-3-small: $0.02 per million input tokens"
    make_live(ledger, number, seen.live)
    assert offered(ledger) == ["tiny", "small"]


def test_who_names_no_live_list_is_told_which_one_is_live(ledger: Engine) -> None:
    number = save(ledger, DEARER)
    with refused(ledger, LiveListChanged) as caught:
        make_live(ledger, number, None)
    assert str(caught.value).startswith("Price list 1 is live: 'hand-written', made live by tester on ")
    assert (caught.value.expected_live, caught.value.live) == (None, 1)


def test_the_list_itself_is_looked_at_before_the_live_one(ledger: Engine) -> None:
    save(ledger, DEARER)
    for number, expected_live, refusal in ((7, 1, UnknownPriceList), (1, 2, PriceListLive), (1, None, PriceListLive)):
        with refused(ledger, refusal):
            make_live(ledger, number, expected_live)
    with refused(ledger, InvalidRequest):
        make_live(ledger, 2, 1, reason=" ")


def test_only_what_is_offered_is_withdrawn(ledger: Engine) -> None:
    with refused(ledger, NotOffered) as caught:
        withdraw(ledger, "gpt-4")
    assert str(caught.value).startswith("The model 'gpt-4' is not offered. Nothing was changed.")


def test_before_the_first_list_nothing_is_offered_or_made_live(engine: Engine) -> None:
    number = save(engine, TWO)
    actions: list[Callable[[], object]] = [
        partial(offer, engine), partial(withdraw, engine, "tiny"), partial(make_live, engine, number, None)
    ]  # fmt: skip
    for action in actions:
        with refused(engine, NoLivePriceList):
            action()


def test_new_prices_of_the_package_are_told_and_what_did_not_change_is_not(ledger: Engine) -> None:
    def refreshed() -> str | None:
        with database.read(ledger) as connection:
            return offers.refreshed_text(connection, corrections=CORRECTIONS, today=date(2026, 11, 28))

    assert refreshed() is None
    offer(ledger)
    with database.read(ledger) as connection:
        current = lists.text_of(connection, 2)
    world.make_prices_live(ledger, current.replace("input_tokens = 0.02", "input_tokens = 0.03"))
    text = refreshed()
    assert text is not None
    assert "input_tokens = 0.02" in text


# --- at once, in processes of their own -----------------------------------------------------------------------------


def take_part(
    answers: Pipe, start_line: multiprocessing.synchronize.Barrier, url: str, change: Callable[[Engine], object]
) -> None:
    """Make the change together with the others, and send what came of it."""
    engine = database.create_engine_for(url)
    with engine.connect():
        start_line.wait(_SECONDS)
    try:
        change(engine)
    except CreditsError as refusal:
        answers.send(type(refusal).__name__)
    else:
        answers.send("done")
    engine.dispose()
    answers.close()


def at_once(engine: Engine, *changes: Callable[[Engine], object]) -> list[str]:
    """What came of the changes, each made by a process of its own."""
    start_line = racers.processes().Barrier(len(changes))
    url = engine.url.render_as_string(hide_password=False)
    started = [racers.start(take_part, start_line, url, change) for change in changes]
    outcomes = [answers.recv() for _, answers in started]
    for process, answers in started:
        process.join(_SECONDS)
        answers.close()
    return outcomes


def test_models_that_are_offered_and_withdrawn_at_once_are_all_changed(ledger: Engine) -> None:
    changes = [partial(offer, name=name) for name in EMBEDDINGS]
    assert at_once(ledger, *changes, partial(withdraw, model_id="tiny")) == ["done"] * 4
    assert sorted(offered(ledger)) == sorted(["small", *EMBEDDINGS])
    assert rows(ledger, "SELECT price_list_id FROM price_list_activations ORDER BY id") == [(n,) for n in range(1, 6)]


def test_a_model_that_two_offer_at_once_is_offered_once(ledger: Engine) -> None:
    changes = [partial(offer, name=EMBEDDINGS[0])] * 3
    assert sorted(at_once(ledger, *changes)) == ["InvalidRequest", "InvalidRequest", "done"]
    assert offered(ledger) == ["tiny", "small", EMBEDDINGS[0]]


def test_of_two_lists_over_the_same_live_one_only_one_is_made_live(ledger: Engine) -> None:
    numbers = [save(ledger, DEARER), save(ledger, per_run_list(9))]
    outcomes = at_once(ledger, *(partial(make_live, number=number, expected_live=1) for number in numbers))
    assert sorted(outcomes) == ["LiveListChanged", "done"]
    assert rows(ledger, "SELECT COUNT(*) FROM price_list_activations") == [(2,)]


def test_what_goes_live_while_a_change_is_made_is_part_of_it(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is made before the lock is taken, and again if another list went live in between."""
    world.make_prices_live(postgres_engine, TWO)
    lock = lists.lock

    def meanwhile(connection: Connection) -> None:
        monkeypatch.setattr(lists, "lock", lock)
        withdraw(postgres_engine, "tiny")
        lock(connection)

    monkeypatch.setattr(lists, "lock", meanwhile)
    assert offer(postgres_engine) == (3, EMBEDDINGS[0])
    assert offered(postgres_engine) == ["small", EMBEDDINGS[0]]
