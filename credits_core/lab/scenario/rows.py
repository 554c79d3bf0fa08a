"""The made-up runs behind a figure of a scenario: of a day, in a range of totals, or the refused ones. Pure.

A result holds sums alone, so its runs are drawn and priced again, which gives the same runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.simulation import CarriedOut, carrying_out
from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.values.progress import Work


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs: of a day (from 1), only refused or only charged ones, and with totals in a range, in credits.

    `from_credits` is inclusive and `below_credits` exclusive; None is no limit.
    """

    day: int | None = None
    charged: bool | None = None
    from_credits: int = 0
    below_credits: int | None = None


@dataclass(frozen=True, slots=True)
class MadeUpRun:
    """One run of a scenario. Numbers, days, users and creators count from 1; the busiest user is number 1.

    `creator` is None without a creator fee. What a refused run would have cost stands in the amounts.
    """

    number: int
    day: int
    user: int
    creator: int | None
    model_id: str
    inference_credits: int
    creator_credits: int
    platform_credits: int
    total_credits: int
    charged: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The dearest of the wanted runs, and how many there are in all."""

    in_all: int
    runs: tuple[MadeUpRun, ...]


def listing(
    scenario: Scenario,
    plan: PricePlan,
    models: Mapping[str, Model],
    wanted: Wanted,
    *,
    limit: int,
    at: datetime | None = None,
) -> Work[Listing]:
    """The wanted runs, at most `limit` of them, the dearest first and equally dear ones in the order of time.

    Raises:
        UnknownModel, InvalidRequest: as `simulation.simulate`.
    """
    carried_out = yield from carrying_out(scenario, plan, models, at=at)
    totals = carried_out.priced.total_credits
    found = np.flatnonzero(_is_wanted(carried_out, wanted))
    dearest = found[np.argsort(-totals[found], kind="stable")[:limit]]
    return Listing(len(found), tuple(_run(scenario, carried_out, int(position)) for position in dearest))


def _is_wanted(carried_out: CarriedOut, wanted: Wanted) -> npt.NDArray[np.bool_]:
    totals = carried_out.priced.total_credits
    is_wanted = totals >= wanted.from_credits
    if wanted.below_credits is not None:
        is_wanted &= totals < wanted.below_credits
    if wanted.charged is not None:
        is_wanted &= carried_out.is_charged == wanted.charged
    if wanted.day is not None:
        ends = [0, *carried_out.day_ends]
        of_day = np.zeros(len(totals), np.bool_)
        of_day[ends[wanted.day - 1] : ends[wanted.day]] = True
        is_wanted &= of_day
    return is_wanted


def _run(scenario: Scenario, carried_out: CarriedOut, position: int) -> MadeUpRun:
    priced = carried_out.priced
    amounts = {name: int(column[position]) for name, column in priced.amounts.items()}
    has_fee = bool(amounts["creator_share_credits"] or amounts["platform_share_credits"])
    return MadeUpRun(
        number=position + 1,
        day=int(np.searchsorted(carried_out.day_ends, position, side="right")) + 1,
        user=int(priced.users[position]) + 1,
        creator=int(priced.creators[position]) + 1 if has_fee else None,
        model_id=scenario.models[int(priced.models[position])].model_id,
        inference_credits=amounts["inference_cost_credits"],
        creator_credits=amounts["creator_share_credits"],
        platform_credits=amounts["platform_markup_credits"] + amounts["platform_share_credits"],
        total_credits=int(priced.total_credits[position]),
        charged=bool(carried_out.is_charged[position]),
    )
