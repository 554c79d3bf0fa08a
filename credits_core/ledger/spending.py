"""What a spending limit allows: the period it is about, and what is left of it at a moment. Pure.

A limit is for a user, or for whoever has an API key, and counts what runs and unlocks cost in a day or a month. Refunds
give nothing back to it. What is held for runs that are not over yet counts too.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from credits_core.store.kinds import SpendingPeriod
from credits_core.values.days import day_of, from_microseconds, number_of_day
from credits_core.values.roles import Way
from credits_core.values.time_zones import TimeZone

_KEY = "key:"
"""How the limits of keys begin: no user's id has a colon."""
_CALLER = f"{Way.API}/"


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """How many credits `subject` may spend in a period, and how many were spent in the present one.

    The subject is a user's id, or `key:NAME` for a key. The period is from `begins_us` (inclusive) to `ends_us`.
    """

    subject: str
    period: SpendingPeriod
    limit_credits: int
    zone: TimeZone
    begins_us: int
    ends_us: int
    spent_credits: int

    @property
    def resets_at(self) -> datetime:
        """When the next period begins."""
        return from_microseconds(self.ends_us)

    @property
    def left_credits(self) -> int:
        """What may still be spent in the period, at least 0; nothing is taken off for what is held."""
        return max(0, self.limit_credits - self.spent_credits)

    def at(self, moment_us: int) -> "SpendingLimit":
        """The limit as it is at this moment: nothing is spent yet when its period is over.

        A moment before the period belongs to it, so that clocks that differ a little take nothing back.
        """
        if moment_us < self.ends_us:
            return self
        begins_us, ends_us = bounds(self.period, moment_us, self.zone)
        return replace(self, begins_us=begins_us, ends_us=ends_us, spent_credits=0)

    def allows(self, amount_credits: int, *, held_credits: int) -> bool:
        """Whether so many more credits may be spent in the period, beside what is held."""
        return self.spent_credits + held_credits + amount_credits <= self.limit_credits

    def plus(self, amount_credits: int) -> "SpendingLimit":
        """The limit after so many more credits were spent."""
        return replace(self, spent_credits=self.spent_credits + amount_credits)


def bounds(period: SpendingPeriod, moment_us: int, zone: TimeZone) -> tuple[int, int]:
    """The first microsecond of the moment's day or month in a time zone, and the first one after it.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> [us // 86_400_000_000 for us in bounds(SpendingPeriod.MONTH, 40 * 86_400_000_000, UTC_ZONE)]  # 10 February 1970
    [31, 59]
    """
    day = zone.day_number(moment_us)
    if period is SpendingPeriod.DAY:
        return zone.start_of_day(day), zone.start_of_day(day + 1)
    first = day_of(day).replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    return zone.start_of_day(number_of_day(first)), zone.start_of_day(number_of_day(after))


def subject_of_key(name: str) -> str:
    """The subject of the limits of an API key.

    >>> subject_of_key("shop")
    'key:shop'
    """
    return f"{_KEY}{name}"


def key_of(subject: str) -> str | None:
    """The name of the key whose limits these are, or None for a user's.

    >>> key_of("key:shop"), key_of("ada")
    ('shop', None)
    """
    return subject.removeprefix(_KEY) if subject.startswith(_KEY) else None


def spenders(user_id: str, recorded: str) -> tuple[str, ...]:
    """Whose limits count when this user pays, charged by whoever is recorded so: the user's, then those of the key.

    >>> spenders("ada", "api/shop"), spenders("ada", "dashboard/ben@example.org")
    (('ada', 'key:shop'), ('ada',))
    """
    if not recorded.startswith(_CALLER):
        return (user_id,)
    return user_id, subject_of_key(recorded.removeprefix(_CALLER))


def recorded_of_key(name: str) -> str:
    """What entries record of whoever has the key.

    >>> recorded_of_key("shop")
    'api/shop'
    """
    return f"{_CALLER}{name}"
