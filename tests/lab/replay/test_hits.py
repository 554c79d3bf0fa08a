"""Which recorded runs the findings in a plan hit, and what is at stake, against arithmetic written out by hand."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.lab.inspector.findings import FindingKind, findings
from credits_core.lab.inspector.shape import CardFee
from credits_core.lab.replay.hits import Hits, hits
from credits_core.lab.replay.record import Additions, Charges, RecordedHistory, Refunds
from credits_core.pricing.plan import PricePlan
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.arrays import share_up
from credits_core.values.days import DayRange
from tests.support import cliff_month, plans, world
from tests.support.plans import SPECIFICATION

CARD = CardFee(290, 0)
MONTH = DayRange((cliff_month.FIRST - timedelta(days=29)).date(), cliff_month.FIRST.date())


def history_of(engine: Engine, days: DayRange = MONTH) -> RecordedHistory:
    with database.read(engine) as connection:
        return recorded_history(connection, days)


def of_plan(history: RecordedHistory, plan: PricePlan, card_fee: CardFee = CARD) -> list[Hits]:
    return list(hits(history, plan, findings(plan, card_fee), card_fee))


def entries(history: RecordedHistory, one: Hits) -> list[int]:
    return [int(entry) for entry in history.charges.entry_id[one.charge]]


def test_each_finding_of_the_specification_has_its_runs_and_what_is_at_stake(engine: Engine) -> None:
    ids = cliff_month.charge_all(engine)
    world.charge(engine, world.HAIKU, key="haiku")  # 250 and 50 markup, which show as $0.00
    history = history_of(engine)
    low, high, inversion, tiny_loss, loss, unmarked, unseen = of_plan(history, SPECIFICATION)
    assert entries(history, low) == [ids["ada 9,500"], ids["ada 9,500 again"], ids["ada 9,900"]]
    assert (low.stake_credits.tolist(), low.runs, low.at_stake_credits) == ([400, 400, 880], 3, 1_680)
    assert entries(history, high) == [ids["bob 95,000"]]
    assert high.at_stake_credits == 4_000
    assert entries(history, inversion) == [ids["cara small fee"]]
    assert inversion.at_stake_credits == 1_800
    assert entries(history, loss) == [ids["ada 200,000"]]
    assert loss.at_stake_credits == 5_815 - 500
    assert (unseen.runs, unseen.at_stake_credits) == (1, 300)
    assert [(one.runs, one.at_stake_credits) for one in (tiny_loss, unmarked)] == [(0, 0), (0, 0)]


def test_runs_without_a_markup_are_those_that_pass_on_their_cost_alone(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    world.charge(engine, replace(world.TOKENS, input_tokens=1, output_tokens=0), key="tiny")  # 2.5, so 3 credits
    (unmarked,) = (
        one for one in of_plan(history_of(engine), SPECIFICATION) if one.finding.kind is FindingKind.UNMARKED
    )
    assert (unmarked.runs, unmarked.at_stake_credits) == (1, 3)


def test_a_capped_plan_has_no_cliff_for_a_run_to_fall_off(engine: Engine) -> None:
    cliff_month.charge_all(engine)
    assert [one.finding.kind for one in of_plan(history_of(engine), replace(SPECIFICATION, cap_down=True))] == [
        FindingKind.INVERSION,
        FindingKind.LOSS,
        FindingKind.LOSS,
        FindingKind.UNMARKED,
        FindingKind.UNSEEN,
    ]


def test_a_run_with_a_creator_fee_falls_off_no_cliff(engine: Engine) -> None:
    cliff_month.charge_all(engine)
    with_fee = cliff_month.run_costing("ada", 9_500, creator_id="dan", fee_credits=1_000)
    run = world.charge(engine, with_fee, key="with-fee")
    history = history_of(engine)
    low, _, inversion, *_ = of_plan(history, SPECIFICATION)
    assert low.runs == 3
    # 20 % of 9,500 is 1,900, of which the platform has 200.
    assert dict(zip(entries(history, inversion), inversion.stake_credits.tolist(), strict=True))[run.entry_id] == 1_700


def test_the_card_fee_decides_which_runs_lose(engine: Engine) -> None:
    ids = cliff_month.charge_all(engine)
    history = history_of(engine)
    kinds = {one.finding.kind: one for one in of_plan(history, SPECIFICATION, CardFee(0, 1_000))}
    loss = kinds[FindingKind.LOSS]
    # The markup of the run of 200,000 is 500, and the card company takes 1,000 of every run.
    assert (entries(history, loss), loss.at_stake_credits) == ([ids["ada 200,000"]], 500)


def test_the_runs_with_most_at_stake_come_first_and_of_equal_ones_the_newest(engine: Engine) -> None:
    ids = cliff_month.charge_all(engine)
    history = history_of(engine)
    low = of_plan(history, SPECIFICATION)[0]
    assert entries(history, low.largest(9)) == [ids["ada 9,900"], ids["ada 9,500 again"], ids["ada 9,500"]]
    assert low.largest(1).stake_credits.tolist() == [880]


def test_all_days_have_the_old_run_too(engine: Engine) -> None:
    ids = cliff_month.charge_all(engine)
    history = history_of(engine, DayRange())
    low = of_plan(history, SPECIFICATION)[0]
    assert (entries(history, low)[0], low.runs, low.at_stake_credits) == (ids["old"], 4, 2_080)


# --- laws -----------------------------------------------------------------------------------------------------------


def history_with(costs: list[int], fees: list[int]) -> RecordedHistory:
    """One run for each cost and fee, by one user, on one day."""
    runs = len(costs)
    numbers, zeros = np.arange(runs), np.zeros(runs, np.int64)
    charges = Charges(
        entry_id=numbers + 1,
        day=zeros,
        payer=zeros,
        creator=zeros - 1,
        model=zeros,
        plan=zeros,
        inference_cost_credits=np.array(costs, np.int64),
        creator_fee_credits=np.array(fees, np.int64),
        platform_markup_credits=zeros,
        creator_share_credits=zeros,
        is_compared=np.ones(runs, np.bool_),
    )
    none = np.empty(0, np.int64)
    no_flags = np.empty(0, np.bool_)
    refunds = Refunds(none, none, none, none, none, no_flags, no_flags, none, none, no_flags)
    return RecordedHistory(1, runs, ("ada",), ("m",), ("p",), (0,), (), charges, refunds, Additions(none, none, none))


@given(
    plan=plans.price_plans(largest_bound=300),
    card=st.builds(CardFee, st.sampled_from([0, 290, 5_000]), st.sampled_from([0, 3])),
    fees=st.lists(st.integers(0, 400), min_size=400, max_size=400),
)
def test_every_run_is_hit_by_what_a_slow_look_at_it_says(plan: PricePlan, card: CardFee, fees: list[int]) -> None:
    costs = list(range(400)) * 2
    all_fees = [0] * 400 + fees
    totals = plans.totals_up_to(plan, 400)
    for one in of_plan(history_with(costs, all_fees), plan, card):
        first, last = one.finding.costs.first_credits, one.finding.costs.last_credits
        expected = {}
        for number, (cost, fee) in enumerate(zip(costs, all_fees, strict=True)):
            markup = totals[cost] - cost
            if one.finding.kind is FindingKind.INVERSION:
                stake = markup - plans.with_fee(plan, cost, fee, markup)[1] if fee else 0
            elif fee:
                continue
            else:
                stake = {
                    FindingKind.CLIFF: totals[cost] - totals[min(last, 400)],
                    FindingKind.LOSS: -(-totals[cost] * card.share_bps // 10_000) + card.fixed_credits - markup,
                    FindingKind.UNMARKED: cost,
                    FindingKind.UNSEEN: totals[cost],
                }[one.finding.kind]
            if first <= cost <= last and stake > 0:
                expected[number] = stake
        assert dict(zip(one.charge.tolist(), one.stake_credits.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=20), st.integers(0, 10_000))
def test_a_share_rounded_up_is_that_of_whole_numbers(credits: list[int], bps: int) -> None:
    assert share_up(np.array(credits, np.int64), bps).tolist() == [-(-one * bps // 10_000) for one in credits]
