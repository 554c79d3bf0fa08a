"""Spending limits over HTTP: set, asked for, reached, and who may."""

from datetime import UTC, datetime

from credits_core.access import keys
from credits_core.ledger import spending_limits
from credits_core.ledger.spending import subject_of_key
from credits_core.store import database
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.roles import Role
from credits_core.values.time_zones import UTC_ZONE
from tests.support.actors import TESTER
from tests.support.api_world import Api, problem
from tests.support.plain_sql import rows

URL = "/api/credits/limits"
RUN = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
"""A run of 300 credits."""


def _set(api: Api, day: int | None, month: int | None, *, as_: str = "admin", **more: object) -> object:
    body = {"user_id": "ada", "day_credits": day, "month_credits": month, **more}
    return api.client.put(URL, json=body, headers=api.headers(as_))


def _limits(api: Api, as_: str = "service") -> list[tuple[str, int, int, int, int]]:
    found = api.get(URL, user_id="ada", as_=as_).json()
    assert found["user_id"] == "ada"
    names = ("period", "limit_credits", "spent_credits", "held_credits", "left_credits")
    return [tuple(one[name] for name in names) for one in found["limits"]]  # type: ignore[misc]


def test_limits_are_set_asked_for_and_reached(api: Api) -> None:
    assert _limits(api) == []
    answer = _set(api, 700, 5_000)
    assert answer.status_code == 200  # type: ignore[attr-defined]
    for number in range(2):
        assert api.post("/api/credits/charge-prompt", RUN, as_="service", key=f"run-{number}").status_code == 201
    assert _limits(api) == [("day", 700, 600, 0, 100), ("month", 5_000, 600, 0, 4_400)]
    refused = api.post("/api/credits/charge-prompt", RUN, as_="service", key="run-2")
    assert problem(refused) == (402, "spending_limit_reached")
    told = refused.json()
    assert (told["subject"], told["period"]) == ("ada", "day")
    assert (told["limit_credits"], told["spent_credits"], told["required_credits"]) == (700, 600, 300)
    assert datetime.fromisoformat(told["resets_at"]) > datetime.now(UTC)
    hold = {**RUN, "amount_credits": 101}
    assert problem(api.post("/api/credits/holds", hold, as_="service", key="h")) == (402, "spending_limit_reached")
    unlock = {"user_id": "ada", "flow_id": "f", "creator_id": "ben", "unlock_fee_credits": 101}
    assert problem(api.post("/api/credits/unlock-flow", unlock, as_="service", key="u")) == (
        402,
        "spending_limit_reached",
    )
    _set(api, None, 900)
    assert api.post("/api/credits/charge-prompt", RUN, as_="service", key="run-2").status_code == 201
    assert _limits(api) == [("month", 900, 900, 0, 0)]


def test_the_same_limits_set_again_change_nothing(api: Api) -> None:
    _set(api, 700, None)
    changes = "SELECT COUNT(*) FROM activity WHERE kind LIKE 'spending_limit%'"
    before = rows(api.engine, changes)
    assert _set(api, 700, None).status_code == 200  # type: ignore[attr-defined]
    assert rows(api.engine, changes) == before


def test_a_key_that_has_reached_its_limit_is_refused_whoever_pays(api: Api) -> None:
    with database.read(api.engine) as connection:
        (name,) = [one.name for one in keys.list_keys(connection) if one.role.value == "service"]
    subject, now = subject_of_key(name), datetime.now(UTC)
    database.write(
        api.engine,
        lambda c: spending_limits.set_limit(c, subject, SpendingPeriod.DAY, 300, zone=UTC_ZONE, now=now, actor=TESTER),
    )
    assert api.post("/api/credits/charge-prompt", RUN, as_="service", key="one").status_code == 201
    refused = api.post("/api/credits/charge-prompt", RUN, as_="service", key="two")
    assert (problem(refused), refused.json()["subject"]) == ((402, "spending_limit_reached"), subject)
    assert api.post("/api/credits/charge-prompt", RUN, as_="admin", key="two").status_code == 201


def test_only_an_admin_key_sets_limits_and_a_users_key_sees_its_own(api: Api) -> None:
    api.make_key("ada", Role.USER, user_id="ada")
    for caller in ("service", "ada"):
        assert problem(_set(api, 5, None, as_=caller)) == (403, "forbidden")
    _set(api, 5, None)
    assert _limits(api, "ada") == [("day", 5, 0, 0, 5)]
    assert problem(api.get(URL, user_id="ben", as_="ada")) == (403, "forbidden")


def test_limits_that_make_no_sense_are_refused(api: Api) -> None:
    for body in ({"day": -1}, {"day": 2**53}, {"day": "5"}, {"day": True}):
        assert problem(_set(api, body["day"], None)) == (422, "invalid_request")  # type: ignore[arg-type]
    assert problem(_set(api, 5, None, week_credits=5)) == (422, "invalid_request")
    assert problem(_set(api, 5, None, user_id="nobody")) == (404, "unknown_user")
    assert problem(api.get(URL, user_id="nobody", as_="service")) == (404, "unknown_user")
    assert rows(api.engine, "SELECT subject FROM spending_limits") == []
