"""Price lists in the database: versions that never change, the journal of the live ones, and what runs cost by them."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from credits_core import settings, startup
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import actions
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.prices.lists import PriceListActivated, PriceListRecord
from credits_core.prices.refusals import PriceListLive, UnknownPriceList
from credits_core.pricing.models import RunPrice
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import TESTER, named
from tests.support.plain_sql import every_row, refused, rows, scalar
from tests.support.prices import per_run_list

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
HAIKU = per_run_list(250, model_id="claude-3-haiku")
DEARER = per_run_list(400, model_id="claude-3-haiku")


def save(engine: Engine, toml: str = HAIKU, *, source: str = "a test", now: datetime = NOW, actor: str = "ben") -> int:
    return database.write(
        engine, lambda connection: lists.save(connection, toml, source=source, now=now, actor=named(actor))
    )


def activate(
    engine: Engine, number: int, *, reason: str = "A test needs it", now: datetime = NOW, actor: str = "ada"
) -> None:
    database.write(
        engine, lambda connection: lists.activate(connection, number, reason=reason, now=now, actor=named(actor))
    )


def begin_with(engine: Engine, toml: str) -> None:
    database.write(engine, lambda connection: lists.begin_with(connection, toml))


def live_list(engine: Engine) -> int | None:
    with database.read(engine) as connection:
        return lists.live_list(connection)


# --- versions and their journal -------------------------------------------------------------------------------------


def test_a_new_database_has_no_price_list(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert (lists.lists(connection), lists.activations(connection), lists.live_list(connection)) == ([], [], None)


def test_a_saved_list_is_kept_as_it_was_written_and_is_not_live(engine: Engine) -> None:
    commented = f"# ours — €\n{HAIKU}"
    assert save(engine, commented, source="  models.toml ") == 1
    assert save(engine, DEARER, now=LATER) == 2
    with database.read(engine) as connection:
        assert lists.lists(connection) == [
            PriceListRecord(2, "a test", "ben", LATER, False),
            PriceListRecord(1, "models.toml", "ben", NOW, False),
        ]
        assert lists.activations(connection) == []
        assert lists.text_of(connection, 1) == commented
        assert lists.models_of(connection, 2)["claude-3-haiku"].prices == RunPrice(400)


def test_the_list_made_live_last_is_live_and_the_journal_says_why(engine: Engine) -> None:
    save(engine)
    save(engine, DEARER)
    activate(engine, 2, reason=" Dearer ")
    activate(engine, 1, reason="Too dear", now=LATER, actor="ben")
    with database.read(engine) as connection:
        assert [(one.number, one.is_live) for one in lists.lists(connection)] == [(2, False), (1, True)]
        assert lists.activations(connection) == [
            PriceListActivated(2, 1, "Too dear", "ben", LATER),
            PriceListActivated(1, 2, "Dearer", "ada", NOW),
        ]
    activate(engine, 2)
    assert live_list(engine) == 2


def test_a_database_begins_with_one_list_however_often_it_is_begun(engine: Engine) -> None:
    begin_with(engine, HAIKU)
    begun = every_row(engine)
    begin_with(engine, HAIKU)
    begin_with(engine, DEARER)
    assert every_row(engine) == begun
    with database.read(engine) as connection:
        assert lists.lists(connection) == [PriceListRecord(1, "data/models.toml", "migration", FIRST, True)]
        assert lists.activations(connection) == [
            PriceListActivated(1, 1, "The prices that this version brings", "migration", FIRST)
        ]
        assert lists.text_of(connection, 1) == HAIKU


def test_what_the_models_of_a_damaged_list_would_be_is_refused(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO price_lists VALUES (1, 'models = 7', 'x', 'x', 0, NULL)"))
        with pytest.raises(DataFileInvalid, match=r"^the stored price list 1: lists no"):
            lists.models_of(connection, 1)
        connection.rollback()


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_list_that_does_not_exist_is_refused(engine: Engine, number: int) -> None:
    save(engine)
    save(engine)
    with refused(engine, UnknownPriceList) as caught:
        activate(engine, number)
    assert str(caught.value) == (f"There is no price list {number}. See all with: python -m credits_core models lists")
    with database.read(engine) as connection, pytest.raises(UnknownPriceList):
        lists.text_of(connection, number)
    with database.read(engine) as connection, pytest.raises(UnknownPriceList):
        lists.models_of(connection, number)


def test_a_list_that_is_live_cannot_be_made_live_again(engine: Engine) -> None:
    begin_with(engine, HAIKU)
    save(engine)
    with refused(engine, PriceListLive) as caught:
        activate(engine, 1)
    assert str(caught.value) == "Price list 1 is live already. Nothing was changed."


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "two\nlines"])
def test_a_list_is_not_made_live_without_a_reason(engine: Engine, reason: str) -> None:
    save(engine)
    with refused(engine, InvalidRequest):
        activate(engine, 1, reason=reason)
    activate(engine, 1, reason="x" * 500)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("", "lists no"),
        ("models = 7", "lists no"),
        ("[[models]", "is not TOML"),
        (HAIKU.replace("250", "-1"), "run_price_credits"),
        (HAIKU + HAIKU, "is listed twice"),
    ],
)
def test_what_is_no_price_list_is_refused_and_leaves_nothing(engine: Engine, toml: str, problem: str) -> None:
    with refused(engine, DataFileInvalid) as caught:
        save(engine, toml)
    assert problem in str(caught.value)
    with refused(engine, DataFileInvalid):
        begin_with(engine, toml)


TWINS = """[[models]]
id = "ours/{}"
name = "A model"
provider = "us"
type = "text"
genai_prices_id = "openai/gpt-4o"
prices = [{{input_tokens = 1, output_tokens = 2}}]
source = "hand-written"
checked_on = 2026-01-01
"""


def test_two_models_with_one_name_are_not_saved_and_those_saved_before_stay_usable(engine: Engine) -> None:
    toml = TWINS.format("a") + TWINS.format("b")
    with refused(engine, DataFileInvalid) as caught:
        save(engine, toml)
    assert caught.value.problems == [
        "models 'ours/a' and 'ours/b' are both openai/gpt-4o, so its names could mean either; keep one"
    ]
    with engine.begin() as connection:  # as earlier versions saved it
        connection.execute(
            text("INSERT INTO price_lists (id, toml, source, actor, saved_at_us) VALUES (1, :toml, 'x', 'x', 0)"),
            {"toml": toml},
        )
    activate(engine, 1)
    with database.read(engine) as connection:
        models = PriceBooks(settings.load_models()).at(connection).models
    assert models["ours/b"].id == "ours/b"
    with pytest.raises(AmbiguousModel, match="'gpt-4o-2024-08-06' could be ours/a or ours/b"):
        models["gpt-4o-2024-08-06"]


@pytest.mark.parametrize("wrong", [{"source": ""}, {"source": "x" * 501}, {"actor": ""}, {"actor": "platform:x"}])
def test_who_saved_a_list_and_where_it_is_from_must_be_said(engine: Engine, wrong: dict[str, str]) -> None:
    with refused(engine, InvalidRequest):
        save(engine, **wrong)  # type: ignore[arg-type]


def test_what_was_saved_with_a_refused_activation_is_not_kept(engine: Engine) -> None:
    begin_with(engine, HAIKU)

    def offer(connection: Connection) -> None:
        number = lists.save(connection, DEARER, source="a test", now=NOW, actor=named("ada"))
        lists.activate(connection, number, reason=" ", now=NOW, actor=named("ada"))

    with refused(engine, InvalidRequest):
        database.write(engine, offer)


# --- races ----------------------------------------------------------------------------------------------------------


def test_lists_that_are_saved_at_once_get_different_numbers(engine: Engine) -> None:
    numbers = racers.at_once([lambda: save(engine)] * 8)
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert rows(engine, "SELECT id FROM price_lists ORDER BY id") == [(number,) for number in range(1, 9)]


def test_a_save_waits_for_the_one_under_way(engine: Engine) -> None:
    saved, may_commit = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> int:
        number = lists.save(connection, HAIKU, source="slow", now=NOW, actor=named("ada"))
        saved.set()
        assert may_commit.wait(120)
        return number

    def quickly() -> int:
        assert saved.wait(120)
        threading.Timer(0.3, may_commit.set).start()
        return save(engine, DEARER, source="quick")

    assert racers.at_once([lambda: database.write(engine, slowly), quickly]) == [1, 2]
    assert rows(engine, "SELECT id, source FROM price_lists ORDER BY id") == [(1, "slow"), (2, "quick")]


def test_two_processes_that_begin_at_once_begin_with_one_list(engine: Engine) -> None:
    racers.at_once([lambda: begin_with(engine, HAIKU)] * 6)
    assert rows(engine, "SELECT id, price_list_id FROM price_list_activations") == [(1, 1)]
    assert scalar(engine, "SELECT COUNT(*) FROM price_lists") == 1


def test_of_two_who_make_a_list_live_at_once_one_is_refused(engine: Engine) -> None:
    begin_with(engine, HAIKU)
    save(engine, DEARER)

    def attempt() -> bool:
        try:
            activate(engine, 2)
        except PriceListLive:
            return False
        return True

    assert sorted(racers.at_once([attempt] * 4)) == [False, False, False, True]
    assert rows(engine, "SELECT id, price_list_id FROM price_list_activations ORDER BY id") == [(1, 1), (2, 2)]


# --- what runs are charged at ---------------------------------------------------------------------------------------


def test_without_a_list_the_models_of_this_version_are_the_prices(engine: Engine) -> None:
    shipped = parse_model_registry(HAIKU)
    with database.read(engine) as connection:
        book = PriceBooks(shipped).at(connection)
    assert (book.models, book.price_list) == (shipped, None)


def test_a_newly_live_list_is_read_at_once_and_still_finds_other_models(engine: Engine) -> None:
    books = PriceBooks(settings.load_models())
    assert "openai/gpt-4o" in books.models
    begin_with(engine, HAIKU)
    save(engine, DEARER + per_run_list(7, model_id="new"))

    def seen() -> tuple[int | None, list[str], object]:
        with database.read(engine) as connection:
            book = books.at(connection)
            assert books.at(connection) is book  # it is not read again as long as nothing was made live
        assert books.models is book.models
        return book.price_list, list(book.models), book.models["claude-3-haiku"].prices

    assert seen() == (1, ["claude-3-haiku"], RunPrice(250))
    activate(engine, 2)
    assert seen() == (2, ["claude-3-haiku", "new"], RunPrice(400))
    assert books.models.anywhere("gpt-4o-2024-08-06").id == "openai/gpt-4o"
    with pytest.raises(UnknownModel):
        _ = books.models["openai/gpt-4o"]
    activate(engine, 1)
    assert seen() == (1, ["claude-3-haiku"], RunPrice(250))


def test_a_run_keeps_the_list_that_it_was_priced_by(engine: Engine) -> None:
    books = PriceBooks(parse_model_registry(HAIKU))
    world.add(engine, "ada", 10_000, key="add")

    def charge(key: str) -> None:
        database.write(
            engine,
            lambda connection: actions.charge_prompt(
                connection, world.HAIKU, book=books.at(connection), key=key, now=LATER, actor=TESTER
            ),
        )

    charge("before-any-list")
    begin_with(engine, HAIKU)
    charge("first-list")
    save(engine, DEARER)
    charge("saved-not-live")
    activate(engine, 2)
    charge("dearer")
    assert rows(engine, "SELECT price_list_id, inference_cost_credits FROM prompt_runs ORDER BY entry_id") == [
        (None, 250),
        (1, 250),
        (1, 250),
        (2, 400),
    ]
    with refused(engine, UnknownModel):
        database.write(
            engine,
            lambda connection: actions.charge_prompt(
                connection,
                replace(world.HAIKU, model_id="gpt-4"),
                book=books.at(connection),
                key="not-offered",
                now=LATER,
                actor=TESTER,
            ),
        )


def test_a_run_cannot_name_a_list_that_does_not_exist(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    book = replace(world.price_book(), price_list=5)
    before = every_row(engine)
    with pytest.raises((DBAPIError, database.sqlite_driver().Error, psycopg.Error), match=r"(?i)foreign key"):
        world.charge(engine, world.HAIKU, key="run", book=book)
    assert every_row(engine) == before


# --- the first list of a database -----------------------------------------------------------------------------------


def test_migrating_gives_an_empty_database_the_prices_of_this_version(empty_engine: Engine) -> None:
    startup.migrate(empty_engine)
    with database.read(empty_engine) as connection:
        assert lists.lists(connection) == [PriceListRecord(1, "data/models.toml", "migration", FIRST, True)]
        assert lists.text_of(connection, 1) == settings.MODELS_FILE.read_text(encoding="utf-8")


def test_migrating_leaves_the_lists_of_a_database_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    startup.migrate(engine)
    save(engine, DEARER)
    activate(engine, 2)
    before = every_row(engine)
    shipped_later = tmp_path / "models.toml"
    shipped_later.write_text(HAIKU, encoding="utf-8")
    monkeypatch.setattr(settings, "MODELS_FILE", shipped_later)
    startup.migrate(engine)
    assert every_row(engine) == before
    assert live_list(engine) == 2
