"""The stories that a scenario can begin with: what each sets, and that its sentence says so."""

from pathlib import Path

import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid
from credits_core.lab.scenario.assumptions import Scenario, load_scenarios
from credits_core.lab.scenario.presets import Preset, load_presets
from credits_core.lab.scenario.workload import load_workloads

SCENARIOS = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))
PRESETS = load_presets(settings.SCENARIOS_FILE, SCENARIOS)


def told(preset: Preset, scenario: Scenario) -> tuple[int, ...]:
    found = preset.applied(scenario)
    return (
        *(found.runs, found.users, found.starting_credits, found.refilling_users_bps),
        *(found.growth_bps_per_day, found.busiest_user_times, found.days),
    )


@pytest.mark.parametrize(("workload", "times"), [("conversation", 10), ("code", 20)])
def test_each_preset_sets_its_numbers_and_leaves_all_others(workload: str, times: int) -> None:
    scenario = SCENARIOS[workload]
    assert {name: told(preset, scenario) for name, preset in PRESETS.items()} == {
        "As usual": (10_000, 25, 2_000_000, 6_000, 100, times, 30),
        "Launch month": (10_000, 250, 200_000, 2_000, 500, times, 30),
        "Goes viral": (100_000, 2_500, 200_000, 1_000, 1_500, times, 30),
        "Large users leave": (5_000, 20, 2_000_000, 6_000, 100, 4, 30),
    }
    assert PRESETS["As usual"].applied(scenario) == scenario


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("As usual", ("25 users", "10,000 times", "60 % refill", "1 % a day")),
        ("Launch month", ("250 newcomers", "$0.20", "20 % refill", "5 % a day")),
        ("Goes viral", ("100,000 runs", "2,500 newcomers", "$0.20", "15 % a day")),
        ("Large users leave", ("5 of 25 users", "half of the runs")),
    ],
)
def test_the_sentence_says_the_numbers_in_twelve_words(name: str, numbers: tuple[str, ...]) -> None:
    why = PRESETS[name].why
    assert [number for number in numbers if number not in why] == []
    assert len(why.replace(" %", "%").split()) <= 12


def test_the_busiest_five_of_25_users_have_about_half_of_the_runs() -> None:
    # 1 / (1 + rank × (times − 1) / 24), as the runs are spread over users
    for times, share in ((10, 0.47), (20, 0.57)):
        weights = [1 / (1 + rank * (times - 1) / 24) for rank in range(25)]
        assert round(sum(weights[:5]) / sum(weights), 2) == share
        assert 3.4 < weights[5] / weights[24] < 4.1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[[presets]]\nname = "a"\nwhy = "b"\nuser = 5', "are not: user"),
        ('[[presets]]\nname = "a"\nwhy = "b"\nusers = 0', "users"),
        ('[[presets]]\nname = "a"\nwhy = "b"\nregular_users_bps = 4001', "add up to more than all users"),
        ('[[presets]]\nname = "a"', "why"),
        ("presets = 5", "cannot be read as presets"),
        ("nonsense", "cannot be read as presets"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "scenarios.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataFileInvalid, match=problem):
        load_presets(path, SCENARIOS)
