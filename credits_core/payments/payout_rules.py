"""The rules of payouts: `data/payouts.toml`, what they say of one creator, and when the next payday is. Pure."""

from datetime import date, timedelta
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from credits_core.store.kinds import Verdict
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS, div_ceil, div_floor

CREDITS_PER_CENT = 10_000
_DAYS_A_MONTH, _TEN_YEARS_DAYS = 30, 3_650


class PayoutRules(BaseModel):
    """When earnings are paid out. They wait for `waiting_days` whole days; `payday` is a day of the month.

    Of what does not wait, `reserve_bps` stay with the platform until a later cycle: 1,000 are 10 %.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    waiting_days: Annotated[int, Field(ge=0, le=365, strict=True)]
    threshold_credits: Annotated[int, Field(ge=0, le=MAX_CREDITS, strict=True)]
    reserve_bps: Annotated[int, Field(ge=0, le=9_999, strict=True)] = 0
    payday: Annotated[int, Field(ge=1, le=28, strict=True)]

    def reserved_credits(self, earned_credits: int) -> int:
        """What is held back of earnings that do not wait, rounded up.

        >>> PayoutRules(waiting_days=7, threshold_credits=0, reserve_bps=1_000, payday=1).reserved_credits(25_001)
        2501
        """
        return div_ceil(earned_credits * self.reserve_bps, BPS_PER_WHOLE)

    def first_waiting_day(self, today: date) -> date:
        """The first day whose earnings still wait today.

        >>> PayoutRules(waiting_days=7, threshold_credits=0, payday=1).first_waiting_day(date(2026, 3, 8))
        datetime.date(2026, 3, 2)
        """
        return today - timedelta(days=self.waiting_days - 1)

    def payable_on(self, earned_on: date) -> date:
        """The day from which on what was earned on a day does not wait any more.

        >>> PayoutRules(waiting_days=7, threshold_credits=0, payday=1).payable_on(date(2026, 3, 1))
        datetime.date(2026, 3, 8)
        """
        return earned_on + timedelta(days=self.waiting_days)

    def next_payday(self, today: date) -> date:
        """The first payday from today on, which counts itself.

        >>> rules = PayoutRules(waiting_days=7, threshold_credits=0, payday=1)
        >>> rules.next_payday(date(2026, 3, 1)), rules.next_payday(date(2026, 12, 2))
        (datetime.date(2026, 3, 1), datetime.date(2027, 1, 1))
        """
        if today.day <= self.payday:
            return today.replace(day=self.payday)
        return (today.replace(day=1) + timedelta(days=32)).replace(day=self.payday)


def first_payday(rules: PayoutRules, today: date, *, month_credits: int, payable_credits: int) -> date | None:
    """When somebody is paid next who has this much to be paid out and earns so much a month from today on.

    What is there already is paid on the next payday once it suffices. A month has 30 days. None when it takes more than
    ten years.

    >>> rules = PayoutRules(waiting_days=7, threshold_credits=10_000_000, payday=1)
    >>> first_payday(rules, date(2026, 11, 28), month_credits=800_000_000, payable_credits=0)
    datetime.date(2027, 1, 1)
    >>> first_payday(rules, date(2026, 11, 28), month_credits=1, payable_credits=10_000_000)
    datetime.date(2026, 12, 1)
    """
    missing_credits = rules.threshold_credits - payable_credits
    if missing_credits <= 0 < payable_credits:
        return rules.next_payday(today)
    days = div_ceil(max(missing_credits, 1) * _DAYS_A_MONTH, month_credits)
    if days > _TEN_YEARS_DAYS:
        return None
    return rules.next_payday(rules.payable_on(today + timedelta(days=days)))


class Standing(NamedTuple):
    """What a creator has earned and still has, what of it waits and what is held back, and what the creator owes.

    All in credits, from 0.
    """

    left_credits: int
    waiting_credits: int
    reserved_credits: int
    owed_credits: int
    is_paused: bool
    has_destination: bool

    @property
    def payable_credits(self) -> int:
        """What neither waits nor is held back."""
        return self.left_credits - self.waiting_credits - self.reserved_credits


def decide(standing: Standing, threshold_credits: int) -> tuple[Verdict, int]:
    """Whether the creator is paid, or the first rule that says no; and how much, in credits: whole cents.

    What the creator owes is kept back from what is payable. Parts of a cent stay with the creator.

    >>> decide(Standing(25_004_000, 5_000_000, 0, 0, False, True), 10_000_000)
    (<Verdict.PAID_OUT: 'paid_out'>, 20000000)
    >>> decide(Standing(25_000_000, 5_000_000, 0, 12_000_000, False, True), 10_000_000)
    (<Verdict.BELOW_THRESHOLD: 'below_threshold'>, 0)
    >>> decide(Standing(0, 0, 0, 600, False, True), 10_000_000)
    (<Verdict.OWED: 'owed'>, 0)
    """
    amount_credits = _whole_cents(standing.payable_credits - standing.owed_credits)
    least_credits = max(threshold_credits, CREDITS_PER_CENT)
    owes_all = standing.owed_credits > 0 and not standing.left_credits
    for says_no, verdict in (
        (standing.is_paused, Verdict.PAUSED),
        (standing.left_credits == standing.waiting_credits and not owes_all, Verdict.ALL_WAITING),
        (standing.owed_credits >= standing.left_credits - standing.waiting_credits, Verdict.OWED),
        (_would_do_without_reserve(standing, least_credits) and amount_credits < least_credits, Verdict.RESERVED),
        (amount_credits < least_credits, Verdict.BELOW_THRESHOLD),
        (not standing.has_destination, Verdict.NO_DESTINATION),
    ):
        if says_no:
            return verdict, 0
    return Verdict.PAID_OUT, amount_credits


def _would_do_without_reserve(standing: Standing, least_credits: int) -> bool:
    return _whole_cents(standing.payable_credits + standing.reserved_credits - standing.owed_credits) >= least_credits


def _whole_cents(credits: int) -> int:
    return div_floor(credits, CREDITS_PER_CENT) * CREDITS_PER_CENT
