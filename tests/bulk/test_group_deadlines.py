"""Charges that wait to be committed together: how many may wait, and what becomes of those whose time is over."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest
from sqlalchemy import Connection, Engine

from credits_core.bulk import group_commit
from credits_core.bulk.group_commit import GroupCommit
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge
from credits_core.pricing.quote import PriceBook
from credits_core.store import database, deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, rows
from tests.support.world import HAIKU, NOW

KEYS = "SELECT idempotency_key FROM journal_entries WHERE type = 'prompt_run' ORDER BY id"


class Held:
    """Stands in for `database` in the group: holds each unit of work before or after its action, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.may_go = threading.Event(), threading.Event()
        self.holds_after = False

    def write(self, engine: Engine, action: Callable[[Connection], list[object]]) -> list[object]:
        def act(connection: Connection) -> list[object]:
            outcomes = action(connection)
            if self.holds_after:
                self._hold()
            return outcomes

        if not self.holds_after:
            self._hold()
        return database.write(engine, act)

    def _hold(self) -> None:
        self.begun.set()
        assert self.may_go.wait(60)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(group_commit, "database", held)
    return held


@pytest.fixture
def group(engine: Engine, book: PriceBook) -> Iterator[GroupCommit]:
    world.add(engine, "ada", 2_000, key="fund")
    group = GroupCommit(lambda: engine, lambda _: book)
    yield group
    group.close()


def _charge(key: str) -> Charge:
    return Charge(HAIKU, key, NOW, TESTER)


async def _charge_within(group: GroupCommit, key: str, seconds: int) -> tuple[Receipt | DeadlinePassed, float]:
    begun = time.monotonic()
    try:
        with deadline.within(seconds):
            outcome: Receipt | DeadlinePassed = await group.charge(_charge(key))
    except DeadlinePassed as refusal:
        outcome = refusal
    return outcome, time.monotonic() - begun


def test_a_charge_whose_time_is_over_before_it_has_begun_is_never_carried_out(
    engine: Engine, group: GroupCommit, held: Held
) -> None:
    async def charge() -> tuple[DeadlinePassed, float]:
        first = asyncio.create_task(group.charge(_charge("k-0")))
        await asyncio.to_thread(held.begun.wait, 60)
        patient = asyncio.create_task(_charge_within(group, "k-patient", 60))
        outcome, seconds = await _charge_within(group, "k-late", 1)
        held.may_go.set()
        await first
        await patient
        assert isinstance(outcome, DeadlinePassed)
        return outcome, seconds

    refusal, seconds = asyncio.run(charge())
    assert not refusal.may_have_happened
    assert 1 <= seconds < 1.4
    assert rows(engine, KEYS) == [("k-0",), ("k-patient",)]


def test_a_charge_whose_time_is_over_at_the_lock_is_withdrawn_from_its_group(
    engine: Engine, group: GroupCommit, held: Held
) -> None:
    async def charge() -> DeadlinePassed:
        outcome, _ = await _charge_within(group, "k-late", 1)
        held.may_go.set()
        assert (await group.charge(_charge("k-1"))).idempotency_key == "k-1"
        assert isinstance(outcome, DeadlinePassed)
        return outcome

    assert not asyncio.run(charge()).may_have_happened
    assert rows(engine, KEYS) == [("k-1",)]


def test_a_charge_whose_time_is_over_amid_its_unit_of_work_may_have_happened_and_the_key_tells(
    engine: Engine, group: GroupCommit, held: Held
) -> None:
    held.holds_after = True

    async def charge() -> tuple[DeadlinePassed, float, Receipt]:
        outcome, seconds = await _charge_within(group, "k-0", 1)
        held.may_go.set()
        assert isinstance(outcome, DeadlinePassed)
        return outcome, seconds, await group.charge(_charge("k-0"))

    refusal, seconds, receipt = asyncio.run(charge())
    assert refusal.may_have_happened
    assert 1.5 <= seconds < 2
    assert not receipt.replayed  # it was too late to be committed
    assert balance(engine, "ada") == 1_700


def test_the_next_charge_is_told_at_once_when_many_wait(
    engine: Engine, group: GroupCommit, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING", 2)
    futures: list[Future[Receipt]] = [group.submit(_charge("k-0"))]
    assert held.begun.wait(60)
    futures += [group.submit(_charge(f"k-{number}")) for number in (1, 2)]
    with pytest.raises(TooManyWaiting, match="2 requests wait"):
        group.submit(_charge("k-3"))
    held.may_go.set()
    assert [future.result(60).idempotency_key for future in futures] == ["k-0", "k-1", "k-2"]
    assert group.submit(_charge("k-3")).result(60).idempotency_key == "k-3"
    assert balance(engine, "ada") == 2_000 - 4 * 300
