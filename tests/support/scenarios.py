"""Scenarios for tests, and a plain program that carries one out: the slow way, by another program than ours."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import accumulate
from math import ceil, floor
from typing import Any

import numpy as np

from credits_core.lab.scenario.assumptions import FeeWeight, ModelWeight, Scenario
from credits_core.lab.scenario.workload import TokenQuantiles, Workload
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote import quote
from tests.support.prices import by_usage, model

CHAT = Workload("chat", 1_000, TokenQuantiles(1_020, 4_083, 14_050), TokenQuantiles(129, 451, 1_000))


MODELS = {
    "haiku": model(RunPrice(250), "haiku"),  # 300 with 20 %
    "gpt-4": model(RunPrice(30_000), "gpt-4"),  # 33,000 with 10 %
    "tokens": model(by_usage(input_tokens="2.5", output_tokens="10"), "tokens"),
    "long": model(by_usage(input_tokens=("0.1", {2_000: "5"}), output_tokens=("0.5", {2_000: "25"})), "long"),
}
ONE_USER = Scenario(
    workload=CHAT,
    models=(ModelWeight("haiku", 1),),
    fee_runs_bps=0,
    fees=(FeeWeight(1_001, 1),),
    creators=1,
    top_creator_times=1,
    users=1,
    busiest_user_times=1,
    starting_credits=1_000,
    top_up_credits=500,
    refilling_users_bps=0,
    regular_users_bps=0,
    regular_every_days=2,
    growth_bps_per_day=0,
    days=5,
    card_fee_bps=290,
    card_fee_credits=10,
    runs=10,
    seed=7,
)
MANY_USERS = replace(
    ONE_USER,
    models=(ModelWeight("haiku", 4), ModelWeight("gpt-4", 1), ModelWeight("tokens", 3), ModelWeight("long", 2)),
    fee_runs_bps=4_000,
    fees=(FeeWeight(500, 3), FeeWeight(1_001, 2)),
    creators=12,
    top_creator_times=12,
    users=20,
    busiest_user_times=10,
    starting_credits=40_000,
    top_up_credits=50_000,
    refilling_users_bps=3_000,
    regular_users_bps=2_000,
    growth_bps_per_day=500,
    days=9,
    runs=3_000,
)


def _bounds(weights: list[int]) -> list[int]:
    up_to = list(accumulate(weights))
    return [floor(Fraction(weight * 2**32, up_to[-1])) for weight in up_to]


def _falling(count: int, times: int) -> list[int]:
    if count == 1:
        return [2**20]
    return [floor(2**20 / (1 + Fraction(rank * (times - 1), count - 1))) for rank in range(count)]


def _tokens(quantiles: TokenQuantiles, draw: int) -> int:
    p95 = floor(Fraction(95, 100) * 2**32)
    for start, end, low, high in (
        (0, 2**31, 1, quantiles.p50),
        (2**31, p95, quantiles.p50, quantiles.p95),
        (p95, 2**32, quantiles.p95, quantiles.max),
    ):
        if start <= draw < end:
            return low + floor(Fraction(draw - start, end - start) * (high - low))
    raise AssertionError


def plain_simulation(scenario: Scenario, plan: PricePlan, models: Mapping[str, Model] = MODELS) -> dict[str, Any]:
    """The scenario run by run, with `quote` at today's prices, one balance at a time and fractions."""
    now = datetime.now(UTC)
    raw = [int(word) for word in np.random.PCG64(scenario.seed).random_raw(4 * scenario.runs)]
    shares = [Fraction(10_000 + scenario.growth_bps_per_day, 10_000) ** day for day in range(scenario.days)]
    day_ends = [floor(scenario.runs * up_to / sum(shares)) for up_to in accumulate(shares)]
    balances = [scenario.starting_credits] * scenario.users
    incomes = [0] * scenario.creators
    days = [Counter[str]() for _ in range(scenario.days)]
    by_model = {one.model_id: Counter[str]() for one in scenario.models}
    dry: dict[int, int] = {}
    payers, totals = set(), []
    users = _bounds(_falling(scenario.users, scenario.busiest_user_times))
    creators = _bounds(_falling(scenario.creators, scenario.top_creator_times))
    model_bounds, fee_bounds = (_bounds([one.weight for one in listed]) for listed in (scenario.models, scenario.fees))
    fees_below = floor(Fraction(scenario.fee_runs_bps * 2**32, 10_000))
    bought_on = -1
    for run in range(scenario.runs):
        day = next(number for number, end in enumerate(day_ends) if run < end)
        _buy_regularly(scenario, balances, days, range(bought_on + 1, day + 1))
        bought_on = day
        words = [(word % 2**32, word // 2**32) for word in raw[4 * run : 4 * run + 4]]
        user = bisect_right(users, words[0][0])
        model_id = scenario.models[bisect_right(model_bounds, words[0][1])].model_id
        has_fee = words[1][0] < fees_below
        fee = scenario.fees[bisect_right(fee_bounds, words[1][1])].fee_credits if has_fee else 0
        creator = bisect_right(creators, words[2][0])
        price = quote(
            models[model_id],
            plan,
            creator_fee_credits=fee,
            input_tokens=_tokens(scenario.workload.input_tokens, words[3][0]),
            output_tokens=_tokens(scenario.workload.output_tokens, words[3][1]),
            at=now,
        )
        payers.add(user)
        counted = Counter(runs=1)
        if balances[user] < price.total_credits:
            if user not in dry:
                dry[user] = day
                counted["users_run_dry"] = 1
            if user * 6_181 % 10_000 < scenario.refilling_users_bps:
                balances[user] += scenario.top_up_credits
                counted["top_ups"] = 1
        if balances[user] >= price.total_credits:
            balances[user] -= price.total_credits
            assert balances[user] >= 0
            incomes[creator] += price.creator_share_credits
            totals.append(price.total_credits)
            counted += Counter(
                charged=1,
                paid=price.total_credits,
                inference=price.inference_cost_credits,
                creators=price.creator_share_credits,
                markup=price.platform_markup_credits,
                share=price.platform_share_credits,
            )
        days[day] += counted
        by_model[model_id] += counted
    _buy_regularly(scenario, balances, days, range(bought_on + 1, scenario.days))
    totals.sort()
    return {
        "days": days,
        "models": by_model,
        "left": sum(balances),
        "incomes": sorted(incomes),
        "active": len(payers),
        "quantiles": [totals[ceil(len(totals) * share / 100) - 1] if totals else 0 for share in (50, 95, 99, 100)],
        "totals": Counter(totals),
    }


def _buy_regularly(scenario: Scenario, balances: list[int], days: list[Counter[str]], since: range) -> None:
    for day in since:
        if day and day % scenario.regular_every_days == 0:
            for user in range(scenario.users):
                habit = user * 6_181 % 10_000
                if scenario.refilling_users_bps <= habit < scenario.refilling_users_bps + scenario.regular_users_bps:
                    balances[user] += scenario.top_up_credits
                    days[day]["top_ups"] += 1
