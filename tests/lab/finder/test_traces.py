"""On the published traces: plans without a cliff that earn more, and the proof that each raises somebody's bill."""

from datetime import UTC, datetime
from itertools import product

import pytest

from credits_core.bulk.trace_record import record_of_traces
from credits_core.lab.finder.measures import Assessor
from credits_core.lab.finder.rules import Rules
from credits_core.lab.finder.search import Answer, Question, Search
from credits_core.lab.finder.space import Moves, Span, usual_moves
from credits_core.lab.inspector import shape
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.settings import load_price_book
from credits_core.values.progress import finish
from tests.support.plans import SPECIFICATION, totals_up_to
from tests.support.real_traces import TRACES, needs_traces

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RUNS = {("conversation",): 19_366, ("code",): 8_819, ("conversation", "code"): 19_366 + 8_819}


def history_of(names: tuple[str, ...]) -> RecordedHistory:
    book = load_price_book()
    return record_of_traces([TRACES[name] for name in names], book.models["openai/gpt-4o"], book.plan, at=NOW)


def answered(history: RecordedHistory, rules: Rules, *, most_plans: int = 300) -> Answer:
    question = Question(usual_moves(SPECIFICATION), rules, most_plans=most_plans)
    return finish(Search(Assessor(history, SPECIFICATION), question).steps())


@needs_traces
@pytest.mark.parametrize("names", RUNS, ids="-".join)
def test_plans_without_a_cliff_earn_more_and_every_figure_is_that_of_a_replay(names: tuple[str, ...]) -> None:
    history = history_of(names)
    answer = answered(history, Rules(most_increase_bps=200))
    today = compare(history, SPECIFICATION, {})
    assert today.matches_record
    assert (today.runs, len(today.by_user)) == (RUNS[names], len(names))
    better = [one for one in answer.best if one.figures.platform_income_credits > today.sums.platform.plan_credits]
    assert better
    for one in better[:2]:
        again = compare(history, one.plan, {})
        totals = totals_up_to(one.plan, 120_000)  # cost by cost, up to beyond promptflow-v1's last cliff
        assert totals == sorted(totals)
        assert not shape.cliffs(one.plan)
        assert one.figures.platform_income_credits == again.sums.platform.plan_credits
        assert one.figures.users_paid_credits == again.sums.users.plan_credits
        assert one.figures.creators_received_credits == again.sums.creators.plan_credits == 0
        increases = [user.users.difference_bps or 0 for user in again.by_user.page()]
        assert one.figures.highest_increase_bps == max(increases) <= 200
        assert (one.figures.refused_charges, again.refused_runs) == (0, 0)


@needs_traces
@pytest.mark.parametrize("names", RUNS, ids="-".join)
def test_no_plan_earns_more_and_raises_nobodys_bill(names: tuple[str, ...]) -> None:
    # Users pay what the models cost plus what the platform receives, and the models cost the same under every plan. So
    # more income is more paid by somebody. Here it is seen on every plan of a small space, each replayed.
    history = history_of(names)
    income = compare(history, SPECIFICATION, {}).sums.platform.plan_credits
    for bound, first, last, mode in product((5_000, 20_000), (1_500, 2_500), (0, 1_000), TierMode):
        plan = PricePlan("p", 8_000, (MarkupTier(bound, first, None), MarkupTier(None, last, None)), mode)
        again = compare(history, plan, {})
        is_more = again.sums.platform.plan_credits > income
        raised = any(one.users.difference_credits > 0 for one in again.by_user.page())
        assert raised or not is_more
    nobody_pays_more = answered(history, Rules(most_increase_bps=0))
    assert nobody_pays_more.best
    assert all(one.figures.platform_income_credits <= income for one in nobody_pays_more.best)


@needs_traces
def test_a_small_space_on_the_traces_is_tried_completely() -> None:
    history = history_of(("code",))
    moves = Moves(most_tiers=2, bounds=Span(5_000, 20_000, 5_000), rates=Span(500, 2_000, 500), flats=Span(500, 500))
    answer = finish(
        Search(Assessor(history, SPECIFICATION), Question(moves, Rules(card_fee=None, most_tiers=2))).steps()
    )
    assert answer.is_complete
    best = 0
    for plan in (
        *(PricePlan("p", 8_000, (MarkupTier(None, rate, None),)) for rate in (500, 1_000, 1_500, 2_000)),
        *(
            PricePlan("p", 8_000, (MarkupTier(bound, *first), MarkupTier(None, *last)))
            for bound, first, last in product(
                (5_000, 10_000, 15_000, 20_000),
                *[[(500, None), (1_000, None), (1_500, None), (2_000, None), (None, 500)]] * 2,
            )
        ),
    ):
        totals = totals_up_to(plan, 25_000)
        again = compare(history, plan, {}).sums
        if totals == sorted(totals) and again.users.plan_credits * 100 <= again.users.recorded_credits * 110:
            best = max(best, again.platform.plan_credits)
    assert answer.best[0].figures.platform_income_credits == best
