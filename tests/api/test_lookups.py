"""The two look-ups: what became of an entry, and whether a user may use a flow."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from credits_core.access import keys as api_keys
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import plain_sql, world
from tests.support.actors import TESTER
from tests.support.api_world import CHARGE, Api, api_over, problem
from tests.support.world import HAIKU_WITH_FEE

UNLOCK = {"user_id": "ada", "flow_id": "report", "creator_id": "ben", "unlock_fee_credits": 1_001}
NOW_TEXT = "2026-03-01T12:00:00.000000Z"


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """ada holds 10,000 credits and ben 100; both, and cleo, who has 500, have a key of their own."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "cleo", 500, key="fund-cleo")
    world.add(engine, "ben", 100, key="fund-ben")
    with api_over(engine) as api:
        for user in ("ada", "ben", "cleo"):
            api.make_key(user, Role.USER, user_id=user)
        yield api


def _refund(api: Api, entry_id: int) -> int:
    answer = api.post("/api/credits/refund", {"entry_id": entry_id, "reason": "r"})
    return int(answer.json()["entry_id"])


# --- an entry ---------------------------------------------------------------------------------------------------------


def test_an_entry_of_a_run_is_shown_whole_to_a_service(api: Api) -> None:
    body = CHARGE | {"creator_id": "ben", "creator_fee_credits": 1_001}
    entry_id = api.post("/api/credits/charge-prompt", body, as_="service", key="order-1").json()["entry_id"]
    shown = api.get(f"/api/credits/entries/{entry_id}", as_="service")
    content = shown.json()
    assert (shown.status_code, content.pop("created_at")[-1]) == (200, "Z")
    assert content == {
        "id": 4,
        "type": "prompt_run",
        "actor": "api/service",
        "description": "Run of summarise on claude-3-haiku",
        "used_at": None,
        "idempotency_key": "order-1",
        "transactions": [
            {"account_id": "ada", "type": "prompt_run", "amount_credits": -1_251, "balance_after_credits": 8_749},
            {"account_id": "ben", "type": "creator_payment", "amount_credits": 800, "balance_after_credits": 900},
            *(
                {"account_id": account_id, "type": type_, "amount_credits": credits, "balance_after_credits": None}
                for account_id, type_, credits in (
                    ("platform:revenue", "platform_revenue", 201),
                    ("platform:inference", "inference_cost", 250),
                )
            ),
        ],
        "lots": [
            {
                "entry_id": 1,
                "source": "purchase",
                "purchase_id": None,
                "expires_at": None,
                "amount_credits": -1_251,
            }
        ],
        "refunds_entry_id": None,
        "refunded_by_entry_id": None,
        "refunded_credits": 0,
        "run": {
            "user_id": "ada",
            "prompt_id": "summarise",
            "model_id": "claude-3-haiku",
            "usage": None,
            "service_tier": None,
            "plan": "plan-1",
            "inference_cost_credits": 250,
            "creator_id": "ben",
            "creator_fee_credits": 1_001,
            "creator_share_credits": 800,
            "platform_markup_credits": 0,
            "total_credits": 1_251,
        },
        "unlock": None,
        "refund": None,
    }


def test_a_user_sees_which_of_the_own_credits_moved_and_not_those_of_others(api: Api) -> None:
    body = CHARGE | {"creator_id": "ben", "creator_fee_credits": 1_001}
    entry_id = api.post("/api/credits/charge-prompt", body, as_="service", key="order-1").json()["entry_id"]
    lots = api.get(f"/api/credits/entries/{entry_id}", as_="ben").json()["lots"]
    assert lots == [
        {"entry_id": None, "source": "earned", "purchase_id": None, "expires_at": None, "amount_credits": 800}
    ]


def test_an_entry_of_a_run_by_tokens_tells_its_usage(api: Api) -> None:
    body = CHARGE | {"model_id": "openai/gpt-4o", "input_tokens": 1_021, "output_tokens": 129}
    entry_id = api.post("/api/credits/charge-prompt", body).json()["entry_id"]
    run = api.get(f"/api/credits/entries/{entry_id}").json()["run"]
    assert (run["usage"], run["total_credits"]) == ({"input_tokens": 1_021, "output_tokens": 129}, 4_611)


def test_an_entry_and_its_refund_name_each_other(api: Api) -> None:
    entry_id = api.post("/api/credits/unlock-flow", UNLOCK).json()["entry_id"]
    refund_id = _refund(api, entry_id)
    unlock, refund = (api.get(f"/api/credits/entries/{number}").json() for number in (entry_id, refund_id))
    assert (unlock["refunded_by_entry_id"], unlock["refunds_entry_id"]) == (refund_id, None)
    assert (refund["refunded_by_entry_id"], refund["refunds_entry_id"]) == (None, entry_id)
    assert (refund["type"], refund["description"]) == ("refund", f"Refund of entry {entry_id}: r")
    assert (refund["run"], refund["unlock"], unlock["run"], unlock["refund"]) == (None, None, None, None)
    assert refund["refund"] == {"rule": "creator_owes_share", "provider_refunded": False}
    assert unlock["unlock"] == {
        "user_id": "ada",
        "flow_id": "report",
        "creator_id": "ben",
        "plan": "plan-1",
        "unlock_fee_credits": 1_001,
        "creator_share_credits": 800,
    }


def test_only_the_caller_who_sent_a_key_sees_it(api: Api) -> None:
    entry_id = api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1").json()["entry_id"]
    path = f"/api/credits/entries/{entry_id}"
    api.keys["rotated"] = new = api_keys.new_key()
    database.write(
        api.engine, lambda one: api_keys.rotate_key(one, "service", key=new, now=datetime.now(UTC), actor=TESTER)
    )
    seen = {as_: api.get(path, as_=as_).json()["idempotency_key"] for as_ in ("service", "rotated", "admin", "ada")}
    assert seen == {"service": "order-1", "rotated": "order-1", "admin": None, "ada": None}
    assert api.get("/api/credits/entries/1").json()["idempotency_key"] is None


def test_a_key_of_an_earlier_version_is_shown_as_it_was_sent(api: Api) -> None:
    with plain_sql.unguarded(api.engine) as connection:
        connection.execute(text("UPDATE api_keys SET has_numbered_requests = true WHERE name = 'service'"))
    world.charge(api.engine, world.HAIKU, key="api:2:order-1")
    world.charge(api.engine, world.HAIKU, key="api:22:order-1")
    shown = [api.get(f"/api/credits/entries/{number}", as_="service").json()["idempotency_key"] for number in (4, 5)]
    assert shown == ["order-1", None]


@pytest.fixture
def with_fee(api: Api) -> Api:
    """Entry 4 is a run of ada's with a fee for ben, entry 5 an unlock of ben's flow by ada."""
    world.charge(api.engine, HAIKU_WITH_FEE, key="run")
    world.unlock(api.engine, world.UNLOCK, key="unlock")
    return api


@pytest.mark.parametrize(
    ("user", "entry_id", "accounts"),
    [
        *(("ada", 1, ["ada"]), ("ada", 4, ["ada"]), ("ada", 5, ["ada"]), ("ben", 4, ["ben"]), ("ben", 5, ["ben"])),
        *(("ada", 2, None), ("ben", 1, None), ("cleo", 4, None), ("cleo", 5, None), ("ada", 99, None)),
    ],
)
def test_a_user_sees_the_own_movements_of_entries_in_which_they_take_part(
    with_fee: Api, user: str, entry_id: int, accounts: list[str] | None
) -> None:
    answer = with_fee.get(f"/api/credits/entries/{entry_id}", as_=user)
    if accounts is None:
        unknown = with_fee.get("/api/credits/entries/98", as_=user).json()
        assert problem(answer) == (404, "unknown_entry")
        told = answer.json()
        for content, number in ((told, entry_id), (unknown, 98)):
            assert content.pop("request_id")
            assert content.pop("entry_id") == number
            content["detail"] = content["detail"].replace(str(number), "N")
        assert told == unknown
        return
    assert [one["account_id"] for one in answer.json()["transactions"]] == accounts


def test_a_creator_does_not_see_who_paid_or_what_the_run_was(with_fee: Api) -> None:
    run, unlock = (with_fee.get(f"/api/credits/entries/{number}", as_="ben").json() for number in (4, 5))
    assert {field: told for field, told in run["run"].items() if told is not None} == {
        "prompt_id": "summarise",
        "model_id": "claude-3-haiku",
        "creator_id": "ben",
        "creator_fee_credits": 1_001,
        "creator_share_credits": 800,
    }
    assert (unlock["unlock"]["user_id"], unlock["unlock"]["unlock_fee_credits"]) == (None, 1_001)
    assert "ada" not in str((run, unlock))


@pytest.mark.parametrize("number", ["0", "-1", "1.0", "x", "9007199254740992", "1" * 30, "+1"])
def test_a_number_that_is_no_entrys_is_refused(api: Api, number: str) -> None:
    answer = api.get(f"/api/credits/entries/{number}")
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["entry_id"]


# --- a flow -----------------------------------------------------------------------------------------------------------


def _access(api: Api, user: str, **query: object) -> Any:
    return api.get("/api/credits/flow-access", **({"user_id": user, "flow_id": "report-flow"} | query))


def test_access_to_a_flow_is_told_with_its_reason(api: Api) -> None:
    def shown(user: str) -> tuple[object, ...]:
        content = _access(api, user).json()
        assert (content.pop("user_id"), content.pop("flow_id")) == (user, "report-flow")
        return tuple(content.values())

    assert shown("ada") == (False, "never_unlocked", None, None, None)
    world.unlock(api.engine, world.UNLOCK, key="unlock")
    assert shown("ada") == (True, "unlocked", 4, NOW_TEXT, None)
    assert shown("ben") == (True, "own_flow", None, None, None)
    refund_id = _refund(api, 4)
    assert shown("ada") == (False, "refunded", 4, NOW_TEXT, refund_id)


@pytest.mark.parametrize(
    "query", [{"flow_id": "two words"}, {"flow_id": ""}, {"flow": "x"}, {"user_id": ["ada", "ada"]}]
)
def test_what_is_no_question_is_refused(api: Api, query: dict[str, object]) -> None:
    assert problem(_access(api, "ada", **query)) == (422, "invalid_request")


def test_the_document_has_examples_of_both_look_ups(api: Api) -> None:
    schemas = api.client.get("/api/openapi.json").json()["components"]["schemas"]
    for name in ("EntryAnswer", "FlowAccessAnswer"):
        (example,) = schemas[name]["examples"]
        assert set(example) == set(schemas[name]["properties"])
