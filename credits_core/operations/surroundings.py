"""What a job works with: the database, the price books, the time zone whose days count, and a clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from credits_core.plans.book import PriceBooks
from credits_core.values.time_zones import TimeZone


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every job gets. `clock` gives the time of now, in UTC."""

    engine: Engine
    books: PriceBooks
    zone: TimeZone
    clock: Callable[[], datetime]

    def over(self, engine: Engine) -> "Surroundings":
        """The same, with another engine for the same database."""
        return replace(self, engine=engine)
