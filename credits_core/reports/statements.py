"""The statement of creators for some days: their fees, their share, what refunds took back, and what is left.

Fees are those of the runs and unlocks posted in these days, whatever was refunded later. Refunds count on the day on
which they were made, so a refund of an earlier run lowers this statement and not the earlier one. Amounts are whole
credits. Writes nothing.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from credits_core.reports import debts, earnings
from credits_core.reports.sums import works_of
from credits_core.values.days import DayRange


@dataclass(frozen=True, slots=True)
class CreatorStatement:
    """What one creator, or all of them together, brought in and received, in credits.

    `gross_fees_credits` is what users paid as fees. `share_credits` is the creators' part of it, before refunds. Of the
    refunds `became_owed_credits` were spent and are owed; the share paid `debt_paid_credits` of what was owed.
    """

    creator_id: str | None
    runs: int
    unlocks: int
    gross_fees_credits: int
    share_credits: int
    refunds_credits: int
    became_owed_credits: int = 0
    debt_paid_credits: int = 0

    @property
    def net_credits(self) -> int:
        """The share less refunds: what the balance rose by, less what is owed. Below 0 where refunds took back more."""
        return self.share_credits - self.refunds_credits


def statements(connection: Connection, days: DayRange, *, creator_id: str | None = None) -> list[CreatorStatement]:
    """One statement for each creator with a payment or a refund in these days, the highest net first; or one alone."""
    works = works_of(connection, days)
    by_creator = (
        select(works.c.creator_id, func.sum(works.c.fees_credits))
        .where(works.c.creator_id != "" if creator_id is None else works.c.creator_id == creator_id)
        .group_by(works.c.creator_id)
    )
    gross_fees_credits = {creator: int(fees_credits) for creator, fees_credits in connection.execute(by_creator)}
    earned = earnings.creator_totals(connection, days, creator_id=creator_id, limit=None)
    owed = debts.of_shares(connection, days)
    return [
        CreatorStatement(
            creator,
            one.runs,
            one.unlocks,
            gross_fees_credits.get(creator, 0),
            one.runs_credits + one.unlocks_credits,
            one.taken_back_credits,
            *owed.get(creator, (0, 0)),
        )
        for creator, one in earned
    ]


def in_all(listed: list[CreatorStatement]) -> CreatorStatement:
    """The sum of these statements, for no creator alone."""
    return CreatorStatement(
        None,
        sum(one.runs for one in listed),
        sum(one.unlocks for one in listed),
        sum(one.gross_fees_credits for one in listed),
        sum(one.share_credits for one in listed),
        sum(one.refunds_credits for one in listed),
        sum(one.became_owed_credits for one in listed),
        sum(one.debt_paid_credits for one in listed),
    )


def plan_ids(connection: Connection, days: DayRange) -> list[str]:
    """The price plans that priced the runs and unlocks of these days, in order of their names."""
    works = works_of(connection, days)
    used = select(works.c.plan_id).where(works.c.uses > 0).distinct().order_by(works.c.plan_id)
    return list(connection.execute(used).scalars())
