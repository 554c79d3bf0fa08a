"""Refunds as earlier versions made them, under the rule of their time."""

from datetime import datetime
from functools import partial

import pytest
from sqlalchemy import Engine

from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.store.kinds import RefundRule
from tests.support import world


def refund(
    engine: Engine,
    entry_id: int,
    *,
    key: str,
    rule: RefundRule = RefundRule.PLATFORM_BEARS_COST,
    amount_credits: int | None = None,
    now: datetime = world.NOW,
) -> Receipt:
    """A refund by which the platform bears what the creator has spent of the share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actions, "RefundTerms", partial(RefundTerms, rule))
        return world.refund(engine, entry_id, amount_credits=amount_credits, key=key, now=now)
