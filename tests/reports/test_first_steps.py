"""Whom and what the start page names, in a ledger with and without them."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.reports import first_steps
from credits_core.reports.first_steps import FirstSteps
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import world
from tests.support.world import HAIKU, HAIKU_WITH_FEE


def found(engine: Engine) -> FirstSteps:
    with database.read(engine) as connection:
        return first_steps.first_steps(connection, DayRange())


def test_an_empty_ledger_has_nobody(engine: Engine) -> None:
    assert found(engine) == FirstSteps(None, None, 0, None, None)


def test_somebody_without_credits_is_nobody_to_begin_with(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="a")
    world.charge(engine, HAIKU, key="all-of-it")
    assert found(engine) == FirstSteps(None, None, 0, None, 2)


@pytest.mark.parametrize("richest", ["cleo", "ben"])
def test_the_creator_who_earned_most_the_latest_prompt_and_the_richest_other_user(engine: Engine, richest: str) -> None:
    # Entries 1 to 4 are the purchases, of which ben's may be the largest; ben is the creator, and so not the user.
    for user_id in ("ada", "ben", "cleo", "dora"):
        world.add(engine, user_id, 9_000_000 if user_id == richest else 1_000_000, key=user_id)
    world.charge(engine, HAIKU_WITH_FEE, key="5")
    world.charge(engine, replace(HAIKU_WITH_FEE, prompt_id="newest", creator_fee_credits=7_000), key="6")
    world.charge(engine, replace(HAIKU_WITH_FEE, prompt_id="of-eve", creator_id="eve"), key="7")
    world.refund(engine, 7, key="8")
    newest = world.charge(engine, HAIKU, key="9")
    world.refund(engine, newest.entry_id, key="10")
    user = "cleo"  # the richest; where that is ben, the first by name of those who hold as much, and ada has paid
    assert found(engine) == FirstSteps("ben", "newest", 7_000, user, 6)
