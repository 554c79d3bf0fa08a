"""The figures of a plan equal its replay, on ledgers with something of everything, and say when they are not final."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.lab.finder.condensed import condense
from credits_core.lab.finder.measures import Assessor, Figures, Goal
from credits_core.lab.replay.between import between
from credits_core.lab.replay.counterfactual import replay
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.record_of_runs import record_of_runs
from credits_core.lab.replay.result import Change, compare
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, plans, world
from tests.support.replayed import FIRST_DAY, SECOND_DAY

FLAT_20 = PricePlan("flat-20", 8_000, (MarkupTier(None, 2_000, None),))
FLAT_21 = PricePlan("flat-21", 8_000, (MarkupTier(None, 2_100, None),))


def column(*numbers: int) -> np.typing.NDArray[np.int64]:
    return np.array(numbers, np.int64)


def three_users() -> RecordedHistory:
    """Ada runs twice for 1,000; ben for 10,000 and 90,000; cara for 2,000 with a fee of 500 for dan."""
    return record_of_runs(
        FLAT_20,
        users=("ada", "ben", "cara", "dan"),
        models=("m",),
        payer=column(0, 0, 1, 1, 2),
        creator=column(-1, -1, -1, -1, 3),
        model=column(0, 0, 0, 0, 0),
        inference_cost_credits=column(1_000, 1_000, 10_000, 90_000, 2_000),
        creator_fee_credits=column(0, 0, 0, 0, 500),
    )


def test_equal_charges_are_priced_once_and_count_for_their_users() -> None:
    found = condense(three_users())
    assert (found.charges, len(found.kinds.entry_id), found.users.tolist()) == (5, 4, [0, 1, 2])
    # 2,400 + 12,000 + 108,000, and 2,000 + 500; dan has 400 of the fee.
    paid = found.paid(FLAT_20)
    assert paid.by_user.tolist() == [2_400, 120_000, 2_500, 0]
    assert (paid.users_credits, paid.inference_credits, paid.creators_credits) == (124_900, 104_000, 400)
    assert (paid.platform_credits, paid.is_certain) == (20_500, True)


def test_the_figures_of_a_dearer_plan_are_plain_arithmetic() -> None:
    assessor = Assessor(three_users(), FLAT_20)
    # One per cent more of 1,000 twice, of 10,000 and of 90,000; the run with a fee costs what it did.
    assert assessor.figures(FLAT_21) == Figures(
        platform_income_credits=20_500 + 20 + 1_000,
        users_paid_credits=124_900 + 1_020,
        creators_received_credits=400,
        purchase_fees_credits=0,
        refused_charges=0,
        highest_increase_bps=83,  # 20 of 2,400, and 1,000 of 120,000
        users=3,
        users_paying_more=2,
        smaller_users_bps=83,  # ada alone; cara is in the middle
        larger_users_bps=82,  # 1,000 of 122,500 is 81.6
        most_above=(20, 2_400),
    )
    assert assessor.figures_today.highest_increase_bps == 0
    assert not assessor.figures(FLAT_21).is_increase_above(84)
    assert assessor.figures(FLAT_21).is_increase_above(83)  # it is 83.33…


def test_a_surcharge_on_purchases_counts_for_what_each_user_spent() -> None:
    surcharged = replace(FLAT_20, id="surcharged", purchase_fee_bps=100)
    found = Assessor(three_users(), FLAT_20).figures(surcharged)
    assert found.purchase_fees_credits == 24 + 1_200 + 25
    assert (found.platform_income_credits, found.income_credits) == (20_500, 20_500 + 1_249)
    assert (found.highest_increase_bps, found.users_paying_more) == (100, 3)
    assert (found.measure(Goal.PLATFORM), found.measure(Goal.USERS)) == (21_749, 124_900 + 1_249)


def test_a_user_who_pays_more_after_nothing_has_an_increase_above_every_limit() -> None:
    free = PricePlan("free", 8_000, (MarkupTier(None, 0, None),))
    runs = record_of_runs(
        free,
        users=("ada",),
        models=("m",),
        payer=column(0),
        model=column(0),
        inference_cost_credits=column(0),
        creator_fee_credits=column(0),
    )
    found = Assessor(runs, free).figures(PricePlan("flat", 8_000, (MarkupTier(None, None, 5),)))
    assert (found.highest_increase_bps, found.users_paying_more) == (50_000, 1)


# --- laws -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    engines = []
    for seed in range(4):
        engine = database.create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('drawn') / 'credits.db'}")
        database.migrate(engine)
        busy_ledger.drawn_days(engine, seed=seed, actions=220)
        engines.append(engine)
    yield engines
    for engine in engines:
        engine.dispose()


@given(
    plan=plans.price_plans(largest_bound=3_000),
    today=plans.price_plans(largest_bound=3_000),
    seed=st.integers(0, 3),
    ends=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    given_credits=st.sampled_from([0, 600, 3_000, 30_000, 10**9]),
    surcharge_bps=st.sampled_from([0, 125]),
)
def test_the_figures_equal_a_replay_of_the_plan(
    drawn: list[Engine],
    plan: PricePlan,
    today: PricePlan,
    seed: int,
    ends: tuple[int, int],
    given_credits: int,
    surcharge_bps: int,
) -> None:
    first, last = sorted(ends)
    days = DayRange(date(2026, 3, first), date(2026, 3, last)) if (first, last) != (1, 6) else DayRange()
    with database.read(drawn[seed]) as connection:
        history = recorded_history(connection, days)
    history = replace(history, starting_credits=tuple(one + given_credits for one in history.starting_credits))
    plan = replace(plan, purchase_fee_bps=surcharge_bps)
    found = Assessor(history, today).figures(plan)
    again = compare(history, plan, world.dearer_book().plans)
    assert found.is_sure
    assert found.platform_income_credits == again.sums.platform.plan_credits
    assert found.users_paid_credits == again.sums.users.plan_credits
    assert found.creators_received_credits == again.sums.creators.plan_credits
    assert found.refused_charges == again.refused_runs + again.refused_unlocks
    assert found.purchase_fees_credits == sum(
        max(0, one.users.plan_credits) * surcharge_bps // 10_000 for one in again.by_user.page()
    )
    beside = between(history, replay(history, today), replay(history, plan)).by_user
    assert found.users == len(beside.names) == len(again.by_user)
    bills = [
        (before, after + max(0, after) * surcharge_bps // 10_000)
        for before, after in zip(beside.a_credits.tolist(), beside.b_credits.tolist(), strict=True)
    ]
    assert found.users_paying_more == sum(after > before for before, after in bills)
    changes = [Change(before, after).difference_bps if before else (after - before) * 10_000 for before, after in bills]
    assert found.highest_increase_bps == max([one for one in changes if one is not None], default=0)


@given(plan=plans.price_plans(largest_bound=3_000), seed=st.integers(0, 3), most_replayed=st.sampled_from([0, 10**6]))
def test_what_is_not_final_is_said_and_can_be_made_so(
    drawn: list[Engine], plan: PricePlan, seed: int, most_replayed: int
) -> None:
    with database.read(drawn[seed]) as connection:
        history = recorded_history(connection, DayRange())
    assessor = Assessor(history, world.price_book().plan, most_replayed=most_replayed)
    sure = assessor.sure(plan)
    assert sure.is_sure
    first = assessor.figures(plan)
    if first.is_sure:
        assert first == sure
    else:
        assert most_replayed == 0
        assert first.refused_charges == 0


@pytest.mark.parametrize(
    ("spare_credits", "plan", "is_certain"),
    [
        ({"ada": 20}, FLAT_21, True),  # twice ten more for ada
        ({"ada": 19}, FLAT_21, False),
        ({"ben": 1_000}, FLAT_21, True),
        ({"ben": 999}, FLAT_21, False),
        ({"dan": 100}, replace(FLAT_20, creator_share_bps=6_000), True),  # 300 of the fee instead of 400
        ({"dan": 99}, replace(FLAT_20, creator_share_bps=6_000), False),
        ({"ada": 0, "ben": 0, "cara": 0, "dan": 0}, FLAT_20, True),
    ],
)
def test_a_balance_that_could_fall_short_makes_a_replay_necessary(
    spare_credits: dict[str, int], plan: PricePlan, is_certain: bool
) -> None:
    history = three_users()
    spent = {"ada": 2_400, "ben": 120_000, "cara": 2_500, "dan": -400}
    starting = tuple(spent[name] + spare_credits.get(name, 10**6) for name in history.accounts)
    assert condense(replace(history, starting_credits=starting)).paid(plan).is_certain is is_certain


def test_a_refund_of_other_days_makes_a_replay_necessary(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add", now=FIRST_DAY)
    run = world.charge(engine, world.HAIKU, key="run", now=FIRST_DAY)
    world.refund(engine, run.entry_id, key="back", now=SECOND_DAY)
    world.charge(engine, world.HAIKU, key="again", now=FIRST_DAY)
    with database.read(engine) as connection:
        of_one_day = recorded_history(connection, DayRange(FIRST_DAY.date(), FIRST_DAY.date()))
        of_all = recorded_history(connection, DayRange())
    assert condense(of_all).paid(FLAT_20).is_certain
    assert not condense(of_one_day).paid(FLAT_20).is_certain


def test_charges_refunded_in_parts_are_followed_to_the_credit(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    whole = world.charge(engine, world.HAIKU, key="whole")
    part = world.charge(engine, world.HAIKU_WITH_FEE, key="part")
    world.refund(engine, whole.entry_id, key="back")
    world.refund(engine, part.entry_id, key="some", amount_credits=100)
    with database.read(engine) as connection:
        history = recorded_history(connection, DayRange())
    dearer = PricePlan("dearer", 5_000, (MarkupTier(None, 5_000, None),), minimum_platform_income_credits=700)
    found, again = Assessor(history, FLAT_20).figures(dearer), compare(history, dearer, {})
    # 250 + 1,001 + 199 (the platform's 501 are raised to 700) = 1,450; of it 1,450 × 100 / 1,251 = 115 come back.
    assert found.users_paid_credits == again.sums.users.plan_credits == 1_450 - 115
    assert found.creators_received_credits == again.sums.creators.plan_credits
