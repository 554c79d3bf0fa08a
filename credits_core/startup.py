"""Prepares the database once when a process starts: migrates SQLite, and fills an empty database with the demo."""

from sqlalchemy import Engine

from credits_core import settings
from credits_core.bulk.demo import build_if_empty, load_demo_world
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.reports import daily_totals
from credits_core.store import database


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema, and give it the prices of this version when it has none yet.

    Raises:
        DataFileInvalid: `data/models.toml` cannot be used.
    """
    database.migrate(engine)
    prices = settings.MODELS_FILE.read_text(encoding="utf-8")
    database.write(engine, lambda connection: lists.begin_with(connection, prices))


def prepare(engine: Engine, books: PriceBooks, *, demo: bool) -> None:
    """Make the database ready: migrate SQLite, fill an empty database if `demo`, and bring the daily totals up to date.

    The totals are by the days of `CREDITS_TIME_ZONE`; if that was another time zone, they are built anew.

    Raises:
        DatabaseNotReady: PostgreSQL is not at the newest migration; its operators migrate it.
        InvalidRequest: `CREDITS_TIME_ZONE` is not a time zone.
    """
    zone = settings.time_zone()
    if engine.dialect.name == "sqlite":
        migrate(engine)
    database.require_migrated(engine)
    if demo:
        database.write(engine, lambda connection: build_if_empty(connection, load_demo_world(), books))
    daily_totals.build_for(engine, zone)
