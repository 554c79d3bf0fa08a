"""Winners and losers, with one sign for users and creators."""

from dataclasses import replace

from sqlalchemy import Engine

from credits_core.lab.replay.result import compare
from credits_core.lab.replay.standings import Role, Standing, standings
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import world
from tests.support.world import HAIKU, HAIKU_WITH_FEE

PLAN = PricePlan("p", 9_000, (MarkupTier(10_000, 10_000, None), MarkupTier(None, 500, None)))
"""Runs below 10,000 cost twice their cost, dearer ones 5 % more than it; a creator has 90 % of a fee."""


def ranked(engine: Engine, most: int, plan: PricePlan = PLAN) -> list[Standing]:
    with database.read(engine) as connection:
        return list(standings(compare(recorded_history(connection, DayRange()), plan, {}), most))


def charge_everybody(engine: Engine) -> None:
    for user in ("ada", "ben", "cara"):
        world.add(engine, user, 100_000, key=f"add-{user}")
    world.charge(engine, HAIKU, key="dearer")  # 300; 500
    world.charge(engine, HAIKU_WITH_FEE, key="fee")  # 800 for ben; 900
    world.charge(engine, ChargeRequest("ben", "p", "gpt-4"), key="cheaper")  # 33,000; 31,500
    world.charge(engine, replace(HAIKU_WITH_FEE, user_id="cara", creator_id="dan"), key="same")


def test_plus_is_who_pays_less_or_receives_more(engine: Engine) -> None:
    charge_everybody(engine)
    assert ranked(engine, 9) == [
        Standing("ben", Role.USER, 1_500, 0),
        Standing("ben", Role.CREATOR, 100, 0),
        Standing("dan", Role.CREATOR, 100, 0),
        Standing("ada", Role.USER, -200, 0),
    ]


def test_the_most_are_cut_on_either_side(engine: Engine) -> None:
    charge_everybody(engine)
    world.charge(engine, replace(HAIKU, user_id="cara"), key="dearer-too")
    world.charge(engine, replace(HAIKU, user_id="cara"), key="dearer-again")
    assert [(one.name, one.gain_credits) for one in ranked(engine, 1)] == [("ben", 1_500), ("cara", -400)]
    assert [(one.name, one.gain_credits) for one in ranked(engine, 9)][-2:] == [("ada", -200), ("cara", -400)]


def test_a_refused_charge_is_no_gain_for_a_user_and_a_loss_for_its_creator(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="add")
    world.charge(engine, HAIKU, key="dearer")  # 300; 500
    world.charge(engine, HAIKU_WITH_FEE, key="fee")  # 1,251 are no longer there
    assert ranked(engine, 9) == [Standing("ada", Role.USER, -200, 1), Standing("ben", Role.CREATOR, -800, 1)]


def test_nobody_stands_there_when_nothing_changes(engine: Engine) -> None:
    charge_everybody(engine)
    assert ranked(engine, 9, world.price_book().plan) == []
