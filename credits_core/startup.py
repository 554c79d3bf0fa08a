"""Prepares the database once when a process starts: migrates SQLite, and fills an empty one with the demo if asked to.

Also decides when the demo's month ends, builds the demo later, and starts it over.
"""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, Engine

from credits_core import settings
from credits_core.bulk import starting_over
from credits_core.bulk.demo import build_if_empty
from credits_core.bulk.demo_world import load_demo_world
from credits_core.bulk.starting_over import Holdings
from credits_core.errors import InvalidRequest
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.roles import Actor, system

_AT_START = system("demo")


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema, and give it the prices of this version when it has none yet.

    Raises:
        DataFileInvalid: `data/models.toml` cannot be used.
    """
    database.migrate(engine)
    prices = settings.MODELS_FILE.read_text(encoding="utf-8")
    database.write(engine, lambda connection: lists.begin_with(connection, prices))


def prepare(engine: Engine, books: PriceBooks, *, demo: bool, now: datetime) -> None:
    """Make the database ready: migrate SQLite, fill an empty database if `demo`, and bring the daily totals up to date.

    The totals are by the days of `CREDITS_TIME_ZONE`; if that was another time zone, they are built anew.

    Raises:
        InvalidRequest: `CREDITS_DEMO_END` is no day.
        DatabaseNotReady: PostgreSQL is not at the newest migration; its operators migrate it.
        InvalidRequest: `CREDITS_TIME_ZONE` is not a time zone.
    """
    zone = settings.time_zone()
    if engine.dialect.name == "sqlite":
        migrate(engine)
    database.require_migrated(engine)
    if demo:
        database.write(engine, lambda connection: build_demo(connection, books, now=now, actor=_AT_START))
    daily_totals.build_for(engine, zone)


def demo_ends_at(now: datetime) -> datetime:
    """When the demo's month ends: with the last whole hour, or with the day `CREDITS_DEMO_END` where that is earlier.

    Raises:
        InvalidRequest: `CREDITS_DEMO_END` is no day.
    """
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = settings.demo_end()
    if day is None or day >= this_hour.date():
        return this_hour
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def build_demo(connection: Connection, books: PriceBooks, *, now: datetime, actor: Actor) -> bool:
    """Build the demo world where there is no entry and no account, and return whether it was built.

    The daily totals do not know it yet; `daily_totals.catch_up` adds it.

    Raises:
        NotAllowed: the actor may not manage the database.
        InvalidRequest: `CREDITS_DEMO_END` is no day.
    """
    return build_if_empty(connection, load_demo_world(), books, ends_at=demo_ends_at(now), actor=actor)


def start_demo_over(connection: Connection, books: PriceBooks, *, now: datetime, actor: Actor) -> Holdings:
    """Empty the database and build the demo world as in a new one, and return what was deleted.

    The daily totals are empty then; `daily_totals.catch_up` fills them.

    Raises:
        NotAllowed: the actor may not manage the database.
        InvalidRequest: `CREDITS_DEMO` is 0, `CREDITS_DEMO_END` is no day, or, on PostgreSQL, the tables belong to
            another role.
        NotADemo: the database holds anything but a demo.
    """
    if not settings.demo_enabled():
        raise InvalidRequest("CREDITS_DEMO", "is 0, so nothing was deleted")
    return starting_over.start_over(
        connection,
        load_demo_world(),
        prices=settings.MODELS_FILE.read_text(encoding="utf-8"),
        models=books.shipped,
        ends_at=demo_ends_at(now),
        now=now,
        actor=actor,
    )
