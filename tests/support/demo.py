"""The demo world in the tests: it ends on a day that never changes, which `tests/conftest.py` sets."""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core import settings, startup
from credits_core.bulk import demo
from credits_core.bulk.demo_world import DemoWorld, load_demo_world
from credits_core.bulk.starting_over import Holdings
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals
from credits_core.store import database
from tests.support.actors import TESTER, named
from tests.support.plain_sql import every_row

NOW = datetime(2026, 11, 26, 7, 21, tzinfo=UTC)
ENDS_AT = datetime(2026, 11, 23, tzinfo=UTC)
BUILT = "The demo world is built: 60 users, 12 creators, 31 prompts, 30 days."
THERE = "The demo world is already there; nothing was changed."


def build(
    engine: Engine, book: PriceBook | None = None, *, world: DemoWorld | None = None, ends_at: datetime = ENDS_AT
) -> str:
    """Build the demo world, or another one, and return what is said about it."""
    prices, people = book or settings.load_price_book(), world or load_demo_world()
    return database.write(
        engine, lambda connection: demo.build_once(connection, people, prices, ends_at=ends_at, actor=TESTER)
    )


def small() -> DemoWorld:
    """A demo world of two days, so that building it takes no time. Everybody in it is there from the first day."""
    people = load_demo_world()
    return replace(
        people,
        days=2,
        runs_per_day=30,
        users=tuple(replace(user, joined_on_day=1) for user in people.users if user.joined_on_day < 4),
        creators=tuple(replace(creator, joined_on_day=1) for creator in people.creators),
        adjustments=(),
        refunds=(),
    )


def begin(engine: Engine) -> None:
    """Fill an empty database as the dashboard does when it starts."""
    startup.migrate(engine)
    startup.prepare(engine, books(), demo=True, now=NOW)


def books() -> PriceBooks:
    """The price books of a process that has just begun."""
    return PriceBooks(settings.load_models())


def start_over(engine: Engine) -> Holdings:
    """Start the demo over, as another process does."""
    fresh = books()
    deleted = database.write(
        engine, lambda connection: startup.start_demo_over(connection, fresh, now=NOW, actor=TESTER)
    )
    daily_totals.catch_up(engine)
    return deleted


def charge(engine: Engine, request: ChargeRequest, key: str, actor: str = "dashboard") -> int:
    """Charge a run at the live prices under the live plan, and return its entry's id."""
    of_now = books()
    return database.write(
        engine,
        lambda connection: (
            actions.charge_prompt(
                connection, request, book=of_now.at(connection), key=key, now=NOW, actor=named(actor)
            ).entry_id
        ),
    )


def but_for_the_record(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in the database but the record of changes, where starting over leaves a line."""
    return {name: kept for name, kept in every_row(engine).items() if name != "activity"}
