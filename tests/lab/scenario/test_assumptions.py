"""What a scenario assumes and what its seed draws; what makes no sense is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from credits_core import settings
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.lab.scenario.assumptions import FeeWeight, ModelWeight, load_scenarios, with_offered, with_runs
from credits_core.lab.scenario.draws import draw_runs, runs_by_day
from credits_core.lab.scenario.simulation import price_runs, simulate
from credits_core.lab.scenario.workload import load_workloads
from credits_core.pricing.quote import quote
from tests.support import world
from tests.support.plans import SPECIFICATION
from tests.support.scenarios import MANY_USERS, MODELS, ONE_USER


def test_the_first_runs_are_the_same_in_a_longer_row_of_more_than_one_block() -> None:
    few, many = replace(MANY_USERS, runs=100), replace(MANY_USERS, runs=131_072 + 100)
    (drawn,) = draw_runs(few)
    first, second = draw_runs(many)
    assert first.users[:100].tolist() == drawn.users.tolist()
    assert len(second.users) == 100
    assert second.users.tolist() != drawn.users.tolist()
    priced = price_runs(many, SPECIFICATION, MODELS)
    for run in (0, 131_071, 131_072, 131_171):
        block = first if run < 131_072 else second
        place = run if run < 131_072 else run - 131_072
        price = quote(
            MODELS[MANY_USERS.models[block.models[place]].model_id],
            SPECIFICATION,
            creator_fee_credits=int(block.creator_fee_credits[place]),
            input_tokens=int(block.input_tokens[place]),
            output_tokens=int(block.output_tokens[place]),
        )
        assert priced.total_credits[run] == price.total_credits


@pytest.mark.parametrize(("word", "drawn"), [(0, (0, 1, 0, 500, 1, 1)), (2**64 - 1, (19, 2, 11, 0, 14_049, 999))])
def test_the_smallest_and_the_largest_number_draw_the_ends_and_never_what_has_no_weight(
    monkeypatch: pytest.MonkeyPatch, word: int, drawn: tuple[int, ...]
) -> None:
    class Raw:
        def __init__(self, _seed: int) -> None: ...

        def random_raw(self, count: int) -> Any:
            return np.full(count, word, np.uint64)

    monkeypatch.setattr(np.random, "PCG64", Raw)
    models = tuple(ModelWeight(model_id, weight) for model_id, weight in zip(MODELS, (0, 1, 1, 0), strict=True))
    (runs,) = draw_runs(replace(MANY_USERS, models=models, runs=1))
    fields = (runs.users, runs.models, runs.creators, runs.creator_fee_credits, runs.input_tokens, runs.output_tokens)
    assert tuple(int(field[0]) for field in fields) == drawn


def test_drawn_runs_look_as_the_scenario_says() -> None:
    (drawn,) = draw_runs(replace(MANY_USERS, runs=100_000))
    by_user, by_creator = np.bincount(drawn.users, minlength=20), np.bincount(drawn.creators, minlength=12)
    assert 9 < by_user[0] / by_user[-1] < 11
    assert 11 < by_creator[0] / by_creator[-1] < 13
    assert [round(share, 1) for share in np.bincount(drawn.models) / 100_000] == [0.4, 0.1, 0.3, 0.2]
    assert round(float((drawn.creator_fee_credits > 0).mean()), 2) == 0.4
    assert set(drawn.creator_fee_credits.tolist()) == {0, 500, 1_001}
    in_order = np.sort(drawn.input_tokens)
    assert (abs(in_order[50_000] - 1_020), abs(in_order[95_000] - 4_083)) < (20, 100)
    assert in_order[-1] < 14_050
    assert in_order[0] >= 1


def test_each_day_has_so_many_more_runs_than_the_one_before() -> None:
    assert runs_by_day(replace(ONE_USER, runs=7_000, days=3, growth_bps_per_day=10_000)) == [1_000, 3_000, 7_000]
    assert runs_by_day(replace(ONE_USER, runs=10, days=3, growth_bps_per_day=0)) == [3, 6, 10]
    assert runs_by_day(replace(ONE_USER, runs=1, days=366, growth_bps_per_day=-5_000))[-1] == 1


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"runs": 0}, "runs: must be a whole number from 1 to 5,000,000, not 0"),
        ({"runs": 5_000_001}, "runs: must be a whole number from 1 to 5,000,000, not 5,000,001"),
        ({"runs": True}, "runs: must be a whole number from 1 to 5,000,000, not True"),
        ({"seed": -1}, "seed: must be a whole number from 0 to 9,007,199,254,740,991, not -1"),
        ({"seed": 1.5}, "seed: must be a whole number from 0 to 9,007,199,254,740,991, not 1.5"),
        ({"days": 367}, "days: must be a whole number from 1 to 366, not 367"),
        ({"users": 0}, "users: must be a whole number from 1 to 100,000, not 0"),
        (
            {"growth_bps_per_day": -5_001},
            "growth_bps_per_day: must be a whole number from -5,000 to 10,000, not -5,001",
        ),
        ({"refilling_users_bps": 6_000, "regular_users_bps": 4_001}, "regular_users_bps: and refilling_users_bps"),
        ({"models": ()}, "models: need at least one with a weight above 0"),
        ({"models": (ModelWeight("haiku", 0),)}, "models: need at least one with a weight above 0"),
        ({"models": (ModelWeight("haiku", -1),)}, "models: must be a whole number from 0 to 1,000,000, not -1"),
        ({"models": (ModelWeight("haiku", 1), ModelWeight("haiku", 2))}, "models: must not name the same one twice"),
        ({"fees": (FeeWeight(0, 1),)}, "fees: must be a whole number from 1 to 1,000,000,000, not 0"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        replace(ONE_USER, **wrong)
    assert str(refused.value).startswith(message)


# --- the scenarios that come along -----------------------------------------------------------------------------------


def test_there_is_a_scenario_for_each_workload_and_every_model_of_it_has_a_price() -> None:
    book, workloads = settings.load_price_book(), load_workloads(settings.WORKLOADS_FILE)
    found = load_scenarios(settings.SCENARIOS_FILE, workloads)
    assert list(found) == list(workloads) == ["conversation", "code"]
    for scenario in found.values():
        assert (scenario.runs, scenario.seed) == (10_000, 1)
        shares = ("fee_runs_bps", "refilling_users_bps", "regular_users_bps", "growth_bps_per_day")
        assert [getattr(scenario, name) % 100 for name in shares] == [0] * 4  # the screen has them in whole per cent
        assert simulate(scenario, book.plan, book.models, at=world.NOW).sums.charged > 5_000


def test_every_user_may_refill_or_buy_regularly() -> None:
    everybody = replace(ONE_USER, refilling_users_bps=6_000, regular_users_bps=4_000)
    assert everybody.refilling_users_bps + everybody.regular_users_bps == 10_000


def test_more_runs_bring_more_users() -> None:
    scenario = replace(MANY_USERS, runs=10_000, users=25)
    assert (with_runs(scenario, 1_000_000).users, with_runs(scenario, 4_000).users) == (2_500, 10)
    assert with_runs(scenario, 1).users == 1
    with pytest.raises(InvalidRequest, match="runs"):
        with_runs(scenario, 0)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('id = "code"', 'id = "poetry"', "cannot be read as scenarios: KeyError('poetry')"),
        ("days = 30", "days = 0", "days: must be a whole number from 1 to 366, not 0"),
        ("days = 30", "", "cannot be read as scenarios: TypeError"),
        ("days = 30", "days = 30\nyears = 1", "cannot be read as scenarios: TypeError"),
        ("days = 30", "days =", "cannot be read as scenarios: TOMLDecodeError"),
    ],
)
def test_a_file_of_scenarios_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "scenarios.toml"
    path.write_text(settings.SCENARIOS_FILE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(DataFileInvalid) as refused:
        load_scenarios(path, load_workloads(settings.WORKLOADS_FILE))
    assert refused.value.problems[0].startswith(problem)


# --- models that are not offered any more ---------------------------------------------------------------------------

OTHERS = "The other models of the mix take all runs."
MIX = tuple(ModelWeight(model_id, weight) for model_id, weight in (("a", 5), ("b", 3), ("c", 0), ("d", 2)))


@pytest.mark.parametrize(
    ("offered", "left", "said"),
    [
        (["d", "c", "b", "a"], MIX, ""),
        (
            ["a", "c", "d", "x"],
            (MIX[0], MIX[3]),
            f"b is not offered any more. {OTHERS}",
        ),
        (["x", "d"], (MIX[3],), f"a and b and c are not offered any more. {OTHERS}"),
        (["x", "c"], (ModelWeight("x", 1),), "a and b and d are not offered any more. x takes all runs instead."),
        (["x"], (ModelWeight("x", 1),), "a and b and c and d are not offered any more. x takes all runs instead."),
    ],
)
def test_models_that_are_not_offered_are_left_out_and_named(
    offered: list[str], left: tuple[ModelWeight, ...], said: str
) -> None:
    scenario = replace(MANY_USERS, models=MIX)
    assert with_offered(scenario, offered) == (replace(scenario, models=left), said)
