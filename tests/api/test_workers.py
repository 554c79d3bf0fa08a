"""Threads of one kind of work: how much may wait, and what is certain about work that did not end in time."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from credits_core.api import workers
from credits_core.api.workers import Workers
from credits_core.errors import CreditsError
from credits_core.store import deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting


async def _refusal(of: Workers, work: Callable[[], object], *, seconds: int = 60) -> CreditsError | None:
    try:
        with deadline.within(seconds):
            await of.run(work)
    except CreditsError as refusal:
        return refusal
    return None


def test_work_runs_under_the_deadline_of_who_asked() -> None:
    async def ask() -> float:
        with deadline.within(5):
            return await Workers("test", 1, changes=False).run(lambda: deadline.remaining())

    assert 4 < asyncio.run(ask()) <= 5


@pytest.mark.parametrize("changes", [True, False])
def test_work_that_does_not_end_in_time_may_have_changed_something_and_what_waited_has_not(changes: bool) -> None:
    some, may_end, done = Workers("test", 1, changes=changes), threading.Event(), []

    async def ask() -> tuple[CreditsError | None, CreditsError | None, float]:
        begun = time.monotonic()
        stuck, waiting = await asyncio.gather(
            _refusal(some, lambda: may_end.wait(60), seconds=1), _refusal(some, lambda: done.append(1), seconds=1)
        )
        seconds = time.monotonic() - begun
        may_end.set()
        assert await _refusal(some, lambda: None) is None
        return stuck, waiting, seconds

    stuck, waiting, seconds = asyncio.run(ask())
    assert isinstance(stuck, DeadlinePassed)
    assert isinstance(waiting, DeadlinePassed)
    assert (stuck.may_have_happened, waiting.may_have_happened) == (changes, False)
    assert 1.5 <= seconds < 2.5
    assert done == []
    some.close()


def test_work_that_comes_when_much_waits_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_WAITING", 1)
    some, may_end = Workers("test", 1, changes=True), threading.Event()

    async def ask() -> list[CreditsError | None]:
        taken = [asyncio.create_task(_refusal(some, lambda: may_end.wait(60))) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await _refusal(some, lambda: None)
        may_end.set()
        return [refused, *await asyncio.gather(*taken), await _refusal(some, lambda: None)]

    refused, *others = asyncio.run(ask())
    assert isinstance(refused, TooManyWaiting)
    assert others == [None] * 3
    some.close()
