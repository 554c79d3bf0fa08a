"""Purchases over the API: where the user pays, and what becomes of it."""

import io
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader

from credits_core.payments import sandbox
from credits_core.payments.sandbox import Ending
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import world
from tests.support.actors import TESTER
from tests.support.api_world import Api, problem
from tests.support.plain_sql import every_row

BUY = {"user_id": "ada", "pack_id": "regular"}


def play(api: Api, purchase_id: int, *endings: Ending) -> None:
    """Let the embedded gateway play these endings, and tell them."""
    for ending in endings:
        now = datetime.now(UTC)
        database.write(
            api.engine,
            lambda one, ending=ending, now=now: sandbox.play(one, purchase_id, ending, now=now, actor=TESTER),
        )
        sandbox.tell(api.engine, now=now)


def test_a_purchase_is_begun_paid_and_asked_for(api: Api) -> None:
    begun = api.post("/api/credits/purchases", BUY, key="b")
    assert begun.status_code == 201
    assert begun.json() | {"created_at": ""} == {
        "purchase_id": 1,
        "user_id": "ada",
        "pack_id": "regular",
        "gateway": "sandbox",
        "state": "new",
        "price_minor": 2_000,
        "fee_minor": 0,
        "due_minor": 2_000,
        "currency": "usd",
        "credits": 20_000_000,
        "bonus_credits": 1_000_000,
        "paid_minor": 0,
        "refunded_minor": 0,
        "disputed_minor": 0,
        "checkout_url": "/checkout?purchase=1",
        "receipt_number": None,
        "lots": [],
        "created_at": "",
    }
    again = api.post("/api/credits/purchases", BUY, key="b")
    assert (again.status_code, again.headers["idempotent-replayed"], again.json()) == (200, "true", begun.json())

    assert problem(api.get("/api/credits/purchases/1/receipt")) == (409, "not_paid_yet")
    play(api, 1, Ending.PAID)
    paid = api.get("/api/credits/purchases/1").json()
    assert (paid["state"], paid["paid_minor"], paid["receipt_number"]) == ("paid", 2_000, 1)
    assert [(lot["is_bonus"], lot["granted_credits"]) for lot in paid["lots"]] == [
        (False, 20_000_000),
        (True, 1_000_000),
    ]
    assert api.get("/api/credits/balance", user_id="ada").json()["balance_credits"] == 21_010_000


def test_a_receipt_is_a_file_with_the_number_the_money_and_what_went_back(api: Api) -> None:
    api.post("/api/credits/purchases", BUY)
    play(api, 1, Ending.PAID, Ending.DISPUTED, Ending.LOST)
    answer = api.get("/api/credits/purchases/1/receipt")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    said = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    for words in ("Receipt 1", "ada", "20,000,000", "$20.00", "Taken by the bank"):
        assert words in said


def test_a_disputed_purchase_is_frozen_and_a_lost_one_owed(api: Api) -> None:
    assert api.post("/api/credits/purchases", {"user_id": "new", "pack_id": "starter"}).status_code == 201
    play(api, 1, Ending.PAID)
    world.charge(api.engine, world.run_by("new"), key="run")  # 300 credits
    play(api, 1, Ending.DISPUTED)
    found = api.get("/api/credits/balance", user_id="new").json()
    assert (found["balance_credits"], found["frozen_credits"], found["owed_credits"]) == (0, 4_999_700, 0)
    play(api, 1, Ending.LOST)
    found = api.get("/api/credits/balance", user_id="new").json()
    assert (found["balance_credits"], found["frozen_credits"], found["owed_credits"]) == (0, 0, 300)
    entry_id = api.get("/api/credits/purchases/1").json()["lots"][0]["entry_id"]
    refused = api.post("/api/credits/refund", {"entry_id": entry_id, "reason": "R"})
    assert problem(refused) == (409, "refunded_by_gateway")


def test_purchases_stand_newest_first_a_page_at_a_time_and_only_their_users_see_them(api: Api) -> None:
    world.add(api.engine, "cleo", 1, key="fund-cleo")
    for user in ("ada", "cleo"):
        api.make_key(user, Role.USER, user_id=user)
    for number in range(3):
        api.post("/api/credits/purchases", BUY, key=f"b{number}")
    first = api.get("/api/credits/purchases", user_id="ada", limit=2, as_="ada").json()
    assert ([one["purchase_id"] for one in first["purchases"]], first["next_before"]) == ([3, 2], 2)
    last = api.get("/api/credits/purchases", user_id="ada", limit=2, before=2).json()
    assert ([one["purchase_id"] for one in last["purchases"]], last["next_before"]) == ([1], None)
    assert api.get("/api/credits/purchases/1", as_="ada").status_code == 200
    assert problem(api.get("/api/credits/purchases/1", as_="cleo")) == (404, "unknown_purchase")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (BUY | {"pack_id": "huge"}, (404, "unknown_pack")),
        (BUY | {"pack_id": ""}, (422, "invalid_request")),
        (BUY | {"user_id": "a b"}, (422, "invalid_request")),
        (BUY | {"user_id": "ADA"}, (409, "account_looks_alike")),
        (BUY | {"credits": 1}, (422, "invalid_request")),
    ],
)
def test_what_cannot_be_bought_is_refused_and_changes_nothing(
    unchanged: Api, body: dict[str, object], refusal: tuple[int, str]
) -> None:
    assert problem(unchanged.post("/api/credits/purchases", body)) == refusal


def test_a_purchase_takes_no_query(unchanged: Api) -> None:
    answer = unchanged.client.post(
        "/api/credits/purchases?user_id=ada", json=BUY, headers=unchanged.headers("admin") | {"Idempotency-Key": "q"}
    )
    assert problem(answer) == (422, "invalid_request")


def test_a_path_of_two_methods_names_both(unchanged: Api) -> None:
    answer = unchanged.client.put("/api/credits/purchases", headers=unchanged.headers("admin"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_a_key_of_another_purchase_is_refused(api: Api) -> None:
    api.post("/api/credits/purchases", BUY, key="b")
    before = every_row(api.engine)
    refused = api.post("/api/credits/purchases", BUY | {"pack_id": "starter"}, key="b")
    assert problem(refused) == (422, "idempotency_key_reused")
    assert every_row(api.engine) == before
