"""Holds over HTTP: made, captured, released and asked for, and who may."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from credits_core.values.roles import Role
from tests.support import world
from tests.support.api_world import Api, problem
from tests.support.plain_sql import balance, contradictions, rows

HOLD = {
    "user_id": "ada",
    "prompt_id": "summarise",
    "model_id": "openai/gpt-4o",
    "usage": {"input_tokens": 400, "output_tokens": 400},
}
"""1,000 + 4,000 = 5,000 inference + 20 % markup: 6,000 credits of the 10,000."""
USED = {"usage": {"input_tokens": 400, "output_tokens": 100}}
"""1,000 + 1,000 = 2,000 inference + 400: 2,400 credits."""


def _hold(api: Api, **more: object) -> Any:
    return api.post("/api/credits/holds", HOLD | more, as_="service")


def test_a_hold_is_made_captured_and_asked_for(api: Api) -> None:
    made = _hold(api)
    hold_id = made.json()["hold_id"]
    assert made.status_code == 201
    assert made.json() | {"hold_id": 0, "created_at": "", "expires_at": ""} == {
        "hold_id": 0,
        "user_id": "ada",
        "prompt_id": "summarise",
        "model_id": "openai/gpt-4o",
        "plan": "plan-1",
        "state": "open",
        "held_credits": 6_000,
        "held_usd": "0.006000",
        "created_at": "",
        "expires_at": "",
        "released_credits": 0,
        "entry_id": None,
        "total_credits": None,
        "user_balance_credits": 4_000,
        "replayed": False,
    }
    found = api.get("/api/credits/balance", user_id="ada", as_="service").json()
    assert (found["balance_credits"], found["held_credits"]) == (4_000, 6_000)

    captured = api.post(f"/api/credits/holds/{hold_id}/capture", USED, as_="service", key="c")
    assert captured.status_code == 201
    told = captured.json()
    assert (told["total_credits"], told["released_credits"], told["user_balance_credits"]) == (2_400, 3_600, 7_600)
    assert (told["hold_id"], told["plan"], told["replayed"]) == (hold_id, "plan-1", False)
    assert [step["label"] for step in told["steps"]][:1] == ["Inference cost"]
    again = api.post(f"/api/credits/holds/{hold_id}/capture", USED, as_="service", key="c")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == told | {"replayed": True}

    now = api.get(f"/api/credits/holds/{hold_id}", as_="service").json()
    assert (now["state"], now["entry_id"], now["total_credits"]) == ("captured", told["entry_id"], 2_400)
    assert (balance(api.engine, "ada"), contradictions(api.engine)) == (7_600, [])


def test_a_capture_without_a_body_charges_the_most_that_was_expected(api: Api) -> None:
    for number, sent in enumerate(({"json": {}}, {"content": b""})):
        world.add(api.engine, "ada", 6_000, key=f"more-{number}")
        hold_id = _hold(api).json()["hold_id"]
        done = api.post(
            f"/api/credits/holds/{hold_id}/capture", sent.get("json"), as_="service", **({} if "json" in sent else sent)
        )
        assert (done.status_code, done.json()["total_credits"], done.json()["released_credits"]) == (201, 6_000, 0)


def test_a_response_of_the_provider_captures_a_hold(api: Api) -> None:
    hold_id = _hold(api).json()["hold_id"]
    response = {"model": "gpt-4o", "usage": {"prompt_tokens": 400, "completion_tokens": 100}}
    body = {"provider": "openai", "response": response}
    done = api.post(f"/api/credits/holds/{hold_id}/capture", body, as_="service")
    assert (done.status_code, done.json()["total_credits"]) == (201, 2_400)


def test_an_amount_is_held_and_released(api: Api) -> None:
    body = {name: HOLD[name] for name in ("user_id", "prompt_id", "model_id")} | {"amount_credits": 9_999}
    made = api.post("/api/credits/holds", body | {"expires_in_seconds": 60}, as_="service")
    assert (made.status_code, made.json()["held_credits"], made.json()["user_balance_credits"]) == (201, 9_999, 1)
    path = f"/api/credits/holds/{made.json()['hold_id']}"
    released = api.post(f"{path}/release", as_="service", key="r")
    assert (released.status_code, released.json()["state"], released.json()["released_credits"]) == (
        *(201, "released"),
        9_999,
    )
    assert api.post(f"{path}/release", as_="service", key="r").json()["replayed"]
    assert problem(api.post(f"{path}/capture", USED, as_="service")) == (409, "hold_ended")
    assert balance(api.engine, "ada") == 10_000


def test_what_is_refused(api: Api) -> None:
    hold_id = _hold(api).json()["hold_id"]
    path = f"/api/credits/holds/{hold_id}"
    before = rows(api.engine, "SELECT COUNT(*) FROM journal_entries")
    more = {"usage": {"input_tokens": 400, "output_tokens": 401}}
    for asked, refusal in (
        (api.post(f"{path}/capture", more, as_="service"), (409, "hold_too_small")),
        (api.post(f"{path}/capture", {"service_tier": "flex"}, as_="service"), (422, "invalid_request")),
        (api.post("/api/credits/holds/99/capture", USED, as_="service"), (404, "unknown_hold")),
        (api.post("/api/credits/holds/99/release", as_="service"), (404, "unknown_hold")),
        (api.get("/api/credits/holds/99", as_="service"), (404, "unknown_hold")),
        (api.post("/api/credits/holds/x/release", as_="service"), (422, "invalid_request")),
        (_hold(api), (402, "insufficient_credits")),
        (_hold(api, amount_credits=5), (422, "invalid_request")),
        (_hold(api, expires_in_seconds=86_401), (422, "invalid_request")),
        (api.post("/api/credits/holds", HOLD, as_="service", key=None), (400, "idempotency_key_required")),
    ):
        assert problem(asked) == refusal
    assert rows(api.engine, "SELECT COUNT(*) FROM journal_entries") == before


def test_who_may_hold_and_who_may_see_a_hold(api: Api) -> None:
    world.add(api.engine, "cleo", 500, key="fund-cleo")
    api.make_key("ada", Role.USER, user_id="ada")
    api.make_key("cleo", Role.USER, user_id="cleo")
    hold_id = _hold(api).json()["hold_id"]
    path = f"/api/credits/holds/{hold_id}"
    for answer in (
        api.post("/api/credits/holds", HOLD, as_="ada"),
        api.post(f"{path}/capture", USED, as_="ada"),
        api.post(f"{path}/release", as_="ada"),
    ):
        assert problem(answer) == (403, "forbidden")
    assert api.get(path, as_="ada").json()["state"] == "open"
    assert problem(api.get(path, as_="cleo")) == (404, "unknown_hold")
    assert problem(api.get(path, as_=None)) == (401, "unauthorized")
    assert api.post(f"{path}/release", as_="admin").status_code == 201


def test_credits_that_expire_are_added_and_leave_the_balance_without_a_job(api: Api) -> None:
    add = {"user_id": "ada", "amount_credits": 500, "description": "Bonus", "source": "grant"}
    soon = datetime.now(UTC) + timedelta(seconds=2)
    added = api.post("/api/credits/add", add | {"expires_at": soon.isoformat()})
    assert (added.status_code, added.json()["balance_credits"]) == (201, 10_500)
    past = api.post("/api/credits/add", add | {"expires_at": "2020-01-01T00:00:00Z"})
    assert problem(past) == (422, "invalid_request")
    assert past.json()["errors"][0]["field"] == "expires_at"
    assert problem(api.post("/api/credits/add", add | {"expires_at": "2030-01-01"})) == (422, "invalid_request")
    while datetime.now(UTC) < soon:
        time.sleep(0.05)
    assert api.get("/api/credits/balance", user_id="ada").json()["balance_credits"] == 10_000
    assert balance(api.engine, "ada") == 10_500
    run = {"user_id": "ada", "prompt_id": "p", "model_id": "claude-3-haiku"}
    assert api.post("/api/credits/charge-prompt", run).json()["user_balance_credits"] == 9_700
