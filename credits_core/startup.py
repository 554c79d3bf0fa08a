"""What happens once when a process starts: SQLite is migrated, and an empty demo gets its world."""

from sqlalchemy import Engine

from credits_core.bulk.demo import build_if_empty, load_demo_world
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database


def prepare(engine: Engine, books: PriceBooks, *, demo: bool) -> None:
    """Make the database ready for the dashboard: SQLite is migrated and, when empty and wanted, filled with the demo.

    Raises:
        DatabaseNotReady: another database is not at the newest migration; that one is migrated by its operators.
    """
    if engine.dialect.name == "sqlite":
        database.migrate(engine)
    database.require_migrated(engine)
    if demo:
        database.write(engine, lambda connection: build_if_empty(connection, load_demo_world(), books))
    daily_totals.catch_up(engine)
