"""Two plans on the same history: stories worked out by hand, and laws against the replay of each plan."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.lab.inspector.comparison import Change
from credits_core.lab.replay.between import Affected, Between, Role, between, paired_charges
from credits_core.lab.replay.counterfactual import replay
from credits_core.lab.replay.result import compare
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, cliff_month, plans, world
from tests.support.plans import SPECIFICATION
from tests.support.world import HAIKU, HAIKU_WITH_FEE

MONTH = DayRange((cliff_month.FIRST - timedelta(days=29)).date(), cliff_month.FIRST.date())
CAPPED = replace(SPECIFICATION, id="capped", cap_down=True)
GRADUATED = replace(SPECIFICATION, id="graduated", tier_mode=TierMode.GRADUATED)
MINIMUM = replace(SPECIFICATION, id="minimum", minimum_platform_income_is_markup=True)
TWELVE = replace(
    SPECIFICATION,
    id="twelve",
    tiers=(SPECIFICATION.tiers[0], MarkupTier(100_000, 1_200, None), SPECIFICATION.tiers[2]),
)
DEARER = PricePlan("dearer", 8_000, (MarkupTier(None, 10_000, None),))
"""A run without a fee costs twice its inference cost."""


def found(engine: Engine, a: PricePlan, b: PricePlan, days: DayRange = MONTH) -> Between:
    with database.read(engine) as connection:
        history = recorded_history(connection, days)
    return between(history, replay(history, a), replay(history, b))


def test_capping_gives_back_what_the_cliffs_took_and_the_platform_pays_it(engine: Engine) -> None:
    cliff_month.charge_all(engine)
    cured = found(engine, SPECIFICATION, CAPPED)
    # 400 + 400 + 880 of ada's runs and 4,000 of bob's; the refunded run is given back either way.
    assert cured.users.difference_credits == -5_680
    assert (cured.creators.difference_credits, cured.platform.difference_credits) == (0, -5_680)
    assert (cured.runs, cured.unlocks, cured.refused, cured.newly_refused) == (10, 0, Change(0, 0), 0)
    assert [(one.name, one.gain_credits) for one in cured.by_user.best(9)] == [("bob", 4_000), ("ada", 1_680)]
    assert (cured.by_user.worst(9), cured.losers(9)) == ([], [])
    assert [(one.name, one.gain_credits) for one in cured.by_model.worst(9)] == [("openai/gpt-4o", -5_680)]
    assert cured.lost_credits == 5_680


def test_each_cure_has_what_it_costs_those_who_lose_by_it(engine: Engine) -> None:
    cliff_month.charge_all(engine)
    # Graduated: 10 % of 10,000 more from 10,000 on (50,000 and 95,000); 200,000 pays 2,000 + 9,000 + 500, not 500.
    graduated = found(engine, SPECIFICATION, GRADUATED)
    assert graduated.users.difference_credits == graduated.lost_credits == 1_000 + 1_000 + 11_000
    # With a small fee the platform lacks 1,800 of its markup, which the user pays.
    minimum = found(engine, SPECIFICATION, MINIMUM)
    assert minimum.users.difference_credits == minimum.lost_credits == 1_800
    assert minimum.by_user.worst(9) == [Affected("cara", 2, 0, Change(61_000, 62_800), -1_800)]


def test_who_loses_when_the_second_tier_becomes_twelve_per_cent(engine: Engine) -> None:
    cliff_month.charge_all(engine)
    dearer = found(engine, SPECIFICATION, TWELVE)
    # 2 % of 50,000 and of 95,000. Bob has 110,000, which covers 106,400. Ada's other runs: 2 × 11,400 + 11,880 +
    # 10,800 + 200,500; the refunded one is charged and given back.
    ada, bob = (
        Affected("ada", 7, 0, Change(300_980, 301_980), -1_000),
        Affected("bob", 1, 0, Change(104_500, 106_400), -1_900),
    )
    assert dearer.losers(9) == [(Role.USER, bob), (Role.USER, ada)]
    assert dearer.losers(1) == [(Role.USER, bob)]
    assert (dearer.by_user.worse_off, dearer.by_user.better_off, dearer.by_creator.worse_off) == (2, 0, 0)
    assert dearer.by_model.best(9)[0].gain_credits == 2_900


def test_a_charge_that_only_the_second_plan_refuses_is_named_with_who_and_is_no_difference(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="add")
    world.charge(engine, HAIKU, key="plain")  # 300; dearer 500
    world.charge(engine, HAIKU_WITH_FEE, key="fee")  # 1,251 for ada, 800 of it for ben; 1,051 do not cover it
    days = DayRange(world.NOW.date(), world.NOW.date())
    dearer = found(engine, SPECIFICATION, DEARER, days)
    assert (dearer.refused, dearer.newly_refused) == (Change(0, 1), 1)
    assert dearer.users == Change(300, 500)  # for the run that both let through
    assert dearer.creators == Change(800, 0)
    assert dearer.platform == Change(50 + 201, 250)
    ada, ben = Affected("ada", 2, 1, Change(300, 500), -200), Affected("ben", 1, 1, Change(800, 0), -800)
    assert dearer.by_user.worst(9) == dearer.by_user.most_refused(9) == [ada]
    assert dearer.losers(9) == [(Role.CREATOR, ben), (Role.USER, ada)]
    assert (dearer.by_user.worse_off, dearer.by_creator.worse_off, dearer.by_user.refused_anew) == (1, 1, 1)
    assert dearer.lost_credits == 200 + 800 + 1
    # The other way round nobody is refused anew.
    cheaper = found(engine, DEARER, SPECIFICATION, days)
    assert (cheaper.refused, cheaper.newly_refused, cheaper.by_user.most_refused(9)) == (Change(1, 0), 0, [])
    # Refused under both is not refused anew: under neither do 1,051 cover 1,251.
    dearest = found(engine, DEARER, replace(DEARER, id="dearest", creator_share_bps=1), days)
    assert (dearest.refused, dearest.newly_refused) == (Change(1, 1), 0)


def test_a_refund_of_a_charge_that_was_refused_is_not_refused_once_more(engine: Engine) -> None:
    world.add(engine, "ada", 700, key="add")
    world.charge(engine, HAIKU, key="first")
    second = world.charge(engine, HAIKU, key="second")
    world.refund(engine, second.entry_id, key="back")
    both = found(engine, SPECIFICATION, DEARER, DayRange(world.NOW.date(), world.NOW.date()))
    assert (both.newly_refused, both.by_user.most_refused(9)[0].newly_refused) == (1, 1)
    assert both.users == Change(300, 500)


def test_who_is_only_refused_loses_too_after_those_who_lose_credits(engine: Engine) -> None:
    for user, credits in (("ada", 300), ("bob", 700), ("cara", 600)):
        world.add(engine, user, credits, key=f"add-{user}")
    world.charge(engine, HAIKU, key="ada")  # 300 of 300; dearer 500
    world.charge(engine, world.run_by("bob"), key="bob")
    world.charge(engine, world.run_by("cara"), key="cara-1")
    world.charge(engine, world.run_by("cara"), key="cara-2")
    dearer = found(engine, SPECIFICATION, DEARER, DayRange(world.NOW.date(), world.NOW.date()))
    assert [(one.name, one.gain_credits, one.newly_refused) for _, one in dearer.losers(9)] == [
        ("cara", -200, 1),
        ("bob", -200, 0),
        ("ada", 0, 1),
    ]


def pairs(engine: Engine, a: PricePlan, b: PricePlan, role: Role, name: str, limit: int = 9) -> tuple[int, list[Any]]:
    with database.read(engine) as connection:
        history = recorded_history(connection, MONTH)
    count, listed = paired_charges(history, replay(history, a), replay(history, b), role, name, limit=limit)
    return count, [
        (one.entry_id, one.credits, one.gain_credits, *(["refused"] if one.refused_b else [])) for one in listed
    ]


def test_the_charges_behind_a_gain_or_a_loss_are_listed_with_what_changes_most_first(engine: Engine) -> None:
    ids = cliff_month.charge_all(engine)
    count, listed = pairs(engine, SPECIFICATION, CAPPED, Role.USER, "ada")
    assert (count, len(listed)) == (7, 7)
    assert listed[:2] == [
        (ids["ada 9,900"], Change(11_880, 11_000), 880),
        (ids["refunded"], Change(11_400, 11_000), 400),  # before its refund; of equal changes the newest first
    ]
    assert pairs(engine, SPECIFICATION, CAPPED, Role.USER, "ada", limit=1)[1] == listed[:1]
    # 80 % of the fees of 20,000 and 1,000, and then 50 %.
    half = replace(SPECIFICATION, id="half", creator_share_bps=5_000)
    assert pairs(engine, SPECIFICATION, half, Role.CREATOR, "dan")[1] == [
        (ids["cara large fee"], Change(16_000, 10_000), -6_000),
        (ids["cara small fee"], Change(800, 500), -300),
    ]
    count, listed = pairs(engine, SPECIFICATION, half, Role.MODEL, "openai/gpt-4o", limit=1)
    assert (count, listed) == (10, [(ids["cara large fee"], Change(4_000, 10_000), 6_000)])
    assert pairs(engine, SPECIFICATION, half, Role.USER, "nobody") == (0, [])


def test_a_charge_that_is_newly_refused_is_listed_first_and_is_neither_gain_nor_loss(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="add")
    plain = world.charge(engine, HAIKU, key="plain").entry_id
    fee = world.charge(engine, HAIKU_WITH_FEE, key="fee").entry_id
    assert pairs(engine, SPECIFICATION, DEARER, Role.USER, "ada")[1] == [
        (fee, Change(1_251, 0), 0, "refused"),
        (plain, Change(300, 500), -200),
    ]
    assert pairs(engine, SPECIFICATION, DEARER, Role.CREATOR, "ben")[1] == [(fee, Change(800, 0), -800, "refused")]


def test_the_charges_of_unlocks_are_named_as_such(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    world.unlock(engine, world.UNLOCK, key="unlock")
    assert [row[1:] for row in pairs(engine, SPECIFICATION, CAPPED, Role.MODEL, "Flow unlocks")[1]] == [
        (Change(201, 201), 0)
    ]


def test_unlocks_are_a_line_of_their_own_among_the_models(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    world.unlock(engine, world.UNLOCK, key="unlock")
    half = replace(SPECIFICATION, id="half", creator_share_bps=5_000)
    both = found(engine, SPECIFICATION, half, DayRange())
    assert (both.runs, both.unlocks) == (0, 1)
    assert both.by_model.best(9) == [Affected("Flow unlocks", 1, 0, Change(201, 501), 300)]
    assert both.by_creator.worst(9) == [Affected("ben", 1, 0, Change(800, 500), -300)]


# --- laws -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Engine]]:
    engines = []
    for seed in range(3):
        engine = database.create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('drawn') / 'credits.db'}")
        database.migrate(engine)
        busy_ledger.drawn_days(engine, seed=seed, actions=200)
        engines.append(engine)
    yield engines
    for engine in engines:
        engine.dispose()


def by_name(groups: Any, measure: str) -> dict[str, int]:
    return {one.name: getattr(one, measure).plan_credits for one in groups.page()}


@given(
    a=plans.price_plans(largest_bound=3_000),
    b=plans.price_plans(largest_bound=3_000),
    seed=st.integers(0, 2),
    last=st.integers(1, 6),
)
def test_the_sums_are_those_of_each_plan_replayed_alone(
    drawn: list[Engine], a: PricePlan, b: PricePlan, seed: int, last: int
) -> None:
    days = DayRange(date(2026, 3, 1), date(2026, 3, last))
    with database.read(drawn[seed]) as connection:
        history = recorded_history(connection, days)
    outcomes = replay(history, a), replay(history, b)
    both = between(history, *outcomes)
    alone = compare(history, a, {}), compare(history, b, {})
    for party in ("creators", "platform"):
        of_party = [getattr(one.sums, party).plan_credits for one in alone]
        assert getattr(both, party) == Change(*of_party)
    assert both.refused == Change(*(one.refused_runs + one.refused_unlocks for one in alone))
    for group, groups, measure in (
        (both.by_creator, "by_creator", "creators"),
        (both.by_model, "by_model", "platform"),
    ):
        assert dict(zip(group.names, group.a_credits.tolist(), strict=True)) == by_name(
            getattr(alone[0], groups), measure
        )
        assert dict(zip(group.names, group.b_credits.tolist(), strict=True)) == by_name(
            getattr(alone[1], groups), measure
        )
    newly = (outcomes[0].happened & ~outcomes[1].happened)[history.charges.is_compared]
    assert both.newly_refused == int(newly.sum()) == int(both.by_user.newly_refused.sum())
    assert int(both.by_user.gain_credits.sum()) == -both.users.difference_credits
    if outcomes[0].happened.all() and outcomes[1].happened.all():
        assert both.users == Change(*(one.sums.users.plan_credits for one in alone))


@given(plan=plans.price_plans(largest_bound=3_000), seed=st.integers(0, 2))
def test_a_plan_beside_itself_changes_nothing(drawn: list[Engine], plan: PricePlan, seed: int) -> None:
    both = found(drawn[seed], plan, replace(plan, id="other"), DayRange())
    assert both.users.difference_credits == both.creators.difference_credits == both.platform.difference_credits == 0
    assert (both.newly_refused, both.lost_credits) == (0, 0)
    for group in (both.by_user, both.by_creator, both.by_model):
        assert (group.better_off, group.worse_off, group.most_refused(9)) == (0, 0, [])
