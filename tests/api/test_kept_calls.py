"""The list of calls: what the API keeps of each, what never, and that it outlives the server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, text

from credits_core.access import call_log, calls
from credits_core.access.calls import CallFilter, KeptCall
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api, world
from tests.support.api_world import ADD, CHARGE, Api, api_over
from tests.support.plain_sql import rows, scalar
from tests.support.waiting import wait_until

TOO_DEAR = CHARGE | {"model_id": "gpt-4"}


@pytest.fixture
def api(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits; it writes its list of calls almost at once."""
    monkeypatch.setattr(call_log, "_SECONDS_BETWEEN", 0.01)
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine, CREDITS_KEPT_CALLS="5000") as api:
        yield api


def kept(engine: Engine, request_id: str) -> KeptCall:
    """The call with this id, once it is written."""
    wait_until(lambda: scalar(engine, "SELECT COUNT(*) FROM api_calls WHERE request_id = :id", id=request_id) == 1)
    with database.read(engine) as connection:
        found = calls.find(connection, request_id=request_id)
    assert found is not None
    return found


def listed(engine: Engine) -> list[str]:
    with database.read(engine) as connection:
        return [f"{one.status} {one.path}" for one in calls.last_calls(connection, CallFilter(), limit=100)]


def test_a_charge_is_kept_with_its_entry_and_a_repeated_one_as_well(api: Api) -> None:
    answer = api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1")
    again = api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1")
    for one, status in ((answer, 201), (again, 200)):
        call = kept(api.engine, one.headers["x-request-id"])
        assert (call.method, call.path, call.query, call.status) == ("POST", "/credits/charge-prompt", "", status)
        assert (call.code, call.detail, call.key_name) == ("", "", "service")
        assert (call.entry_id, call.idempotency_key) == (2, "order-1")
        assert json.loads(call.request.text) == CHARGE
        assert (json.loads(call.answer.text), call.answer.whole_bytes) == (one.json(), len(one.content))
        assert call.latency_ms > 0


def test_a_refusal_is_kept_with_its_sentence(api: Api) -> None:
    answer = api.post("/api/credits/charge-prompt", TOO_DEAR, as_="service")
    call = kept(api.engine, answer.headers["x-request-id"])
    assert (call.status, call.code, call.entry_id) == (402, "insufficient_credits", None)
    assert call.detail == (
        "ada has 10,000 credits, but this takes 33,000. Nothing was charged. Add at least 23,000 credits and try again."
    )
    assert json.loads(call.answer.text) == answer.json()


def test_a_look_up_is_kept_with_its_query(api: Api) -> None:
    answer = api.get("/api/credits/balance", user_id="ada")
    call = kept(api.engine, answer.headers["x-request-id"])
    assert (call.method, call.path, call.query) == ("GET", "/credits/balance", "user_id=ada")
    assert (call.request, call.answer.text) == (calls.Body("", 0), answer.text)


def test_of_a_caller_without_a_valid_key_only_the_path_is_kept(api: Api) -> None:
    answer = api.post("/api/credits/add?user_id=ada", ADD, as_="forged", key="order-1")
    call = kept(api.engine, answer.headers["x-request-id"])
    assert (call.path, call.status, call.code) == ("/credits/add", 401, "unauthorized")
    assert (call.key_name, call.query, call.idempotency_key, call.detail) == ("", "", "", "")
    assert (call.request, call.answer) == (calls.Body("", 0), calls.Body("", 0))


def test_no_key_is_ever_kept(api: Api) -> None:
    api.make_key("phone", Role.USER, user_id="ada")
    for name, key in list(api.keys.items()):
        api.post("/api/credits/add", ADD | {"user_id": key}, as_=name, key=key)
        api.post("/api/credits/add", ADD | {key: 1}, as_=name)
        api.get(f"/api/{key}", as_=name, user_id=key)
        api.get(f"/api/credits/balance?user_id={key}", as_=None)
    last = api.get("/api/models")
    kept(api.engine, last.headers["x-request-id"])
    text_of_all = repr(rows(api.engine, "SELECT * FROM api_calls"))
    assert len(rows(api.engine, "SELECT id FROM api_calls")) == 17
    assert "Bearer" not in text_of_all
    for key in api.keys.values():
        assert key[4:] not in text_of_all


def test_probes_and_the_documentation_are_not_kept(api: Api) -> None:
    for path in ("health", "ready", "docs", "openapi.json", "static-offline-docs/swagger-ui.css"):
        assert api.client.get(f"/api/{path}").status_code == 200
    last = api.get("/api/models")
    kept(api.engine, last.headers["x-request-id"])
    assert listed(api.engine) == ["200 /models"]


def test_none_is_kept_where_none_shall_be(engine: Engine) -> None:
    with api_over(engine, CREDITS_KEPT_CALLS="0") as api:
        api.get("/api/models")
    assert listed(engine) == []


def test_calls_are_answered_while_their_list_cannot_be_written(postgres_engine: Engine) -> None:
    world.add(postgres_engine, "ada", 10_000, key="fund-ada")
    with api_over(postgres_engine, CREDITS_KEPT_CALLS="100") as api:
        with postgres_engine.begin() as connection:
            connection.execute(text("LOCK TABLE api_calls IN ACCESS EXCLUSIVE MODE"))
            answers = [api.post("/api/credits/charge-prompt", CHARGE, as_="service") for _ in range(20)]
            assert {answer.status_code for answer in answers} == {201}
            writing = threading.enumerate()
            assert any(thread.name == "credits-calls" for thread in writing)
        assert kept(postgres_engine, answers[-1].headers["x-request-id"]).entry_id == 21


def test_the_calls_are_still_there_when_the_server_was_started_again(engine: Engine, tmp_path: Path) -> None:
    key = live_api.make_key(engine, Role.ADMIN)
    headers = {"Authorization": f"Bearer {key}"}
    with live_api.serving(engine, tmp_path / "first.log") as address:
        first = requests.get(f"{address}/api/credits/balance?user_id=zoe", headers=headers, timeout=60)
        # It ends at once, so only what it writes at its end is kept.
    assert first.status_code == 404
    call = kept(engine, first.headers["x-request-id"])
    assert (call.code, call.detail.partition(".")[0]) == ("unknown_user", "There is no user 'zoe'")
    with live_api.serving(engine, tmp_path / "second.log") as address:
        second = requests.get(f"{address}/api/models", headers=headers, timeout=60)
    kept(engine, second.headers["x-request-id"])
    assert listed(engine) == ["200 /models", "404 /credits/balance"]
