"""How many of a process write at once, and how many may wait for their turn: whoever reads finds a free connection."""

from threading import Lock, Semaphore
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from credits_core.store import deadline
from credits_core.store.refusals import DeadlinePassed, TooManyWaiting

MOST_AT_ONCE = 8
MOST_WAITING = 200


class Turns:
    """The turns of the writers of one engine."""

    def __init__(self, *, at_once: int = MOST_AT_ONCE, waiting: int = MOST_WAITING) -> None:
        """Give so many turns at once, and let so many wait."""
        self._most = at_once + waiting
        self._free = Semaphore(at_once)
        self._lock = Lock()
        self._inside = 0
        self._waiting = waiting

    def one(self) -> "Turns":
        """One turn, which ends with the block that begins with it."""
        return self

    def __enter__(self) -> None:
        """Wait for a turn.

        Raises:
            TooManyWaiting: as many as may wait do.
            DeadlinePassed: no turn came in time.
        """
        with self._lock:
            if self._inside >= self._most:
                raise TooManyWaiting(self._waiting)
            self._inside += 1
        has_turn = False
        try:
            has_turn = self._free.acquire(timeout=deadline.remaining())
            if not has_turn:
                raise DeadlinePassed
        finally:
            if not has_turn:
                self._leave()

    def __exit__(self, *_: object) -> None:
        """End the turn."""
        self._free.release()
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1


_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()


def of(engine: Engine) -> Turns:
    """The turns of the writers of this engine."""
    found = _turns.get(engine)
    return _turns.setdefault(engine, Turns()) if found is None else found
