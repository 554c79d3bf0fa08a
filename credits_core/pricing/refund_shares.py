"""How a charge is given back in parts: exactly what everybody has given back after so many credits. Pure.

Shares are those of all that was refunded so far, never of one part alone. So however a charge is given back, the parts
add up to what one refund of the whole gives back.
"""

from typing import NamedTuple

from credits_core.values.credits import div_floor


class RefundPart(NamedTuple):
    """A part of a charge that a refund gives back, in credits of its total: from `before` on, up to `through`."""

    before_credits: int
    through_credits: int

    @property
    def credits(self) -> int:
        """How much this part gives back."""
        return self.through_credits - self.before_credits


class Shares(NamedTuple):
    """Who received a charge, or gave it back, in credits: its creator, the platform as income, and the inference."""

    creator_credits: int
    revenue_credits: int
    inference_credits: int


def share_back(share_credits: int, *, refunded_credits: int, total_credits: int) -> int:
    """What is given back of one share when so many credits of the total are refunded in all: rounded down.

    >>> share_back(80, refunded_credits=100, total_credits=300), share_back(80, refunded_credits=300, total_credits=300)
    (26, 80)
    """
    return div_floor(share_credits * refunded_credits, total_credits)


def shares_back(shares: Shares, refunded_credits: int) -> Shares:
    """What everybody has given back when so many credits of the charge are refunded in all: 0 to all of it.

    The creator gives back the part of the share, rounded down, and the platform what is missing. Of that, the inference
    has its part, rounded down, and the platform's income the rest. All three add up to what is refunded, none is ever
    more than was received, and none becomes less with more credits. (Rounding each of the three by itself would leave a
    credit to an income that may be 0.)

    >>> run = Shares(creator_credits=80, revenue_credits=20, inference_credits=150)
    >>> shares_back(run, 100), shares_back(run, 101), shares_back(run, 250) == run
    (Shares(creator_credits=32, revenue_credits=8, inference_credits=60), \
Shares(creator_credits=32, revenue_credits=9, inference_credits=60), True)
    """
    platform_share_credits = shares.revenue_credits + shares.inference_credits
    creator_credits = share_back(shares.creator_credits, refunded_credits=refunded_credits, total_credits=sum(shares))
    platform_credits = refunded_credits - creator_credits
    inference_credits = 0
    if shares.inference_credits:
        inference_credits = share_back(
            shares.inference_credits, refunded_credits=platform_credits, total_credits=platform_share_credits
        )
    return Shares(creator_credits, platform_credits - inference_credits, inference_credits)


def shares_of_part(shares: Shares, part: RefundPart) -> Shares:
    """What everybody gives back in one part of a charge: what was given back after it, less that before it.

    >>> shares_of_part(Shares(80, 20, 150), RefundPart(100, 101))
    Shares(creator_credits=0, revenue_credits=1, inference_credits=0)
    """
    before, after = shares_back(shares, part.before_credits), shares_back(shares, part.through_credits)
    return Shares(*(now - earlier for now, earlier in zip(after, before, strict=True)))
