"""How much of a result is chance: the same scenario drawn from several seeds, as low, middle and high. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from credits_core.lab.scenario.assumptions import BOUNDS, Scenario
from credits_core.lab.scenario.result import ScenarioResult, measures
from credits_core.values.credits import div_floor

SEEDS = 5
"""With how many seeds a scenario is drawn, to see what is chance."""
_NAMES = ("Users paid", "Creators earned", "Platform kept", "Margin after card fees")


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several seeds: the lowest, the middle and the highest, and that of the seed which is shown."""

    name: str
    low_credits: int
    middle_credits: int
    high_credits: int
    shown_credits: int


def with_other_seeds(scenario: Scenario) -> tuple[Scenario, ...]:
    """The scenario with its own seed first, and then with those that follow it.

    >>> from credits_core import settings
    >>> from credits_core.lab.scenario.assumptions import load_scenarios
    >>> from credits_core.lab.scenario.workload import load_workloads
    >>> scenario = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))["code"]
    >>> [one.seed for one in with_other_seeds(replace(scenario, seed=7))]
    [7, 8, 9, 10, 11]
    """
    least, largest = BOUNDS["seed"]
    seeds = (scenario.seed + further for further in range(SEEDS))
    return tuple(replace(scenario, seed=seed if seed <= largest else seed - largest - 1 + least) for seed in seeds)


def spreads(results: Sequence[ScenarioResult]) -> tuple[Spread, ...]:
    """The amounts that people decide by, over these results; the first of them is the one that is shown.

    The middle is the median; of an even number of results, the lower one of the two in the middle.
    """
    found = []
    for of_each in zip(*map(measures, results), strict=True):
        name, _, shown_credits = of_each[0]
        if name in _NAMES:
            in_order = sorted(number for _, _, number in of_each)
            middle = in_order[div_floor(len(in_order) - 1, 2)]
            found.append(Spread(name, in_order[0], middle, in_order[-1], shown_credits))
    return tuple(found)
