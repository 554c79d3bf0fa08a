"""Stories that begin with other numbers than a workload's own: a launch, a sudden success, a loss. Pure.

They are in `data/scenarios.toml`, each with a sentence that explains its numbers.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.lab.scenario.assumptions import BOUNDS, Scenario


@dataclass(frozen=True, slots=True)
class Preset:
    """A story by its name, the numbers of a scenario that it sets, and why: the numbers in a sentence."""

    name: str
    why: str
    numbers: Mapping[str, int]

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario with the numbers of the story; all others stay.

        Raises:
            InvalidRequest: a number is out of bounds, or does not go with the scenario's others.
        """
        return replace(scenario, **self.numbers)  # type: ignore[arg-type]


def load_presets(path: Path, scenarios: Mapping[str, Scenario]) -> dict[str, Preset]:
    """The file's presets by their names, in its order. Each of them goes with each of the scenarios.

    Raises:
        DataFileInvalid: the file cannot be read as presets, or a preset does not go with a scenario.
    """
    try:
        presets = [_preset(row) for row in tomllib.loads(path.read_text(encoding="utf-8"))["presets"]]
        for preset in presets:
            for scenario in scenarios.values():
                preset.applied(scenario)
    except InvalidRequest as error:
        raise DataFileInvalid(str(path), [str(error)]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DataFileInvalid(str(path), [f"cannot be read as presets: {error!r}"]) from None
    return {preset.name: preset for preset in presets}


def _preset(row: dict[str, Any]) -> Preset:
    numbers = {name: number for name, number in row.items() if name not in {"name", "why"}}
    unknown = ", ".join(sorted(numbers.keys() - BOUNDS.keys()))
    if unknown:
        raise InvalidRequest("presets", f"must set numbers of a scenario, which these are not: {unknown}")
    return Preset(row["name"], row["why"], numbers)
