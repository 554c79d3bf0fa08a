"""What the writes answer about what holds now, the first time and when they are asked again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.api_world import ADD, CHARGE, Api, api_over, problem
from tests.support.plain_sql import balance, every_row

UNLOCK = {"user_id": "ada", "flow_id": "report", "creator_id": "ben", "unlock_fee_credits": 1_001}
ALREADY_UNLOCKED = {
    "replayed": False,
    "refunded_by_entry_id": None,
    "already_unlocked": True,
    "unlocked_by_entry_id": None,
    "has_access_now": True,
}


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits and cleo 500."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "cleo", 500, key="fund-cleo")
    with api_over(engine) as api:
        yield api


def _refund(api: Api, entry_id: int) -> int:
    answer = api.post("/api/credits/refund", {"entry_id": entry_id, "reason": "r"})
    return int(answer.json()["entry_id"])


def test_a_flow_is_unlocked_once(api: Api) -> None:
    first = api.post("/api/credits/unlock-flow", UNLOCK)
    assert (first.status_code, first.json()) == (
        201,
        {
            "entry_id": 3,
            "creator_share_credits": 800,
            "platform_share_credits": 201,
            "user_balance_credits": 8_999,
            "replayed": False,
            "refunded_by_entry_id": None,
            "has_access_now": True,
        },
    )
    again = api.post("/api/credits/unlock-flow", UNLOCK)
    assert (again.status_code, again.json()) == (200, ALREADY_UNLOCKED | {"unlocked_by_entry_id": 3})
    assert balance(api.engine, "ada") == 8_999


def test_a_creator_has_the_own_flow(api: Api) -> None:
    answer = api.post("/api/credits/unlock-flow", UNLOCK | {"user_id": "cleo", "creator_id": "cleo"})
    assert (answer.status_code, answer.json()) == (200, ALREADY_UNLOCKED)


@pytest.mark.parametrize(
    ("path", "body"),
    [("add", ADD), ("charge-prompt", CHARGE), ("unlock-flow", UNLOCK)],
)
def test_a_repeated_answer_names_the_refund(api: Api, path: str, body: dict[str, object]) -> None:
    path = f"/api/credits/{path}"
    first = api.post(path, body, key="order-1").json()
    assert (first["replayed"], first["refunded_by_entry_id"], first.get("has_access_now", True)) == (False, None, True)
    refund_id = _refund(api, first["entry_id"])
    again = api.post(path, body, key="order-1").json()
    changed = {"replayed": True, "refunded_by_entry_id": refund_id}
    if "has_access_now" in first:
        changed["has_access_now"] = False
    assert again == first | changed


def test_an_unlock_that_is_sent_again_after_its_refund_says_that_the_flow_is_locked(api: Api) -> None:
    first = api.post("/api/credits/unlock-flow", UNLOCK, key="order-1").json()
    refund_id = _refund(api, first["entry_id"])
    again = api.post("/api/credits/unlock-flow", UNLOCK, key="order-1")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == first | {"replayed": True, "refunded_by_entry_id": refund_id, "has_access_now": False}
    api.post("/api/credits/unlock-flow", UNLOCK, key="order-2")
    assert api.post("/api/credits/unlock-flow", UNLOCK, key="order-1").json()["has_access_now"] is True


def test_an_answer_that_the_flow_is_unlocked_never_turns_into_a_charge(api: Api) -> None:
    first = api.post("/api/credits/unlock-flow", UNLOCK, key="order-1").json()
    had = api.post("/api/credits/unlock-flow", UNLOCK, key="order-2")
    assert (had.status_code, had.json()) == (
        200,
        {
            "already_unlocked": True,
            "unlocked_by_entry_id": first["entry_id"],
            "replayed": False,
            "refunded_by_entry_id": None,
            "has_access_now": True,
        },
    )
    assert "idempotent-replayed" not in had.headers
    refund_id = _refund(api, first["entry_id"])
    before = every_row(api.engine)
    again = api.post("/api/credits/unlock-flow", UNLOCK, key="order-2")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == had.json() | {"replayed": True, "refunded_by_entry_id": refund_id, "has_access_now": False}
    different = api.post("/api/credits/charge-prompt", CHARGE, key="order-2")
    assert problem(different) == (422, "idempotency_key_reused")
    assert (different.json()["key"], different.json()["entry_id"]) == ("order-2", None)
    assert every_row(api.engine) == before
    assert balance(api.engine, "ada") == 10_000
