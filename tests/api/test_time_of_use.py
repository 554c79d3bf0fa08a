"""`used_at` over HTTP: when a run took place, beside the time at which its entry was posted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits_core.values.roles import Role
from tests.support.api_world import CHARGE, Api, problem
from tests.support.plain_sql import every_row, rows, scalar

CHARGES = "/api/credits/charge-prompt"
FEE = {"creator_id": "ben", "creator_fee_credits": 1_001}
USED_AT = "2026-02-28T23:59:59.25Z"
ANSWERED = "2026-02-28T23:59:59.250000Z"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def _listed(api: Api, user_id: str, *, as_: str = "admin") -> list[dict[str, Any]]:
    return list(api.get("/api/credits/transactions", user_id=user_id, as_=as_).json()["transactions"])


# --- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used_at", "answered"),
    [
        (USED_AT, ANSWERED),
        ("2026-03-01T00:59:59.25+01:00", ANSWERED),
        ("2026-02-28 18:29:59.250-0530", ANSWERED),
        ("2026-02-28T23:59:59.2500009z", ANSWERED),  # the ledger keeps microseconds
        ("2026-02-28T23:59Z", "2026-02-28T23:59:00.000000Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_with_its_zone_is_kept_in_utc_beside_the_time_of_posting(api: Api, used_at: str, answered: str) -> None:
    before = datetime.now(UTC)
    charged = api.post(CHARGES, CHARGE | {"used_at": used_at})
    assert (charged.status_code, charged.json()["used_at"]) == (201, answered)
    entry = api.get("/api/credits/entries/2").json()
    assert entry["used_at"] == answered
    assert before <= _moment(entry["created_at"]) <= datetime.now(UTC)


def test_a_time_of_use_is_shown_wherever_its_entry_is_shown(api: Api) -> None:
    api.post(CHARGES, CHARGE | FEE | {"used_at": USED_AT})
    for user in ("ada", "ben"):
        api.make_key(user, Role.USER, user_id=user)
        assert api.get("/api/credits/entries/2", as_=user).json()["used_at"] == ANSWERED
        assert _listed(api, user, as_=user)[0]["used_at"] == ANSWERED


def test_where_nobody_said_when_a_run_took_place_the_answers_say_null(api: Api) -> None:
    assert api.post(CHARGES, CHARGE).json()["used_at"] is None
    assert api.post(CHARGES, CHARGE | {"used_at": None}).json()["used_at"] is None
    used = api.post(CHARGES, CHARGE | {"used_at": USED_AT}).json()
    refund = api.post("/api/credits/refund", {"entry_id": used["entry_id"], "reason": "r"}).json()
    assert [(one["entry_id"], one["used_at"]) for one in _listed(api, "ada")] == [
        (refund["entry_id"], None),
        (used["entry_id"], ANSWERED),
        *((3, None), (2, None), (1, None)),
    ]
    assert api.get(f"/api/credits/entries/{refund['entry_id']}").json()["used_at"] is None
    assert api.get("/api/credits/entries/1").json()["used_at"] is None


def test_days_count_by_the_time_of_posting(api: Api) -> None:
    api.post(CHARGES, CHARGE | {"used_at": USED_AT})

    def entries(**query: str) -> list[int]:
        listed = api.get("/api/credits/transactions", user_id="ada", type="prompt_run", **query).json()["transactions"]
        return [one["entry_id"] for one in listed]

    assert entries(**{"from": "2026-02-28", "to": "2026-02-28"}) == []
    assert entries(**{"from": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"}) == [2]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "used_at",
    [
        *("2026-02-28T23:59:59", "2026-02-28 23:59:59.25", "2026-02-28", "yesterday", "", " " + USED_AT),
        *(1_772_323_199, "1772323199", 1_772_323_199_250, 1.5, True, [USED_AT], {"at": USED_AT}),
    ],
)
def test_what_is_no_time_with_its_zone_is_refused_by_name(unchanged: Api, used_at: object) -> None:
    answer = unchanged.post(CHARGES, CHARGE | {"used_at": used_at})
    assert problem(answer) == (422, "invalid_request")
    assert answer.json()["errors"] == [
        {"field": "used_at", "message": "must be a time with its zone, such as 2026-11-16T18:15:46Z"}
    ]


@pytest.mark.parametrize(
    "used_at",
    [
        *("2026-02-30T00:00:00Z", "2026-02-28T24:00:00Z", "2026-02-28T23:59:59+99:00", "0000-01-01T00:00:00Z"),
        *("1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_time_at_which_no_run_can_have_taken_place_is_refused_by_name(unchanged: Api, used_at: str) -> None:
    answer = unchanged.post(CHARGES, CHARGE | {"used_at": used_at})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["used_at"]


@pytest.mark.parametrize("path", ["add", "unlock-flow", "refund", "calculate-cost"])
def test_only_a_charge_takes_a_time_of_use(unchanged: Api, path: str) -> None:
    answer = unchanged.post(f"/api/credits/{path}", {"used_at": USED_AT})
    assert problem(answer) == (422, "invalid_request")
    assert {"field": "used_at", "message": "Extra inputs are not permitted"} in answer.json()["errors"]


def test_a_clock_may_be_five_minutes_ahead_and_no_more(api: Api) -> None:
    def charge(ahead: timedelta) -> Any:
        return api.post(CHARGES, CHARGE | {"used_at": (datetime.now(UTC) + ahead).isoformat()})

    assert charge(timedelta(minutes=4, seconds=30)).status_code == 201
    answer = charge(timedelta(minutes=5, seconds=30))
    assert problem(answer) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == "used_at"
    assert error["message"].startswith("must not be more than five minutes ahead of the ledger's clock, ")
    assert scalar(api.engine, "SELECT COUNT(*) FROM prompt_runs") == 1


# --- once, and only once ----------------------------------------------------------------------------------------------


def test_the_same_moment_written_in_another_zone_is_the_same_request(api: Api) -> None:
    first = api.post(CHARGES, CHARGE | {"used_at": USED_AT}, key="order-1")
    again = api.post(CHARGES, CHARGE | {"used_at": "2026-03-01T00:59:59.250+01:00"}, key="order-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"replayed": True}
    assert rows(api.engine, "SELECT entry_id FROM prompt_runs") == [(2,)]


@pytest.mark.parametrize("other", [{}, {"used_at": "2026-02-28T23:59:59.250001Z"}, {"used_at": "2026-02-28T23:59:59Z"}])
def test_the_same_key_with_another_time_of_use_is_another_request(api: Api, other: dict[str, str]) -> None:
    api.post(CHARGES, CHARGE | {"used_at": USED_AT}, key="order-1")
    before = every_row(api.engine)
    answer = api.post(CHARGES, CHARGE | other, key="order-1")
    assert problem(answer) == (422, "idempotency_key_reused")
    assert (answer.json()["key"], answer.json()["entry_id"]) == ("order-1", 2)
    assert every_row(api.engine) == before
