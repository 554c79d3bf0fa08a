"""Limits how many requests a key and an address may make, counted in memory or in Redis by the `limits` library.

When Redis does not answer, this process counts for itself for a while, so that not every call waits for Redis.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from credits_core.api.refusals import RateLimited
from credits_core.errors import InvalidRequest

_SECONDS = 1
"""How long to wait for Redis."""
SILENCE_SECONDS = 30
"""How long this process counts for itself before it asks Redis again."""
_log = logging.getLogger("promptflow.api")


class Limiter:
    """One limit for each of any number of callers, counted over a sliding window."""

    def __init__(self, limit: str, storage_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a limiter of a limit such as `600/minute` that counts at `memory://` or `redis://…`.

        `clock` counts seconds.

        Raises:
            InvalidRequest: the limit or the address cannot be read, or the limit allows no request.
        """
        try:
            self._limit: RateLimitItem = parse(limit)
        except ValueError:
            raise InvalidRequest("CREDITS_RATE_LIMIT", f"must be a limit such as 600/minute, not {limit!r}") from None
        if self._limit.amount < 1:
            raise InvalidRequest("CREDITS_RATE_LIMIT", f"must allow at least one request, not {limit!r}")
        options: dict[str, Any] = {}
        is_own = storage_url.startswith("memory:")
        if not is_own:
            options = {"implementation": "redispy", "socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
        try:
            storage = storage_from_string(f"async+{storage_url}", wrap_exceptions=True, **options)
        except ConfigurationError:
            raise InvalidRequest(
                "CREDITS_RATE_LIMIT_STORAGE",
                f"must be memory:// or a URL such as redis://localhost:6379, not {urlsplit(storage_url).scheme}:…",
            ) from None
        self._own = SlidingWindowCounterRateLimiter(storage if is_own else storage_from_string("async+memory://"))
        self._shared = None if is_own else SlidingWindowCounterRateLimiter(storage)
        self._clock = clock
        self._asked_again_at: float | None = None

    async def count(self, kind: str, caller: str) -> None:
        """Count one request of a caller.

        Raises:
            RateLimited: the caller is over the limit; says how many seconds to wait.
        """
        if self._shared is not None and self._is_asked_now():
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._count(self._shared, kind, caller)
            except (StorageError, TimeoutError):
                # A payment must not wait for the counter: the limit protects against abuse, the ledger the money.
                self._asked_again_at = self._clock() + SILENCE_SECONDS
                _log.warning("the rate limits cannot be counted", exc_info=True)
            except RateLimited:
                self._asked_again_at = None
                raise
            else:
                self._asked_again_at = None
                return
        await self._count(self._own, kind, caller)

    def _is_asked_now(self) -> bool:
        """Whether Redis is asked; after a silence by one call alone, which finds out for all."""
        if self._asked_again_at is None:
            return True
        if self._clock() < self._asked_again_at:
            return False
        self._asked_again_at = self._clock() + SILENCE_SECONDS
        return True

    async def _count(self, strategy: SlidingWindowCounterRateLimiter, kind: str, caller: str) -> None:
        if await strategy.hit(self._limit, kind, caller):
            return
        stats = await strategy.get_window_stats(self._limit, kind, caller)
        raise RateLimited(f"{self._limit}", max(1, int(stats.reset_time - time.time()) + 1))
