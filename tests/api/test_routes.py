"""What each route answers, and to whom: the specification's numbers, by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.access import keys as api_keys
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import Role
from tests.support import world
from tests.support.actors import TESTER
from tests.support.api_world import Api, api_over, problem
from tests.support.plain_sql import every_row, rows, scalar, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW

ADD = {"user_id": "ada", "amount_credits": 500, "description": "Card payment"}
PRICE = {"model_id": "claude-3-haiku"}
CHARGE = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
BUY = {"user_id": "ada", "pack_id": "starter"}
FEE = {"creator_id": "ben", "creator_fee_credits": 1_001}
UNLOCK = {"user_id": "ada", "flow_id": "report", "creator_id": "ben", "unlock_fee_credits": 1_001}


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits and cleo 500."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "cleo", 500, key="fund-cleo")
    with api_over(engine) as api:
        yield api


@pytest.fixture(scope="module")
def shared_api(shared_engine: Engine) -> Iterator[Api]:
    world.add(shared_engine, "ada", 10_000, key="fund-ada")
    world.add(shared_engine, "cleo", 500, key="fund-cleo")
    with api_over(shared_engine) as api:
        make_every_kind_of_key(api)
        yield api


# --- who may do what --------------------------------------------------------------------------------------------------

CALLERS = (None, "forged", "expired", "revoked", "ada", "cleo", "service", "admin")
"""Nobody, four kinds of keys that are none, ada's own key, another user's, and the two that act for all."""
ROUTES: dict[str, tuple[str, str, dict[str, object], tuple[int, ...]]] = {
    "balance": ("GET", "/api/credits/balance", {"user_id": "ada"}, (401, 401, 401, 401, 200, 403, 200, 200)),
    "balance of nobody": (
        *("GET", "/api/credits/balance", {"user_id": "nobody"}),
        (401, 401, 401, 401, 403, 403, 404, 404),
    ),
    "transactions": ("GET", "/api/credits/transactions", {"user_id": "ada"}, (401, 401, 401, 401, 200, 403, 200, 200)),
    "transactions of nobody": (
        *("GET", "/api/credits/transactions", {"user_id": "nobody"}),
        (401, 401, 401, 401, 403, 403, 404, 404),
    ),
    "entry": ("GET", "/api/credits/entries/1", {}, (401, 401, 401, 401, 200, 404, 200, 200)),
    "entry that does not exist": ("GET", "/api/credits/entries/99", {}, (401, 401, 401, 401, 404, 404, 404, 404)),
    "flow-access": (
        *("GET", "/api/credits/flow-access", {"user_id": "ada", "flow_id": "report"}),
        (401, 401, 401, 401, 200, 403, 200, 200),
    ),
    "flow-access of nobody": (
        *("GET", "/api/credits/flow-access", {"user_id": "nobody", "flow_id": "report"}),
        (401, 401, 401, 401, 403, 403, 404, 404),
    ),
    "add": ("POST", "/api/credits/add", ADD, (401, 401, 401, 401, 403, 403, 403, 201)),
    "calculate-cost": ("POST", "/api/credits/calculate-cost", PRICE, (401, 401, 401, 401, 200, 200, 200, 200)),
    "charge-prompt": ("POST", "/api/credits/charge-prompt", CHARGE, (401, 401, 401, 401, 403, 403, 201, 201)),
    "charge-prompt of nobody": (
        *("POST", "/api/credits/charge-prompt", CHARGE | {"user_id": "nobody"}),
        (401, 401, 401, 401, 403, 403, 404, 404),
    ),
    "purchases": ("POST", "/api/credits/purchases", BUY, (401, 401, 401, 401, 403, 403, 201, 201)),
    "purchases of ada": ("GET", "/api/credits/purchases", {"user_id": "ada"}, (401, 401, 401, 401, 200, 403, 200, 200)),
    "purchase that does not exist": (
        *("GET", "/api/credits/purchases/99", {}),
        (401, 401, 401, 401, 404, 404, 404, 404),
    ),
    "unlock-flow": ("POST", "/api/credits/unlock-flow", UNLOCK, (401, 401, 401, 401, 403, 403, 201, 201)),
    "refund": ("POST", "/api/credits/refund", {"entry_id": 1, "reason": "r"}, (401, 401, 401, 401, 403, 403, 403, 201)),
    "models": ("GET", "/api/models", {}, (401, 401, 401, 401, 200, 200, 200, 200)),
    "event of Stripe, which is not the gateway": ("POST", "/api/payments/stripe/events", {}, (404,) * 8),
    "health": ("GET", "/api/health", {}, (200,) * 8),
    "ready": ("GET", "/api/ready", {}, (200,) * 8),
    "openapi": ("GET", "/api/openapi.json", {}, (200,) * 8),
    "docs": ("GET", "/api/docs", {}, (200,) * 8),
    "no route": ("GET", "/api/nowhere", {}, (401, 401, 401, 401, 404, 404, 404, 404)),
}


def make_every_kind_of_key(api: Api) -> None:
    api.make_key("ada", Role.USER, user_id="ada")
    api.make_key("cleo", Role.USER, user_id="cleo")
    api.make_key("expired", Role.ADMIN, expires_at=NOW)  # a day after it was made, and long ago
    api.make_key("revoked", Role.ADMIN)
    database.write(api.engine, lambda connection: api_keys.revoke_key(connection, "revoked", now=NOW, actor=TESTER))


def ask(api: Api, route: str, caller: str | None) -> Any:
    method, path, fields, _ = ROUTES[route]
    return api.get(path, as_=caller, **fields) if method == "GET" else api.post(path, fields, as_=caller)


CALLS = [
    (caller, route, status)
    for route, (*_, statuses) in ROUTES.items()
    for caller, status in zip(CALLERS, statuses, strict=True)
]


@pytest.mark.parametrize(("caller", "route", "status"), [call for call in CALLS if call[2] != 201])
def test_every_route_knows_every_kind_of_caller(unchanged: Api, caller: str | None, route: str, status: int) -> None:
    answer = ask(unchanged, route, caller)
    assert answer.status_code == status
    if status >= 400:
        problem(answer)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("caller", "route", "status"), [call for call in CALLS if call[2] == 201])
def test_every_route_that_writes_knows_who_may(api: Api, caller: str | None, route: str, status: int) -> None:
    before = every_row(api.engine)
    assert ask(api, route, caller).status_code == status
    assert every_row(api.engine) != before


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YWRtaW46", "pfk_x", "Bearer pfk_ü"])
def test_a_caller_who_sends_no_key_is_nobody(unchanged: Api, header: str) -> None:
    answer = unchanged.client.get("/api/models", headers={"Authorization": header.encode("latin-1")})
    assert problem(answer) == (401, "unauthorized")


@pytest.mark.parametrize("second", ["the same", "another", "none"])
def test_two_keys_in_one_request_are_refused_before_either_is_looked_at(unchanged: Api, second: str) -> None:
    keys = unchanged.keys
    first = f"Bearer {keys['service']}"
    sent = {"the same": first, "another": f"Bearer {keys['admin']}", "none": ""}[second]
    for headers in ([first, sent], [sent, first]):
        given = [("Authorization", one) for one in headers]
        charge = {"user_id": "ada", "prompt_id": "p", "model_id": "gpt-4", "creator_fee_credits": 0}
        in_good_order = [*given, ("Idempotency-Key", "k"), ("Content-Type", "application/json")]
        for answer in (
            unchanged.client.get("/api/models", headers=given),
            unchanged.client.post("/api/credits/charge-prompt", json=charge, headers=in_good_order),
        ):
            assert problem(answer) == (401, "unauthorized")
            assert "more than one Authorization header" in answer.json()["detail"]


def test_the_scheme_may_be_written_in_any_case(unchanged: Api) -> None:
    assert (
        unchanged.client.get(
            "/api/models", headers={"Authorization": f"bearer {unchanged.keys['service']}"}
        ).status_code
        == 200
    )


def test_a_key_works_until_it_expires(api: Api) -> None:
    api.make_key("soon", Role.ADMIN, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert api.get("/api/models", as_="soon").status_code == 200


def test_a_malformed_body_tells_a_caller_without_a_key_nothing(unchanged: Api) -> None:
    assert problem(unchanged.post("/api/credits/add", content=b"{", as_=None)) == (401, "unauthorized")


def test_a_generated_client_has_a_method_for_each_route(unchanged: Api) -> None:
    paths = unchanged.client.get("/api/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    assert sorted(operation["operationId"] for operation in operations) == [
        *("add", "balance", "buy_credits", "calculate_cost", "capture_hold", "charge_prompt", "entry", "flow_access"),
        *(
            "health",
            "hold",
            "low_balance_levels",
            "make_hold",
            "models",
            "purchase",
            "purchases",
            "ready",
            "receipt",
            "refund",
        ),
        *("release_hold", "set_low_balance_levels", "set_spending_limits", "spending_limits_of_user", "stripe_events"),
        *("transactions", "unlock_flow"),
    ]
    assert {tuple(operation["tags"]) for operation in operations} == {
        ("credits",),
        ("holds",),
        ("levels",),
        ("limits",),
        ("models",),
        ("purchases",),
        ("status",),
    }


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_balance_is_in_credits_and_dollars(unchanged: Api) -> None:
    assert unchanged.get("/api/credits/balance", user_id="ada").json() == {
        "user_id": "ada",
        "balance_credits": 10_000,
        "balance_usd": "0.010000",
        "held_credits": 0,
        "frozen_credits": 0,
        "owed_credits": 0,
    }


@pytest.mark.parametrize(
    ("source", "entry"),
    [
        ({}, ("credit_purchase", "api/admin", "Card payment")),
        ({"source": "purchase"}, ("credit_purchase", "api/admin", "Card payment")),
        ({"source": "grant"}, ("grant", "api/admin", "Card payment")),
        ({"source": "adjustment"}, ("adjustment", "api/admin", "Card payment")),
        ({"source": "bonus"}, ("bonus", "api/admin", "Card payment")),
    ],
)
def test_credits_are_added_and_the_first_ones_create_the_user(
    api: Api, source: dict[str, str], entry: tuple[str, ...]
) -> None:
    answer = api.post("/api/credits/add", {**ADD, **source, "user_id": "zoe", "amount_credits": 1_250_000})
    assert answer.status_code == 201
    assert answer.json() == {
        "entry_id": 3,
        "user_id": "zoe",
        "amount_credits": 1_250_000,
        "balance_credits": 1_250_000,
        "balance_usd": "1.250000",
        "replayed": False,
        "refunded_by_entry_id": None,
    }
    assert rows(api.engine, "SELECT type, actor, description FROM journal_entries WHERE id = 3") == [entry]


def test_a_cost_is_calculated_with_every_step_and_charges_nothing(unchanged: Api) -> None:
    asked = {"model_id": "openai/gpt-4o", "input_tokens": 1_021, "output_tokens": 129}
    answer = unchanged.post("/api/credits/calculate-cost", asked, key=None)
    assert answer.status_code == 200
    # 1,021 × 2.5 + 129 × 10 = 3,842.5, rounded up; 20 % of 3,843 is 768.6.
    assert answer.json() == {
        "model_id": "openai/gpt-4o",
        "inference_cost_credits": 3_843,
        "creator_fee_credits": 0,
        "platform_markup_credits": 768,
        "total_credits": 4_611,
        "total_usd": "0.004611",
        "creator_share_credits": 0,
        "platform_share_credits": 0,
        "plan": "plan-1",
        "steps": [
            {
                "label": "Inference cost",
                "arithmetic": "1,021 input × 2.5 + 129 output × 10 = 3,842.5 credits, rounded up",
                "credits": 3_843,
            },
            {"label": "Creator fee", "arithmetic": "none", "credits": 0},
            {"label": "Platform markup", "arithmetic": "cost below 10,000: 20 %, rounded down", "credits": 768},
            {"label": "Total", "arithmetic": "inference cost + creator fee + platform markup", "credits": 4_611},
        ],
        "usage": {"input_tokens": 1_021, "output_tokens": 129},
        "units": [
            {"unit": "input_tokens", "count": 1_021, "usd": "2.5", "per": 1_000_000, "exact_credits": "2552.5"},
            {"unit": "output_tokens", "count": 129, "usd": "10", "per": 1_000_000, "exact_credits": "1290"},
        ],
        "service_tier": None,
        "unread": [],
        "usage_note": None,
        "model_note": None,
    }


def test_a_cost_with_a_fee_needs_no_creator(unchanged: Api) -> None:
    answer = unchanged.post("/api/credits/calculate-cost", PRICE | {"creator_fee_credits": 1_001}).json()
    shares = ("total_credits", "creator_share_credits", "platform_share_credits")
    assert [answer[key] for key in shares] == [1_251, 800, 201]


def test_a_run_is_charged_as_the_dashboard_charges_it(api: Api) -> None:
    answer = api.post("/api/credits/charge-prompt", CHARGE | FEE | {"expected_total_credits": 1_251}, as_="service")
    assert answer.status_code == 201
    content = answer.json()
    assert [step["credits"] for step in content.pop("steps")] == [250, 1_001, 800, 201, 0, 1_251]
    added = ("model_id", "usage", "units", "unread", "usage_note", "model_note")
    assert [content.pop(key) for key in added] == ["claude-3-haiku", None, [], [], None, None]
    assert content == {
        "service_tier": None,
        "inference_cost_credits": 250,
        "creator_fee_credits": 1_001,
        "platform_markup_credits": 0,
        "total_credits": 1_251,
        "total_usd": "0.001251",
        "creator_share_credits": 800,
        "platform_share_credits": 201,
        "plan": "plan-1",
        "prompt_run_id": 3,
        "entry_id": 3,
        "used_at": None,
        "user_balance_credits": 8_749,
        "replayed": False,
        "refunded_by_entry_id": None,
    }
    assert transactions(api.engine, 3) == [
        ("ada", "prompt_run", -1_251, 8_749),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]
    assert scalar(api.engine, "SELECT actor FROM journal_entries WHERE id = 3") == "api/service"


def test_the_models_stand_with_their_prices_and_sources(unchanged: Api) -> None:
    models = {model["id"]: model for model in unchanged.get("/api/models", as_="service").json()["models"]}
    assert models["claude-3-haiku"] == {
        "id": "claude-3-haiku",
        "name": "Claude 3 Haiku",
        "provider": "anthropic",
        "type": "text",
        "run_price_credits": 250,
        "token_prices": [],
        "unit_prices": [],
        "service_tiers": [],
        "source": "specification",
        "checked_on": "2026-01-01",
    }
    assert models["openai/gpt-4o"]["run_price_credits"] is None
    assert models["openai/gpt-4o"]["token_prices"] == [
        {
            "input_usd_per_mtok": "2.5",
            "output_usd_per_mtok": "10",
            "request_usd_per_thousand": "0",
            "above_input_tokens": 0,
        }
    ]
    assert models["openai/gpt-4o"]["unit_prices"] == [
        {"unit": "input_tokens", "per": 1_000_000, "usd": "2.5", "above_input_tokens": 0},
        {"unit": "output_tokens", "per": 1_000_000, "usd": "10", "above_input_tokens": 0},
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/models?all=1", 422), ("/api/credits/balance?user_id=ada&u=1", 422), ("/api/models/", 404)],
)
def test_what_is_not_known_of_a_path_is_refused(unchanged: Api, path: str, status: int) -> None:
    assert problem(unchanged.client.get(path, headers=unchanged.headers("admin")))[0] == status


# --- transactions -----------------------------------------------------------------------------------------------------


def test_transactions_come_newest_first_with_what_they_were_about(api: Api) -> None:
    world.charge(api.engine, HAIKU_WITH_FEE, key="run", now=NOW + timedelta(hours=1, microseconds=5))
    api.post("/api/credits/unlock-flow", UNLOCK)
    answer = api.get("/api/credits/transactions", user_id="ada").json()
    unlock, run, purchase = answer["transactions"]
    assert answer["next_cursor"] is None
    assert (unlock["type"], unlock["flow_id"], unlock["prompt_run_id"]) == ("flow_unlock", "report", None)
    assert run == {
        "id": "3-0",
        "entry_id": 3,
        "type": "prompt_run",
        "amount_credits": -1_251,
        "balance_after_credits": 8_749,
        "description": "Run of summarise on claude-3-haiku",
        "created_at": "2026-03-01T13:00:00.000005Z",
        "used_at": None,
        "prompt_run_id": 3,
        "flow_id": None,
    }
    assert (purchase["amount_credits"], purchase["created_at"]) == (10_000, "2026-03-01T12:00:00.000000Z")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 200])
def test_every_transaction_is_on_one_page_and_no_page_is_empty(api: Api, limit: int) -> None:
    for number in range(7):
        world.charge(api.engine, HAIKU, key=f"run-{number}")
    seen, query = [], {"user_id": "ada", "limit": limit}
    while True:
        page = api.get("/api/credits/transactions", **query).json()
        assert 1 <= len(page["transactions"]) <= limit
        seen += [one["entry_id"] for one in page["transactions"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [9, 8, 7, 6, 5, 4, 3, 1]


def test_fifty_transactions_are_a_page_unless_asked_otherwise(api: Api) -> None:
    for number in range(51):
        world.add(api.engine, "ada", 1, key=f"more-{number}")
    assert len(api.get("/api/credits/transactions", user_id="ada").json()["transactions"]) == 50


def test_transactions_are_narrowed_by_type_and_by_day(api: Api) -> None:
    world.charge(api.engine, HAIKU, key="run", now=NOW + timedelta(days=1))
    world.add(api.engine, "ada", 5, key="grant", source=CreditSource.GRANT, reason="Hi", now=NOW + timedelta(days=2))

    def entries(**query: object) -> list[int]:
        found = api.get("/api/credits/transactions", user_id="ada", **query).json()["transactions"]
        return [one["entry_id"] for one in found]

    assert entries(type="grant") == [4]
    assert entries(type=["grant", "prompt_run"]) == [4, 3]
    assert entries(**{"from": "2026-03-02"}) == [4, 3]
    assert entries(to="2026-03-02") == [3, 1]
    assert entries(**{"from": "2026-03-02", "to": "2026-03-02"}) == [3]
    assert entries(to="2026-02-28") == []
