"""Runs of models whose price changes with the input tokens and with the day, against the price of their list."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from credits_core.audit import prices
from credits_core.ledger.requests import ChargeRequest
from credits_core.prices import lists
from credits_core.pricing.models_toml import parse_model_registry
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.damage import Ledger

pytestmark = pytest.mark.as_owner

DEARER_FROM = datetime(2026, 3, 2, tzinfo=UTC)
MODELS = """
[[models]]
id = "maker/long-reader"
name = "Long reader"
provider = "maker"
type = "text"
prices = [
    {input_tokens = {usd = 2, above = {1000 = 4}}, output_tokens = 10},
    {from = 2026-03-02, input_tokens = {usd = 3, above = {1000 = 6}}, output_tokens = 10},
]
source = "hand-written"
checked_on = 2026-01-01
"""


def run(input_tokens: int) -> ChargeRequest:
    return ChargeRequest("ada", "read", "maker/long-reader", input_tokens=input_tokens, output_tokens=10)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """Runs up to the number of tokens above which all of them cost more, and above; before and after the dearer day."""
    first_book = world.price_book()
    book = PriceBook(parse_model_registry(MODELS), first_book.plan, first_book.plans, 1)
    made_at = DEARER_FROM - timedelta(days=1)
    database.write(
        engine, lambda connection: lists.save(connection, MODELS, source="a test", now=made_at, actor=TESTER)
    )
    database.write(engine, lambda connection: lists.activate(connection, 1, reason="New", now=made_at, actor=TESTER))
    world.add(engine, "ada", 1_000_000, key="fund", now=made_at)
    ids = {}
    for day, at in (("cheap", DEARER_FROM - timedelta(seconds=1)), ("dear", DEARER_FROM)):
        for name, tokens in (("few", 999), ("bound", 1_000), ("many", 1_001)):
            ids[f"{day} {name}"] = world.charge(engine, run(tokens), key=f"{day}-{name}", book=book, now=at).entry_id
    return Ledger(engine, ids, book, None)  # type: ignore[arg-type] # only whole audits here


def wrong(ledger: Ledger, *damage: str) -> tuple[str, ...]:
    with ledger.unguarded() as connection:
        for statement in damage:
            connection.execute(text(ledger.sql(statement)))
        return prices.runs_have_the_price_of_their_list(connection, ledger.book.plans).violations


def price(name: str, usd: str) -> str:
    return (
        f"""UPDATE prompt_runs SET unit_prices = '{{"input_tokens":"{usd}","output_tokens":"10"}}'"""
        f" WHERE entry_id = <{name}>"
    )


def test_each_run_has_the_price_of_its_tokens_and_day(ledger: Ledger) -> None:
    assert wrong(ledger) == ()


@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("cheap few", "4"),
        ("cheap bound", "4"),
        ("cheap many", "2"),
        ("cheap few", "3"),
        ("dear few", "2"),
        ("dear bound", "6"),
        ("dear many", "3"),
        ("dear many", "4"),
    ],
)
def test_the_price_of_other_tokens_or_another_day_is_found(ledger: Ledger, name: str, usd: str) -> None:
    expected = ledger.sql(f"run <{name}> has another price than price list 1")
    assert wrong(ledger, price(name, usd)) == (expected,)


def test_so_it_is_when_all_of_them_have_the_price_of_another_day(ledger: Ledger) -> None:
    damage = [price(name, usd) for name, usd in (("dear few", "2"), ("dear bound", "2"), ("dear many", "4"))]
    assert len(wrong(ledger, *damage)) == 3
