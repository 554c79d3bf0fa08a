"""Keys that are believed for a second, by a clock of the test and by the real one."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from credits_core.access import keys as api_keys
from credits_core.access.keys import KeyRecord
from credits_core.access.refusals import Unauthorized
from credits_core.api import known_keys
from credits_core.api.known_keys import KnownKeys
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import live_api
from tests.support.actors import TESTER

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(*, expires_at: datetime | None = None) -> KeyRecord:
    return KeyRecord(1, "shop", Role.SERVICE, None, "pfk_abcdef", NOW, expires_at, None)


class Keys:
    """A store of keys that counts how often it is asked, and a clock in seconds."""

    def __init__(self, *kept: str) -> None:
        self.kept = {key: record() for key in kept}
        self.asked: list[str] = []
        self.asked_before_the_answer = 0
        self.seconds = 100.0
        self.meanwhile: Callable[[], None] = lambda: None
        self.known = KnownKeys(self.look_up, clock=lambda: self.seconds)

    async def look_up(self, key: str, now: datetime) -> KeyRecord:
        self.asked.append(key)
        found = self.kept.get(key)
        self.meanwhile()
        if found is None:
            raise Unauthorized("The key is unknown")
        return found

    def call(self, key: str, *, now: datetime = NOW) -> KeyRecord:
        """One call, and what goes on after it was answered."""

        async def call() -> KeyRecord:
            answer = await self.known.authenticate(key, now=now)
            self.asked_before_the_answer = len(self.asked)
            while self.known._asking:
                await asyncio.sleep(0)
            return answer

        return asyncio.run(call())


def test_a_busy_key_is_looked_up_anew_halfway_and_nobody_waits_for_it() -> None:
    keys = Keys("a", "b")
    asked = []
    for seconds in (100.0, 100.4, 100.5, 100.9, 101.4, 101.5):
        keys.seconds = seconds
        assert keys.call("a") == keys.kept["a"]
        asked.append((keys.asked_before_the_answer, len(keys.asked)))
    # At 100.9 the record is from 100.5; at 101.5 from 101.4, when it was asked for beside the answer.
    assert asked == [(1, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)]
    keys.call("b")
    assert keys.asked == ["a", "a", "a", "b"]


def test_calls_at_once_ask_once_for_a_known_key() -> None:
    keys = Keys("a")
    keys.call("a")
    keys.seconds = 100.6

    async def call_at_once() -> None:
        await asyncio.gather(*(keys.known.authenticate("a", now=NOW) for _ in range(32)))
        while keys.known._asking:
            await asyncio.sleep(0)

    asyncio.run(call_at_once())
    assert keys.asked == ["a", "a"]


def test_a_key_that_is_gone_halfway_is_refused_at_once_from_then_on() -> None:
    keys = Keys("a")
    keys.call("a")
    del keys.kept["a"]
    keys.seconds = 100.5
    keys.call("a")  # still in its second; the look-up beside it finds out
    with pytest.raises(Unauthorized):
        keys.call("a")


def test_a_database_that_does_not_answer_halfway_is_told_after_the_second() -> None:
    keys = Keys("a")
    keys.call("a")

    def fail() -> None:
        raise OperationalError("SELECT 1", {}, Exception("no answer"))

    keys.meanwhile, keys.seconds = fail, 100.5
    keys.call("a")
    keys.seconds = 101
    with pytest.raises(OperationalError):
        keys.call("a")


def test_an_idle_key_is_looked_up_after_a_second() -> None:
    keys = Keys("a")
    for seconds in (100.0, 101.0, 102.5):
        keys.seconds = seconds
        keys.call("a")
    assert keys.asked == ["a", "a", "a"]


def test_a_key_that_is_gone_is_refused_after_a_second() -> None:
    keys = Keys("a")
    keys.call("a")
    del keys.kept["a"]
    keys.seconds = 101.0
    with pytest.raises(Unauthorized):
        keys.call("a")
    keys.kept["a"] = record()
    keys.call("a")  # a refusal is not remembered
    assert keys.asked == ["a", "a", "a"]


def test_the_second_begins_before_the_look_up() -> None:
    keys = Keys("a")

    def take_long() -> None:
        keys.seconds += 5

    keys.meanwhile = take_long
    keys.call("a")
    keys.call("a")
    assert keys.asked == ["a", "a"]


def test_a_known_key_expires_at_its_time() -> None:
    keys = Keys("a")
    keys.kept["a"] = record(expires_at=NOW + timedelta(milliseconds=1))
    keys.call("a")
    with pytest.raises(Unauthorized, match="has expired"):
        keys.call("a", now=NOW + timedelta(milliseconds=1))
    assert keys.asked == ["a"]


def test_a_thousand_keys_are_known_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "_MOST", 2)
    keys = Keys("a", "b", "c")
    for key in "abca":
        keys.call(key)
    assert keys.asked == ["a", "b", "c", "a"]


def test_a_key_that_another_process_revokes_is_refused_within_a_second(engine: Engine, tmp_path: Path) -> None:
    key = live_api.make_key(engine, Role.SERVICE)
    with live_api.serving(engine, tmp_path / "server.log") as address:

        def status() -> int:
            headers = {"Authorization": f"Bearer {key}"}
            return requests.get(f"{address}/api/models", headers=headers, timeout=60).status_code

        assert status() == 200
        database.write(
            engine, lambda connection: api_keys.revoke_key(connection, "service", now=datetime.now(UTC), actor=TESTER)
        )
        time.sleep(1)
        assert status() == 401
