"""History under another plan: stories worked out by hand, and laws against a slow loop over plain dictionaries."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.bulk.replay import plan_replay, replay
from credits_core.errors import InvalidRequest
from credits_core.lab.replay.balances import ADDED, CHARGED, REFUNDED, Events, follow, follow_quickly
from credits_core.lab.replay.counterfactual import Difference
from credits_core.lab.replay.result import Change, ChangeOfRun, ChangeRange, compare
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import busy_ledger, plans, world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row
from tests.support.real_traces import TRACES, needs_traces
from tests.support.replayed import DEARER, FIRST_DAY, HALF, SECOND_DAY, parties, recorded_sums, under
from tests.support.slow_replay import SlowReplay
from tests.support.world import HAIKU, HAIKU_WITH_FEE

# --- stories --------------------------------------------------------------------------------------------------------


def test_the_plan_that_every_run_was_priced_with_gives_the_record_to_the_credit(engine: Engine) -> None:
    busy_ledger.three_days(engine)
    before = every_row(engine)
    found = under(engine, world.price_book().plan)
    assert (found.matches_record, found.difference) == (True, None)
    assert (found.runs, found.unlocks, found.refunds) == (5, 1, 3)
    assert (found.unchanged_runs, found.refused_runs, found.own_plans.checked) == (5, 0, 6)
    # Runs 300 + 1,251 + 1,251 + 2,400 + 300, an unlock of 1,001; refunded are 1,251, 1,001 and 2,400.
    # Ben gave nothing back, so the platform bore 800 + 800; Cara gave back 1,420 of her 1,720 and owes 300. The
    # platform also bore 250 for each of two refunded runs, whose providers are paid all the same.
    assert parties(found) == {
        "users": (1_851, 1_851),
        "inference": (1_250, 1_250),
        "creators": (2_400, 2_400),
        "platform": (-1_799, -1_799),
    }
    assert {name: recorded for name, (recorded, _) in parties(found).items()} == recorded_sums(engine)
    assert every_row(engine) == before


def test_a_fee_that_is_split_otherwise_moves_income_and_not_what_users_pay(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    world.charge(engine, HAIKU_WITH_FEE, key="run")
    unlocked = world.unlock(engine, world.UNLOCK, key="unlock").receipt
    assert unlocked is not None
    found = under(engine, HALF)
    # Of 1,001 the creator received 800 and receives 500, for the run and for the unlock.
    assert parties(found) == {
        "users": (1_251 + 1_001, 1_251 + 1_001),
        "inference": (250, 250),
        "creators": (1_600, 1_000),
        "platform": (402, 1_002),
    }
    assert found.difference == Difference(2, 1_251, 1_251, 800, 500, refused=False)
    assert [(one.name, one.charges, one.creators) for one in found.by_creator.page()] == [
        ("ben", 2, Change(1_600, 1_000))
    ]
    assert [(one.name, one.charges) for one in found.by_model.page()] == [("claude-3-haiku", 1), ("Flow unlocks", 1)]


def test_a_refused_charge_leaves_its_creator_without_the_credits_for_a_run_of_theirs(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="add")
    world.charge(engine, HAIKU, key="plain")  # 300; dearer 500
    world.charge(engine, HAIKU_WITH_FEE, key="fee")  # 1,251 for ada, 800 of it for ben
    world.charge(engine, world.run_by("ben"), key="ben")  # 300 of ben's 800; dearer 500
    world.add(engine, "ben", 100, key="late")
    world.charge(engine, world.run_by("ben"), key="ben-again")
    found = under(engine, DEARER)
    # Ada's 1,051 do not cover 1,251. So ben has nothing for his first run and 100 for his second.
    assert (found.runs, found.refused_runs, found.refused_users) == (4, 3, 2)
    assert (found.dearer_runs, found.unchanged_runs, found.cheaper_runs) == (1, 0, 0)
    assert found.refused_credits == 1_251 + 300 + 300
    assert parties(found) == {
        "users": (2_151, 500),
        "inference": (1_000, 250),
        "creators": (800, 0),
        "platform": (351, 250),
    }
    assert [(one.name, one.refused, one.refused_credits, one.dearer_credits) for one in found.by_user.page()] == [
        ("ada", 1, 1_251, 200),
        ("ben", 2, 600, 0),
    ]
    assert found.change_of_run == ChangeOfRun(200, 200, 200, 200)


def test_days_start_with_the_recorded_balances_and_compare_their_own_runs_alone(engine: Engine) -> None:
    world.add(engine, "ada", 1_200, key="add", now=FIRST_DAY)
    early = world.charge(engine, HAIKU, key="early", now=FIRST_DAY)
    world.charge(engine, HAIKU, key="late-1", now=SECOND_DAY)  # 900 left; dearer 500
    world.charge(engine, HAIKU, key="stray", now=FIRST_DAY)  # of another day by the clock: 300 as recorded
    world.refund(engine, early.entry_id, key="back", now=SECOND_DAY)  # 300 as recorded
    world.charge(engine, HAIKU, key="late-2", now=SECOND_DAY)  # dearer 500, and 400 are left
    second = DayRange(date(2026, 3, 2), date(2026, 3, 2))
    found = under(engine, DEARER, second)
    assert (found.runs, found.refunds, found.refused_runs) == (2, 1, 1)
    assert parties(found)["users"] == (300 + 300 - 300, 500 - 300)
    assert [(one.name, one.users) for one in found.by_day.page()] == [("2026-03-02", Change(300, 200))]
    assert under(engine, world.price_book().plan, second).matches_record
    whole = under(engine, DEARER)  # 500 + 500, then 200 left, 500 back, and 500 once more
    assert (whole.runs, whole.refused_runs, parties(whole)["users"]) == (4, 1, (900, 1_000))


def test_days_can_begin_with_a_charge_that_is_refused(engine: Engine) -> None:
    world.add(engine, "ada", 600, key="add", now=FIRST_DAY)
    earlier = world.charge(engine, HAIKU, key="earlier", now=FIRST_DAY)
    world.charge(engine, HAIKU, key="first", now=SECOND_DAY)  # 300 of 300; dearer 500
    world.refund(engine, earlier.entry_id, key="back", now=SECOND_DAY)
    world.charge(engine, HAIKU, key="second", now=SECOND_DAY)  # 300 of 300; dearer 500 of 300 + 300
    found = under(engine, DEARER, DayRange(SECOND_DAY.date(), SECOND_DAY.date()))
    assert (found.runs, found.refused_runs) == (2, 1)


def test_a_day_begins_with_its_first_microsecond(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add", now=FIRST_DAY)
    for key, second in (("before", -1), ("first", 0), ("last", 86_399), ("after", 86_400)):
        world.charge(engine, HAIKU, key=key, now=datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=second))
    assert under(engine, DEARER, DayRange(date(2026, 3, 2), date(2026, 3, 2))).runs == 2


def test_whose_amounts_stay_is_neither_among_those_who_gain_nor_those_who_lose(engine: Engine) -> None:
    for user in ("ada", "ben", "cara"):
        world.add(engine, user, 100_000, key=f"add-{user}")
    world.charge(engine, HAIKU, key="dearer")  # 300; 500
    world.charge(engine, replace(HAIKU_WITH_FEE, user_id="cara", creator_id="dan"), key="same")
    world.charge(engine, replace(HAIKU, user_id="ben", model_id="gpt-4"), key="cheaper")  # 33,000; 31,500
    plan = PricePlan("p", 8_000, (MarkupTier(10_000, 10_000, None), MarkupTier(None, 500, None)))
    cheaper, dearer = under(engine, plan).by_user.ends("dearer credits", 9)
    assert ([one.name for one in cheaper], [one.name for one in dearer]) == (["ben"], ["ada"])


def test_days_that_end_before_they_begin_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="must not begin after they end: 2026-03-02 is after 2026-03-01"):
        under(engine, DEARER, DayRange(date(2026, 3, 2), date(2026, 3, 1)))


def test_a_ledger_without_runs_has_nothing_to_compare(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert recorded_history(connection, DayRange()).is_empty
    world.add(engine, "ada", 1_000, key="add")
    with database.read(engine) as connection:
        assert recorded_history(connection, DayRange()).is_empty
    assert (under(engine, DEARER).runs, under(engine, DEARER).change_of_run) == (0, None)


def test_each_run_is_held_against_its_own_plan_whatever_the_other_plan_is(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    world.charge(engine, HAIKU, key="first")
    world.charge(engine, HAIKU, key="second", book=world.dearer_book())  # 400 + 50 %
    found = under(engine, world.price_book().plan)
    assert found.difference == Difference(3, 600, 480, 0, 0, refused=False)
    assert (found.own_plans.checked, found.own_plans.unknown_plans, found.own_plans.first_difference) == (2, (), None)
    with database.read(engine) as connection:
        history = recorded_history(connection, DayRange())
    known = compare(history, HALF, world.price_book().plans).own_plans
    assert (known.checked, known.unknown_plans) == (1, ("plan-2",))
    tampered = {"plan-1": replace(HALF, id="plan-1"), "plan-2": replace(DEARER, id="plan-2")}
    assert compare(history, HALF, tampered).own_plans.first_difference == Difference(3, 600, 800, 0, 0, refused=False)


def test_quantiles_are_by_nearest_rank_and_ranges_grow_like_one_two_five(engine: Engine) -> None:
    world.add(engine, "ada", 10**9, key="add")
    for number in range(21):  # 1,000 × (number + 1) tokens at 2.5: 2,500 × (number + 1), so the plan adds 5 % to 20 %
        tokens = ChargeRequest("ada", "p", "openai/gpt-4o", input_tokens=40 * (number + 1), output_tokens=0)
        world.charge(engine, tokens, key=f"run-{number}")
    found = under(engine, PricePlan("p", 8_000, (MarkupTier(None, 3_000, None),)))
    # The cost is 100 × n and the change 10 × n, for n from 1 to 21: the 11th is 110 and the 20th (19.95) is 200.
    assert found.change_of_run == ChangeOfRun(10, 110, 200, 210)
    assert found.changes == (
        ChangeRange(10, 19, 1),
        ChangeRange(20, 49, 3),
        ChangeRange(50, 99, 5),
        ChangeRange(100, 199, 10),
        ChangeRange(200, 499, 2),
    )
    cheaper = under(engine, PricePlan("p", 8_000, (MarkupTier(1_000, 2_000, None), MarkupTier(None, 1_900, None))))
    assert cheaper.changes == (
        ChangeRange(-49, -20, 2),
        ChangeRange(-19, -10, 10),
        *_empty_ranges(),
        ChangeRange(0, 0, 9),
    )


def _empty_ranges() -> tuple[ChangeRange, ...]:
    return tuple(ChangeRange(low, high, 0) for low, high in ((-9, -5), (-4, -2), (-1, -1)))


# --- laws -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    engines = []
    for seed in range(4):
        engine = database.create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('drawn') / 'credits.db'}")
        database.migrate(engine)
        busy_ledger.drawn_days(engine, seed=seed, actions=220)
        engines.append(engine)
    yield engines
    for engine in engines:
        engine.dispose()


@given(plan=plans.price_plans(largest_bound=3_000), seed=st.integers(0, 3), ends=st.tuples(*[st.integers(1, 6)] * 2))
def test_a_replay_is_what_a_slow_loop_over_the_entries_gives(
    drawn: list[Engine], plan: PricePlan, seed: int, ends: tuple[int, int]
) -> None:
    first, last = sorted(ends)
    days = DayRange(date(2026, 3, first), date(2026, 3, last)) if (first, last) != (1, 6) else DayRange()
    found = under(drawn[seed], plan, days)
    slow = SlowReplay(drawn[seed], plan, (f"2026-03-0{first}", f"2026-03-0{last}"))
    assert {name: plan_credits for name, (_, plan_credits) in parties(found).items()} == {
        name: slow.sums[name] for name in ("users", "inference", "creators", "platform")
    }
    assert found.refused_runs + found.refused_unlocks == len(slow.refused)
    assert found.refused_additions == slow.kept
    assert found.cheaper_runs == sum(change < 0 for change in slow.changes)
    assert found.dearer_runs == sum(change > 0 for change in slow.changes)
    assert sum(one.runs for one in found.changes) == len(slow.changes)
    for kind, groups in (("user", found.by_user), ("creator", found.by_creator)):
        for one in groups.page():
            change = one.users if kind == "user" else one.creators
            assert change.plan_credits == slow.by[kind, one.name]
    ordered = sorted(slow.changes)
    if ordered:
        n = len(ordered)
        p50, p95 = ordered[-(-n * 50 // 100) - 1], ordered[-(-n * 95 // 100) - 1]
        assert found.change_of_run == ChangeOfRun(ordered[0], p50, p95, ordered[-1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("last", [1, 3, 6])
def test_drawn_days_under_their_own_plan_equal_the_record(drawn: list[Engine], seed: int, last: int) -> None:
    days = DayRange(date(2026, 3, 1), date(2026, 3, last))
    found = under(drawn[seed], world.price_book().plan, days)
    assert found.matches_record
    condition = f"date(created_at_us / 1000000, 'unixepoch') BETWEEN '2026-03-01' AND '2026-03-0{last}'"
    recorded = recorded_sums(drawn[seed], condition)
    assert {name: both[1] for name, both in parties(found).items()} == {**recorded, "users": parties(found)["users"][0]}
    for groups in (found.by_user, found.by_model, found.by_day):
        for measure in ("users", "creators", "platform"):
            changes = [getattr(one, measure) for one in groups.page()]
            assert sum(one.plan_credits for one in changes) == parties(found)[measure][1]


def drawn_events(random: Random) -> tuple[Events, list[int]]:
    """A few events of a few accounts with small amounts, so that balances run out in every way."""
    accounts = random.randint(2, 4)
    found: list[tuple[int, int, int, int, int, int]] = []
    open_charges: list[int] = []
    for _ in range(random.randint(2, 14)):
        payer, creator, amount = random.randrange(accounts), random.randrange(accounts), random.randint(0, 9)
        share, kind = random.randint(0, amount), random.choice([ADDED, CHARGED, CHARGED, REFUNDED])
        if kind == ADDED:
            found.append((ADDED, payer, -1, random.randint(-9, 9), 0, -1))
        elif kind == CHARGED:
            open_charges.append(len(found))
            found.append((CHARGED, payer, creator if share else -1, amount, share, -1))
        elif not open_charges or random.random() < 0.3:  # of a charge before all of these
            found.append((REFUNDED, payer, creator, amount, share, -1))
        else:
            at = open_charges.pop(random.randrange(len(open_charges)))
            found.append((REFUNDED, *found[at][1:5], at))
    return Events(*np.array(found, np.int64).T), [random.randint(0, 9) for _ in range(accounts)]


@given(st.integers(0, 2**32))
def test_following_balances_quickly_is_following_them_one_by_one(seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        history = drawn_events(random)
        slowly, quickly = follow(*history), follow_quickly(*history)
        assert slowly.happened.tolist() == quickly.happened.tolist()
        assert slowly.borne_credits.tolist() == quickly.borne_credits.tolist()


# --- the published trace --------------------------------------------------------------------------------------------


@needs_traces
def test_the_conversation_trace_under_a_graduated_plan_costs_what_plain_arithmetic_says(sqlite_engine: Engine) -> None:
    path, book = TRACES["conversation"], world.price_book()
    world.add(sqlite_engine, "ada", 10**9, key="fund")
    plan = plan_replay(sqlite_engine, path, user_id="ada", model_id="openai/gpt-4o", book=book, now=world.NOW)
    replay(sqlite_engine, plan, book_at=lambda _: book, clock=lambda: world.NOW, actor=TESTER)
    graduated = replace(book.plan, id="graduated", tier_mode=TierMode.GRADUATED)
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    costs = [
        (25 * int(context) + 100 * int(generated) + 9) // 10
        for _, context, generated in (line.split(",") for line in lines)
    ]

    def recorded(cost: int) -> int:
        return cost + (cost * 20 // 100 if cost < 10_000 else cost * 10 // 100 if cost < 100_000 else 500)

    def sliced(cost: int) -> int:
        if cost < 10_000:
            return cost + cost * 20 // 100
        return cost + (20_000 + (cost - 10_000)) // 10 if cost < 100_000 else cost + 11_500

    changes = sorted(sliced(cost) - recorded(cost) for cost in costs)
    found = under(sqlite_engine, graduated)
    assert (found.runs, found.refused_runs) == (19_366, 0)
    assert parties(found)["users"] == (sum(map(recorded, costs)), sum(map(sliced, costs)))
    assert parties(found)["platform"] == (sum(map(recorded, costs)) - sum(costs), sum(map(sliced, costs)) - sum(costs))
    assert found.change_of_run == ChangeOfRun(changes[0], changes[9_682], changes[18_397], changes[-1])
    assert found.dearer_runs == sum(change > 0 for change in changes)
    assert found.unchanged_runs == sum(change == 0 for change in changes)
