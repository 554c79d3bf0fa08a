"""Limits how many requests a key and an address may make, counted in memory or in Redis by the `limits` library."""

import logging
import time
from typing import Any
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from credits_core.api.refusals import RateLimited
from credits_core.errors import InvalidRequest

_SECONDS = 1
"""How long to wait for Redis before the call is let in uncounted."""
_log = logging.getLogger("promptflow.api")


class Limiter:
    """One limit for each of any number of callers, counted over a sliding window."""

    def __init__(self, limit: str, storage_url: str) -> None:
        """Make a limiter of a limit such as `600/minute` that counts at `memory://` or `redis://…`.

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
        if not storage_url.startswith("memory:"):
            options = {"implementation": "redispy", "socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
        try:
            storage = storage_from_string(f"async+{storage_url}", wrap_exceptions=True, **options)
        except ConfigurationError:
            raise InvalidRequest(
                "CREDITS_RATE_LIMIT_STORAGE",
                f"must be memory:// or a URL such as redis://localhost:6379, not {urlsplit(storage_url).scheme}:…",
            ) from None
        self._strategy = SlidingWindowCounterRateLimiter(storage)

    async def count(self, kind: str, caller: str) -> None:
        """Count one request of a caller.

        Raises:
            RateLimited: the caller is over the limit; says how many seconds to wait.
        """
        try:
            if await self._strategy.hit(self._limit, kind, caller):
                return
            stats = await self._strategy.get_window_stats(self._limit, kind, caller)
        except StorageError:
            # A payment must not wait for the counter: the limit protects against abuse, the ledger the money.
            _log.warning("the rate limits cannot be counted", exc_info=True)
            return
        raise RateLimited(f"{self._limit}", max(1, int(stats.reset_time - time.time()) + 1))
