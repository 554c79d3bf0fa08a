"""What the API refuses and how, and that a retry is answered from the ledger."""

import json
from typing import Any

import pytest

from tests.support import world
from tests.support.api_world import ADD, CHARGE, Api, problem
from tests.support.plain_sql import balance, every_row, scalar
from tests.support.world import HAIKU, LARGEST_CREDITS

UNLOCK = {"user_id": "ada", "flow_id": "report", "creator_id": "ben", "unlock_fee_credits": 1_001}
WRITES = {
    "/api/credits/add": ADD,
    "/api/credits/charge-prompt": CHARGE,
    "/api/credits/unlock-flow": UNLOCK,
    "/api/credits/refund": {"entry_id": 1, "reason": "A mistake"},
}


# --- once, and only once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
def test_the_same_request_again_is_answered_from_the_ledger(api: Api, path: str) -> None:
    first = api.post(path, WRITES[path], key="order-1")
    after_first = every_row(api.engine)
    again = api.post(path, WRITES[path], key="order-1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["replayed"], first.json()["refunded_by_entry_id"]) == (False, None)
    assert again.json() == first.json() | {"replayed": True}
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert every_row(api.engine) == after_first


def test_a_retry_is_answered_when_the_balance_is_too_low_by_now(api: Api) -> None:
    first = api.post("/api/credits/charge-prompt", CHARGE, key="order-1")
    while api.post("/api/credits/charge-prompt", CHARGE).status_code == 201:
        pass
    again = api.post("/api/credits/charge-prompt", CHARGE, key="order-1").json()
    assert again == first.json() | {"replayed": True}


@pytest.mark.parametrize("path", WRITES)
def test_a_key_cannot_be_used_for_another_request(api: Api, path: str) -> None:
    api.post("/api/credits/add", ADD | {"amount_credits": 7}, key="order-1")
    before = every_row(api.engine)
    answer = api.post(path, WRITES[path], key="order-1")
    assert problem(answer) == (422, "idempotency_key_reused")
    assert (answer.json()["key"], answer.json()["entry_id"]) == ("order-1", 2)
    assert every_row(api.engine) == before


def test_a_key_belongs_to_the_callers_api_key(api: Api) -> None:
    assert api.post("/api/credits/charge-prompt", CHARGE, as_="admin", key="order-1").status_code == 201
    assert api.post("/api/credits/charge-prompt", CHARGE, as_="service", key="order-1").status_code == 201
    assert balance(api.engine, "ada") == 10_000 - 2 * 300


def test_a_refusal_keeps_no_key(api: Api) -> None:
    body = CHARGE | {"model_id": "gpt-4"}
    assert problem(api.post("/api/credits/charge-prompt", body, key="order-1")) == (402, "insufficient_credits")
    world.add(api.engine, "ada", 50_000, key="more")
    assert api.post("/api/credits/charge-prompt", body, key="order-1").status_code == 201


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": ""}], ids=["none", "empty"])
@pytest.mark.parametrize("path", WRITES)
def test_what_moves_credits_needs_a_key(unchanged: Api, path: str, key: dict[str, str]) -> None:
    assert problem(unchanged.post(path, WRITES[path], key=None, headers=key)) == (400, "idempotency_key_required")


@pytest.mark.parametrize("key", ["k" * 256, "two words", "\t"])
def test_a_key_is_1_to_255_visible_characters(api: Api, key: str) -> None:
    assert problem(api.post("/api/credits/add", ADD, key=key)) == (422, "invalid_request")
    assert api.post("/api/credits/add", ADD, key="k" * 255).status_code == 201


# --- refusals with their numbers --------------------------------------------------------------------------------------


def test_too_few_credits_are_a_402_with_both_numbers(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/charge-prompt", CHARGE | {"model_id": "gpt-4"})
    assert problem(answer) == (402, "insufficient_credits")
    content = answer.json()
    del content["request_id"]
    assert content == {
        "type": "urn:promptflow:problem:insufficient_credits",
        "title": "Insufficient credits",
        "status": 402,
        "detail": "ada has 10,000 credits, but this takes 33,000. Nothing was charged. "
        "Add at least 23,000 credits and try again.",
        "code": "insufficient_credits",
        "user_id": "ada",
        "balance_credits": 10_000,
        "required_credits": 33_000,
    }


def test_a_changed_price_is_a_409_with_both_totals(api: Api) -> None:
    answer = api.post("/api/credits/charge-prompt", CHARGE | {"expected_total_credits": 299})
    assert problem(answer) == (409, "price_changed")
    assert (answer.json()["expected_total_credits"], answer.json()["total_credits"]) == (299, 300)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/credits/calculate-cost", {"model_id": "gpt-9"}, 404, "unknown_model"),
        ("/api/credits/charge-prompt", CHARGE | {"model_id": "gpt-9"}, 404, "unknown_model"),
        ("/api/credits/charge-prompt", CHARGE | {"user_id": "nobody"}, 404, "unknown_user"),
        ("/api/credits/unlock-flow", UNLOCK | {"user_id": "nobody"}, 404, "unknown_user"),
        ("/api/credits/unlock-flow", UNLOCK | {"unlock_fee_credits": 10_001}, 402, "insufficient_credits"),
        ("/api/credits/refund", {"entry_id": 99, "reason": "r"}, 404, "unknown_entry"),
        ("/api/credits/refund", {"entry_id": 2**53 - 1, "reason": "r"}, 404, "unknown_entry"),
        ("/api/credits/add", ADD | {"amount_credits": LARGEST_CREDITS}, 422, "balance_too_large"),
        ("/api/credits/calculate-cost", {"model_id": "openai/gpt-4o"}, 422, "invalid_request"),
        ("/api/credits/charge-prompt", CHARGE | {"creator_id": "ben"}, 422, "invalid_request"),
        ("/api/credits/charge-prompt", CHARGE | {"creator_fee_credits": 5}, 422, "invalid_request"),
    ],
)
def test_every_refusal_has_its_status_and_code_and_changes_nothing(
    unchanged: Api, path: str, body: dict[str, object], status: int, code: str
) -> None:
    assert problem(unchanged.post(path, body)) == (status, code)


def test_a_refund_is_not_refunded(api: Api) -> None:
    charged = world.charge(api.engine, HAIKU, key="run")
    refund = api.post("/api/credits/refund", {"entry_id": charged.entry_id, "reason": "r"}).json()
    answer = api.post("/api/credits/refund", {"entry_id": refund["entry_id"], "reason": "r"})
    assert problem(answer) == (409, "not_refundable")


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1.0, 1.5, "5", True, None, 0, -1, 2**53, 10**400, [5], {}])
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/credits/add", "amount_credits"),
        ("/api/credits/unlock-flow", "unlock_fee_credits"),
        ("/api/credits/refund", "entry_id"),
    ],
)
def test_a_number_is_a_whole_number_as_it_is_written(unchanged: Api, path: str, field: str, number: object) -> None:
    answer = unchanged.post(path, WRITES[path] | {field: number})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("field", "number"),
    [("input_tokens", -1), ("input_tokens", 10**9 + 1), ("output_tokens", 0.5), ("creator_fee_credits", -1)],
)
def test_tokens_and_fees_are_whole_numbers_in_their_bounds(unchanged: Api, field: str, number: object) -> None:
    body = {"model_id": "openai/gpt-4o", "input_tokens": 5, "output_tokens": 5} | {field: number}
    assert problem(unchanged.post("/api/credits/calculate-cost", body)) == (422, "invalid_request")


@pytest.mark.parametrize("user_id", ["", "a b", "platform:revenue", "=1+1", "x" * 129, "ada\n", "ä", 7, None, "\x00"])
def test_an_id_has_the_documented_alphabet(unchanged: Api, user_id: object) -> None:
    answer = unchanged.post("/api/credits/add", ADD | {"user_id": user_id})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["user_id"]


@pytest.mark.parametrize("words", ["", " ", "x" * 501, "two\nlines", "\x00", 7, None])
def test_a_description_is_printable_words(unchanged: Api, words: object) -> None:
    answer = unchanged.post("/api/credits/add", ADD | {"description": words})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["description"]


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        (
            "/api/credits/add",
            b'{"user_id": "eve", "user_id": "ada", "amount_credits": 5, "description": "d"}',
            "user_id",
        ),
        (
            "/api/credits/add",
            b'{"user_id": "ada", "amount_credits": 5, "amount_credits": 9, "description": "d"}',
            "amount_credits",
        ),
        ("/api/credits/calculate-cost", b'{"model_id": "gpt-4", "gift": {"a": 1, "a": 2}}', "a"),
    ],
)
def test_a_field_that_is_given_twice_is_refused(unchanged: Api, path: str, content: bytes, field: str) -> None:
    answer = unchanged.post(path, content=content, headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": field, "message": "is given more than once"}]


def test_a_second_idempotency_key_is_refused(unchanged: Api) -> None:
    headers = [
        ("Authorization", f"Bearer {unchanged.keys['admin']}"),
        ("Idempotency-Key", "a"),
        ("Idempotency-Key", "a"),
    ]
    answer = unchanged.client.post("/api/credits/add", json=ADD, headers=headers)
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": "Idempotency-Key", "message": "is given more than once"}]


def test_a_text_of_another_form_is_told_the_form(unchanged: Api) -> None:
    body = {"user_id": "a b", "amount_credits": 5, "description": " "}
    assert unchanged.post("/api/credits/add", body).json()["errors"] == [
        {
            "field": "user_id",
            "message": "must be 1 to 128 characters: a letter or digit, then letters, digits or . _ @ / | + -",
        },
        {"field": "description", "message": "must not be blank"},
    ]
    assert unchanged.post("/api/credits/add", ADD, key="two words").json()["errors"] == [
        {"field": "Idempotency-Key", "message": "must be 1 to 255 visible ASCII characters"}
    ]


def test_every_field_that_is_wrong_has_one_message(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/add", {"amount_credits": "5", "description": "", "gift": 1})
    assert problem(answer) == (422, "invalid_request")
    errors = answer.json()["errors"]
    assert sorted(error["field"] for error in errors) == ["amount_credits", "description", "gift", "user_id"]
    assert all(error["message"] for error in errors)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"\xff\xfe",
        b'{"user_id": "ada", "amount_credits": NaN, "description": "x"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"user_id": "\\ud800", "amount_credits": 5, "description": "x"}',
        b'{"user_id": "ada", "amount_credits": 5, "description": "\\ud800"}',
        b'{"user_id": "ada", "amount_credits": 5, "description": "x", "\\ud800": 1}',
    ],
    ids=lambda content: content[:60].decode("latin-1"),
)
def test_a_body_that_cannot_be_read_is_refused(unchanged: Api, content: bytes) -> None:
    answer = unchanged.post("/api/credits/add", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "invalid_request")


def test_a_body_that_is_not_sent_as_json_is_told_so(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/add", content=json.dumps(ADD), headers={"Content-Type": "text/plain"})
    assert problem(answer) == (422, "invalid_request")
    assert "application/json" in answer.json()["detail"]


def _padded(length: int) -> bytes:
    body = json.dumps(ADD).encode()
    return body + b" " * (length - len(body))


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(api: Api, in_chunks: bool) -> None:
    def send(length: int) -> Any:
        body = _padded(length)
        content = iter([body[:1_000], body[1_000:]]) if in_chunks else body
        return api.post("/api/credits/add", content=content, headers={"Content-Type": "application/json"})

    assert send(65_536).status_code == 201
    answer = send(65_537)
    assert problem(answer) == (413, "body_too_large")
    assert answer.json()["maximum_bytes"] == 65_536
    assert scalar(api.engine, "SELECT COUNT(*) FROM journal_entries") == 2


def test_at_most_twenty_wrong_fields_are_told(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/add", ADD | {f"gift-{number}": 1 for number in range(1_000)})
    assert problem(answer) == (422, "invalid_request")
    assert len(answer.json()["errors"]) == 20


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "1.0"},
        {"limit": " 5"},
        {"limit": "five"},
        {"cursor": "5"},
        {"cursor": "-1-0"},
        {"cursor": "9" * 30 + "-0"},
        {"type": "gift"},
        {"from": "0"},
        {"from": "2026-02-30"},
        {"from": "9999-01-01"},
        {"to": "1969-12-31"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"user_id": "a b"},
        {"user_id": ""},
        {"types": "grant"},
        {"form": "2026-03-01"},
        {"user_id": ["ben", "ada"]},
        {"limit": ["5", "5"]},
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(unchanged: Api, query: dict[str, object]) -> None:
    answer = unchanged.get("/api/credits/transactions", **{"user_id": "ada", **query})
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] in query
