"""A charge is priced with the plan and the prices that are live when it commits, in every process.

An activation waits for the charges that are under way, and a charge waits for an activation that is under way.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.ledger import actions
from credits_core.plans import actions as plan_actions
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import rows, scalar

GENEROUS_SECONDS = 120
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
Change = Callable[[Connection], None]


@pytest.fixture
def begun(engine: Engine) -> Engine:
    """A ledger with the shipped prices live, a dearer plan as a draft, and a dearer price list that is not live."""
    shipped = settings.MODELS_FILE.read_text(encoding="utf-8")
    dearer = shipped.replace('id = "gpt-4"\n', 'id = "gpt-4"\n# dearer\n', 1).replace("30_000", "50_000", 1)
    database.write(engine, lambda connection: lists.begin_with(connection, shipped))
    database.write(engine, lambda connection: lists.save(connection, dearer, source="test", now=NOW, actor=TESTER))
    world.save_draft(engine, replace(world.dearer_book().plan, id="dearer"))
    world.add(engine, "ada", 10_000_000, key="add")
    return engine


def activate_plan(connection: Connection) -> None:
    seen = world.plan_as_seen(connection, replace(world.dearer_book().plan, id="dearer"), 1)
    plan_actions.activate(connection, seen, reason="Dearer", now=NOW, actor=TESTER)


def activate_prices(connection: Connection) -> None:
    lists.activate(connection, 2, reason="Dearer", now=NOW, actor=TESTER)


def charge(connection: Connection, books: PriceBooks, key: str) -> None:
    request = replace(world.HAIKU, model_id="gpt-4")
    actions.charge_prompt(connection, request, book=books.asked(connection), key=key, now=NOW, actor=TESTER)


def live(connection: Connection) -> tuple[int, int]:
    plan = connection.exec_driver_sql("SELECT MAX(id) FROM plan_activations").scalar_one()
    prices = connection.exec_driver_sql("SELECT MAX(id) FROM price_list_activations").scalar_one()
    return plan, prices


@pytest.mark.parametrize("activate", [activate_plan, activate_prices])
def test_an_activation_waits_for_the_charges_under_way(begun: Engine, activate: Change) -> None:
    charged, activated, may_commit = Event(), Event(), Event()
    seen: list[tuple[int, int]] = []

    def charging(connection: Connection) -> None:
        charge(connection, PriceBooks(settings.load_models()), "during")
        seen.append(live(connection))
        charged.set()
        assert may_commit.wait(GENEROUS_SECONDS)
        seen.append(live(connection))  # still so just before it commits

    def activating() -> None:
        assert charged.wait(GENEROUS_SECONDS)
        database.write(begun, activate)
        activated.set()

    first, second = Thread(target=lambda: database.write(begun, charging)), Thread(target=activating)
    first.start()
    second.start()
    assert charged.wait(GENEROUS_SECONDS)
    assert not activated.wait(0.5)
    may_commit.set()
    for thread in (first, second):
        thread.join(GENEROUS_SECONDS)
    assert activated.is_set()
    assert seen[0] == seen[1] == (1, 1)
    assert rows(begun, "SELECT plan_id, price_list_id, inference_cost_credits FROM prompt_runs") == [
        ("promptflow-v1", 1, 30_000)
    ]


@pytest.mark.parametrize(
    ("activate", "recorded"),
    [(activate_plan, ("dearer", 1, 30_000)), (activate_prices, ("promptflow-v1", 2, 50_000))],
)
def test_a_charge_waits_for_an_activation_under_way(
    begun: Engine, activate: Change, recorded: tuple[str, int, int]
) -> None:
    books = PriceBooks(settings.load_models())
    database.write(begun, lambda connection: charge(connection, books, "before"))
    activating, may_commit = Event(), Event()

    def slowly(connection: Connection) -> None:
        activate(connection)
        activating.set()
        assert may_commit.wait(GENEROUS_SECONDS)

    def charging() -> None:
        assert activating.wait(GENEROUS_SECONDS)
        database.write(begun, lambda connection: charge(connection, books, "after"))

    first, second = Thread(target=lambda: database.write(begun, slowly)), Thread(target=charging)
    first.start()
    second.start()
    assert activating.wait(GENEROUS_SECONDS)
    second.join(0.5)
    assert scalar(begun, "SELECT COUNT(*) FROM prompt_runs") == 1
    may_commit.set()
    for thread in (first, second):
        thread.join(GENEROUS_SECONDS)
    charged = rows(begun, "SELECT plan_id, price_list_id, inference_cost_credits FROM prompt_runs ORDER BY entry_id")
    assert charged == [("promptflow-v1", 1, 30_000), recorded]


def test_every_process_charges_the_new_price_from_the_next_charge_on(begun: Engine) -> None:
    one, other = PriceBooks(settings.load_models()), PriceBooks(settings.load_models())
    database.write(begun, lambda connection: charge(connection, one, "1"))
    database.write(begun, lambda connection: charge(connection, other, "2"))
    database.write(begun, activate_prices)
    database.write(begun, lambda connection: charge(connection, one, "3"))
    database.write(begun, lambda connection: charge(connection, other, "4"))
    costs = rows(begun, "SELECT inference_cost_credits FROM prompt_runs ORDER BY entry_id")
    assert [cost for (cost,) in costs] == [30_000, 30_000, 50_000, 50_000]
