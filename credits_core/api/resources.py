"""What the API's routes share: the database, the price book, the counters, the list of calls, and threads.

Reading has threads of its own, so that it never waits for those who write, and so has asking other servers.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import TypeVar

from sqlalchemy import Connection, Engine

from credits_core import settings, startup
from credits_core.access import keys
from credits_core.access.call_log import CallLog
from credits_core.access.keys import KeyRecord
from credits_core.api.limits import Limiter
from credits_core.api.metrics import Metrics
from credits_core.api.workers import Workers
from credits_core.audit import seals
from credits_core.bulk.group_commit import GroupCommit
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.requests import Charge
from credits_core.operations.leader import Leader
from credits_core.operations.surroundings import Surroundings
from credits_core.payments import buying, configured, receiving
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.packs import Pack
from credits_core.payments.purchased import Bought
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database, deadline
from credits_core.store.refusals import DeadlinePassed, Unavailable

Result = TypeVar("Result")
_log = logging.getLogger("promptflow.api")
# Not the event loop's own threads: those also serve the dashboard's files, which must not queue behind charges.
_READING, _WRITING, _ASKING = 4, 4, 4
_MOST_SEALS_WHILE_WAITED_FOR = 5  # whoever asks for the metrics does not wait for more
_CATCH_UP_SECONDS, _LONGEST_CATCH_UP_SECONDS = 1, 60


class Resources:
    """Shared by all routes. Models and settings are read at once, so a broken one stops the start.

    The database opens when it is used.
    """

    def __init__(self, database_url: str | None = None) -> None:
        """Use the configured database, or the one at this URL. It is not opened yet."""
        self._database_url = database_url
        self._engine: Engine | None = None
        self._preparing: Future[Engine] | None = None
        self._lock = Lock()
        self._reading = Workers("reading", _READING, changes=False)
        self._writing = Workers("writing", _WRITING, changes=True)
        self._asking = Workers("asking", _ASKING, changes=True)
        self._upkeep = ThreadPoolExecutor(1, thread_name_prefix="credits-upkeep")
        self._catching_up: Future[None] | None = None
        self.deadline_seconds = settings.deadline_seconds()
        self.zone = settings.time_zone()
        self.stripe = configured.stripe()
        self.books = PriceBooks(settings.load_models())
        self.limiter = Limiter(settings.rate_limit(), settings.rate_limit_storage())
        self._group = GroupCommit(self._opened, self.books.asked)
        self.metrics = Metrics(lambda: self._group.waiting)
        self.calls = CallLog(self._opened, kept=settings.kept_calls())
        self._leader = Leader(self._surroundings)

    async def write(self, action: Callable[[Connection], Result]) -> Result:
        """Run the action in one unit of work, off the event loop, and return its result once that is committed."""
        return await self._writing.run(lambda: database.write(self._opened(), action))

    async def charge(self, charge: Charge) -> Receipt:
        """Charge a run together with those that arrive meanwhile, and return its receipt once that is committed.

        Raises:
            CreditsError: as `ledger.actions.charge_prompt`.
        """
        return await self._group.charge(charge)

    async def open_checkout(self, bought: Bought, pack: Pack) -> Bought:
        """Ask the gateway for the page where a purchase is paid, off the event loop.

        Raises:
            GatewayFailed: it did not answer, or refused.
        """

        def ask() -> Bought:
            engine, now = self._opened(), datetime.now(UTC)
            return buying.open_checkout(engine, configured.gateway(engine), bought, words=pack.order, now=now)

        return await self._asking.run(ask)

    async def take_in(self, event: GatewayEvent) -> None:
        """Keep what a gateway says, and then do what follows from it, off the event loop, as `receiving.take_in`."""

        def both() -> None:
            receiving.take_in(self._opened(), event, now=datetime.now(UTC), actor=receiving.GATEWAY)

        await self._writing.run(both)

    async def authenticate(self, key: str, now: datetime) -> KeyRecord:
        """Look a key up, as `access.keys.authenticate`.

        Raises:
            Unauthorized: it is not a key, is unknown, was revoked or has expired.
        """
        return await self.read(lambda connection: keys.authenticate(connection, key, now=now))

    async def read(self, action: Callable[[Connection], Result]) -> Result:
        """Run the action on one snapshot, off the event loop, and return its result."""
        return await self._reading.run(lambda: self._read(action))

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Ask another server, such as a payment gateway, off the event loop, and return its answer.

        Neither those who read nor those who write wait for it.
        """
        return await self._asking.run(question)

    async def catch_up(self) -> None:
        """Add the newest entries to the daily totals, so that reading sums stays quick, and seal them.

        Waits for it at most a second: it goes on meanwhile, or waits for those who write. A failure is only logged.
        """
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = self._upkeep.submit(self._catch_up)
        await asyncio.wait({asyncio.wrap_future(self._catching_up)}, timeout=_CATCH_UP_SECONDS)

    async def require_ready(self) -> None:
        """Check that the database answers and is at the newest migration.

        Raises:
            DatabaseNotReady: it is not at the newest migration.
        """
        await self._reading.run(lambda: database.require_migrated(self._opened()))

    def start(self) -> None:
        """Begin to run the jobs by themselves, if no other process does. `CREDITS_JOBS=0` switches them off."""
        if settings.jobs_enabled():
            self._leader.start()

    def close(self) -> None:
        """Carry out what was taken, write the calls that wait, close every connection and end the threads."""
        self._group.close()
        self.calls.close()
        self._leader.close()
        self._reading.close()
        self._writing.close()
        self._asking.close()
        self._upkeep.shutdown()
        if self._engine is not None:
            self._engine.dispose()

    def _surroundings(self) -> Surroundings:
        return Surroundings(self._opened(), self.books, self.zone, lambda: datetime.now(UTC))

    def _read(self, action: Callable[[Connection], Result]) -> Result:
        with database.read(self._opened()) as connection:
            return action(connection)

    def _catch_up(self) -> None:
        try:
            with deadline.within(_LONGEST_CATCH_UP_SECONDS):
                daily_totals.catch_up(self._opened(), self.zone)
        except (CreditsError, *database.FAILURES) as error:
            _log.error("the daily totals cannot catch up", exc_info=error)
        try:
            with deadline.within(_LONGEST_CATCH_UP_SECONDS):
                seals.catch_up_quietly(self._opened(), now=datetime.now(UTC), most_seals=_MOST_SEALS_WHILE_WAITED_FOR)
        except (CreditsError, *database.FAILURES) as error:
            _log.error("new entries cannot be sealed", exc_info=error)

    def _opened(self) -> Engine:
        # It may take minutes to bring an old database up to date. So a thread of its own does, and whoever asks
        # meanwhile waits until the deadline.
        with self._lock:
            if self._engine is not None:
                return self._engine
            if self._preparing is None:
                self._preparing = Future()
                Thread(target=self._prepare, args=(self._preparing,), name="credits-start", daemon=True).start()
            preparing = self._preparing
        try:
            return preparing.result(deadline.remaining())
        except InvalidRequest as error:  # a setting of ours, which no caller can correct
            raise Unavailable from error
        except TimeoutError:
            raise DeadlinePassed from None

    def _prepare(self, preparing: Future[Engine]) -> None:
        try:
            engine = self._prepared()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            if isinstance(error, InvalidRequest):
                _log.error("the database cannot be opened", exc_info=error)
            with self._lock:
                self._preparing = None  # the next one tries again
            preparing.set_exception(error)
            return
        with self._lock:
            self._engine = engine
        preparing.set_result(engine)

    def _prepared(self) -> Engine:
        engine = database.create_engine_for(self._database_url or settings.database_url())
        try:
            startup.prepare(engine, self.books, demo=settings.demo_at_start(), now=datetime.now(UTC))
        except BaseException:
            engine.dispose()
            raise
        return engine
