"""Runs a scenario: draws its runs, prices them by `quote_many`, and charges or refuses them in the order of time.

Pure. Balances work as in the ledger: a run that the balance does not cover is refused, and later, cheaper runs may
still be charged. Five million runs take seconds, so the work tells how far it is and can be left at any time.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from credits_core.errors import InvalidRequest
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.draws import DrawnRuns, draw_runs, runs_by_day
from credits_core.lab.scenario.result import ModelRuns, RunTotals, ScenarioDay, ScenarioResult
from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import QuoteArrays, quote_many
from credits_core.values.arrays import Credits
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil
from credits_core.values.progress import Progress, Work, finish

EDGES_CREDITS = (0, 1, *(step * 10**zeros for zeros in range(9) for step in (1, 2, 3, 5, 7) if step * 10**zeros > 1))
"""Where the bars of the histogram of run totals begin, in credits."""
# Neighbouring users differ by this many places in 10,000, a golden section: so every habit has busy and idle users.
_HABIT_STEP = 6_181
_MAX_INT64 = 2**63 - 1
_STEPS_PER_RUN = 2  # to be priced, and to be charged or refused
_AMOUNTS = ("inference_cost_credits", "creator_share_credits", "platform_markup_credits", "platform_share_credits")


@dataclass(frozen=True, slots=True)
class PricedRuns:
    """Every run of a scenario with its price, one element each, in the order of time."""

    users: Credits
    models: Credits
    creators: Credits
    amounts: dict[str, Credits]
    total_credits: Credits


@dataclass(slots=True)
class Followed:
    """What became of the balances: refused runs, purchases by day, and the day each user first ran out, or -1."""

    balances_credits: list[int]
    first_dry_days: list[int]
    top_ups: list[int]
    refused: "array[int]" = field(default_factory=lambda: array("q"))


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """Every run with its price, and what became of it. `day_ends` are the numbers of runs up to the end of each day."""

    priced: PricedRuns
    day_ends: list[int]
    followed: Followed
    is_charged: npt.NDArray[np.bool_]


def simulate(
    scenario: Scenario, plan: PricePlan, models: Mapping[str, Model], *, at: datetime | None = None
) -> ScenarioResult:
    """What the scenario comes to under the plan, to the credit. The same arguments give the same result.

    A creator earns the share of every fee that was paid. Card fees are rounded up per purchase, and are taken of the
    credits bought plus the plan's own fee on purchases.

    Raises:
        UnknownModel: the scenario names a model that is not in `models`.
        InvalidRequest: a run's total is above 2^53-1 credits, or the sum of totals could overflow 64 bits.
    """
    return finish(simulating(scenario, plan, models, at=at))


def simulating(
    scenario: Scenario, plan: PricePlan, models: Mapping[str, Model], *, at: datetime | None = None
) -> Work[ScenarioResult]:
    """As `simulate`, telling how far it is."""
    carried_out = yield from carrying_out(scenario, plan, models, at=at)
    priced, followed, is_charged = carried_out.priced, carried_out.followed, carried_out.is_charged
    day_ends, paid_by_part = carried_out.day_ends, priced.amounts
    for amounts in paid_by_part.values():
        amounts[~is_charged] = 0  # in place, because millions of runs take much room
    incomes = np.zeros(scenario.creators, np.int64)
    np.add.at(incomes, priced.creators, paid_by_part["creator_share_credits"])
    top_ups = sum(followed.top_ups)
    purchase_fee_credits = plan.purchase_fee(scenario.top_up_credits)
    card_fee = CardFee(scenario.card_fee_bps, scenario.card_fee_credits)
    return ScenarioResult(
        scenario=scenario,
        plan_id=plan.id,
        days=_days(day_ends, is_charged, paid_by_part, followed),
        models=_models(scenario, priced.models, is_charged, paid_by_part),
        run_totals=run_totals(priced.total_credits[is_charged]),
        active_users=len(np.unique(priced.users)),
        left_credits=sum(followed.balances_credits),
        creator_incomes_credits=tuple(np.sort(incomes).tolist()),
        purchase_fee_credits=top_ups * purchase_fee_credits,
        card_fee_credits=top_ups * card_fee.taken_of(scenario.top_up_credits + purchase_fee_credits),
    )


def price_runs(
    scenario: Scenario, plan: PricePlan, models: Mapping[str, Model], *, at: datetime | None = None
) -> PricedRuns:
    """The scenario's runs with their prices under the plan, charged or not.

    Raises:
        UnknownModel: the scenario names a model that is not in `models`.
        InvalidRequest: a total is above 2^53-1 credits.
    """
    return finish(_pricing(scenario, plan, models, at=at))


def carrying_out(
    scenario: Scenario, plan: PricePlan, models: Mapping[str, Model], *, at: datetime | None = None
) -> Work[CarriedOut]:
    """The scenario's runs, priced and then charged or refused, telling how far it is: each run is two steps.

    Raises:
        UnknownModel: as `simulate`.
        InvalidRequest: as `simulate`.
    """
    priced = yield from _pricing(scenario, plan, models, at=at)
    day_ends = runs_by_day(scenario)
    followed = yield from _following(scenario, priced, day_ends)
    is_charged = np.ones(scenario.runs, np.bool_)
    is_charged[np.frombuffer(followed.refused, np.int64)] = False
    return CarriedOut(priced, day_ends, followed, is_charged)


def _pricing(
    scenario: Scenario, plan: PricePlan, models: Mapping[str, Model], *, at: datetime | None
) -> Work[PricedRuns]:
    chosen = [models[one.model_id] for one in scenario.models]
    users, places, creators, total_credits = (np.empty(scenario.runs, np.int64) for _ in range(4))
    amounts = {name: np.empty(scenario.runs, np.int64) for name in _AMOUNTS}
    runs = PricedRuns(users, places, creators, amounts, total_credits)
    first = 0
    for drawn in draw_runs(scenario):
        block = slice(first, first + len(drawn.users))
        users[block], places[block], creators[block] = drawn.users, drawn.models, drawn.creators
        for place, model in enumerate(chosen):
            rows = np.flatnonzero(drawn.models == place)
            quotes = _quotes(model, plan, drawn, rows, at)
            for name, amount in amounts.items():
                amount[first + rows] = getattr(quotes, name)
            total_credits[first + rows] = quotes.total_credits
        first = block.stop
        yield Progress(first, _STEPS_PER_RUN * scenario.runs)
    return runs


def is_refilling(scenario: Scenario, user: int) -> bool:
    """Whether this user (ranks count from 0) buys credits when the balance does not cover a run."""
    return _habit(user) < scenario.refilling_users_bps


def is_regular(scenario: Scenario, user: int) -> bool:
    """Whether this user (ranks count from 0) buys credits every `regular_every_days` days."""
    return 0 <= _habit(user) - scenario.refilling_users_bps < scenario.regular_users_bps


def run_totals(total_credits: Credits) -> RunTotals:
    """The distribution of these totals. A quantile is the total at its rank, which is rounded up."""
    in_order = np.sort(total_credits)
    runs = len(in_order)

    def quantile(share_bps: int) -> int:
        return int(in_order[div_ceil(runs * share_bps, BPS_PER_WHOLE) - 1]) if runs else 0

    up_to = [*np.searchsorted(in_order, np.array(EDGES_CREDITS[1:]), side="left").tolist(), runs]
    columns = tuple(after - before for before, after in zip([0, *up_to], up_to, strict=False))
    return RunTotals(quantile(5_000), quantile(9_500), quantile(9_900), quantile(10_000), EDGES_CREDITS, columns)


def _habit(user: int) -> int:
    return user * _HABIT_STEP % BPS_PER_WHOLE


def _quotes(
    model: Model, plan: PricePlan, drawn: DrawnRuns, rows: npt.NDArray[np.intp], at: datetime | None
) -> QuoteArrays:
    return quote_many(
        model,
        plan,
        creator_fee_credits=drawn.creator_fee_credits[rows],
        input_tokens=drawn.input_tokens[rows],
        output_tokens=drawn.output_tokens[rows],
        at=at,
    )


def _following(scenario: Scenario, priced: PricedRuns, day_ends: list[int]) -> Work[Followed]:
    if int(priced.total_credits.max()) * scenario.runs > _MAX_INT64:
        raise InvalidRequest("runs", "cost too much to be added up; choose fewer runs")
    users = range(scenario.users)
    refills = [is_refilling(scenario, user) for user in users]
    regular_users = [user for user in users if is_regular(scenario, user)]
    top_up_credits, regular_days = scenario.top_up_credits, range(0, scenario.days, scenario.regular_every_days)[1:]
    balances = [scenario.starting_credits] * scenario.users
    followed = Followed(balances, [-1] * scenario.users, [0] * scenario.days)
    start = 0
    # A plain loop over Python's numbers: it takes a tenth of a second per million runs, and can be read.
    for day, end in enumerate(day_ends):
        if day in regular_days:
            followed.top_ups[day] += len(regular_users)
            for user in regular_users:
                balances[user] += top_up_credits
        of_day = slice(start, end)
        payers, totals = priced.users[of_day].tolist(), priced.total_credits[of_day].tolist()
        for run, (user, total_credits) in enumerate(zip(payers, totals, strict=True), start):
            balance_credits = balances[user]
            if balance_credits < total_credits:
                if followed.first_dry_days[user] < 0:
                    followed.first_dry_days[user] = day
                if refills[user]:
                    followed.top_ups[day] += 1
                    balance_credits += top_up_credits
                    balances[user] = balance_credits
                if balance_credits < total_credits:
                    followed.refused.append(run)
                    continue
            balances[user] = balance_credits - total_credits
        start = end
        yield Progress(scenario.runs + start, _STEPS_PER_RUN * scenario.runs)
    return followed


def _days(
    day_ends: list[int], is_charged: npt.NDArray[np.bool_], paid_by_part: dict[str, Credits], followed: Followed
) -> tuple[ScenarioDay, ...]:
    days = []
    start = 0
    for day, end in enumerate(day_ends):
        of_day = slice(start, end)
        sums = _sums(is_charged[of_day], {name: amounts[of_day] for name, amounts in paid_by_part.items()})
        dry = followed.first_dry_days.count(day)
        days.append(ScenarioDay(*sums, day=day + 1, top_ups=followed.top_ups[day], users_run_dry=dry))
        start = end
    return tuple(days)


def _models(
    scenario: Scenario, models: Credits, is_charged: npt.NDArray[np.bool_], paid_by_part: dict[str, Credits]
) -> tuple[ModelRuns, ...]:
    rows_of = [(one.model_id, models == place) for place, one in enumerate(scenario.models)]
    return tuple(
        ModelRuns(*_sums(is_charged[rows], {name: one[rows] for name, one in paid_by_part.items()}), model_id=model_id)
        for model_id, rows in rows_of
    )


def _sums(is_charged: npt.NDArray[np.bool_], paid_by_part: dict[str, Credits]) -> tuple[int, int, int, int, int, int]:
    inference, creators, markup, share = (int(paid_by_part[name].sum()) for name in _AMOUNTS)
    return len(is_charged), int(np.count_nonzero(is_charged)), inference, creators, markup, share
