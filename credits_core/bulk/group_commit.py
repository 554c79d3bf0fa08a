"""Charges that arrive while another one is being committed are taken together and committed in one unit of work.

A commit waits for the disk, and a second charge can wait for the same moment. Each charge is answered only after the
commit that it is part of, with its own receipt or refusal.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Lock

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from credits_core.bulk.pieces import for_a_while
from credits_core.errors import CreditsError
from credits_core.ledger import actions
from credits_core.ledger.actions import BookQuestion
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge
from credits_core.pricing.quote import PriceBook
from credits_core.store import database

LARGEST_GROUP = 100
_NO_DATABASE = (OperationalError, psycopg.OperationalError, CreditsError)
"""The database does not answer or is not ready, so alone nobody would fare better."""
_Future = Future[Receipt] | asyncio.Future[Receipt]
_Waiting = tuple[Charge, _Future]
_Outcome = Receipt | BaseException


class GroupCommit:
    """Charges for all threads of a process, with one writer at a time. A charge that is alone waits for nobody."""

    def __init__(self, engine: Callable[[], Engine], book: Callable[[Connection], PriceBook | BookQuestion]) -> None:
        """Charge in the database of `engine`, which is opened when it is first used, by the prices of `book`."""
        self._engine = engine
        self._book = book
        self._waiting: deque[_Waiting] = deque()
        self._lock = Lock()
        self._is_writing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="credits-group")

    @property
    def waiting(self) -> int:
        """How many charges wait for their turn now."""
        return len(self._waiting)

    def submit(self, charge: Charge) -> "Future[Receipt]":
        """Take the charge, and give its receipt or its refusal once it is durably committed or refused.

        Charges are carried out in the order in which they are taken.
        """
        future: Future[Receipt] = Future()
        self._take(charge, future)
        return future

    async def charge(self, charge: Charge) -> Receipt:
        """As `submit`, for an event loop, which is woken once for all charges that were committed together.

        Raises:
            CreditsError: the charge was refused.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._take(charge, future)
        return await future

    def close(self) -> None:
        """Carry out what was taken, and take no more."""
        self._writer.shutdown()

    def _take(self, charge: Charge, future: _Future) -> None:
        with self._lock:
            self._waiting.append((charge, future))
            begins = not self._is_writing
            self._is_writing = True
        if begins:
            self._writer.submit(self._write_all)

    def _write_all(self) -> None:
        while group := self._next_group():
            self._carry_out(group)

    def _next_group(self) -> list[_Waiting]:
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(LARGEST_GROUP, len(self._waiting)))]
            self._is_writing = bool(group)
            return group

    def _carry_out(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = database.write(self._engine(), partial(self._charge, charges=[charge for charge, _ in group]))
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            if len(group) == 1 or isinstance(error, _NO_DATABASE):
                _answer([(future, error) for _, future in group])
            else:  # one that cannot be written must not take the others with it
                for one in group:
                    self._carry_out([one])
            return
        with self._lock:
            self._waiting.extendleft(reversed(group[len(outcomes) :]))  # there was no time for these
        _answer([(future, outcome) for (_, future), outcome in zip(group, outcomes, strict=False)])

    def _charge(self, connection: Connection, charges: Sequence[Charge]) -> list[Receipt | CreditsError]:
        return actions.charge_prompts(connection, charges, book=self._book(connection), pace=for_a_while)


def _answer(outcomes: Sequence[tuple[_Future, _Outcome]]) -> None:
    of_loops: dict[asyncio.AbstractEventLoop, list[tuple[_Future, _Outcome]]] = defaultdict(list)
    for future, outcome in outcomes:
        if isinstance(future, Future):
            if future.set_running_or_notify_cancel():  # from here on nobody can cancel it
                _settle([(future, outcome)])
        else:
            of_loops[future.get_loop()].append((future, outcome))
    for loop, of_loop in of_loops.items():
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            loop.call_soon_threadsafe(_settle, of_loop)


def _settle(outcomes: Sequence[tuple[_Future, _Outcome]]) -> None:
    for future, outcome in outcomes:
        if future.cancelled():
            continue  # whoever asked has gone
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
