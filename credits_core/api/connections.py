"""Connections that hold the server up are cut: callers who send slowly, and idle ones when there are too many.

uvicorn, which serves the API and the dashboard, has no such limits. It says who it is when it starts an app; there its
protocol is exchanged for one that is less patient. Another server is left as it is.
"""

import sys
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config

if sys.platform == "win32":
    resource = None
else:
    import resource

SECONDS = 30
"""How long headers and body may take, and how long a new connection may say nothing."""
BYTES_PER_MORE_SECOND = 16_384
"""A large file gets one more second for each so many bytes that have come."""
_FEWEST_SPARED, _MOST_SPARED = 64, 256
_NO_TIME = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_NO_ROOM = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"


class Patience:
    """ASGI middleware that teaches the server, when it starts the app, how long to wait for callers."""

    def __init__(self, app: ASGIApp) -> None:
        """Put it around an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] == "lifespan":
            config = getattr(getattr(receive, "__self__", None), "config", None)
            if isinstance(config, Config):
                config.http_protocol_class = impatient(config.http_protocol_class)
        await self._app(scope, receive, send)


def most_connections() -> int:
    """How many connections there may be: as many as descriptors, but for those that files and databases need."""
    if resource is None:
        return sys.maxsize
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return sys.maxsize
    return int(descriptors) - min(_MOST_SPARED, max(_FEWEST_SPARED, descriptors >> 1))


def impatient(protocol: Any) -> Any:
    """One of uvicorn's HTTP protocols, with limits."""
    idle: dict[Any, None] = {}  # who has been idle for longest comes first

    class Impatient(protocol):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            self._timer: Any = None
            self._is_upgraded = False
            super().connection_made(transport)
            self._expect_more()
            idle[self] = None
            if len(self.connections) > most_connections():
                self._make_room()

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect_nothing()
            idle.pop(self, None)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_upgraded or self.transport.is_closing():
                return
            if self._is_idle():
                self._expect_more()
            else:
                idle.pop(self, None)
                if self.cycle.more_body:
                    self._expect_more()
                    self._received_bytes += len(data)
                else:
                    self._expect_nothing()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._is_idle() and not self.transport.is_closing():
                idle[self] = None

        def handle_websocket_upgrade(self, *arguments: Any) -> None:
            self._is_upgraded = True
            self._expect_nothing()
            idle.pop(self, None)
            super().handle_websocket_upgrade(*arguments)

        def _is_idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _make_room(self) -> None:
            oldest = next(iter(idle))
            idle.pop(oldest)
            if oldest is self:  # all others are being answered
                self.transport.write(_NO_ROOM)
            oldest.transport.close()

        def _expect_more(self) -> None:
            if self._timer is None:
                self._received_bytes = 0
                self._expected_from = self.loop.time()
                self._timer = self.loop.call_later(SECONDS, self._look_at_the_time)

        def _expect_nothing(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _look_at_the_time(self) -> None:
            until = self._expected_from + SECONDS + self._received_bytes // BYTES_PER_MORE_SECOND
            if self.loop.time() < until:
                self._timer = self.loop.call_later(until - self.loop.time(), self._look_at_the_time)
                return
            self._timer = None
            if not self.transport.is_closing():
                if self._is_idle() or not self.cycle.response_started:
                    self.transport.write(_NO_TIME)
                self.transport.close()

    return Impatient
