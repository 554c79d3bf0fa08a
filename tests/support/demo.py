"""The demo world in the tests: it ends on a day that never changes, which `tests/conftest.py` sets."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core import settings
from credits_core.bulk import demo
from credits_core.bulk.demo_world import DemoWorld, load_demo_world
from credits_core.pricing.quote import PriceBook
from credits_core.store import database

NOW = datetime(2026, 11, 26, 7, 21, tzinfo=UTC)
ENDS_AT = datetime(2026, 11, 23, tzinfo=UTC)
BUILT = "The demo world is built: 60 users, 12 creators, 31 prompts, 30 days."
THERE = "The demo world is already there; nothing was changed."


def build(
    engine: Engine, book: PriceBook | None = None, *, world: DemoWorld | None = None, ends_at: datetime = ENDS_AT
) -> str:
    """Build the demo world, or another one, and return what is said about it."""
    prices, people = book or settings.load_price_book(), world or load_demo_world()
    return database.write(engine, lambda connection: demo.build_once(connection, people, prices, ends_at=ends_at))
