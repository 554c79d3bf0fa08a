"""Refunds in a replay of history: who gives back what under another plan, and who bears the inference cost."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine, text

from credits_core.lab.replay.report import as_json, limits
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.store.kinds import CreditSource
from credits_core.values.days import DayRange
from tests.support import earlier_refunds, world
from tests.support.replayed import DEARER, FIRST_DAY, SECOND_DAY, parties, recorded_sums, under
from tests.support.world import HAIKU, HAIKU_WITH_FEE


def test_a_refund_gives_back_what_the_plan_took_and_nothing_where_it_refused(engine: Engine) -> None:
    world.add(engine, "ada", 700, key="add")
    first = world.charge(engine, HAIKU, key="first")  # 300; dearer 500
    second = world.charge(engine, HAIKU, key="second")  # 300; dearer 500, and only 200 are left
    world.refund(engine, first.entry_id, key="back-1")
    world.refund(engine, second.entry_id, key="back-2")
    world.charge(engine, HAIKU, key="third")  # dearer 500 of 700
    found = under(engine, DEARER)
    assert (found.refused_runs, found.refunds, found.refused_credits) == (1, 2, 0)
    assert parties(found)["users"] == (300, 500)
    # The platform bears 250 for each run that was refunded, two in reality and one under the plan.
    assert parties(found)["inference"] == (750, 500)
    assert parties(found)["platform"] == (50 - 2 * 250, 250 - 250)


def test_the_platform_bears_what_a_creator_has_spent_under_the_plan(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    paid = world.charge(engine, HAIKU_WITH_FEE, key="fee")  # ben receives 800
    world.charge(engine, world.run_by("ben"), key="ben")  # and keeps 500; dearer 300
    earlier_refunds.refund(engine, paid.entry_id, key="back")
    found = under(engine, DEARER)
    # Ben gives back 500 of 800 in reality, and 300 under the plan: the platform bears 300, and 500.
    assert parties(found) == {
        "users": (300, 500),
        "inference": (500, 500),
        "creators": (300, 500),
        "platform": (50 - 300 - 250, 250 - 500 - 250),
    }
    assert recorded_sums(engine) == {"users": 300, "inference": 500, "creators": 300, "platform": -500}


def test_what_a_creator_owes_for_a_share_is_paid_by_the_next_one_under_the_plan_too(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add", now=FIRST_DAY)
    paid = world.charge(engine, HAIKU_WITH_FEE, key="fee", now=FIRST_DAY)  # ben receives 800
    world.charge(engine, world.run_by("ben"), key="ben", now=FIRST_DAY)  # and keeps 500; dearer 300
    world.refund(engine, paid.entry_id, key="back", now=FIRST_DAY)  # he owes 300; dearer 500
    world.charge(engine, HAIKU_WITH_FEE, key="next", now=SECOND_DAY)  # of 800 he keeps 500; dearer 300
    world.charge(engine, world.run_by("ben"), key="ben-again", now=SECOND_DAY)  # 300 of 500; dearer 500 of 300
    found = under(engine, DEARER)
    assert found.refused_runs == 1
    assert parties(found) == {
        "users": (300 + 1_251 + 300, 500 + 1_251),
        "inference": (250 * 4, 250 * 3),
        "creators": (800, 800),
        "platform": (50 + 201 + 50 - 250, 250 + 201 - 250),
    }
    assert {name: recorded for name, (recorded, _) in parties(found).items()} == recorded_sums(engine)
    later = DayRange(date(2026, 3, 2), date(2026, 3, 2))
    assert under(engine, world.price_book().plan, later).difference is None
    # With what he owed when the day began: of 500 that are left 500 do for a dearer run.
    assert under(engine, DEARER, later).refused_runs == 0


def test_a_part_gives_back_the_same_part_of_what_the_plan_took(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    run = world.charge(engine, HAIKU, key="run")  # 300; dearer 500
    with_fee = world.charge(engine, HAIKU_WITH_FEE, key="fee")  # 1,251, of which ben receives 800; dearer the same
    world.refund(engine, run.entry_id, amount_credits=100, key="part-1")  # dearer 500 x 100 / 300, so 166
    world.refund(engine, run.entry_id, amount_credits=100, key="part-2")  # and 333 in all
    world.refund(engine, with_fee.entry_id, amount_credits=500, key="part-3")  # 319 of ben
    found = under(engine, DEARER)
    assert parties(found)["users"] == (100 + 751, 500 - 333 + 751)
    assert parties(found)["creators"] == (800 - 319, 800 - 319)
    assert {name: recorded for name, (recorded, _) in parties(found).items()} == recorded_sums(engine)
    assert found.refunds == 3
    world.refund(engine, run.entry_id, key="rest")
    assert parties(under(engine, DEARER))["users"] == (751, 751)


def test_parts_come_out_as_they_were_under_the_plan_that_charged(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add", now=FIRST_DAY)
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}", now=FIRST_DAY) for number in range(2)]
    world.refund(engine, runs[0].entry_id, amount_credits=1, key="part-1", now=FIRST_DAY)
    world.charge(engine, world.run_by("ben"), key="ben", now=FIRST_DAY)
    for number, credits in enumerate((777, None)):
        world.refund(engine, runs[0].entry_id, amount_credits=credits, key=f"more-{number}", now=SECOND_DAY)
    world.refund(engine, runs[1].entry_id, amount_credits=1_000, key="part-2", now=SECOND_DAY)
    plan = world.price_book().plan
    for days in (DayRange(), DayRange(date(2026, 3, 1), date(2026, 3, 1)), DayRange(date(2026, 3, 2), None)):
        found = under(engine, plan, days)
        assert found.difference is None
        assert all(recorded == again for recorded, again in parties(found).values())
    assert {name: recorded for name, (recorded, _) in parties(under(engine, plan)).items()} == recorded_sums(engine)


def test_an_inference_cost_that_was_booked_back_is_booked_back_under_the_plan_too(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    runs = [world.charge(engine, HAIKU, key=f"run-{number}") for number in range(3)]  # 300 each; dearer 500
    world.refund(engine, runs[0].entry_id, key="back-1")
    world.refund(engine, runs[1].entry_id, provider_refunded=True, key="back-2")
    found = under(engine, DEARER)
    assert parties(found) == {
        "users": (300, 500),
        "inference": (500, 500),
        "creators": (0, 0),
        "platform": (50 - 250, 250 - 250),
    }
    assert {name: recorded for name, (recorded, _) in parties(found).items()} == recorded_sums(engine)
    assert (found.refunds, found.earlier_rule_refunds) == (2, 0)
    assert not any("earlier rule" in text for text in limits(found))


@pytest.mark.as_owner
def test_a_replay_says_how_many_refunds_followed_the_earlier_rule(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="add")
    runs = [world.charge(engine, HAIKU, key=f"run-{number}") for number in range(2)]
    earlier = world.refund(engine, runs[0].entry_id, provider_refunded=True, key="back-1")
    world.refund(engine, runs[1].entry_id, key="back-2")
    with engine.begin() as connection:  # as the migration marks a refund of an earlier version
        off, on = ("SET LOCAL session_replication_role = replica", "SET LOCAL session_replication_role = origin")
        if engine.dialect.name == "sqlite":
            trigger = str(
                connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'refunds_no_update'")).scalar()
            )
            off, on = "DROP TRIGGER refunds_no_update", trigger
        connection.exec_driver_sql(off)
        connection.exec_driver_sql(
            "UPDATE refunds SET rule = 'cost_booked_back', provider_refunded = FALSE"
            f" WHERE entry_id = {earlier.entry_id}"
        )
        connection.exec_driver_sql(on)
    found = under(engine, world.price_book().plan)
    assert found.matches_record
    assert parties(found)["inference"] == (250, 250)
    assert parties(found)["platform"] == (-250, -250)
    assert list(limits(found))[-1] == (
        "1 refund of 2 followed the earlier rule, which booked the inference cost back as if the provider had given it"
        " back."
    )
    assert as_json(found, DayRange())["earlier_rule_refunds"] == 1


def test_a_creator_who_runs_the_own_prompt_pays_first_and_is_paid_then(engine: Engine) -> None:
    world.add(engine, "ben", 1_251, key="add")
    run = world.charge(engine, replace(HAIKU_WITH_FEE, user_id="ben"), key="own")
    world.refund(engine, run.entry_id, key="back")
    found = under(engine, world.price_book().plan)
    assert found.matches_record
    assert parties(found) == {
        "users": (0, 0),
        "inference": (250, 250),
        "creators": (0, 0),
        "platform": (-250, -250),
    }


def test_added_credits_that_would_have_been_spent_cannot_be_taken_back(engine: Engine) -> None:
    added = world.add(engine, "ada", 400, key="add", source=CreditSource.GRANT, reason="Welcome")
    world.add(engine, "ada", 500, key="more")
    world.charge(engine, HAIKU, key="run")  # 300 of 900; dearer 500
    world.refund(engine, added.entry_id, key="back")  # takes 400 of 600; dearer has 400
    assert under(engine, DEARER).refused_additions == 0
    thrice = PricePlan("thrice", 8_000, (MarkupTier(None, 20_000, None),))
    found = under(engine, thrice)  # 750 of 900, and 150 do not cover 400
    assert (found.refused_additions, found.refused_runs, found.matches_record) == (1, 0, False)


def test_a_creator_gives_back_what_others_paid_when_an_earlier_charge_is_refunded(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="add", now=FIRST_DAY)
    world.add(engine, "cara", 2_000, key="add-cara", now=FIRST_DAY)
    early = world.charge(engine, HAIKU_WITH_FEE, key="early", now=FIRST_DAY)
    world.charge(engine, world.run_by("ben"), key="ben-1", now=FIRST_DAY)
    world.charge(engine, world.run_by("ben"), key="ben-2", now=FIRST_DAY)  # 200 of 800 are left
    world.charge(engine, replace(HAIKU_WITH_FEE, user_id="cara"), key="cara", now=SECOND_DAY)  # ben has 1,000
    world.charge(engine, HAIKU, key="refused", now=SECOND_DAY)  # ada's 300 do not cover 500
    world.refund(engine, early.entry_id, key="back", now=SECOND_DAY)
    found = under(engine, DEARER, DayRange(date(2026, 3, 2), date(2026, 3, 2)))
    assert parties(found) == {
        "users": (300, 0),
        "inference": (500, 250),
        "creators": (0, 0),
        "platform": (50 - 250, -250),
    }
