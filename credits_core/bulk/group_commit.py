"""Charges that arrive while another one is being committed are taken together and committed in one unit of work.

A commit waits for the disk, and a second charge can wait for the same moment. Each charge is answered only after the
commit that it is part of, with its own receipt or refusal. One whose deadline passes before its unit of work has begun
is withdrawn, and so certainly not carried out.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock

from sqlalchemy import Connection, Engine

from credits_core.bulk.pieces import for_a_while
from credits_core.errors import CreditsError
from credits_core.ledger import actions
from credits_core.ledger.actions import BookQuestion
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge
from credits_core.pricing.quote import PriceBook
from credits_core.store import database, deadline
from credits_core.store.database import is_out_of_reach
from credits_core.store.deadline import Deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting

LARGEST_GROUP = 100
MOST_WAITING = 1_000
_GRACE_SECONDS = 0.5
"""How much longer than its deadline one waits whose unit of work has begun: it ends by itself, and tells more."""
_Future = Future[Receipt] | asyncio.Future[Receipt]
_Outcome = Receipt | BaseException


class _State(Enum):
    WAITING = auto()
    BEGUN = auto()
    WITHDRAWN = auto()


@dataclass(slots=True, eq=False)
class _Waiting:
    charge: Charge
    future: _Future
    deadline: Deadline | None
    state: _State = _State.WAITING


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

        Raises:
            TooManyWaiting: as many as may wait do.
        """
        future: Future[Receipt] = Future()
        self._take(_Waiting(charge, future, deadline.current()))
        return future

    async def charge(self, charge: Charge) -> Receipt:
        """As `submit`, for an event loop, which is woken once for all charges that were committed together.

        Raises:
            CreditsError: the charge was refused.
            TooManyWaiting: as many as may wait do.
            DeadlinePassed: the deadline has passed; says whether the charge may have been carried out.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(charge, future, deadline.current())
        self._take(waiting)
        if waiting.deadline is None:
            return await future
        timer = future.get_loop().call_later(deadline.remaining(), self._give_up, waiting)
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """Carry out what was taken, and take no more."""
        self._writer.shutdown()

    def _give_up(self, waiting: _Waiting) -> None:
        """The deadline has passed. One that has begun gets a little more time, to say what became of it."""
        with self._lock:
            has_begun = waiting.state is _State.BEGUN
            if not has_begun:
                waiting.state = _State.WITHDRAWN
        if has_begun:
            grace = (waiting.future, DeadlinePassed(may_have_happened=True))
            waiting.future.get_loop().call_later(_GRACE_SECONDS, _settle, [grace])  # type: ignore[union-attr]
        else:
            _settle([(waiting.future, DeadlinePassed())])

    def _take(self, waiting: _Waiting) -> None:
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise TooManyWaiting(MOST_WAITING)
            self._waiting.append(waiting)
            begins = not self._is_writing
            self._is_writing = True
        if begins:
            self._writer.submit(self._write_all)

    def _write_all(self) -> None:
        while group := self._next_group():
            self._carry_out(group)

    def _next_group(self) -> list[_Waiting]:
        with self._lock:
            group: list[_Waiting] = []
            while self._waiting and len(group) < LARGEST_GROUP:
                waiting = self._waiting.popleft()
                if waiting.state is not _State.WITHDRAWN:
                    group.append(waiting)
            self._is_writing = bool(group)
            return group

    def _begin(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Those of the group who still wait. From here on they may be carried out."""
        with self._lock:
            begun = [waiting for waiting in group if waiting.state is not _State.WITHDRAWN]
            for waiting in begun:
                waiting.state = _State.BEGUN
            return begun

    def _carry_out(self, group: Sequence[_Waiting]) -> None:
        begun: list[_Waiting] = []

        def charge_all(connection: Connection) -> list[Receipt | CreditsError]:
            begun[:] = self._begin(group)
            return self._charge(connection, [waiting.charge for waiting in begun])

        try:
            with deadline.by(_last(group)):
                outcomes = database.write(self._engine(), charge_all)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            # When the database does not answer or is not ready, nobody would fare better alone.
            if len(group) == 1 or isinstance(error, CreditsError) or is_out_of_reach(error):
                _answer([(waiting.future, error) for waiting in group])
            else:  # one that cannot be written must not take the others with it
                for one in group:
                    self._carry_out([one])
            return
        with self._lock:  # there was no time for these
            for waiting in reversed(begun[len(outcomes) :]):
                waiting.state = _State.WAITING
                self._waiting.appendleft(waiting)
        _answer([(waiting.future, outcome) for waiting, outcome in zip(begun, outcomes, strict=False)])

    def _charge(self, connection: Connection, charges: Sequence[Charge]) -> list[Receipt | CreditsError]:
        return actions.charge_prompts(connection, charges, book=self._book(connection), pace=for_a_while)


def _last(group: Sequence[_Waiting]) -> Deadline | None:
    """The latest deadline of the group; None when one has none."""
    deadlines = [waiting.deadline for waiting in group if waiting.deadline is not None]
    return max(deadlines, key=lambda one: one.until or 0) if len(deadlines) == len(group) else None


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
        if future.done():
            continue  # whoever asked has gone, or was told that the deadline has passed
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
