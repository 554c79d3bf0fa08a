"""The runs behind a figure of a scenario add up to that figure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.lab.scenario.result import ScenarioResult
from credits_core.lab.scenario.rows import Listing, MadeUpRun, Wanted, listing
from credits_core.lab.scenario.simulation import simulate
from credits_core.values.progress import finish
from tests.support.plans import SPECIFICATION
from tests.support.scenarios import MANY_USERS, MODELS, ONE_USER

EVERYTHING = 10_000


@pytest.fixture(scope="module")
def result() -> ScenarioResult:
    return simulate(MANY_USERS, SPECIFICATION, MODELS)


def listed(wanted: Wanted, limit: int = EVERYTHING) -> Listing:
    return finish(listing(MANY_USERS, SPECIFICATION, MODELS, wanted, limit=limit))


def charged(runs: tuple[MadeUpRun, ...]) -> list[MadeUpRun]:
    return [run for run in runs if run.charged]


def test_one_user_runs_ten_times_and_pays_three_of_them() -> None:
    found = finish(listing(ONE_USER, SPECIFICATION, MODELS, Wanted(), limit=EVERYTHING))
    assert found.in_all == 10
    assert found.runs[0] == MadeUpRun(
        number=1,
        day=1,
        user=1,
        creator=None,
        model_id="haiku",
        inference_credits=250,
        creator_credits=0,
        platform_credits=50,
        total_credits=300,
        charged=True,
    )
    assert [(run.number, run.day, run.charged) for run in found.runs] == [
        *((1, 1, True), (2, 1, True), (3, 2, True), (4, 2, False), (5, 3, False)),
        *((6, 3, False), (7, 4, False), (8, 4, False), (9, 5, False), (10, 5, False)),
    ]


@pytest.mark.parametrize("day", [1, 5, 9])
def test_the_runs_of_a_day_add_up_to_the_day(result: ScenarioResult, day: int) -> None:
    found, of_day = listed(Wanted(day=day)), result.days[day - 1]
    assert (found.in_all, {run.day for run in found.runs}) == (of_day.runs, {day})
    paid = charged(found.runs)
    assert len(paid) == of_day.charged
    assert sum(run.inference_credits for run in paid) == of_day.inference_credits
    assert sum(run.creator_credits for run in paid) == of_day.creators_credits
    assert sum(run.platform_credits for run in paid) == of_day.platform_credits
    assert sum(run.total_credits for run in paid) == of_day.paid_credits
    refused = listed(Wanted(day=day, charged=False))
    assert (refused.in_all, charged(refused.runs)) == (of_day.refused, [])


def test_the_bars_of_totals_are_made_of_their_runs(result: ScenarioResult) -> None:
    edges, runs = result.run_totals.edges_credits, result.run_totals.runs
    for place, (low, count) in enumerate(zip(edges, runs, strict=True)):
        below = edges[place + 1] if place + 1 < len(edges) else None
        found = listed(Wanted(charged=True, from_credits=low, below_credits=below))
        assert found.in_all == count
        assert all(low <= run.total_credits < (below or 10**18) for run in found.runs)


def test_the_models_and_the_creators_have_their_runs(result: ScenarioResult) -> None:
    everything = charged(listed(Wanted()).runs)
    for model in result.models:
        of_model = [run for run in everything if run.model_id == model.model_id]
        assert sum(run.total_credits for run in of_model) == model.paid_credits
    by_creator = dict.fromkeys(range(1, 13), 0)
    for run in everything:
        if run.creator is not None:
            by_creator[run.creator] += run.creator_credits
    assert tuple(sorted(by_creator.values())) == result.creator_incomes_credits
    assert {run.user for run in everything} <= set(range(1, 21))


@given(limit=st.integers(0, 40))
def test_the_dearest_come_first_and_no_more_than_asked(limit: int) -> None:
    totals = sorted((run.total_credits for run in listed(Wanted(day=2)).runs), reverse=True)
    found = listed(Wanted(day=2), limit)
    assert [run.total_credits for run in found.runs] == totals[:limit]
    assert found.in_all == len(totals)
