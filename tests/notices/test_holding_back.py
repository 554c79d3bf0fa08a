"""A user whose events a receiver refuses stops nobody else, has few deliveries, and is told all in order later."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.notices import collecting, endpoints, holding_back, low_balance
from credits_core.operations import webhook_jobs
from credits_core.store import database
from credits_core.store.kinds import EventKind
from tests.support import hooks, paying_out, receiver, world
from tests.support.actors import TESTER
from tests.support.hooks import look
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

HELD = "SELECT user_id FROM webhook_held_users ORDER BY user_id"
WAITING = "SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'waiting' AND user_id = :user"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding_back, "MOST_OF_USER", 3)
    monkeypatch.setattr(collecting, "MOST_WAITING", 6)
    monkeypatch.setattr(collecting, "ENTRIES_PER_STEP", 4)


def refusing(*users: str) -> Any:
    return lambda event: 500 if event["data"]["user_id"] in users else 200


def test_a_user_who_is_refused_keeps_no_other_waiting_and_is_told_all_in_order_afterwards(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = refusing("ada")
        for number in range(20):
            for user in ("ada", "ben"):
                world.add(engine, user, 5, key=f"{user}-{number}")
            look(engine, 1, to)
        assert to.entries("ben") == list(range(2, 41, 2))
        assert (scalar(engine, WAITING, user="ada"), rows(engine, HELD)) == (3, [("ada",)])
        to.answers = refusing()
        look(engine, 1, to, now=NOW + timedelta(seconds=5))
        assert to.entries("ada") == list(range(1, 40, 2))
        assert rows(engine, HELD) == []
        world.add(engine, "ada", 5, key="last")
        look(engine, 1, to, now=NOW + timedelta(seconds=5))
        assert (to.entries("ada")[-1], len(to.taken)) == (41, 41)


def test_low_balances_and_payouts_of_users_who_were_held_back_are_told_too(engine: Engine) -> None:
    kinds = (EventKind.PURCHASE_PAID, EventKind.BALANCE_LOW, EventKind.PAYOUT_PAID, EventKind.RUN_CHARGED)
    paying_out.earn(engine, 2_000_000)
    with receiver.listening() as to:
        hooks.add(engine, to, kinds)
        database.write(engine, lambda one: low_balance.set_level(one, "", 1_000, now=NOW, actor=TESTER))
        to.answers = refusing("ben", "cara")
        for number in range(8):
            for user in ("ben", "cara"):
                world.add(engine, user, 1_000, key=f"fund-{user}-{number}")
                for run in range(3):
                    world.charge(engine, world.run_by(user), key=f"run-{user}-{number}-{run}")
            webhook_jobs.look_at_balances(engine, now=NOW)
            look(engine, 1, to)
        paying_out.pay_to(engine)
        paying_out.propose(engine)
        paying_out.approve(engine)
        paying_out.carry_out(engine)
        look(engine, 1, to)
        assert (to.taken, rows(engine, HELD)) == ([], [("ben",), ("cara",)])
        to.answers = refusing()
        look(engine, 1, to, now=NOW + timedelta(days=400))
        told = to.told()
        assert {one: told.count(one) for one in sorted(set(told))} == {
            ("balance.low", "cara"): 8,
            ("payout.paid", "ben"): 1,
            ("purchase.paid", "ben"): 8,
            ("purchase.paid", "cara"): 8,
            ("run.charged", "ben"): 24,
            ("run.charged", "cara"): 24,
        }
        assert rows(engine, HELD) == []


def test_events_that_are_no_entries_are_held_back_and_told_in_order_too(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to, [EventKind.BALANCE_LOW])
        database.write(engine, lambda one: low_balance.set_level(one, "", 1_000, now=NOW, actor=TESTER))
        to.answers = refusing("cara")
        for number in range(8):
            world.add(engine, "cara", 1_000, key=f"fund-{number}")
            for run in range(3):
                world.charge(engine, world.run_by("cara"), key=f"run-{number}-{run}")
        webhook_jobs.look_at_balances(engine, now=NOW)
        look(engine, 1, to)
        assert (scalar(engine, WAITING, user="cara"), rows(engine, HELD)) == (3, [("cara",)])
        to.answers = refusing()
        look(engine, 1, to, now=NOW + timedelta(seconds=5))
        falls = rows(engine, "SELECT id FROM webhook_events ORDER BY id")
        assert (len(to.entries("cara")), to.entries("cara")) == (len(falls), sorted(to.entries("cara")))


def test_an_endpoint_that_takes_nothing_is_not_read_for_and_one_that_is_removed_holds_nobody(engine: Engine) -> None:
    with receiver.listening() as to:
        hooks.add(engine, to)
        to.answers = lambda _: 500
        for number in range(30):
            world.add(engine, f"u{number % 10}", 5, key=f"one-{number}")
        look(engine, 1, to)
        assert int(str(scalar(engine, "SELECT COUNT(*) FROM webhook_deliveries"))) < 30
        world.add(engine, "u0", 5, key="more")
        database.write(engine, lambda one: endpoints.remove(one, 1, now=NOW, actor=TESTER))
        assert rows(engine, HELD) == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_receiver_refuses_each_user_is_told_everything_once_and_in_order(engine: Engine, seed: int) -> None:
    drawn = random.Random(seed)
    users = ["ada", "ben", "cara", "dora"]
    added: dict[str, list[int]] = {user: [] for user in users}
    with receiver.listening() as to:
        hooks.add(engine, to)
        now = NOW
        for number in range(40):
            refused = drawn.sample(users, drawn.randint(0, 3))
            to.answers = refusing(*refused)
            for user in drawn.choices(users, k=drawn.randint(0, 4)):
                key = f"{user}-{number}-{len(added[user])}"
                added[user].append(world.add(engine, user, 5, key=key).entry_id)
            look(engine, 1, to, now=now)
            now += timedelta(minutes=drawn.choice([0, 1, 60]))
        to.answers = refusing()
        look(engine, 1, to, now=now + timedelta(days=2))
        assert {user: to.entries(user) for user in users} == added
        assert (len(to.taken), rows(engine, HELD)) == (sum(map(len, added.values())), [])
