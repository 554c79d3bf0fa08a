"""A simulation comes to what a plain program makes of the same raw numbers, and to what the ledger would do."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.errors import InvalidRequest
from credits_core.lab.scenario.assumptions import FeeWeight, ModelWeight, Scenario, with_models
from credits_core.lab.scenario.draws import draw_runs
from credits_core.lab.scenario.result import ScenarioResult
from credits_core.lab.scenario.simulation import price_runs, run_totals, simulate, simulating
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.refusals import UnknownModel
from credits_core.values.progress import Progress
from tests.support import plain_sql, plans, world
from tests.support.plans import SPECIFICATION
from tests.support.scenarios import MANY_USERS, MODELS, ONE_USER, plain_simulation

# --- worked by hand: 10 runs of 300 credits, two a day ---------------------------------------------------------------


def test_who_never_buys_is_refused_from_the_first_run_that_the_balance_does_not_cover() -> None:
    result = simulate(ONE_USER, SPECIFICATION, MODELS)
    # 1,000 - 300 - 300 | 400 - 300, refused | …
    assert [(day.charged, day.refused, day.users_run_dry) for day in result.days] == [
        *((2, 0, 0), (1, 1, 1), (0, 2, 0), (0, 2, 0), (0, 2, 0)),
    ]
    assert (result.sums.paid_credits, result.sums.inference_credits, result.sums.platform_credits) == (900, 750, 150)
    assert (result.left_credits, result.users_run_dry, result.median_dry_day) == (100, 1, 2)
    assert (result.top_ups, result.card_fee_credits, result.margin_credits) == (0, 0, 150)


def test_who_refills_buys_at_the_run_that_is_not_covered_and_then_runs_it() -> None:
    result = simulate(replace(ONE_USER, refilling_users_bps=10_000), SPECIFICATION, MODELS)
    # 1,000 → 700 → 400 | 100 → (600) 300 | 0 → (500) 200 | (700) 400 → 100 | (600) 300 → 0
    assert [(day.charged, day.top_ups) for day in result.days] == [(2, 0), (2, 1), (2, 1), (2, 1), (2, 1)]
    assert (result.left_credits, result.users_run_dry, result.median_dry_day) == (0, 1, 2)
    assert result.card_fee_credits == 4 * (15 + 10)  # 2.9 % of 500 is 14.5, rounded up, and the fixed 10
    assert result.margin_credits == 10 * 50 - 100


def test_who_buys_regularly_buys_on_those_days_alone() -> None:
    result = simulate(replace(ONE_USER, regular_users_bps=10_000), SPECIFICATION, MODELS)
    # 1,000 → 700 → 400 | 100, refused | (600) 300 → 0 | refused | (500) 200, refused
    assert [(day.charged, day.top_ups) for day in result.days] == [(2, 0), (1, 0), (2, 1), (0, 0), (1, 1)]
    assert result.left_credits == 200


def test_a_fee_on_purchases_is_income_and_the_card_company_takes_its_part_of_it() -> None:
    plan = replace(SPECIFICATION, purchase_fee_bps=1_000)
    result = simulate(replace(ONE_USER, regular_users_bps=10_000), plan, MODELS)
    assert result.purchase_fee_credits == 2 * 50
    assert result.card_fee_credits == 2 * (16 + 10)  # 2.9 % of 550 is 15.95
    assert result.margin_credits == 6 * 50 + 100 - 52


def test_a_large_run_is_refused_and_a_later_small_one_still_charged() -> None:
    mixed = replace(ONE_USER, models=(ModelWeight("gpt-4", 1), ModelWeight("haiku", 1)), runs=40)
    large, small = simulate(mixed, SPECIFICATION, MODELS).models
    assert large.runs + small.runs == 40
    assert large.runs > 10
    assert (large.charged, small.charged, small.refused) == (0, 3, small.runs - 3)


def test_creators_get_their_share_of_every_fee_and_the_platform_the_rest() -> None:
    asked = replace(ONE_USER, fee_runs_bps=10_000, starting_credits=20_000)
    result = simulate(asked, SPECIFICATION, MODELS)
    # 250 + 1,001 = 1,251 a run; 80 % of the fee is 800.8
    assert (result.sums.charged, result.sums.paid_credits) == (10, 12_510)
    assert result.creator_incomes_credits == (8_000,)
    assert (result.sums.platform_markup_credits, result.sums.platform_share_credits) == (0, 2_010)


def test_the_totals_of_runs_are_counted_exactly() -> None:
    totals = run_totals(np.array([*range(1, 100), 5_000], np.int64))
    assert (totals.p50_credits, totals.p95_credits, totals.p99_credits, totals.max_credits) == (50, 95, 99, 5_000)
    columns = zip(totals.edges_credits, totals.runs, strict=True)
    assert [(edge, runs) for edge, runs in columns if runs] == [
        *((1, 1), (2, 1), (3, 2), (5, 2), (7, 3), (10, 10), (20, 10), (30, 20), (50, 20), (70, 30)),
        (5_000, 1),
    ]
    empty = run_totals(np.array([], np.int64))
    assert (empty.p50_credits, empty.max_credits, sum(empty.runs)) == (0, 0, 0)


def test_a_lorenz_curve_rises_from_nothing_to_everything() -> None:
    result = simulate(ONE_USER, SPECIFICATION, MODELS)
    uneven = replace(result, creator_incomes_credits=(0, 10, 20, 30, 940))
    assert uneven.lorenz == ((0, 0), (1, 0), (2, 10), (3, 30), (4, 60), (5, 1_000))
    assert uneven.top_fifth_credits == 940


# --- the same by another program -------------------------------------------------------------------------------------

COUNTED = ("runs", "charged", "paid", "inference", "creators", "markup", "share")


def agrees(result: ScenarioResult, plain: dict[str, Any]) -> None:
    for one, counted in [
        *zip(result.days, plain["days"], strict=True),
        *((model, plain["models"][model.model_id]) for model in result.models),
    ]:
        assert (
            one.runs,
            one.charged,
            one.paid_credits,
            one.inference_credits,
            one.creators_credits,
            one.platform_markup_credits,
            one.platform_share_credits,
        ) == tuple(counted[name] for name in COUNTED)
    assert [(day.top_ups, day.users_run_dry) for day in result.days] == [
        (counted["top_ups"], counted["users_run_dry"]) for counted in plain["days"]
    ]
    assert list(result.creator_incomes_credits) == plain["incomes"]
    assert (result.left_credits, result.active_users) == (plain["left"], plain["active"])
    totals = result.run_totals
    assert [totals.p50_credits, totals.p95_credits, totals.p99_credits, totals.max_credits] == plain["quantiles"]
    bounds = [*totals.edges_credits[1:], 2**63]
    for low, high, runs in zip(totals.edges_credits, bounds, totals.runs, strict=True):
        assert runs == sum(count for total, count in plain["totals"].items() if low <= total < high)


def conserves(result: ScenarioResult) -> None:
    """What was there and what was bought is what was paid and what is left; what was paid went to somebody."""
    scenario, sums = result.scenario, result.sums
    assert sums.charged + sums.refused == sums.runs == scenario.runs
    assert scenario.users * scenario.starting_credits + result.top_up_credits == sums.paid_credits + result.left_credits
    assert sums.paid_credits == sums.inference_credits + sums.creators_credits + sums.platform_credits
    assert sum(result.creator_incomes_credits) == sums.creators_credits
    assert sum(result.run_totals.runs) == sums.charged
    assert sum(one.paid_credits for one in result.models) == sums.paid_credits
    assert result.left_credits >= 0


def test_many_users_come_to_what_a_plain_program_says() -> None:
    result = simulate(MANY_USERS, SPECIFICATION, MODELS)
    agrees(result, plain_simulation(MANY_USERS, SPECIFICATION))
    conserves(result)
    assert 0 < result.sums.refused < result.sums.charged
    assert result.top_ups > 20


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    refilling_bps = draw(st.sampled_from([0, 3_000, 10_000]))
    return replace(
        MANY_USERS,
        models=tuple(ModelWeight(one, draw(st.integers(1, 5))) for one in draw(st.permutations([*MODELS]))),
        fee_runs_bps=draw(st.sampled_from([0, 1, 5_000, 10_000])),
        fees=tuple(FeeWeight(fee, 1) for fee in draw(st.sets(st.integers(1, 3_000), min_size=1, max_size=3))),
        creators=draw(st.integers(1, 6)),
        top_creator_times=draw(st.integers(1, 50)),
        users=draw(st.integers(1, 8)),
        busiest_user_times=draw(st.integers(1, 50)),
        starting_credits=draw(st.integers(0, 50_000)),
        top_up_credits=draw(st.integers(1, 60_000)),
        refilling_users_bps=refilling_bps,
        regular_users_bps=draw(st.integers(0, 10_000 - refilling_bps)),
        regular_every_days=draw(st.integers(1, 5)),
        growth_bps_per_day=draw(st.integers(-5_000, 10_000)),
        days=draw(st.integers(1, 12)),
        runs=draw(st.integers(1, 60)),
        seed=draw(st.integers(0, 2**53 - 1)),
    )


@given(scenarios(), plans.price_plans(largest_bound=60_000))
def test_every_scenario_comes_to_what_a_plain_program_says(scenario: Scenario, plan: PricePlan) -> None:
    result = simulate(scenario, plan, MODELS)
    agrees(result, plain_simulation(scenario, plan))
    conserves(result)
    assert result.to_json() == simulate(scenario, plan, MODELS).to_json()


def test_the_ledger_charges_and_refuses_the_same_runs(sqlite_engine: Engine) -> None:
    book = world.price_book()
    model_ids = ["claude-3-haiku", "gpt-4", "openai/gpt-4o"]
    scenario = replace(with_models(MANY_USERS, model_ids), users=4, refilling_users_bps=0, regular_users_bps=0, runs=60)
    for user in range(4):
        world.add(sqlite_engine, f"user-{user}", 40_000, key=f"start-{user}")
    (drawn,) = draw_runs(scenario)
    charged = 0
    for run in range(60):
        fee = int(drawn.creator_fee_credits[run])
        request = ChargeRequest(
            f"user-{drawn.users[run]}",
            "prompt",
            model_ids[drawn.models[run]],
            f"creator-{drawn.creators[run]}" if fee else None,
            fee,
            int(drawn.input_tokens[run]),
            int(drawn.output_tokens[run]),
        )
        try:
            world.charge(sqlite_engine, request, key=f"run-{run}")
            charged += 1
        except InsufficientCredits:
            continue
    result = simulate(scenario, book.plan, book.models)
    assert (result.sums.charged, result.sums.refused) == (charged, 60 - charged)
    assert 0 < charged < 60
    assert result.left_credits == sum(plain_sql.balance(sqlite_engine, f"user-{user}") for user in range(4))
    earned = "SELECT SUM(amount_credits) FROM credit_transactions WHERE type = 'creator_payment'"
    assert plain_sql.rows(sqlite_engine, earned) == [(result.sums.creators_credits,)]


# --- the same seed, the same runs ------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_result_for_ever() -> None:
    text = simulate(MANY_USERS, SPECIFICATION, MODELS).to_json()
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "41313f7bc5d05bb9a8ede5acb22505e14c5cf052b33c9c2db17cb557025eca0f"
    )
    assert json.loads(text)["paid_credits"] == 10598672


def test_another_seed_gives_other_runs() -> None:
    one, other = (simulate(replace(MANY_USERS, seed=seed), SPECIFICATION, MODELS) for seed in (1, 2))
    assert one.sums.paid_credits != other.sums.paid_credits


def test_two_plans_are_compared_on_the_same_runs() -> None:
    dearer = replace(SPECIFICATION, id="dearer", tiers=(MarkupTier(None, 5_000, None),))
    one, other = (price_runs(MANY_USERS, plan, MODELS) for plan in (SPECIFICATION, dearer))
    assert one.users.tolist() == other.users.tolist()
    assert one.amounts["inference_cost_credits"].tolist() == other.amounts["inference_cost_credits"].tolist()
    assert one.total_credits.sum() < other.total_credits.sum()


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownModel):
        simulate(with_models(ONE_USER, ["no-such-model"]), SPECIFICATION, world.price_book().models)


def test_totals_that_could_pass_64_bits_together_are_refused() -> None:
    flat = PricePlan("flat", 8_000, (MarkupTier(None, None, 900_000_000_000_000),))
    with pytest.raises(InvalidRequest, match="choose fewer runs"):
        simulate(replace(ONE_USER, runs=11_000), flat, MODELS)
    assert simulate(replace(ONE_USER, runs=10_000), flat, MODELS).sums.refused == 10_000


# --- how far it is ----------------------------------------------------------------------------------------------------


def test_pricing_is_the_first_half_of_the_work_and_following_the_balances_the_second() -> None:
    told = list(simulating(ONE_USER, SPECIFICATION, MODELS))
    assert told == [Progress(10, 20), *(Progress(10 + runs, 20) for runs in (2, 4, 6, 8, 10))]


def test_millions_of_runs_tell_how_far_they_are_in_blocks() -> None:
    blocks = replace(MANY_USERS, runs=300_000)
    work = simulating(blocks, SPECIFICATION, MODELS)
    assert [next(work) for _ in range(3)] == [
        Progress(131_072, 600_000),
        Progress(262_144, 600_000),
        Progress(300_000, 600_000),
    ]
    work.close()
