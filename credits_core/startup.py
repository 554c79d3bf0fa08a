"""Prepares the database once when a process starts: migrates SQLite, and fills an empty database with the demo."""

from sqlalchemy import Engine

from credits_core.bulk.demo import build_if_empty, load_demo_world
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database


def prepare(engine: Engine, books: PriceBooks, *, demo: bool) -> None:
    """Make the database ready: migrate SQLite, fill an empty database if `demo`, and bring the daily totals up to date.

    Raises:
        DatabaseNotReady: PostgreSQL is not at the newest migration; its operators migrate it.
    """
    if engine.dialect.name == "sqlite":
        database.migrate(engine)
    database.require_migrated(engine)
    if demo:
        database.write(engine, lambda connection: build_if_empty(connection, load_demo_world(), books))
    daily_totals.catch_up(engine)
