"""Seals new entries once a minute, in a thread of its own, so that no charge and no caller waits for it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Lock, Thread

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from credits_core.audit import seals
from credits_core.store import database

_SECONDS_BETWEEN, _SECONDS_TO_END = 60, 5
_SEALS_BETWEEN_LOOKS = 20
_log = logging.getLogger("promptflow.api")


class Sealer:
    """Seals what is new in the database that `engine` opens, from `start` to `close`."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        """Nothing is opened or started yet."""
        self._engine = engine
        self._closing = Event()
        self._starting = Lock()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to seal once a minute. Calling it again does nothing."""
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._seal_now_and_then, name="credits-seals", daemon=True)
                self._thread.start()

    def seal_now(self, *, most_seals: int) -> int:
        """Seal what is new, at most so many seals, and return how many there were. A failure is only logged."""
        try:
            return seals.catch_up_quietly(self._engine(), now=datetime.now(UTC), most_seals=most_seals)
        except (SQLAlchemyError, psycopg.Error, database.sqlite_driver().Error, OSError) as error:
            _log.error("new entries cannot be sealed", exc_info=error)
            return 0

    def close(self) -> None:
        """End the thread, at most after the seals that it is making."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_SECONDS_TO_END)

    def _seal_now_and_then(self) -> None:
        while not self._closing.wait(_SECONDS_BETWEEN):
            while self.seal_now(most_seals=_SEALS_BETWEEN_LOOKS) == _SEALS_BETWEEN_LOOKS and not self._closing.is_set():
                pass
