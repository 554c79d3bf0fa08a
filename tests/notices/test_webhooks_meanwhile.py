"""What is told while others write, and while the sender is killed again and again: all of it, in order of its user."""

import random
import sys
import time
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine

from credits_core.ledger import actions
from credits_core.notices import journal, telling
from credits_core.store import database
from credits_core.store.kinds import CreditSource, EventKind
from tests.support import hooks, racers, receiver, world
from tests.support.actors import TESTER
from tests.support.hooks import look
from tests.support.plain_sql import rows, scalar
from tests.support.receiver import RESET
from tests.support.world import NOW

_KILLS, _KILLS_IN_FULL = 4, 20
_LONGEST_SECONDS = 90


def adding(engine: Engine, user_id: str, key: str) -> Connection:
    """A unit of work that has added credits, and is not committed yet; the caller ends it."""
    connection = engine.connect()
    connection.begin()
    actions.add_credits(
        connection, user_id, 5, source=CreditSource.GRANT, reason="A gift", key=key, now=NOW, actor=TESTER
    )
    return connection


def test_an_entry_that_is_committed_after_a_later_one_is_told_too(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LONGEST_WAIT_SECONDS", 0.2)
    with receiver.listening() as to:
        hooks.add(postgres_engine, to)
        first = world.add(postgres_engine, "eve", 5, key="first").entry_id
        under_way = adding(postgres_engine, "eve", "late")
        later = world.add(postgres_engine, "ada", 1_000, key="later").entry_id
        run = world.charge(postgres_engine, world.HAIKU, key="run").entry_id
        assert journal.settled(postgres_engine) is None
        assert look(postgres_engine, 1, to) == 0  # whatever is newer than the unit of work has to wait for it
        under_way.commit()
        under_way.close()
        look(postgres_engine, 1, to)
        assert (first < later < run, to.entries("ada")) == (True, [later, run])


def test_who_subscribes_is_told_of_all_that_is_committed_afterwards_and_of_nothing_before(
    postgres_engine: Engine,
) -> None:
    with receiver.listening() as to:
        world.add(postgres_engine, "ada", 1_000, key="before")
        under_way = adding(postgres_engine, "eve", "under-way")
        thread = Thread(target=hooks.add, args=[postgres_engine, to])
        thread.start()
        time.sleep(0.3)
        assert scalar(postgres_engine, "SELECT count(*) FROM webhook_endpoints") == 0  # it waits for who is writing
        under_way.commit()
        under_way.close()
        thread.join()
        run = world.charge(postgres_engine, world.HAIKU, key="run").entry_id
        look(postgres_engine, 1, to)
        assert to.told() == [("run.charged", "ada")]
        assert to.entries("ada") == [run]


def test_an_event_that_is_no_entry_and_is_committed_late_is_told_too(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LONGEST_WAIT_SECONDS", 0.2)
    with receiver.listening() as to, postgres_engine.connect() as slow:
        hooks.add(postgres_engine, to)
        slow.begin()
        telling.tell(slow, EventKind.PAYOUT_PAID, "ben", {"user_id": "ben"}, about="payout 1", now=NOW)
        database.write(
            postgres_engine,
            lambda one: telling.tell(
                one, EventKind.PAYOUT_PAID, "cara", {"user_id": "cara"}, about="payout 2", now=NOW
            ),
        )
        assert look(postgres_engine, 1, to) == 0
        slow.commit()
        look(postgres_engine, 1, to)
        assert sorted(to.told()) == [("payout.paid", "ben"), ("payout.paid", "cara")]


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_receiver_that_fails_gets_everything_in_order_from_senders_that_are_killed(
    engine: Engine, full: bool
) -> None:
    drawn = random.Random(4_711)
    with receiver.listening() as to:
        to.answers = lambda _: drawn.choice([200] * 6 + [500, RESET])
        hooks.add(engine, to, [EventKind.PURCHASE_PAID, EventKind.RUN_CHARGED])
        url = engine.url.render_as_string(hide_password=False)
        for kill in range(_KILLS_IN_FULL if full else _KILLS):
            process, answers = racers.start(hooks.send_until_killed, url, to.host)
            assert answers.recv() == "began"
            for number in range(4):
                for user in ("ada", "ben", "cara"):
                    world.add(engine, user, 1_000, key=f"{user}-{kill}-{number}")
                    world.charge(engine, world.run_by(user), key=f"run-{user}-{kill}-{number}")
            time.sleep(drawn.uniform(0, 1))
            process.kill()
            process.join()
        process, answers = racers.start(hooks.send_until_killed, url, to.host)
        expected = {
            user: [
                number
                for (number,) in rows(
                    engine,
                    "SELECT DISTINCT entry_id FROM credit_transactions WHERE account_id = :user ORDER BY entry_id",
                    user=user,
                )
            ]
            for user in ("ada", "ben", "cara")
        }
        until = time.monotonic() + _LONGEST_SECONDS
        while {user: to.entries(user) for user in expected} != expected and time.monotonic() < until:
            time.sleep(0.1)
        process.kill()
        process.join()
        assert {user: to.entries(user) for user in expected} == expected
        assert to.tries > len(to.taken) > 0
