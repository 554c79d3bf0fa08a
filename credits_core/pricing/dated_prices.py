"""Which of a model's prices apply to a run: from a day on, at hours of the day, and in a service tier. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from credits_core.pricing.refusals import UnpricedServiceTier
from credits_core.pricing.units import Usage
from credits_core.pricing.usage_price import TieredPrices, UsagePrice

STANDARD_TIERS = ("standard", "default", "auto")
"""What providers call the tier that a request gets when it asks for none."""
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class DatedPrices:
    """Prices with the time at which they apply, in UTC; without conditions always.

    `first_day` is inclusive. `hours` is a daily interval from its first time (inclusive) to its second (exclusive),
    which may pass midnight. `is_on_weekdays` leaves Saturday and Sunday out.
    """

    prices: TieredPrices
    first_day: date | None = None
    hours: tuple[time, time] | None = None
    is_on_weekdays: bool = False

    @property
    def is_always(self) -> bool:
        """Whether no condition is given."""
        return self.first_day is None and self.hours is None and not self.is_on_weekdays

    def apply_at(self, at: datetime) -> bool:
        """Whether these prices apply at this moment."""
        at = at.astimezone(UTC)
        if self.first_day is not None and at.date() < self.first_day:
            return False
        if self.is_on_weekdays and at.weekday() >= _SATURDAY:
            return False
        if self.hours is None:
            return True
        begin, end = self.hours
        clock = at.time()
        return begin <= clock < end if begin <= end else clock >= begin or clock < end


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """All prices of a model: the standard ones, of which the last that applies counts, and those of service tiers.

    A service tier, such as "flex" or "batch", has prices of its own; a unit that it leaves out costs the standard.
    """

    standard: tuple[DatedPrices, ...]
    service_tiers: Mapping[str, tuple[DatedPrices, ...]] = field(default_factory=dict)

    @property
    def depends_on_time(self) -> bool:
        """Whether a price needs to know when the run takes place."""
        return not all(dated.is_always for dated in (*self.standard, *sum(self.service_tiers.values(), ())))

    def is_same_throughout(self, first: datetime, last: datetime) -> bool:
        """Whether the same prices apply from the first moment to the last; False where only the hours would tell."""
        return all(
            dated.is_always
            or (dated.hours is None and not dated.is_on_weekdays and dated.apply_at(first) == dated.apply_at(last))
            for dated in (*self.standard, *sum(self.service_tiers.values(), ()))
        )

    def at(self, at: datetime | None, *, service_tier: str | None = None) -> TieredPrices:
        """The prices of this moment and service tier; without a tier, or with `STANDARD_TIERS`, the standard ones.

        When none applies yet, the first one does. `at` may be None only when none of them depends on the time.

        Raises:
            UnpricedServiceTier: the model has no price for the tier at this moment.
        """
        rows = (*self.standard, *self.service_tiers.get(service_tier or "", ()))
        assert at is not None or all(dated.is_always for dated in rows), "the price depends on the time"
        standard = self.standard[0]
        for dated in self.standard:
            if dated.is_always or (at is not None and dated.apply_at(at)):
                standard = dated
        if service_tier is None or service_tier in STANDARD_TIERS:
            return standard.prices
        in_tier = [
            dated.prices
            for dated in self.service_tiers.get(service_tier, ())
            if dated.is_always or (at is not None and dated.apply_at(at))
        ]
        if not in_tier:
            raise UnpricedServiceTier(service_tier, sorted(self.service_tiers))
        units = dict(standard.prices.units)
        for prices in reversed(in_tier):  # where two price a unit, the first of them counts
            units |= prices.units
        return TieredPrices(units, standard.prices.minimum_seconds)

    def applied_from(self, at: datetime) -> tuple[date | None, bool]:
        """The first day of the standard prices that apply at this moment, and whether later ones replaced them."""
        applied = next((dated for dated in reversed(self.standard) if dated.apply_at(at)), self.standard[0])
        day = at.astimezone(UTC).date()
        return applied.first_day, any(dated.first_day is not None and dated.first_day > day for dated in self.standard)

    def for_usage(self, usage: Usage, at: datetime | None, *, service_tier: str | None = None) -> UsagePrice:
        """The prices of one run.

        Raises:
            UnpricedServiceTier: as `at`.
            InvalidRequest: the prices depend on the input tokens, and parts of them are given without them.
        """
        return self.at(at, service_tier=service_tier).for_usage(usage)
