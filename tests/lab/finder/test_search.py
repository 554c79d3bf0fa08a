"""The search: on small spaces its frontier is that of trying everything by hand, and the same seed answers the same."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from credits_core.errors import InvalidRequest
from credits_core.lab.finder.measures import Assessor, Goal
from credits_core.lab.finder.rules import Rule, Rules
from credits_core.lab.finder.search import Answer, Question, Search, with_ids
from credits_core.lab.finder.space import Moves, Span
from credits_core.lab.inspector import shape
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.record_of_runs import record_of_runs
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.pricing.plan_link import to_line
from credits_core.values.progress import finish
from tests.support.plans import SPECIFICATION, totals_up_to

TODAY = PricePlan("today", 8_000, (MarkupTier(2_000, 1_500, None), MarkupTier(None, 1_000, None)))
SMALL = Moves(
    most_tiers=2,
    bounds=Span(1_000, 2_000),  # round numbers: 1,000, 1,500, 2,000
    rates=Span(1_000, 2_000, 500),
    mode=True,
    cap=True,
    creator_share=Span(7_000, 8_000, 1_000),
)
RULES = Rules(card_fee=None, most_tiers=2, most_increase_bps=700)
_LARGEST_COST = 9_000


def some_runs(today: PricePlan = TODAY, *, runs: int = 60) -> RecordedHistory:
    """Runs of five users, the last of whom also receives fees; costs up to 9,000."""
    random = np.random.default_rng(7)
    payer = random.integers(0, 4, runs)
    has_fee = random.random(runs) < 0.3
    return record_of_runs(
        today,
        users=("ada", "ben", "cara", "dev", "elif"),
        models=("m",),
        payer=payer,
        creator=np.where(has_fee, 4, -1),
        model=np.zeros(runs, np.int64),
        inference_cost_credits=random.integers(1, _LARGEST_COST // (5 - payer), runs),
        creator_fee_credits=np.where(has_fee, random.integers(1, 9, runs) * 100, 0),
    )


def every_plan() -> Iterator[PricePlan]:
    """Each plan of the small space, written out by hand."""
    rates = (1_000, 1_500, 2_000)
    one_tier = [(MarkupTier(None, rate, None),) for rate in rates]
    two_tiers = [
        (MarkupTier(bound, first, None), MarkupTier(None, last, None))
        for bound, first, last in product((1_000, 1_500, 2_000), rates, rates)
        if first != last
    ]
    for tiers, mode, cap, share in product([*one_tier, *two_tiers], TierMode, (False, True), (7_000, 8_000)):
        yield PricePlan("any", share, tiers, mode, cap_down=cap)


@cache
def allowed_by_hand() -> list[dict[Goal, int]]:
    """What each plan that holds the rules comes to: replayed, and its cliffs looked for cost by cost."""
    history = some_runs()
    today = compare(history, TODAY, {})
    recorded = {one.name: one.users.recorded_credits for one in today.by_user.page()}
    found = []
    for plan in every_plan():
        again, totals = compare(history, plan, {}), totals_up_to(plan, _LARGEST_COST)
        changes = [(one.users.plan_credits - recorded[one.name], recorded[one.name]) for one in again.by_user.page()]
        is_allowed = (
            totals == sorted(totals)
            and again.sums.creators.plan_credits >= today.sums.creators.plan_credits
            and all(more * 10_000 <= 700 * of for more, of in changes)
            and to_line(plan) != to_line(TODAY)
        )
        if is_allowed:
            found.append(
                {
                    Goal.PLATFORM: again.sums.platform.plan_credits,
                    Goal.CREATORS: again.sums.creators.plan_credits,
                    Goal.USERS: -again.sums.users.plan_credits,
                    Goal.INCREASE: -max(one.users.difference_bps or 0 for one in again.by_user.page()),
                }
            )
    return found


def by_hand(goals: tuple[Goal, ...]) -> set[tuple[int, ...]]:
    """The best numbers: those that no other plan reaches in everything."""
    found = {tuple(one[goal] for goal in goals) for one in allowed_by_hand()}
    return {
        one
        for one in found
        if not any(other != one and all(a >= b for a, b in zip(other, one, strict=True)) for other in found)
    }


def numbers_of(answer: Answer, goals: tuple[Goal, ...]) -> list[tuple[int, ...]]:
    return [
        tuple(
            one.figures.measure(goal) if goal in {Goal.PLATFORM, Goal.CREATORS} else -one.figures.measure(goal)
            for goal in goals
        )
        for one in answer.best
    ]


@pytest.mark.parametrize(
    "goals",
    [
        (Goal.PLATFORM, Goal.INCREASE),
        (Goal.PLATFORM, Goal.USERS),
        (Goal.PLATFORM,),
        (Goal.CREATORS, Goal.PLATFORM, Goal.INCREASE),
    ],
    ids=lambda goals: "-".join(goals),
)
@pytest.mark.parametrize("most_plans", [1_000, 400], ids=["all tried", "proposed"])
def test_the_frontier_of_a_small_space_is_that_of_trying_everything(goals: tuple[Goal, ...], most_plans: int) -> None:
    search = Search(Assessor(some_runs(), TODAY), Question(SMALL, RULES, goals, most_plans=most_plans))
    assert search.space.size == 2 * 3 * 3 * 3 * 2 * 2 * 2
    answer = finish(search.steps())
    expected = by_hand(goals)
    found = numbers_of(answer, goals)
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert answer.is_complete is (most_plans == 1_000)
    assert found == sorted(found, reverse=True)
    assert answer.tried == len({to_line(one) for one in every_plan()}) or most_plans == 400


def test_the_same_seed_gives_the_same_answer_and_another_one_may_not() -> None:
    moves = Moves(bounds=Span(100, 9_000), rates=Span(0, 3_000, 50), flats=Span(0, 300), mode=True, cap=True)

    def answered(seed: int) -> list[str]:
        question = Question(moves, Rules(card_fee=None), seed=seed, most_plans=300)
        return [to_line(one.plan) for one in finish(Search(Assessor(some_runs(), TODAY), question).steps()).best]

    assert answered(1) == answered(1)
    assert answered(1) != answered(2)


def test_every_plan_of_the_answer_holds_every_rule() -> None:
    rules = Rules(most_increase_bps=500, most_paying_more_bps=6_000, most_tiers=3, no_inversions=True)
    moves = Moves(
        most_tiers=4,
        bounds=Span(100, 9_000),
        rates=Span(0, 3_000, 50),
        minimum_income=Span(0, 500),
        minimum_is_markup=True,
        mode=True,
        cap=True,
        rounding=True,
    )
    answer = finish(Search(Assessor(some_runs(), TODAY), Question(moves, rules, most_plans=600)).steps())
    assert answer.best
    assert rules.card_fee is not None
    for one in answer.best:
        assert not shape.cliffs(one.plan)
        assert not shape.inversions(one.plan)
        assert not shape.losses(one.plan, rules.card_fee)
        assert len(one.plan.tiers) <= 3
        assert not one.figures.is_increase_above(500)
        assert one.figures.users_paying_more * 10 <= one.figures.users * 6
        assert one.figures.creators_received_credits >= answer.today.creators_received_credits
    assert {Rule.LOSSES, Rule.TIERS} <= dict(answer.broken).keys()


def test_the_best_so_far_can_be_asked_for_at_any_time() -> None:
    search = Search(Assessor(some_runs(), TODAY), Question(SMALL, RULES))
    steps = search.steps()
    assert search.answer().best == ()
    seen = []
    for progress in steps:
        seen.append((progress.done, len(search.answer().best)))
        if progress.done == 200:
            break
    steps.close()
    assert [done for done, _ in seen] == list(range(1, 201))
    assert search.answer().best
    assert not search.answer().is_complete


def test_plans_get_ids_that_are_free() -> None:
    answer = finish(Search(Assessor(some_runs(), TODAY), Question(SMALL, RULES)).steps())
    stored = {"today": TODAY, "today-found-2": replace(TODAY, id="today-found-2", creator_share_bps=1)}
    named = with_ids(answer, TODAY, stored)
    assert [one.plan.id for one in named.best][:3] == ["today-found", "today-found-3", "today-found-4"]
    assert [to_line(one.plan) for one in named.best] == [to_line(one.plan) for one in answer.best]
    kept = replace(answer.best[1].plan, id="mine")
    again = with_ids(answer, TODAY, {**stored, "mine": kept})
    assert [one.plan.id for one in again.best][:3] == ["today-found", "mine", "today-found-3"]


def test_a_plan_that_makes_users_run_out_counts_as_its_replay_does() -> None:
    rich = some_runs()
    spent = np.zeros(5, np.int64)
    np.add.at(spent, rich.charges.payer, rich.charges.total_credits)
    history = replace(rich, starting_credits=tuple(spent.tolist()))  # nobody can pay a credit more
    for most_replayed in (0, 10**6):
        assessor = Assessor(history, TODAY, most_replayed=most_replayed)
        answer = finish(Search(assessor, Question(SMALL, replace(RULES, creators_keep=False))).steps())
        assert any(one.figures.refused_charges for one in answer.best)
        for one in answer.best:
            again = compare(history, one.plan, {})
            assert one.figures.refused_charges == again.refused_runs
            assert one.figures.platform_income_credits == again.sums.platform.plan_credits
            assert one.figures.users_paid_credits == again.sums.users.plan_credits


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"most_plans": 0}, "must be a number from 1 to 20,000, not 0"),
        ({"goals": ()}, "say what counts"),
        ({"moves": Moves(bounds=Span(0, 10))}, "boundaries: must go up from at least 1"),
        ({"moves": Moves(rates=Span(300, 200))}, "percentages: must go up"),
        ({"moves": Moves(rates=Span(1, 49))}, "percentages: have no round number from 1 to 49"),
        ({"moves": Moves(rates=Span(0, 1_000_000), round_only=False)}, "percentages: have more than 2,000 values"),
        ({"moves": Moves(most_tiers=51)}, "must be at most a number from 1 to 50, not 51"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(change: dict[str, object], problem: str) -> None:
    question = replace(Question(SMALL, RULES), **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=problem):
        Search(Assessor(some_runs(), TODAY), question)


def test_what_does_not_move_stays_as_today() -> None:
    moves = Moves(rates=Span(0, 3_000, 50))
    space = Search(Assessor(some_runs(SPECIFICATION), SPECIFICATION), Question(moves, RULES)).space
    plan = space.plan(tuple(len(one.values) - 1 for one in space.dimensions))
    # Neighbours with the same percentage are one tier; the flat last tier stays.
    assert to_line(plan) == "8000;100000:3000bps;500"
    assert to_line(space.plan(space.nearest(SPECIFICATION))) == to_line(SPECIFICATION)
