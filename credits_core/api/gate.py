"""The gate around the API: every call gets its id, limits, key check, security headers, metrics and log line here.

It stands around the routes, so that a caller without a valid key cannot find out which paths and fields exist.
"""

import logging
import time
from datetime import UTC, datetime
from random import getrandbits

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from credits_core import logs
from credits_core.access.refusals import Unauthorized
from credits_core.api import problems
from credits_core.api.exchange import SCOPE_NAME, Exchange
from credits_core.api.known_keys import KnownKeys
from credits_core.api.refusals import BodyTooLarge
from credits_core.api.resources import Resources
from credits_core.errors import CreditsError
from credits_core.store import deadline
from credits_core.store.database import FAILURES

_OPEN_PATHS = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
_OPEN_FOLDER = "/static-offline-docs/"
_SIGNED = frozenset({("POST", "/payments/stripe/events")})
"""What a caller without a key may send, because the route checks who has signed it."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The documentation is a page with scripts, all of them served from here.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'"
)
_CALLER_HAS_GONE = 499
"""The status that is counted when the caller left before the answer; proxies count the same number."""
_log = logging.getLogger("promptflow.api")


class Gate:
    """ASGI middleware around the API's routes."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        """Put the gate around an app."""
        self._app = app
        self._resources = resources
        self._keys = KnownKeys(resources.authenticate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one call, pass it on, and finish its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answer_by = time.perf_counter(), deadline.after(self._resources.deadline_seconds)
        exchange = _exchange(scope)
        logs.know(request_id=exchange.request_id)
        if exchange.method == "HEAD":  # answered as GET is; the server leaves out the body
            scope = {**scope, "method": "GET"}
        mount = scope.get("route")
        scope[SCOPE_NAME] = exchange

        async def send_with_headers(message: Message) -> None:
            exchange.answer.take(message)
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = exchange.request_id
                for name, text in _HEADERS.items():
                    headers.setdefault(name, text)
                if exchange.path == "/docs":
                    headers["Content-Security-Policy"] = _DOCS_POLICY
            await send(message)

        try:
            try:
                with deadline.by(answer_by):
                    await self._let_in(scope, exchange)
                reads_from = time.monotonic()
                body = await _read_body(receive)
                # A caller who sends slowly has as much time left: the server decides how slow is too slow.
                answer_by = deadline.later(answer_by, time.monotonic() - reads_from)
            except (CreditsError, *FAILURES) as error:
                refusal = problems.refusal_for(error, exchange.request_id)
                exchange.refuse(refusal)
                await problems.response(refusal, exchange.request_id)(scope, receive, send_with_headers)
            else:
                if body is None:
                    exchange.answer.status = _CALLER_HAS_GONE
                else:
                    exchange.body = body
                    with deadline.by(answer_by):
                        await self._app(scope, _after(body, receive), send_with_headers)
        finally:
            # Without a route of its own, the call was turned away here or went to a path that does not exist.
            route = "none" if scope.get("route") is mount else scope["route"].path
            self._account_for(exchange, route, seconds=time.perf_counter() - started)

    async def _let_in(self, scope: Scope, exchange: Exchange) -> None:
        if _is_open(exchange.path):
            return
        limiter = self._resources.limiter
        await limiter.count("address", scope["client"][0] if scope.get("client") else "unknown")
        if (exchange.method, exchange.path) in _SIGNED:
            return
        sent = Headers(scope=scope).getlist("Authorization")
        if len(sent) > 1:  # a proxy and this server could take different ones for the caller's
            raise Unauthorized("The request has more than one Authorization header")
        scheme, _, key = "".join(sent).partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("The request has no key")
        now = datetime.now(UTC)
        exchange.caller = await self._keys.authenticate(key.strip(), now=now)
        # By name: while a key is being replaced, the old one and the new one share the limit.
        await limiter.count("key", exchange.caller.name)

    def _account_for(self, exchange: Exchange, route: str, *, seconds: float) -> None:
        caller = exchange.caller
        # Both keys of a rotation have one name; this tells who still sends the old one.
        key_name, key_replaced = ("", False) if caller is None else (caller.name, caller.replaced_at is not None)
        metrics = self._resources.metrics
        metrics.answered(exchange.method, route, status=exchange.answer.status, seconds=seconds, code=exchange.code)
        if not _is_open(exchange.path):
            self._resources.calls.note(exchange.as_call(seconds))
        receipt = exchange.receipt
        if exchange.code and exchange.caller is not None:
            _log.info(
                "refused",
                extra={
                    "request_id": exchange.request_id,
                    "method": exchange.method,
                    "route": route,
                    "code": exchange.code,
                    "key_name": key_name,
                    "key_replaced": key_replaced,
                    "latency_ms": round(seconds * 1000, 3),
                },
            )
        if receipt is None:
            return
        if not receipt.replayed:
            metrics.written(receipt)
        _log.info(
            "replayed" if receipt.replayed else "written",
            extra={
                "request_id": exchange.request_id,
                "entry_id": receipt.entry_id,
                "entry_type": receipt.type.value,
                "actor": receipt.actor,
                "key_name": key_name,
                "key_replaced": key_replaced,
                "amount_credits": receipt.transactions[0].amount_credits,
                "latency_ms": round(seconds * 1000, 3),
            },
        )


def _exchange(scope: Scope) -> Exchange:
    return Exchange(
        f"{getrandbits(128):032x}",
        datetime.now(UTC),
        scope["method"],
        scope["path"].removeprefix(scope.get("root_path", "")),
        query=scope["query_string"].decode("latin-1"),
        idempotency_key=Headers(scope=scope).get("Idempotency-Key", ""),
    )


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER)


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body. It is read here so that nobody reads a body of any size.

    None when the caller left before the end of the body.

    Raises:
        BodyTooLarge: the body has more than 64 KiB.
    """
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > problems.MAX_BODY_BYTES:
            raise BodyTooLarge(problems.MAX_BODY_BYTES)
    return bytes(body)


def _after(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, at once, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_next() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_next
