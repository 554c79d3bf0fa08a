"""A plan is made live only in place of the plan that was looked at."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection, Engine

from credits_core.plans import actions as plan_actions
from credits_core.plans.refusals import LivePlanChanged
from credits_core.store import database
from tests.support import plain_sql, racers, world
from tests.support.actors import TESTER
from tests.support.plans import SPECIFICATION
from tests.support.world import LATER

CAPPED = replace(SPECIFICATION, id="promptflow-v2", cap_down=True)


def activate(engine: Engine, plan_id: str, *, in_place_of: str) -> None:
    def action(connection: Connection) -> None:
        seen = world.plan_as_seen(connection, replace(CAPPED, id=plan_id), 1)
        plan_actions.activate(connection, seen, reason="Cure", now=LATER, actor=TESTER, in_place_of=in_place_of)

    database.write(engine, action)


def live(engine: Engine) -> object:
    return plain_sql.scalar(engine, "SELECT plan_id FROM plan_activations ORDER BY id DESC LIMIT 1")


def test_a_plan_takes_the_place_of_the_one_that_was_looked_at_alone(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    world.save_draft(engine, replace(CAPPED, id="other"))
    activate(engine, "other", in_place_of="promptflow-v1")
    with pytest.raises(LivePlanChanged) as caught:
        activate(engine, "promptflow-v2", in_place_of="promptflow-v1")
    assert (caught.value.expected_plan_id, caught.value.live_plan_id) == ("promptflow-v1", "other")
    assert live(engine) == "other"
    activate(engine, "promptflow-v2", in_place_of="other")
    assert live(engine) == "promptflow-v2"


def test_of_activations_at_once_in_place_of_one_plan_one_wins(engine: Engine) -> None:
    ids = [f"plan-{number}" for number in range(6)]
    for plan_id in ids:
        world.save_draft(engine, replace(CAPPED, id=plan_id))

    def try_to_activate(plan_id: str) -> bool:
        try:
            activate(engine, plan_id, in_place_of="promptflow-v1")
        except LivePlanChanged:
            return False
        return True

    outcomes = racers.at_once([partial(try_to_activate, plan_id) for plan_id in ids])
    assert sorted(outcomes) == [False] * 5 + [True]
