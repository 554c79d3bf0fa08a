"""Reads what creators' earnings paid of their debts between two cycles, so that a smaller payout can be explained."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from credits_core.ledger import debts
from credits_core.store.tables import PayoutCycle

_LAST_US = 2**63 - 1


def netted(connection: Connection, cycle_id: int | None, creator_ids: Sequence[str] | None = None) -> dict[str, int]:
    """What these creators' earnings, or everybody's, paid of what they owed since the cycle before this one.

    In credits, by creator, without those of whom nothing was paid. Up to the moment when the cycle was proposed; None
    is the next cycle, so up to now.
    """
    told = select(PayoutCycle.proposed_at_us).order_by(PayoutCycle.id.desc())
    if cycle_id is not None:
        told = told.where(PayoutCycle.id <= cycle_id)
    newest = list(connection.execute(told.limit(2)).scalars())
    until_us = _LAST_US if cycle_id is None or not newest else newest.pop(0)
    after_us = newest[0] if newest else 0
    return debts.paid_between(connection, creator_ids, after_us=after_us, until_us=until_us)
