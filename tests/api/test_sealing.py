"""The thread of a server that seals what is new, now and then, until the server ends."""

import threading

import pytest
from sqlalchemy import Engine

from credits_core.api import sealing
from credits_core.api.sealing import Sealer
from tests.support import world
from tests.support.plain_sql import scalar


def _wait_for_seals(engine: Engine, number: int) -> None:
    for _ in range(600):
        if scalar(engine, "SELECT count(*) FROM seals") == number:
            return
        threading.Event().wait(0.05)
    raise AssertionError("nothing was sealed")


def test_what_is_new_is_sealed_until_the_server_ends(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_SECONDS_BETWEEN", 0.01)
    sealer = Sealer(lambda: engine)
    world.add(engine, "ada", 500, key="one")
    sealer.start()
    sealer.start()
    _wait_for_seals(engine, 1)
    world.add(engine, "ada", 500, key="two")
    _wait_for_seals(engine, 2)
    sealer.close()
    world.add(engine, "ada", 500, key="three")
    assert scalar(engine, "SELECT count(*) FROM seals") == 2


def test_a_failure_is_logged_and_ends_nothing(engine: Engine, api_log: pytest.LogCaptureFixture) -> None:
    def broken() -> Engine:
        raise OSError("no such file")

    assert Sealer(broken).seal_now(most_seals=1) == 0
    assert "new entries cannot be sealed" in api_log.text


def test_a_server_that_never_opened_its_database_ends_at_once(engine: Engine) -> None:
    Sealer(lambda: engine).close()
