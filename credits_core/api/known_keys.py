"""Remembers the records of keys for a second, so that the calls of a busy caller need not be looked up.

Halfway through the second the next call has the key looked up anew, and does not wait for it. So nobody waits while a
caller is busy, and all calls at once do not ask at once.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from credits_core.access.keys import KeyRecord
from credits_core.access.refusals import Unauthorized
from credits_core.errors import CreditsError
from credits_core.store.database import FAILURES

SECONDS = 1
"""How long a record is believed. A key that is revoked, here or by another process, is refused after this time."""
_MOST = 1_000


class KnownKeys:
    """The keys of the callers of the last second. Nothing is remembered about a key that was refused."""

    def __init__(
        self, look_up: Callable[[str, datetime], Awaitable[KeyRecord]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask `look_up` for keys that are not known. `clock` counts seconds."""
        self._look_up = look_up
        self._clock = clock
        self._kept: dict[bytes, tuple[KeyRecord, float]] = {}
        self._asking: dict[bytes, asyncio.Task[None]] = {}

    async def authenticate(self, key: str, *, now: datetime) -> KeyRecord:
        """The record of the key that a caller sent.

        Raises:
            Unauthorized: it is not a key, is unknown, was revoked or has expired.
        """
        digest, asked_at = hashlib.sha256(key.encode()).digest(), self._clock()
        record, known_since = self._kept.get(digest, (None, asked_at))
        if record is None or asked_at - known_since >= SECONDS:
            return await self._learn(digest, key, now)
        record.require_valid(now)
        if 2 * (asked_at - known_since) >= SECONDS and digest not in self._asking:
            self._asking[digest] = asyncio.create_task(self._learn_again(digest, key, now))
        return record

    async def _learn(self, digest: bytes, key: str, now: datetime) -> KeyRecord:
        # Counted from before the look-up, which may take long: a key can be revoked meanwhile.
        asked_at = self._clock()
        record = await self._look_up(key, now)
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[digest] = (record, asked_at)
        return record

    async def _learn_again(self, digest: bytes, key: str, now: datetime) -> None:
        try:
            await self._learn(digest, key, now)
        except Unauthorized:
            self._kept.pop(digest, None)  # the next call is told
        except (CreditsError, *FAILURES):
            pass  # the record is believed to the end of its second; then a call asks, and is told
        finally:
            del self._asking[digest]
