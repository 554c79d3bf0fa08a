"""The assumptions of a scenario: who runs which models how often, what users hold and what they buy. Pure.

The assumptions for each workload are in `data/scenarios.toml`; `lab.scenario.simulation` runs a scenario.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.lab.scenario.workload import Workload
from credits_core.values.credits import BPS_PER_WHOLE, MAX_CREDITS, div_floor

MAX_RUNS = 5_000_000
MAX_PEOPLE = 100_000
"""The largest number of users, and of creators."""
MAX_DAYS = 366
MAX_SCENARIO_CREDITS = 1_000_000_000
"""The largest fee, starting balance and top-up, in credits, so that no balance can exceed 2^53-1."""
MAX_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelWeight:
    """One model of a mix, and its weight."""

    model_id: str
    weight: int


@dataclass(frozen=True, slots=True)
class FeeWeight:
    """One creator fee of a mix, in credits, and its weight."""

    fee_credits: int
    weight: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """Made-up runs over a number of days, with everything that is drawn or assumed for them.

    Runs are spread over `days` days, and each day has `growth_bps_per_day` more than the day before. Token counts
    follow the workload's quantiles; models, users, creators and fees are drawn by weight. Creators do not spend what
    they earn. The busiest user runs `busiest_user_times` as often as the least busy user. `fee_runs_bps` of the runs
    have a fee, and the top creator has `top_creator_times` as many of them as the least popular one.

    Every user begins with `starting_credits`. A refilling user buys `top_up_credits` when the balance does not cover a
    run, and then tries the run once more; a regular user buys them every `regular_every_days` days; the others never
    buy. A card company takes `card_fee_bps` and `card_fee_credits` of every purchase.

    Raises:
        InvalidRequest: a number is out of bounds, a mix is empty or has no weight or names a model or fee twice, or
            refilling and regular users add up to more than all users.
    """

    workload: Workload
    models: tuple[ModelWeight, ...]
    fee_runs_bps: int
    fees: tuple[FeeWeight, ...]
    creators: int
    top_creator_times: int
    users: int
    busiest_user_times: int
    starting_credits: int
    top_up_credits: int
    refilling_users_bps: int
    regular_users_bps: int
    regular_every_days: int
    growth_bps_per_day: int
    days: int
    card_fee_bps: int
    card_fee_credits: int
    runs: int = 10_000
    seed: int = 1

    def __post_init__(self) -> None:
        for field, (minimum, maximum) in BOUNDS.items():
            _require_whole(field, getattr(self, field), minimum, maximum)
        if self.refilling_users_bps + self.regular_users_bps > BPS_PER_WHOLE:
            raise InvalidRequest("regular_users_bps", "and refilling_users_bps add up to more than all users")
        _require_mix("models", [(one.model_id, one.weight) for one in self.models])
        _require_mix("fees", [(one.fee_credits, one.weight) for one in self.fees])
        for one in self.fees:
            _require_whole("fees", one.fee_credits, 1, MAX_SCENARIO_CREDITS)


BOUNDS = {
    "fee_runs_bps": (0, BPS_PER_WHOLE),
    "creators": (1, MAX_PEOPLE),
    "top_creator_times": (1, 10_000),
    "users": (1, MAX_PEOPLE),
    "busiest_user_times": (1, 10_000),
    "starting_credits": (0, MAX_SCENARIO_CREDITS),
    "top_up_credits": (1, MAX_SCENARIO_CREDITS),
    "refilling_users_bps": (0, BPS_PER_WHOLE),
    "regular_users_bps": (0, BPS_PER_WHOLE),
    "regular_every_days": (1, MAX_DAYS),
    "growth_bps_per_day": (-5_000, BPS_PER_WHOLE),
    "days": (1, MAX_DAYS),
    "card_fee_bps": (0, BPS_PER_WHOLE),
    "card_fee_credits": (0, MAX_SCENARIO_CREDITS),
    "runs": (1, MAX_RUNS),
    "seed": (0, MAX_CREDITS),
}
"""The smallest and the largest value of each field of a scenario, both inclusive."""


def with_runs(scenario: Scenario, runs: int) -> Scenario:
    """The scenario with this many runs, and proportionally more or fewer users, rounded down, at least one.

    Raises:
        InvalidRequest: the number of runs is out of bounds.
    """
    _require_whole("runs", runs, *BOUNDS["runs"])
    users = min(MAX_PEOPLE, max(1, div_floor(scenario.users * runs, scenario.runs)))
    return replace(scenario, runs=runs, users=users)


def with_models(scenario: Scenario, model_ids: list[str]) -> Scenario:
    """The scenario with these models in equal parts; an empty list keeps the scenario's own mix."""
    if not model_ids:
        return scenario
    return replace(scenario, models=tuple(ModelWeight(model_id, 1) for model_id in model_ids))


def with_offered(scenario: Scenario, offered: Sequence[str]) -> tuple[Scenario, str]:
    """The scenario without models that are not offered, and a sentence that names them; empty when there are none.

    Their runs go to the other models of the mix, by their weights. If none is left, the first offered model takes all.
    """
    gone = [one.model_id for one in scenario.models if one.model_id not in offered]
    if not gone:
        return scenario, ""
    said = f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} not offered any more."
    left = tuple(one for one in scenario.models if one.model_id in offered and one.weight)
    if left:
        return replace(scenario, models=left), f"{said} The other models of the mix take all runs."
    return replace(scenario, models=(ModelWeight(offered[0], 1),)), f"{said} {offered[0]} takes all runs instead."


def load_scenarios(path: Path, workloads: Mapping[str, Workload]) -> dict[str, Scenario]:
    """The file's scenarios, by the id of their workload.

    Raises:
        DataFileInvalid: the file cannot be read as scenarios, a number is out of bounds, or a workload is unknown.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["scenarios"]
        return {row["id"]: _scenario(row, workloads) for row in rows}
    except InvalidRequest as error:
        raise DataFileInvalid(str(path), [str(error)]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read as scenarios: {error!r}"]) from None


def _scenario(row: dict[str, Any], workloads: Mapping[str, Workload]) -> Scenario:
    numbers = {name: entry for name, entry in row.items() if name not in {"id", "models", "fees"}}
    return Scenario(
        workload=workloads[row["id"]],
        models=tuple(ModelWeight(one["id"], one["weight"]) for one in row["models"]),
        fees=tuple(FeeWeight(one["credits"], one["weight"]) for one in row["fees"]),
        **numbers,
    )


def _require_whole(field: str, number: object, minimum: int, maximum: int) -> None:
    if type(number) is not int or not minimum <= number <= maximum:
        shown = f"{number:,}" if type(number) is int else repr(number)
        raise InvalidRequest(field, f"must be a whole number from {minimum:,} to {maximum:,}, not {shown}")


def _require_mix(field: str, mix: list[tuple[object, int]]) -> None:
    for _, weight in mix:
        _require_whole(field, weight, 0, MAX_WEIGHT)
    if not any(weight for _, weight in mix):
        raise InvalidRequest(field, "need at least one with a weight above 0")
    if len({one for one, _ in mix}) < len(mix):
        raise InvalidRequest(field, "must not name the same one twice")
