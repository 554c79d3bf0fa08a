"""Runs that come from elsewhere, as a record that can be replayed: charged under a plan, by users who never run out.

Pure. Such runs have no balances, so every user begins with far more credits than any plan takes.
"""

import numpy as np

from credits_core.lab.replay.balances import NOBODY
from credits_core.lab.replay.record import Additions, Charges, RecordedHistory, Refunds
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import quote_costs
from credits_core.values.arrays import Credits
from credits_core.values.credits import MAX_CREDITS, div_floor

_ALL_STARTING_CREDITS = 2**60
"""What all users together begin with: far more than they spend, and little enough to be added up."""


def record_of_runs(
    plan: PricePlan,
    *,
    users: tuple[str, ...],
    models: tuple[str, ...],
    payer: Credits,
    model: Credits,
    inference_cost_credits: Credits,
    creator_fee_credits: Credits,
    creator: Credits | None = None,
    day: Credits | None = None,
) -> RecordedHistory:
    """The runs as if they had been charged under the plan, in this order. The arrays have one length.

    `payer` and `creator` are positions in `users`, a creator of -1 is none; `model` is a position in `models`. Days
    count from 1970-01-01, 0 where none are given.

    Raises:
        InvalidRequest: as `quote_costs`.
    """
    runs = len(payer)
    nobody, zeros, nothing = np.full(runs, NOBODY), np.zeros(runs, np.int64), np.empty(0, np.int64)
    priced = quote_costs(plan, inference_cost_credits, creator_fee_credits=creator_fee_credits)
    each_credits = min(MAX_CREDITS, div_floor(_ALL_STARTING_CREDITS, max(1, len(users))))
    return RecordedHistory(
        first_entry_id=1,
        last_entry_id=runs,
        accounts=users,
        models=models,
        plans=(plan.id,),
        starting_credits=(each_credits,) * len(users),
        starting_owed_credits=(),
        charges=Charges(
            entry_id=np.arange(1, runs + 1, dtype=np.int64),
            day=zeros if day is None else day,
            payer=payer,
            creator=nobody if creator is None else creator,
            model=model,
            plan=zeros,
            inference_cost_credits=inference_cost_credits,
            creator_fee_credits=creator_fee_credits,
            platform_markup_credits=priced.platform_markup_credits,
            creator_share_credits=priced.creator_share_credits,
            is_compared=np.ones(runs, np.bool_),
        ),
        refunds=Refunds(
            entry_id=nothing,
            day=nothing,
            charge=nothing,
            borne_credits=nothing,
            returned_cost_credits=nothing,
            is_earlier_rule=nothing == 0,
            is_owed=nothing == 0,
            before_credits=nothing,
            through_credits=nothing,
            is_compared=nothing == 0,
        ),
        additions=Additions(nothing, nothing, nothing),
    )
