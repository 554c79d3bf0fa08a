"""Days and times as the clocks of the business show them."""

from datetime import UTC, date, datetime

from credits_core.values.days import date_at
from pages.parts import resources


def today() -> date:
    """The day that it is now."""
    return date_at(datetime.now(UTC), resources.zone())


def shown(moment: datetime) -> datetime:
    """What the clocks of the business show at the moment, without their time zone, as charts draw it."""
    return moment.astimezone(resources.zone().clock).replace(tzinfo=None)


def text(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The moment in words, with the time zone."""
    return f"{shown(moment):{pattern}} {resources.zone().name}"


def label(name: str) -> str:
    """The name of a column or an input of times, with the time zone."""
    return f"{name} ({resources.zone().name})"
