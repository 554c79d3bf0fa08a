"""What the API's routes share: the database, the price book, the counters, the list of calls, and threads."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection, Engine

from credits_core import settings, startup
from credits_core.access import keys
from credits_core.access.call_log import CallLog
from credits_core.access.keys import KeyRecord
from credits_core.api.limits import Limiter
from credits_core.api.metrics import Metrics
from credits_core.api.problems import Unavailable
from credits_core.api.sealing import Sealer
from credits_core.bulk.group_commit import GroupCommit
from credits_core.errors import InvalidRequest
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database

Result = TypeVar("Result")
_log = logging.getLogger("promptflow.api")
# Not the event loop's own threads: those also serve the dashboard's files, which must not queue behind charges.
_THREADS = 4
_MOST_SEALS_WHILE_WAITED_FOR = 5  # whoever asks for the metrics does not wait for more


class Resources:
    """Shared by all routes. Models and settings are read at once, so a broken one stops the start.

    The database opens when it is used.
    """

    def __init__(self, database_url: str | None = None) -> None:
        """Use the configured database, or the one at this URL. It is not opened yet."""
        self._database_url = database_url
        self._engine: Engine | None = None
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="credits-api")
        self.zone = settings.time_zone()
        self.books = PriceBooks(settings.load_models())
        self.limiter = Limiter(settings.rate_limit(), settings.rate_limit_storage())
        self.metrics = Metrics()
        self._group = GroupCommit(self._opened, self.books.asked)
        self.calls = CallLog(self._opened, kept=settings.kept_calls())
        self._sealer = Sealer(self._opened)

    async def write(self, action: Callable[[Connection], Result]) -> Result:
        """Run the action in one unit of work, off the event loop, and return its result once that is committed."""
        return await self._in_thread(lambda: database.write(self._opened(), action))

    async def charge(self, charge: Charge) -> Receipt:
        """Charge a run together with those that arrive meanwhile, and return its receipt once that is committed.

        Raises:
            CreditsError: as `ledger.actions.charge_prompt`.
        """
        return await self._group.charge(charge)

    async def authenticate(self, key: str, now: datetime) -> KeyRecord:
        """Look a key up, as `access.keys.authenticate`.

        Raises:
            Unauthorized: it is not a key, is unknown, was revoked or has expired.
        """
        return await self.read(lambda connection: keys.authenticate(connection, key, now=now))

    async def read(self, action: Callable[[Connection], Result]) -> Result:
        """Run the action on one snapshot, off the event loop, and return its result."""
        return await self._in_thread(lambda: self._read(action))

    async def catch_up(self) -> None:
        """Add the newest entries to the daily totals, so that reading sums stays quick, and seal them."""
        await self._in_thread(lambda: daily_totals.catch_up(self._opened(), self.zone))
        await self._in_thread(lambda: self._sealer.seal_now(most_seals=_MOST_SEALS_WHILE_WAITED_FOR))

    async def require_ready(self) -> None:
        """Check that the database answers and is at the newest migration.

        Raises:
            DatabaseNotReady: it is not at the newest migration.
        """
        await self._in_thread(lambda: database.require_migrated(self._opened()))

    def close(self) -> None:
        """Carry out what was taken, write the calls that wait, close every connection and end the threads."""
        self._group.close()
        self.calls.close()
        self._sealer.close()
        self._threads.shutdown()
        if self._engine is not None:
            self._engine.dispose()

    def _read(self, action: Callable[[Connection], Result]) -> Result:
        with database.read(self._opened()) as connection:
            return action(connection)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                try:
                    self._engine = self._prepared()
                    self._sealer.start()
                except InvalidRequest as error:  # a setting of ours, which no caller can correct
                    _log.error("the database cannot be opened", exc_info=error)
                    raise Unavailable from error
            return self._engine

    def _prepared(self) -> Engine:
        engine = database.create_engine_for(self._database_url or settings.database_url())
        try:
            startup.prepare(engine, self.books, demo=settings.demo_at_start(), now=datetime.now(UTC))
        except BaseException:
            engine.dispose()
            raise
        return engine
