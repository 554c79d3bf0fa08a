"""Remembers the records of keys for a second, so that a caller with many requests is looked up once a second."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from credits_core.access.keys import KeyRecord

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

    async def authenticate(self, key: str, *, now: datetime) -> KeyRecord:
        """The record of the key that a caller sent.

        Raises:
            Unauthorized: it is not a key, is unknown, was revoked or has expired.
        """
        name, asked_at = hashlib.sha256(key.encode()).digest(), self._clock()
        record, known_since = self._kept.get(name, (None, asked_at))
        if record is None or asked_at - known_since >= SECONDS:
            # Counted from before the look-up, which may take long: a key can be revoked meanwhile.
            record = await self._look_up(key, now)
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[name] = (record, asked_at)
        else:
            record.require_valid(now)
        return record
