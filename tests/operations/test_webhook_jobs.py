"""The job for webhooks tells every endpoint for a while, and ends: one that is slow keeps no other from its events."""

import threading
import time

import pytest
from sqlalchemy import Engine, text

from credits_core.operations import jobs, running, webhook_jobs
from credits_core.operations.refusals import LeaseLost
from credits_core.operations.runs import Run
from credits_core.store import database
from tests.support import hooks, job_world, receiver, walked_webhooks, world
from tests.support.actors import TESTER
from tests.support.receiver import SILENT, Receiver


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_jobs.tell, "__kwdefaults__", {"seconds": 1.5})


def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, *to: Receiver) -> Run:
    monkeypatch.setenv("CREDITS_WEBHOOK_HOSTS", ",".join(one.host for one in to))
    return running.run(jobs.named("webhooks"), job_world.around(engine), actor=TESTER)


def test_where_nobody_is_told_the_job_ends_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 5, key="one")
    began = time.monotonic()
    assert run(engine, monkeypatch).message == "Nothing was waiting."
    assert time.monotonic() - began < 1


def test_what_was_there_and_what_comes_meanwhile_is_told_and_a_slow_endpoint_keeps_no_other_waiting(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver.listening() as slow, receiver.listening() as to:
        slow.answers = lambda _: SILENT
        for one in (slow, to):
            hooks.add(engine, one)
        world.add(engine, "ada", 5, key="one")
        later = threading.Timer(0.5, world.add, [engine, "ben", 5], {"key": "two"})
        later.start()
        done = run(engine, monkeypatch, slow, to)
        later.join()
        assert to.told() == [("purchase.paid", "ada"), ("purchase.paid", "ben")]
        assert slow.told() == []
        assert (done.outcome, done.message[:16]) == ("ok", "2 events taken, ")
        assert not [one for one in threading.enumerate() if one.name.startswith("credits-webhook")]


def test_a_disabled_endpoint_makes_the_job_fail_so_that_somebody_is_told_and_others_are_told_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write(engine, walked_webhooks.prepare)
    database.write(engine, walked_webhooks.disable)
    with receiver.listening() as to:
        hooks.add(engine, to)
        world.add(engine, "ada", 5, key="one")
        done = run(engine, monkeypatch, to)
        assert to.told() == [("purchase.paid", "ada")]
    assert done.outcome == "failed"
    assert done.message == (
        "Endpoint 1 is disabled: It has taken nothing for 5 days. Enable or remove it on Webhooks."
        " All others were told."
    )


def test_a_job_that_lost_its_lease_tells_nothing_more(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_jobs.tell, "__kwdefaults__", {"seconds": 10})
    with receiver.listening() as to:
        hooks.add(engine, to)
        world.add(engine, "ada", 5, key="one")

        def steal() -> None:
            taken = text("UPDATE job_leases SET holder = 'another', epoch = epoch + 1 WHERE name = 'webhooks'")
            database.write(engine, lambda connection: connection.execute(taken))

        thief = threading.Timer(2, steal)
        thief.start()
        with pytest.raises(LeaseLost):
            run(engine, monkeypatch, to)
        thief.join()
        told = len(to.taken)
        world.add(engine, "ada", 5, key="two")
        time.sleep(1.5)
        assert (told, len(to.taken)) == (1, 1)
