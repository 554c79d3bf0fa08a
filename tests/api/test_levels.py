"""Levels of low balances over HTTP: set by the user's own key, and told as the user's."""

from typing import Any

from credits_core.operations import webhook_jobs
from credits_core.values.roles import Role
from tests.support import world
from tests.support.api_world import Api, problem
from tests.support.plain_sql import rows
from tests.support.world import NOW

URL = "/api/credits/low-balance-levels"


def _set(api: Api, *levels: object, as_: str = "service", user_id: str = "ada") -> Any:
    body = {"user_id": user_id, "levels_credits": levels}
    return api.client.put(URL, json=body, headers=api.headers(as_))


def test_a_users_own_key_sets_the_levels_and_the_event_says_so(api: Api) -> None:
    api.make_key("ada", Role.USER, user_id="ada")
    answer = _set(api, 9_900, 500, as_="ada")
    assert (answer.status_code, answer.json()) == (200, {"user_id": "ada", "levels_credits": [9_900, 500]})
    assert _set(api, 500, 9_800).json()["levels_credits"] == [9_800, 500]
    assert api.get(URL, user_id="ada", as_="ada").json()["levels_credits"] == [9_800, 500]
    assert rows(api.engine, "SELECT actor FROM low_balance_levels ORDER BY level_credits") == [
        ("api/ada",),
        ("api/service",),
    ]
    world.charge(api.engine, world.HAIKU, key="run")  # 9,700
    assert webhook_jobs.look_at_balances(api.engine, now=NOW) == 0  # operators are told nothing
    ((content,),) = rows(api.engine, "SELECT content FROM webhook_events WHERE kind = 'balance.low'")
    assert '"level_credits": 9800' in str(content)
    assert '"set_by": "user"' in str(content)
    assert rows(api.engine, "SELECT told_event_id FROM low_balance_progress") == [(1,)]


def test_a_users_key_sets_nobody_elses_levels(api: Api) -> None:
    api.make_key("ada", Role.USER, user_id="ada")
    world.add(api.engine, "ben", 500, key="fund-ben")
    assert problem(_set(api, 5, as_="ada", user_id="ben")) == (403, "forbidden")
    assert problem(api.get(URL, user_id="ben", as_="ada")) == (403, "forbidden")
    assert rows(api.engine, "SELECT user_id FROM low_balance_levels") == []


def test_levels_that_make_no_sense_are_refused(api: Api) -> None:
    for levels in ((0,), (2**53,), ("5",), (1, 2, 3, 4, 5, 6)):
        assert problem(_set(api, *levels)) == (422, "invalid_request")
    assert problem(_set(api, 5, user_id="nobody")) == (404, "unknown_user")
    assert _set(api).json() == {"user_id": "ada", "levels_credits": []}
    assert rows(api.engine, "SELECT user_id FROM low_balance_levels") == []
