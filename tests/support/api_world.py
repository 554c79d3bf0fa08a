"""The API for its tests: in this process, over a database of the test's own, with a key for every kind of caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.testclient import TestClient

from credits_core import settings
from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.api.resources import Resources
from credits_core.api.root import routes
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import world
from tests.support.actors import TESTER

FORGED = "pfk_" + "A" * 43
ADD = {"user_id": "ada", "amount_credits": 500, "description": "Card payment"}
CHARGE = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
_SETTINGS = {"CREDITS_DEMO": "0", "CREDITS_RATE_LIMIT": "100000/minute", "CREDITS_KEPT_CALLS": "0"}
_TRIES = 5
_numbers = count()


class Api:
    """A caller of the API: every method is one request. `as_` says with which key, by its name; None is without."""

    def __init__(self, client: TestClient, engine: Engine) -> None:
        self.client = client
        self.engine = engine
        self.keys: dict[str, str] = {"forged": FORGED}

    def make_key(
        self, name: str, role: Role, *, user_id: str | None = None, expires_at: datetime | None = None
    ) -> KeyRecord:
        """Store a new key under its name."""
        self.keys[name] = api_keys.new_key()
        made_at = world.NOW - timedelta(days=1)
        return database.write(
            self.engine,
            lambda connection: api_keys.create_key(
                connection,
                name,
                key=self.keys[name],
                role=role,
                user_id=user_id,
                expires_at=expires_at,
                now=made_at,
                actor=TESTER,
            ),
        )

    def get(self, path: str, *, as_: str | None = "admin", **query: object) -> Any:
        """The answer to GET."""
        return self.client.get(path, params=query, headers=self.headers(as_))

    def post(
        self, path: str, body: object = None, *, as_: str | None = "admin", key: str | None = "", **more: Any
    ) -> Any:
        """The answer to POST; without a `key` one of its own is sent, with None no header."""
        headers = self.headers(as_)
        if key is not None:
            headers["Idempotency-Key"] = key or f"test-{next(_numbers)}"
        if "content" not in more:
            more["json"] = body
        return self.client.post(path, headers=headers | more.pop("headers", {}), **more)

    def headers(self, as_: str | None) -> dict[str, str]:
        """The headers that say who calls."""
        return {} if as_ is None else {"Authorization": f"Bearer {self.keys[as_]}"}


@contextmanager
def client_of(database_url: str) -> Iterator[TestClient]:
    """A caller on this machine of an API over this database, whatever is there."""
    resources = Resources(database_url)
    with TestClient(
        Starlette(routes=routes(resources)), raise_server_exceptions=False, client=("127.0.0.1", 50_000)
    ) as client:
        yield client
    resources.close()


@contextmanager
def api_over(engine: Engine, **environment: str) -> Iterator[Api]:
    """The API over a migrated database, with the hand-written prices of `tests/support/world.py` and these settings.

    It keeps no list of calls, unless the settings say so: tests compare all rows, and those are written later.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "load_models", lambda: world.price_book().models)
        for name, text in (_SETTINGS | environment).items():
            patch.setenv(name, text)
        with client_of(engine.url.render_as_string(hide_password=False)) as client:
            api = Api(client, engine)
            for _ in range(_TRIES):  # the first call opens the database, which a busy machine may do only after a while
                answer = client.get("/api/ready")
                if answer.status_code == 200:
                    break
            assert answer.status_code == 200, answer.text
            world.put_in_force(engine, world.price_book().plan)
            world.make_prices_live(engine, world.PRICES)
            api.make_key("admin", Role.ADMIN)
            api.make_key("service", Role.SERVICE)
            yield api


def problem(answer: Any) -> tuple[int, str]:
    """The status and the code of a refusal, which must be a problem by RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= content.keys()
    assert content["status"] == answer.status_code
    assert content["type"] == f"urn:promptflow:problem:{content['code']}"
    assert content["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, content["code"]
