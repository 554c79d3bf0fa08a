"""The straight way of a charge: which requests take it, and that nobody can tell from the answer."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from credits_core.api.straight import StraightWay
from credits_core.values.roles import Role
from tests.support.api_world import CHARGE, Api
from tests.support.plain_sql import balance

PATH = "/api/credits/charge-prompt"
TWICE = b'{"user_id": "ada", "user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}'
JSON, OTHERWISE = {"Content-Type": "application/json"}, {"Content-Type": "application/json; charset=utf-8"}
"""The header that most clients send, and one that says the same and takes the framework's way."""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each request whether it took the straight way."""
    taken: list[bool] = []
    asked = StraightWay._asked

    def note(self: StraightWay, request: Any) -> Any:
        found = asked(self, request)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(StraightWay, "_asked", note)
    return taken


@pytest.mark.parametrize(
    ("status", "path", "request_"),
    [
        (422, f"{PATH}?dry=1", {"body": CHARGE}),
        (400, PATH, {"body": CHARGE, "key": None}),
        (422, PATH, {"body": CHARGE, "key": "two words"}),
        (422, PATH, {"body": CHARGE | {"user_id": ""}}),
        (422, PATH, {"body": CHARGE | {"misspelt": 1}}),
        (422, PATH, {"body": [CHARGE]}),
        (422, PATH, {"content": TWICE, "headers": JSON}),
        (422, PATH, {"content": b"{", "headers": JSON}),
        (422, PATH, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        (403, PATH, {"body": CHARGE, "as_": "ada-phone"}),
        (404, "/api/credits/charge", {"body": CHARGE}),
        (201, PATH, {"body": CHARGE, "headers": OTHERWISE}),
    ],
)
def test_what_is_unusual_goes_to_the_framework(
    api: Api, taken: list[bool], status: int, path: str, request_: dict[str, Any]
) -> None:
    api.make_key("ada-phone", Role.USER, user_id="ada")
    assert api.post(path, **request_).status_code == status
    assert taken == [False]


def test_another_method_goes_to_the_framework(api: Api, taken: list[bool]) -> None:
    assert api.get(PATH).status_code == 405
    assert taken == [False]


@pytest.mark.parametrize(
    "body",
    [
        CHARGE | {"input_tokens": 400, "output_tokens": 120},
        CHARGE | {"creator_id": "ben", "creator_fee_credits": 1_001, "used_at": "2026-02-28T23:59:59.25Z"},
        CHARGE | {"model_id": "gpt-4"},
        CHARGE | {"model_id": "gpt-99"},
        CHARGE | {"user_id": "nobody"},
        CHARGE | {"user_id": "ADA"},
        CHARGE | {"expected_total_credits": 1},
        CHARGE | {"creator_id": "ben"},
    ],
)
def test_both_ways_answer_the_same(api: Api, taken: list[bool], body: dict[str, Any]) -> None:
    caller = Api(TestClient(api.client.app), api.engine)  # raises what the server would have to log as a failure
    caller.keys = api.keys

    def answer(headers: dict[str, str]) -> tuple[int, dict[str, Any], bytes]:
        got = caller.post(PATH, body, as_="service", key="order-1", headers=headers)
        own = got.headers.pop("x-request-id")
        return got.status_code, dict(got.headers), got.content.replace(own.encode(), b"its own id")

    first, before = answer(JSON), balance(api.engine, "ada")
    straight, framework = answer(JSON), answer(OTHERWISE)
    assert straight == framework
    assert straight[0] == (200 if first[0] == 201 else first[0])
    assert taken == [True, True, False]
    assert balance(api.engine, "ada") == before


def test_a_failure_is_answered_and_told_on_both_ways(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("credits_core.api.resources.Resources.charge", fail)
    answers = [api.post(PATH, CHARGE, headers=headers) for headers in (JSON, OTHERWISE)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(500, "internal_error")] * 2
