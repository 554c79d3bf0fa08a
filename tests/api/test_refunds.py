"""Refunds over HTTP: once, with who bore what, and whether the provider gave the cost back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.api_world import Api, api_over, problem
from tests.support.plain_sql import every_row, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits, by entry 1, and cleo 500."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "cleo", 500, key="fund-cleo")
    with api_over(engine) as api:
        yield api


@pytest.fixture
def unchanged(api: Api) -> Iterator[Api]:
    """The same API, in which the test may not change a row."""
    before = every_row(api.engine)
    yield api
    assert every_row(api.engine) == before


def test_an_entry_is_refunded_once(api: Api) -> None:
    charged = world.charge(api.engine, HAIKU, key="run")
    body = {"entry_id": charged.entry_id, "reason": "The answer was empty"}
    first = api.post("/api/credits/refund", body)
    refunded = {
        "entry_id": 4,
        "refunded_entry_id": 3,
        "refunded_credits": 300,
        "left_credits": 0,
        "user_balance_credits": 10_000,
        "rule": "creator_owes_share",
        "provider_refunded": False,
        "creator_gives_back_credits": 0,
        "creator_owes_credits": 0,
        "platform_bears_credits": 300,
        "provider_gives_back_credits": 0,
        "summary": "ada got back 300 credits ($0.0003): PromptFlow bore 300.",
        "replayed": False,
        "refunded_by_entry_id": None,
    }
    assert (first.status_code, first.json()) == (201, refunded)
    assert problem(api.post("/api/credits/refund", body)) == (409, "already_refunded")


def test_what_a_creator_has_spent_of_the_share_is_owed_and_the_balance_says_so(api: Api) -> None:
    charged = world.charge(api.engine, HAIKU_WITH_FEE, key="run")
    world.charge(api.engine, world.run_by("ben"), key="spends")  # 300 of 800
    said = api.post("/api/credits/refund", {"entry_id": charged.entry_id, "reason": "Empty"}).json()
    assert (said["creator_gives_back_credits"], said["creator_owes_credits"]) == (500, 300)
    assert said["summary"] == (
        "ada got back 1,251 credits ($0.001251): ben gave back 500 of 800 and came to owe 300, PromptFlow bore 451."
    )
    assert api.get("/api/credits/balance", user_id="ben").json()["owed_credits"] == 300
    world.charge(api.engine, HAIKU_WITH_FEE, key="next")
    found = api.get("/api/credits/balance", user_id="ben").json()
    assert (found["balance_credits"], found["owed_credits"]) == (500, 0)


def test_a_refund_may_say_that_the_provider_gave_the_cost_back(api: Api) -> None:
    charged = world.charge(api.engine, HAIKU_WITH_FEE, key="run")
    body = {"entry_id": charged.entry_id, "reason": "The answer was empty", "provider_refunded": True}
    first = api.post("/api/credits/refund", body, key="ticket-1")
    borne = {
        "rule": "creator_owes_share",
        "provider_refunded": True,
        "creator_gives_back_credits": 800,
        "platform_bears_credits": 201,
        "provider_gives_back_credits": 250,
        "summary": "ada got back 1,251 credits ($0.001251): ben gave back 800, PromptFlow bore 201, the provider gave"
        " back 250.",
    }
    assert first.status_code == 201
    assert first.json().items() >= borne.items()
    assert transactions(api.engine, 4)[-1] == ("platform:inference", "inference_cost", -250, None)
    again = api.post("/api/credits/refund", body, key="ticket-1")
    assert (again.status_code, again.json()) == (200, first.json() | {"replayed": True})
    other = api.post("/api/credits/refund", body | {"provider_refunded": False}, key="ticket-1")
    assert problem(other) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("said", ["true", 1, None])
def test_whether_the_provider_gave_the_cost_back_is_true_or_false(unchanged: Api, said: object) -> None:
    body = {"entry_id": 1, "reason": "r", "provider_refunded": said}
    assert problem(unchanged.post("/api/credits/refund", body)) == (422, "invalid_request")


def test_a_provider_cannot_have_given_back_what_was_no_cost(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/refund", {"entry_id": 1, "reason": "r", "provider_refunded": True})
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"] == [
        {
            "field": "provider_refunded",
            "message": "must be false: entry 1 has no inference cost that a provider could give back",
        }
    ]


def test_a_run_is_refunded_in_parts_and_every_answer_says_what_is_left(api: Api) -> None:
    run = world.charge(api.engine, HAIKU_WITH_FEE, key="run").entry_id
    body = {"entry_id": run, "reason": "Half of the answer was empty", "amount_credits": 500}
    first = api.post("/api/credits/refund", body, key="ticket-1").json()
    told = ("refunded_credits", "left_credits", "creator_gives_back_credits", "platform_bears_credits")
    assert [first[name] for name in told] == [500, 751, 319, 181]
    assert api.post("/api/credits/refund", body, key="ticket-1").json() == first | {"replayed": True}

    too_much = api.post("/api/credits/refund", body | {"amount_credits": 752})
    assert problem(too_much) == (409, "refund_exceeds_rest")
    numbers = too_much.json()
    assert (numbers["left_credits"], numbers["amount_credits"], numbers["paid_credits"]) == (751, 752, 1_251)

    entry = api.get(f"/api/credits/entries/{run}").json()
    assert (entry["refunded_credits"], entry["refunded_by_entry_id"]) == (500, None)
    part = api.get(f"/api/credits/entries/{first['entry_id']}").json()
    assert (part["type"], part["refunds_entry_id"], part["description"]) == (
        "partial_refund",
        run,
        f"Partial refund of entry {run}: Half of the answer was empty",
    )

    rest = api.post("/api/credits/refund", {"entry_id": run, "reason": "The rest, too"}).json()
    assert [rest[name] for name in told] == [1_251, 0, 481, 270]
    entry = api.get(f"/api/credits/entries/{run}").json()
    assert (entry["refunded_credits"], entry["refunded_by_entry_id"]) == (1_251, rest["entry_id"])
    assert problem(api.post("/api/credits/refund", body)) == (409, "already_refunded")


@pytest.mark.parametrize("amount", [0, -1, 2**53, 1.5, "5", True])
def test_an_amount_that_is_no_number_of_credits_is_refused(unchanged: Api, amount: object) -> None:
    asked = {"entry_id": 1, "reason": "Why", "amount_credits": amount}
    assert problem(unchanged.post("/api/credits/refund", asked)) == (422, "invalid_request")


def test_added_credits_are_not_refunded_in_parts(unchanged: Api) -> None:
    asked = {"entry_id": 1, "reason": "Why", "amount_credits": 5}
    assert problem(unchanged.post("/api/credits/refund", asked)) == (422, "invalid_request")
