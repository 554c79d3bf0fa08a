"""Tells endpoints what is due, each in a thread of its own, until a time or until it is asked to end.

Between two looks at the database a thread only talks to its receiver. So a receiver that is slow keeps no other from
its events, and a process that dies leaves every event where it was: whatever was not kept as taken is sent again.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Event, Thread

from sqlalchemy import Engine

from credits_core.errors import CreditsError
from credits_core.notices import collecting, deliveries, endpoints, journal, posting, signing
from credits_core.notices.deliveries import Due
from credits_core.notices.endpoints import Endpoint
from credits_core.notices.journal import Settled
from credits_core.notices.posting import Answer
from credits_core.notices.refusals import UnknownEndpoint
from credits_core.store import database

AT_ONCE = 4
_PER_ROUND = 20
_SECONDS_BETWEEN = 1
_SECONDS_TO_END = posting.SECONDS_IN_ALL + 5


class Sender:
    """Sends to all endpoints that are there, from `start` to `close`.

    What happens is found about a second later. `failures` are what ended a thread; the others went on.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime], listed: Collection[str]) -> None:
        """Nothing is started yet. `listed` are the hosts that may be inside."""
        self._engine, self._clock, self._listed = engine, clock, listed
        self._closing = Event()
        self._threads: dict[int, Thread] = {}
        self.failures: list[BaseException] = []
        self.taken = self.failed = 0

    def look(self) -> int:
        """Begin with endpoints that are new, and return how many are being told."""
        with database.read(self._engine) as connection:
            found = endpoints.endpoints(connection, now=self._clock())
        for one in found:
            if one.disabled_at is None and not self._is_alive(one.id):
                thread = Thread(target=self._tell, args=[one.id], name=f"credits-webhook-{one.id}", daemon=True)
                self._threads[one.id] = thread
                thread.start()
        return sum(thread.is_alive() for thread in self._threads.values())

    def close(self) -> None:
        """Have the threads end, and wait for what is being sent."""
        self._closing.set()
        until = time.monotonic() + _SECONDS_TO_END
        for thread in self._threads.values():
            thread.join(max(0, until - time.monotonic()))

    def _is_alive(self, endpoint_id: int) -> bool:
        return endpoint_id in self._threads and self._threads[endpoint_id].is_alive()

    def _tell(self, endpoint_id: int) -> None:
        try:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"credits-webhook-{endpoint_id}") as pool:
                while not self._closing.is_set() and (count := self.once(endpoint_id, pool)) is not None:
                    if not count:
                        self._closing.wait(_SECONDS_BETWEEN)
        except (CreditsError, *database.FAILURES) as error:
            self.failures.append(error)

    def once(self, endpoint_id: int, pool: ThreadPoolExecutor) -> int | None:
        """Look once, and return how many were tried; None when the endpoint is to be told nothing any more."""
        try:
            with database.read(self._engine) as connection:
                to = endpoints.endpoint(connection, endpoint_id, now=self._clock())
        except UnknownEndpoint:
            return None
        if to.disabled_at is not None:
            return None
        up_to = journal.settled(self._engine)
        while up_to is not None and not self._closing.is_set() and self._collect(endpoint_id, up_to):
            pass
        with database.read(self._engine) as connection:
            due = deliveries.due(connection, endpoint_id, now=self._clock(), limit=_PER_ROUND)
        answers = list(pool.map(partial(self._post, to), due))
        tried = [(one, answer) for one, answer in zip(due, answers, strict=True) if answer is not None]
        if tried:
            database.write(
                self._engine, lambda connection: deliveries.keep(connection, endpoint_id, tried, now=self._clock())
            )
            self.taken += sum(answer.is_taken for _, answer in tried)
            self.failed += sum(not answer.is_taken for _, answer in tried)
        return len(tried)

    def _collect(self, endpoint_id: int, up_to: Settled) -> bool:
        step = partial(collecting.collect, endpoint_id=endpoint_id, up_to=up_to, now=self._clock())
        return database.write(self._engine, step)

    def _post(self, to: Endpoint, one: Due) -> Answer | None:
        """What the receiver answers; None where it was not asked, because this is to end."""
        if self._closing.is_set():
            return None
        sent = signing.headers(one.event_id, one.body, to.secrets, now=self._clock())
        return posting.post(to.address, one.body, sent, listed=self._listed)
