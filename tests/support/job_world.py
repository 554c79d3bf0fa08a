"""Jobs made up for tests, and what they run with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine

from credits_core import settings
from credits_core.operations.jobs import Job
from credits_core.operations.surroundings import Surroundings
from credits_core.plans.book import PriceBooks
from credits_core.values.progress import Work
from credits_core.values.time_zones import UTC_ZONE as UTC_ZONE
from credits_core.values.time_zones import zone_named as zone_named


def around(engine: Engine, *, now: datetime | None = None) -> Surroundings:
    """What jobs run with, at this moment or at a given one."""
    return Surroundings(
        engine, PriceBooks(settings.load_models()), UTC_ZONE, lambda: datetime.now(UTC) if now is None else now
    )


def job(work: Callable[[Surroundings], Work[str]], *, name: str = "tried", seconds: int = 1) -> Job:
    """A job with this work."""
    return Job(
        name,
        "Tried",
        "is tried",
        "every second",
        lambda _: IntervalTrigger(seconds=seconds, timezone=UTC),
        work,
        first_after=timedelta(0),
    )
