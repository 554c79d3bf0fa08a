"""Draws the runs of a scenario from its seed: each run's user, model, fee, creator and tokens. Pure.

A seed draws the same runs on every machine: only the raw 64-bit numbers of NumPy's PCG64 are used, which are the same
in all versions, and only whole numbers after that. The drawn numbers depend only on the seed and the run's position in
time, so two plans, or two numbers of users, are compared on the same draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from credits_core.lab.scenario.assumptions import Scenario
from credits_core.lab.scenario.workload import DRAW_BITS
from credits_core.values.arrays import Credits
from credits_core.values.credits import BPS_PER_WHOLE, div_floor

_WORDS_PER_RUN = 4
_BLOCK = 131_072
_LARGEST_WEIGHT = 2**20


@dataclass(frozen=True, slots=True)
class DrawnRuns:
    """Runs in the order of time, one element each.

    `users`, `models` and `creators` are positions in the scenario, from 0. A run without a fee has a fee of 0; ignore
    its creator.
    """

    users: Credits
    models: Credits
    creators: Credits
    creator_fee_credits: Credits
    input_tokens: Credits
    output_tokens: Credits


def draw_runs(scenario: Scenario) -> Iterator[DrawnRuns]:
    """The scenario's runs in blocks, in the order of time; each run takes four raw numbers."""
    generator = np.random.PCG64(scenario.seed)
    users = _bounds(uneven_weights(scenario.users, scenario.busiest_user_times))
    creators = _bounds(uneven_weights(scenario.creators, scenario.top_creator_times))
    models = _bounds([one.weight for one in scenario.models])
    fees = _bounds([one.weight for one in scenario.fees])
    fee_credits = np.array([one.fee_credits for one in scenario.fees], np.int64)
    with_fee_below = div_floor(scenario.fee_runs_bps << DRAW_BITS, BPS_PER_WHOLE)
    for first in range(0, scenario.runs, _BLOCK):
        runs = min(_BLOCK, scenario.runs - first)
        words = generator.random_raw(runs * _WORDS_PER_RUN).reshape(runs, _WORDS_PER_RUN)
        low = (words & np.uint64(2**DRAW_BITS - 1)).astype(np.int64)
        high = (words >> np.uint64(DRAW_BITS)).astype(np.int64)
        yield DrawnRuns(
            users=_picked(users, low[:, 0]),
            models=_picked(models, high[:, 0]),
            creators=_picked(creators, low[:, 2]),
            creator_fee_credits=np.where(low[:, 1] < with_fee_below, fee_credits[_picked(fees, high[:, 1])], 0),
            input_tokens=scenario.workload.input_tokens.at_draws(low[:, 3]),
            output_tokens=scenario.workload.output_tokens.at_draws(high[:, 3]),
        )


def uneven_weights(count: int, times: int) -> list[int]:
    """Falling weights, so that the first is `times` the last.

    The weight at a rank from 0 is 1 / (1 + rank × (times - 1) / (count - 1)), in 2^20ths, rounded down; with `times`
    equal to `count` that is 1, 1/2, 1/3 …, as Zipf's law has it.

    >>> uneven_weights(4, 4)
    [1048576, 524288, 349525, 262144]
    """
    steps = max(1, count - 1)
    return [div_floor(_LARGEST_WEIGHT * steps, steps + rank * (times - 1)) for rank in range(count)]


def runs_by_day(scenario: Scenario) -> list[int]:
    """The number of runs up to the end of each day, which follows from the growth; nothing is drawn.

    >>> from credits_core import settings
    >>> from credits_core.lab.scenario.assumptions import load_scenarios
    >>> from credits_core.lab.scenario.workload import load_workloads
    >>> from dataclasses import replace
    >>> scenario = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["code"]
    >>> runs_by_day(replace(scenario, runs=700, days=3, growth_bps_per_day=10_000))
    [100, 300, 700]
    """
    grown = BPS_PER_WHOLE + scenario.growth_bps_per_day
    # Powers of two whole numbers, so that no day's weight is rounded.
    weights = [grown**day * BPS_PER_WHOLE ** (scenario.days - 1 - day) for day in range(scenario.days)]
    up_to = list(accumulate(weights))
    return [div_floor(scenario.runs * weight, up_to[-1]) for weight in up_to]


def _bounds(weights: Sequence[int]) -> Credits:
    up_to = list(accumulate(weights))
    return np.array([div_floor(weight << DRAW_BITS, up_to[-1]) for weight in up_to], np.int64)


def _picked(bounds: Credits, draws: Credits) -> Credits:
    return np.searchsorted(bounds, draws, side="right").astype(np.int64)
