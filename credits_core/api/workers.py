"""Threads for one kind of work, so that no other kind waits for it, and a bound on how much work may wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from credits_core.store import deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting

Result = TypeVar("Result")
MOST_WAITING = 200
_GRACE_SECONDS = 0.5
"""How much longer than its deadline work is waited for: it ends by itself, and tells more."""


class Workers:
    """Some threads, and the work that waits for them."""

    def __init__(self, name: str, threads: int, *, changes: bool) -> None:
        """`changes` tells whether the work changes anything."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"credits-{name}")
        self._changes = changes
        self._inside = 0
        self._most = threads + MOST_WAITING

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run the work in a thread, under the deadline that holds here, and return its result.

        Raises:
            TooManyWaiting: as much work as may wait does.
            DeadlinePassed: it did not end in time; says whether it may have changed something all the same.
        """
        if self._inside >= self._most:
            raise TooManyWaiting(MOST_WAITING)
        holds = deadline.current()

        def run_in_time() -> Result:
            with deadline.by(holds):
                deadline.require_time()
                return work()

        self._inside += 1
        taken = self._threads.submit(run_in_time)
        ending = asyncio.wrap_future(taken)
        ending.add_done_callback(self._one_has_ended)
        await asyncio.wait({ending}, timeout=deadline.remaining() + _GRACE_SECONDS)
        if ending.done():
            return ending.result()
        has_begun = not taken.cancel()
        raise DeadlinePassed(may_have_happened=has_begun and self._changes)

    def close(self) -> None:
        """Carry out what was taken, and end the threads."""
        self._threads.shutdown()

    def _one_has_ended(self, ending: asyncio.Future[Result]) -> None:
        self._inside -= 1
        if not ending.cancelled():
            ending.exception()  # somebody has looked, also where nobody waits any more
