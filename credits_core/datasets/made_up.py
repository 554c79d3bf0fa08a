"""The made-up runs of a scenario as a recorded history, so that they can be replayed like a ledger's or a log's."""

from collections.abc import Mapping
from datetime import date, datetime

import numpy as np

from credits_core.datasets.record import history_of_charges
from credits_core.lab.replay.balances import NOBODY
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.draws import runs_by_day
from credits_core.lab.scenario.simulation import price_runs
from credits_core.pricing.models import Model
from credits_core.pricing.quote import PriceBook
from credits_core.values.day_arrays import is_within
from credits_core.values.days import DayRange, number_of_day


def history_of_scenario(
    scenario: Scenario, models: Mapping[str, Model], *, book: PriceBook, at: datetime, first_day: date, days: DayRange
) -> RecordedHistory:
    """The runs of a scenario that begins on a day, at the prices of a moment, charged under the live plan.

    Nobody runs out of credits.

    Raises:
        UnknownModel: the scenario names a model that is not among these.
        InvalidRequest: an amount is too large.
    """
    priced = price_runs(scenario, book.plan, models, at=at)
    ends = np.array(runs_by_day(scenario), np.int64)
    day = np.searchsorted(ends, np.arange(len(priced.users)), side="right") + number_of_day(first_day)
    kept = np.flatnonzero(is_within(day, days))
    fee = priced.amounts["creator_share_credits"] + priced.amounts["platform_share_credits"]
    users, creators = int(priced.users.max(initial=-1)) + 1, scenario.creators
    return history_of_charges(
        accounts=(
            *(f"user-{one}" for one in range(1, users + 1)),
            *(f"creator-{one}" for one in range(1, creators + 1)),
        ),
        models=tuple(mix.model_id for mix in scenario.models),
        plan=book.plan,
        day=day[kept],
        payer=priced.users[kept],
        creator=np.where(fee > 0, priced.creators + users, NOBODY)[kept],
        model=priced.models[kept],
        inference_cost_credits=priced.amounts["inference_cost_credits"][kept],
        creator_fee_credits=fee[kept],
    )
