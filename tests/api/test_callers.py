"""A retry belongs to its caller: keys of requests follow the name of an API key through revoking and rotation."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, event, text
from starlette.testclient import TestClient

from credits_core.access import callers
from credits_core.access import keys as api_keys
from credits_core.api import known_keys
from credits_core.audit import invariants
from credits_core.settings import load_price_book
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api, plain_sql, racers, world
from tests.support.actors import TESTER
from tests.support.api_world import CHARGE, Api, api_over, problem
from tests.support.plain_sql import balance, every_row, rows, scalar
from tests.support.world import NOW

PATH = "/api/credits/charge-prompt"


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    """The API over a database in which ada holds 10,000 credits, with the caller `shop`."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        api.make_key("shop", Role.SERVICE)
        yield api


def _revoke(engine: Engine, name: str) -> None:
    database.write(engine, lambda connection: api_keys.revoke_key(connection, name, now=NOW, actor=TESTER))


def _rotate(engine: Engine, name: str, *, overlap: timedelta = timedelta(hours=24)) -> str:
    key = api_keys.new_key()
    database.write(
        engine,
        lambda connection: api_keys.rotate_key(
            connection, name, key=key, overlap=overlap, now=datetime.now(UTC), actor=TESTER
        ),
    )
    return key


def _order_9(api: Api, as_: str = "shop", body: dict[str, Any] = CHARGE) -> Any:
    return api.post(PATH, body, as_=as_, key="order-9")


def test_a_retry_after_the_key_was_made_anew_under_its_name_is_not_charged_again(api: Api) -> None:
    first = _order_9(api)
    _revoke(api.engine, "shop")
    api.make_key("shop", Role.SERVICE)
    again = _order_9(api)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"replayed": True}
    assert balance(api.engine, "ada") == 9_700
    assert rows(api.engine, "SELECT idempotency_key FROM journal_entries WHERE id = 2") == [("caller:shop:order-9",)]


def test_both_keys_of_a_rotation_are_one_caller(api: Api) -> None:
    first = _order_9(api)
    api.keys["new"] = _rotate(api.engine, "shop")
    assert [_order_9(api, as_).json()["replayed"] for as_ in ("new", "shop", "new")] == [True] * 3
    assert [_order_9(api, as_).json()["entry_id"] for as_ in ("new", "shop")] == [first.json()["entry_id"]] * 2
    different = _order_9(api, "new", CHARGE | {"prompt_id": "translate"})
    assert problem(different) == (422, "idempotency_key_reused")
    assert different.json()["key"] == "order-9"
    assert balance(api.engine, "ada") == 9_700


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call looks its key up, as after the second for which a record is believed."""
    monkeypatch.setattr(known_keys, "SECONDS", 0)


@pytest.mark.usefixtures("looked_up")
def test_the_old_key_is_refused_when_the_overlap_is_nothing(api: Api) -> None:
    _order_9(api)
    api.keys["new"] = _rotate(api.engine, "shop", overlap=timedelta())
    assert problem(_order_9(api)) == (401, "unauthorized")
    assert _order_9(api, "new").json()["replayed"] is True


def test_another_callers_equal_key_is_its_own(api: Api) -> None:
    api.make_key("3", Role.SERVICE)  # its name is the number of shop's key
    assert [_order_9(api, as_).status_code for as_ in ("shop", "3", "admin", "service")] == [201] * 4
    assert balance(api.engine, "ada") == 10_000 - 4 * 300


def test_the_two_keys_share_one_limit(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine, CREDITS_RATE_LIMIT="4/hour") as api:
        api.make_key("shop", Role.SERVICE)
        api.keys["new"] = _rotate(engine, "shop")
        # From two addresses, because each address has the same limit.
        elsewhere = TestClient(api.client.app, client=("127.0.0.2", 50_000))
        statuses = [
            caller.get("/api/models", headers=api.headers(as_)).status_code
            for caller, as_ in ((api.client, "shop"), (elsewhere, "new")) * 3
        ]
        assert statuses == [200, 200, 200, 200, 429, 429]


@pytest.mark.usefixtures("looked_up")
def test_the_log_tells_who_still_sends_a_replaced_key(api: Api, api_log: pytest.LogCaptureFixture) -> None:
    _order_9(api)
    api.keys["new"] = _rotate(api.engine, "shop")
    _order_9(api)
    _order_9(api, "new", CHARGE | {"model_id": "gpt-4"})
    lines = [(one.message, one.key_name, one.key_replaced) for one in api_log.records if hasattr(one, "key_name")]
    assert lines == [("written", "shop", False), ("replayed", "shop", True), ("refused", "shop", False)]


# --- requests of earlier versions -------------------------------------------------------------------------------------


@pytest.fixture
def older(engine: Engine) -> Iterator[Api]:
    """A ledger in which `shop` had the keys 3 and 4, and wrote entries under their numbers, as earlier versions did."""
    world.add(engine, "ada", 10_000, key="fund-ada")
    with api_over(engine) as api:
        api.make_key("shop", Role.SERVICE)
        _revoke(engine, "shop")
        api.make_key("shop", Role.SERVICE)
        api.make_key("other", Role.SERVICE)
        with plain_sql.unguarded(engine) as connection:
            connection.execute(text("UPDATE api_keys SET has_numbered_requests = true WHERE id IN (3, 4)"))
        run = world.HAIKU
        world.charge(engine, run, key="api:3:order-9")
        world.charge(engine, run, key="api:4:order-10")
        world.charge(engine, run, key="api:3:twice")
        world.charge(engine, world.ChargeRequest("ada", "translate", "claude-3-haiku"), key="api:4:twice")
        yield api


@pytest.mark.parametrize(("key", "entry_id"), [("order-9", 2), ("order-10", 3)])
@pytest.mark.parametrize("way", ["as it is", "made anew", "rotated"])
def test_a_request_of_an_earlier_version_is_replayed(older: Api, key: str, entry_id: int, way: str) -> None:
    if way == "made anew":
        _revoke(older.engine, "shop")
        older.make_key("shop", Role.SERVICE)
    if way == "rotated":
        older.keys["shop"] = _rotate(older.engine, "shop")
    before = every_row(older.engine)
    again = older.post(PATH, CHARGE, as_="shop", key=key)
    assert (again.status_code, again.json()["entry_id"], again.json()["replayed"]) == (200, entry_id, True)
    assert again.headers["idempotent-replayed"] == "true"
    different = older.post(PATH, CHARGE | {"prompt_id": "another"}, as_="shop", key=key)
    assert problem(different) == (422, "idempotency_key_reused")
    assert (different.json()["key"], different.json()["entry_id"]) == (key, entry_id)
    assert every_row(older.engine) == before


def test_a_key_that_two_numbers_used_replays_the_request_that_is_sent(older: Api) -> None:
    answers = [
        older.post(PATH, CHARGE | {"prompt_id": one}, as_="shop", key="twice") for one in ("summarise", "translate")
    ]
    assert [(answer.status_code, answer.json()["entry_id"]) for answer in answers] == [(200, 4), (200, 5)]
    assert problem(older.post(PATH, CHARGE | {"prompt_id": "x"}, as_="shop", key="twice"))[0] == 422


def test_what_an_earlier_version_wrote_is_no_other_callers(older: Api) -> None:
    assert older.post(PATH, CHARGE, as_="other", key="order-9").status_code == 201


def test_new_requests_of_an_old_name_are_charged_once_under_the_name(older: Api) -> None:
    statuses = [older.post(PATH, CHARGE, as_="shop", key="order-11").status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert (
        scalar(older.engine, "SELECT COUNT(*) FROM journal_entries WHERE idempotency_key = 'caller:shop:order-11'") == 1
    )


def test_only_a_name_with_a_key_from_before_is_looked_up_twice(older: Api) -> None:
    asked: list[str] = []
    with database.read(older.engine) as connection:
        shop, other = (api_keys.authenticate(connection, older.keys[name], now=NOW) for name in ("shop", "other"))
        event.listen(connection, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        assert callers.numbered_keys(connection, other, "order-9") == []
        assert asked == []
        assert callers.numbered_keys(connection, shop, "order-9") == ["api:3:order-9"]
        assert len(asked) == 2


def test_a_database_of_the_version_before_knows_which_names_had_keys(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        database.upgrade(connection, "0004")
        connection.execute(
            text(
                "INSERT INTO api_keys (name, role, key_hash, beginning, created_at_us)"
                " VALUES ('shop', 'service', 'h', 'pfk_', 0)"
            )
        )
    database.migrate(empty_engine)
    new = api_keys.new_key()
    database.write(
        empty_engine,
        lambda connection: api_keys.create_key(connection, "till", key=new, role=Role.SERVICE, now=NOW, actor=TESTER),
    )
    with database.read(empty_engine) as connection:
        found = [(one.id, one.name, one.has_numbered_requests) for one in api_keys.list_keys(connection)]
    assert found == [(2, "till", False), (1, "shop", True)]


# --- races ------------------------------------------------------------------------------------------------------------


def test_the_same_request_under_both_keys_at_once_charges_once(engine: Engine, tmp_path: Any) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    old = live_api.make_key(engine, Role.SERVICE)
    new = _rotate(engine, "service")

    def send(url: str, key: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "order-9"}
        return requests.post(f"{url}{PATH}", json=CHARGE, headers=headers, timeout=300)

    with live_api.serving(engine, tmp_path / "one.log") as one, live_api.serving(engine, tmp_path / "two.log") as two:
        answers = racers.at_once([partial(send, url, key) for url in (one, two) for key in (old, new)] * 4)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 15}
    assert len({answer.json()["entry_id"] for answer in answers}) == 1
    assert balance(engine, "ada") == 9_700
    assert [finding for finding in invariants.check(engine, load_price_book().plans) if not finding.ok] == []
