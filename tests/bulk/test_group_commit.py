"""Charges that are committed together: each has its own answer, after the commit, and none takes others with it."""

import asyncio
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from credits_core.audit import invariants
from credits_core.bulk import group_commit
from credits_core.bulk.group_commit import GroupCommit
from credits_core.errors import CreditsError
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import Charge, ChargeRequest
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.killing import Killed
from tests.support.plain_sql import balance, contradictions, rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, NOW

KILLS, KILLS_IN_FULL = 5, 50
EVERY_CALL = 11
"""Without --full, the process is killed at every so many-th of the system calls of a group."""


class Commits:
    """Stands in for `database` in the group: holds the first unit of work until it is let go, and counts all."""

    def __init__(self) -> None:
        self.begun, self.may_go = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self.answered_early: list[int] = []
        self.futures: list[Future[Receipt]] = []

    def write(self, engine: Engine, action: Callable[[Connection], list[object]]) -> list[object]:
        self.begun.set()
        assert self.may_go.wait(60)
        done_before = sum(future.done() for future in self.futures)
        outcomes = database.write(engine, action)
        self.sizes.append(len(outcomes))
        self.answered_early.append(sum(future.done() for future in self.futures) - done_before)
        return outcomes


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Commits:
    commits = Commits()
    monkeypatch.setattr(group_commit, "database", commits)
    return commits


@pytest.fixture
def group(engine: Engine, book: PriceBook) -> Iterator[GroupCommit]:
    world.add(engine, "ada", 2_000, key="fund")
    group = GroupCommit(lambda: engine, lambda _: book)
    yield group
    group.close()


def _charge(key: str, request: ChargeRequest = HAIKU) -> Charge:
    return Charge(request, key, NOW, TESTER)


def _outcomes(futures: list[Future[Receipt]]) -> list[object]:
    return [
        type(future.exception(60)) if future.exception(60) else future.result().idempotency_key for future in futures
    ]


def test_charges_that_arrive_while_one_is_committed_share_the_next_commit(
    engine: Engine, group: GroupCommit, commits: Commits
) -> None:
    commits.futures.append(group.submit(_charge("k-0")))
    assert commits.begun.wait(60)
    requests = [HAIKU, replace(HAIKU, model_id="unknown"), HAIKU_WITH_FEE, HAIKU, HAIKU]
    commits.futures += [group.submit(_charge(f"k-{place}", asked)) for place, asked in enumerate(requests, 1)]
    commits.may_go.set()

    # 2,000 credits: 300, then 300, 1,251, and 149 are too few for the other two.
    expected = ["k-0", "k-1", UnknownModel, "k-3", InsufficientCredits, InsufficientCredits]
    assert _outcomes(commits.futures) == expected
    assert commits.sizes == [1, 5]
    assert commits.answered_early == [0, 0]  # nobody is answered before the commit
    assert rows(engine, "SELECT idempotency_key FROM journal_entries ORDER BY id") == [
        ("fund",),
        ("k-0",),
        ("k-1",),
        ("k-3",),
    ]


def test_an_event_loop_is_woken_once_for_a_group_and_goes_on_when_somebody_has_gone(
    engine: Engine, group: GroupCommit, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken, settle = [], group_commit._settle

    def note(outcomes: list[Any]) -> None:
        woken.append(len(outcomes))
        settle(outcomes)

    monkeypatch.setattr(group_commit, "_settle", note)

    async def charge() -> list[object]:
        first = asyncio.create_task(group.charge(_charge("k-0")))
        await asyncio.to_thread(commits.begun.wait, 60)
        later = [asyncio.create_task(group.charge(_charge(f"k-{number}"))) for number in range(1, 6)]
        unknown = asyncio.create_task(group.charge(_charge("k-6", replace(HAIKU, model_id="unknown"))))
        await asyncio.sleep(0)
        later[1].cancel()
        commits.may_go.set()
        return list(await asyncio.gather(first, *later, unknown, return_exceptions=True))

    outcomes = asyncio.run(charge())
    expected = ["k-0", "k-1", asyncio.CancelledError, "k-3", "k-4", "k-5", UnknownModel]
    assert [getattr(outcome, "idempotency_key", type(outcome)) for outcome in outcomes] == expected
    assert woken == [1, 6]
    assert balance(engine, "ada") == 2_000 - 6 * 300  # what was taken is charged, although nobody waits


def test_a_loop_that_has_ended_stops_nobody(engine: Engine, group: GroupCommit, commits: Commits) -> None:
    async def leave() -> None:
        task = asyncio.create_task(group.charge(_charge("k-0")))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    commits.may_go.set()
    assert _outcomes([group.submit(_charge("k-1"))]) == ["k-1"]
    assert balance(engine, "ada") == 2_000 - 2 * 300


def test_who_gives_up_while_being_answered_stops_nobody(
    engine: Engine, group: GroupCommit, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    class GivesUp(Future[Receipt]):
        def done(self) -> bool:
            was_done = super().done()
            self.cancel()
            return was_done

    commits.may_go.set()
    with monkeypatch.context() as patch:
        patch.setattr(group_commit, "Future", GivesUp)
        group.submit(_charge("k-0"))
        assert _outcomes([group.submit(_charge("k-1"))]) == ["k-1"]
    assert balance(engine, "ada") == 2_000 - 2 * 300


def test_one_that_cannot_be_written_does_not_take_the_others_with_it(
    engine: Engine, group: GroupCommit, commits: Commits
) -> None:
    futures = [group.submit(_charge("k-0"))]
    assert commits.begun.wait(60)
    broken = Charge(HAIKU, "k-2", None, TESTER)  # type: ignore[arg-type] # our own mistake, not a refusal
    futures += [group.submit(charge) for charge in (_charge("k-1"), broken, _charge("k-3"))]
    commits.may_go.set()

    assert _outcomes(futures) == ["k-0", "k-1", AttributeError, "k-3"]
    assert balance(engine, "ada") == 2_000 - 3 * 300


def test_a_database_that_does_not_answer_is_told_to_everybody_at_once(
    group: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def no_answer(*_: object) -> None:
        asked.append(None)
        time.sleep(0.2)
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(database, "write", no_answer)
    assert _outcomes([group.submit(_charge(f"k-{number}")) for number in range(5)]) == [OperationalError] * 5
    assert len(asked) == 2


def test_what_does_not_fit_the_time_of_one_commit_comes_first_in_the_next(
    engine: Engine, group: GroupCommit, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "for_a_while", lambda charges: islice(charges, 2))
    monkeypatch.setattr(group_commit, "LARGEST_GROUP", 3)
    futures = [group.submit(_charge(f"k-{number}")) for number in range(6)]
    commits.may_go.set()
    assert _outcomes(futures) == [f"k-{number}" for number in range(6)]
    assert max(commits.sizes) == 2
    keys = rows(engine, "SELECT idempotency_key FROM journal_entries WHERE type = 'prompt_run' ORDER BY id")
    assert keys == [(f"k-{number}",) for number in range(6)]


def test_what_was_taken_is_carried_out_before_the_process_ends(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    group = GroupCommit(lambda: engine, lambda _: book)
    futures = [group.submit(_charge(f"k-{number}")) for number in range(20)]
    group.close()
    assert all(future.done() for future in futures)
    assert balance(engine, "ada") == 10_000 - 20 * 300


def test_threads_that_charge_at_once_spend_what_is_there_and_no_more(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 37 * 300 + 299, key="fund")
    group = GroupCommit(lambda: engine, lambda _: book)

    def charge(thread: int) -> list[Receipt | CreditsError]:
        outcomes: list[Receipt | CreditsError] = []
        for number in range(5):
            future = group.submit(_charge(f"{thread}-{number}"))
            refusal = future.exception(60)
            assert refusal is None or isinstance(refusal, CreditsError)
            outcomes.append(refusal or future.result())
        return outcomes

    outcomes = [*chain.from_iterable(racers.at_once([partial(charge, thread) for thread in range(16)]))]
    group.close()
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert len(receipts) == 37
    assert {type(outcome) for outcome in outcomes} == {Receipt, InsufficientCredits}
    assert balance(engine, "ada") == 299
    after = sorted((receipt.entry_id, receipt.balance_after("ada")) for receipt in receipts)
    assert [balance_credits for _, balance_credits in after] == [299 + 300 * left for left in range(36, -1, -1)]
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


# --- killed in the middle -------------------------------------------------------------------------------------------


def _check(engine: Engine, book: PriceBook, prefix: str, acknowledged: list[str]) -> None:
    """What was acknowledged is there, and whatever is there is whole."""
    world.add(engine, "ada", 1, key=f"after-{prefix}")  # waits for a commit that the server may still be at
    stored = rows(
        engine, "SELECT idempotency_key FROM journal_entries WHERE idempotency_key LIKE :keys", keys=f"{prefix}-%"
    )
    charged = {str(key) for (key,) in stored}
    assert set(acknowledged) <= charged
    # A group is there as a whole, so at most one group is there that was not acknowledged to its end.
    assert len(charged) - len(acknowledged) <= 8
    assert contradictions(engine) == []
    assert [finding for finding in invariants.check(engine, book.plans) if not finding.ok] == []


def _read_all(acknowledgements: int) -> list[str]:
    received = b""
    while block := os.read(acknowledgements, 65_536):
        received += block
    return received.decode().splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_killed_while_it_commits_groups_loses_nothing_it_acknowledged(
    engine: Engine, book: PriceBook, full: bool
) -> None:
    world.add(engine, "ada", 10**9, key="fund")
    url = engine.url.render_as_string(hide_password=False)
    moments = random.Random(20_261_126)
    for round_ in range(KILLS_IN_FULL if full else KILLS):
        process, acknowledgements = racers.start(racers.charge_groups_until_killed, url, f"round-{round_}")
        assert acknowledgements.poll(300), "the process does not begin to charge"
        time.sleep(moments.uniform(0, 0.03))
        process.kill()
        keys = _read_all(acknowledgements.fileno())
        acknowledgements.close()
        process.join()
        process.close()
        _check(engine, book, f"round-{round_}", keys)


# The thread that writes the group makes all of these calls, so the n-th of a kind is the same in every run.
_ONE_GROUP = """
import os, sys
from credits_core.bulk.group_commit import GroupCommit
from credits_core.ledger.requests import Charge
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
url, prefix = sys.argv[1:]
engine, book = database.create_engine_for(url), world.price_book()
group = GroupCommit(lambda: engine, lambda _: book)
charges = [Charge(world.HAIKU_WITH_FEE, f"{prefix}-{number}", world.NOW, TESTER) for number in range(8)]
for future in [group.submit(charge) for charge in charges]:
    print(future.result().idempotency_key, flush=True)
os._exit(0)
"""


def test_a_process_killed_at_any_system_call_of_a_group_leaves_each_charge_whole_or_not_there(
    engine: Engine, book: PriceBook, full: bool, tmp_path: Path
) -> None:
    killed = Killed(_ONE_GROUP, tmp_path)
    world.add(engine, "ada", 10**9, key="fund")
    url = engine.url.render_as_string(hide_password=False)
    assert killed.run(url, "whole").splitlines() == [f"whole-{number}" for number in range(8)]
    calls = killed.calls
    assert len(calls) > 10
    unfinished = 0
    for place in range(0, len(calls), 1 if full else EVERY_CALL):
        keys = killed.run(url, f"call-{place}", at=place).splitlines()
        unfinished += len(keys) < 8
        _check(engine, book, f"call-{place}", keys)
    assert unfinished > len(calls) / (2 if full else 2 * EVERY_CALL)
