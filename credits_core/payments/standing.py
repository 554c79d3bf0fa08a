"""What a gateway's news of one purchase come to: what is paid, gone and disputed. Pure.

News may come in any order, late, and twice. So nothing is carried from one to the next: all news of a purchase are
looked at together, and what they come to does not depend on their order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from credits_core.store.kinds import Happened
from credits_core.values.credits import div_floor


class News(NamedTuple):
    """One thing that a gateway said. `about` names the payment, refund or dispute; the amount is in minor units."""

    kind: Happened
    about: str
    amount_minor: int
    happened_at_us: int
    event_id: str


class State(StrEnum):
    """What a purchase is now, in one word."""

    NEW = "new"
    PENDING = "pending"
    DECLINED = "declined"
    EXPIRED = "expired"
    UNDERPAID = "underpaid"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the news of one purchase come to, in minor units of its currency.

    `due_minor` is what it costs. `taken_minor` is what went back of that, by refunds and lost disputes, and
    `disputed_minor` what is disputed now; both together are at most `due_minor`. What was paid too much goes back
    first, and takes no credits. `open_minor` is all that is disputed now, also of what was paid too much.
    """

    due_minor: int
    paid_minor: int
    refunded_minor: int
    lost_minor: int
    taken_minor: int
    disputed_minor: int
    open_minor: int
    state: State

    @property
    def is_paid(self) -> bool:
        """Whether all of it was paid, whatever went back since."""
        return self.paid_minor >= self.due_minor

    @property
    def overpaid_minor(self) -> int:
        """What was paid more than it costs and has not gone back yet, such as by a payment that came twice."""
        return max(0, self.paid_minor - self.due_minor - self.refunded_minor - self.lost_minor)

    @property
    def refundable_minor(self) -> int:
        """What can still be given back: what was paid and has neither gone back nor is disputed."""
        return max(0, self.paid_minor - self.refunded_minor - self.lost_minor - self.open_minor)

    def refunded_by(self, amount_minor: int) -> "Standing":
        """The same once so much more has gone back."""
        gone_minor = self.refunded_minor + self.lost_minor + amount_minor - max(0, self.paid_minor - self.due_minor)
        return replace(self, taken_minor=min(self.due_minor, max(0, gone_minor)), disputed_minor=0)

    def parts_of(self, credits: int) -> tuple[int, int]:
        """How many of these credits are taken and frozen, in proportion to the money, each sum rounded down.

        All of them are taken of a purchase that turns out not to be paid.

        >>> standing(300, [News(Happened.PAID, "p", 300, 1, "1"), News(Happened.REFUNDED, "r", 100, 2, "2")]).parts_of(
        ...     1_000)
        (333, 0)
        """
        if not self.is_paid:
            return credits, 0
        taken_credits = div_floor(credits * self.taken_minor, self.due_minor)
        gone_credits = div_floor(credits * (self.taken_minor + self.disputed_minor), self.due_minor)
        return taken_credits, gone_credits - taken_credits

    def refunded_of(self, credits: int, taken_credits: int) -> int:
        """How many of the credits that were taken of so many went by refunds. Banks took the others, by lost disputes.

        Refunds count first, as if no dispute had been lost, and are rounded down.

        >>> refunded, lost = (News(kind, kind, 100, 2, kind) for kind in (Happened.REFUNDED, Happened.LOST))
        >>> standing(300, [News(Happened.PAID, "p", 300, 1, "1"), refunded, lost]).refunded_of(1_000, 666)
        333
        """
        if not self.is_paid:
            return taken_credits
        overpaid_minor = self.paid_minor - self.due_minor
        by_refunds_minor = min(self.due_minor, max(0, self.refunded_minor - overpaid_minor))
        return min(taken_credits, div_floor(credits * by_refunds_minor, self.due_minor))


OF_MONEY = frozenset(
    {Happened.PAID, Happened.REFUNDED, Happened.REFUND_FAILED, Happened.DISPUTED, Happened.WON, Happened.LOST}
)
"""What moves money, or may: not a checkout that was opened, or a payment that was declined."""


def standing(due_minor: int, news: Iterable[News]) -> Standing:
    """What these news come to for a purchase that costs so much. Their order does not matter.

    Of one payment, refund or dispute the newest news count, by the gateway's time; a dispute that ended stays ended.
    News of 0 take back what was said of the same: so a fact is corrected that the gateway does not know.
    """
    told: dict[tuple[Happened, str], News] = {}
    for one in sorted(news, key=_place):
        told[one.kind, one.about] = one
    every = [one for one in told.values() if one.amount_minor or one.kind not in OF_MONEY]
    paid_minor = sum(one.amount_minor for one in _newest(every, Happened.PAID).values())
    refunds = _newest(every, Happened.REFUNDED, Happened.REFUND_FAILED).values()
    refunded_minor = sum(one.amount_minor for one in refunds if one.kind is Happened.REFUNDED)
    ended = _newest(every, Happened.WON, Happened.LOST)
    lost_minor = sum(one.amount_minor for one in ended.values() if one.kind is Happened.LOST)
    begun = _newest(every, Happened.DISPUTED)
    open_minor = sum(one.amount_minor for about, one in begun.items() if about not in ended)
    overpaid_minor = max(0, paid_minor - due_minor)
    taken_minor = min(due_minor, max(0, refunded_minor + lost_minor - overpaid_minor))
    at_stake_minor = min(due_minor, max(0, refunded_minor + lost_minor + open_minor - overpaid_minor))
    return Standing(
        due_minor,
        paid_minor,
        refunded_minor,
        lost_minor,
        taken_minor,
        at_stake_minor - taken_minor,
        open_minor,
        _state(every, due_minor, paid_minor, taken_minor, at_stake_minor, is_lost=lost_minor > 0),
    )


def _newest(news: Iterable[News], *kinds: Happened) -> dict[str, News]:
    """The newest news of these kinds, by what they are about."""
    found: dict[str, News] = {}
    for one in news:
        if one.kind in kinds and (one.about not in found or _place(found[one.about]) < _place(one)):
            found[one.about] = one
    return found


def _place(one: News) -> tuple[int, bool, str, str]:
    # Gateways tell whole seconds. A refund that fails in the second in which it went out has failed.
    return one.happened_at_us, one.kind is Happened.REFUND_FAILED, one.kind.value, one.event_id


def _state(
    news: list[News], due_minor: int, paid_minor: int, taken_minor: int, at_stake_minor: int, *, is_lost: bool
) -> State:
    if paid_minor >= due_minor:
        if at_stake_minor > taken_minor:
            return State.DISPUTED
        if is_lost and taken_minor:
            return State.LOST
        if taken_minor:
            return State.REFUNDED if taken_minor == due_minor else State.PARTLY_REFUNDED
        return State.PAID
    if paid_minor:
        return State.UNDERPAID
    words = {
        Happened.PENDING: State.PENDING,
        Happened.DECLINED: State.DECLINED,
        Happened.EXPIRED: State.EXPIRED,
    }
    told = [one for one in news if one.kind in words]
    return words[max(told, key=_place).kind] if told else State.NEW
