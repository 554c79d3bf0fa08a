"""`create_distinct` over HTTP: an account whose id differs from another one's only in upper and lower case."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.support import world
from tests.support.api_world import ADD, CHARGE, Api, api_over, problem
from tests.support.plain_sql import balance, every_row, rows

ADDITIONS = "/api/credits/add"
UNLOCK = {"user_id": "ada", "flow_id": "report", "creator_id": "Ben", "unlock_fee_credits": 1_001}
RUN = CHARGE | {"creator_id": "Ben", "creator_fee_credits": 1_001}
ADA = ADD | {"user_id": "Ada"}


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits and ben 100."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    world.add(engine, "ben", 100, key="fund-ben")
    with api_over(engine) as api:
        yield api


def test_credits_for_a_second_spelling_are_refused_with_the_first_account_named(api: Api) -> None:
    before = every_row(api.engine)
    answer = api.post(ADDITIONS, ADA)
    assert problem(answer) == (409, "account_looks_alike")
    content = answer.json()
    assert (content["user_id"], content["known_user_id"]) == ("Ada", "ada")
    assert content["detail"] == (
        "There is no user 'Ada', but there is 'ada'. Nothing was charged or added. Use 'ada', or say that 'Ada' is "
        "somebody else."
    )
    assert api.post(ADDITIONS, ADA | {"create_distinct": False}).json()["known_user_id"] == "ada"
    assert every_row(api.engine) == before


def test_a_caller_who_says_that_it_is_somebody_else_opens_a_second_account(api: Api) -> None:
    assert problem(api.post(ADDITIONS, ADA, key="payment-1")) == (409, "account_looks_alike")
    added = api.post(ADDITIONS, ADA | {"create_distinct": True}, key="payment-1")  # a refusal keeps no key
    assert (added.status_code, added.json()["user_id"], added.json()["balance_credits"]) == (201, "Ada", 500)
    assert (balance(api.engine, "ada"), balance(api.engine, "Ada")) == (10_000, 500)


def test_once_the_account_is_there_nobody_has_to_say_so_again(api: Api) -> None:
    first = api.post(ADDITIONS, ADA | {"create_distinct": True}, key="payment-1")
    again = api.post(ADDITIONS, ADA, key="payment-1")
    assert (again.status_code, again.json()) == (200, first.json() | {"replayed": True})
    assert api.post(ADDITIONS, ADA, key="payment-2").json()["balance_credits"] == 1_000


def test_a_third_spelling_is_refused_with_the_oldest_account_named(api: Api) -> None:
    api.post(ADDITIONS, ADA | {"create_distinct": True})
    answer = api.post(ADDITIONS, ADD | {"user_id": "ADA"})
    assert problem(answer) == (409, "account_looks_alike")
    assert (answer.json()["user_id"], answer.json()["known_user_id"]) == ("ADA", "ada")


def test_a_user_who_is_known_or_like_nobody_needs_no_second_account(api: Api) -> None:
    assert api.post(ADDITIONS, ADD | {"create_distinct": True}).json()["balance_credits"] == 10_500
    assert api.post(ADDITIONS, ADD | {"user_id": "zoe", "create_distinct": True}).json()["balance_credits"] == 500
    assert rows(api.engine, "SELECT user_id FROM user_credits ORDER BY user_id") == [("ada",), ("ben",), ("zoe",)]


@pytest.mark.parametrize(("path", "body"), [("charge-prompt", RUN), ("unlock-flow", UNLOCK)])
def test_a_creator_gets_a_second_account_in_the_same_way(api: Api, path: str, body: dict[str, object]) -> None:
    answer = api.post(f"/api/credits/{path}", body)
    assert problem(answer) == (409, "account_looks_alike")
    assert (answer.json()["user_id"], answer.json()["known_user_id"]) == ("Ben", "ben")
    assert api.post(f"/api/credits/{path}", body | {"create_distinct": True}).status_code == 201
    assert (balance(api.engine, "ben"), balance(api.engine, "Ben")) == (100, 800)


@pytest.mark.parametrize("insists", ["true", 1, None, {}])
def test_only_true_and_false_are_taken(api: Api, insists: object) -> None:
    before = every_row(api.engine)
    answer = api.post(ADDITIONS, ADA | {"create_distinct": insists})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["create_distinct"]
    assert every_row(api.engine) == before


def test_an_id_that_a_spreadsheet_has_broken_is_refused_all_the_same(api: Api) -> None:
    answer = api.post(ADDITIONS, ADD | {"user_id": "1-Mar", "create_distinct": True})
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["user_id"]
