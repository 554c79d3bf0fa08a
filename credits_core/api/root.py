"""The routes at the root: the API under /api, its documentation at /api itself, and Prometheus' metrics at /metrics.

A server whose addresses begin with a base path has all of them below that path as well.
"""

import ipaddress
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from credits_core import logs, settings
from credits_core.api.application import create_api
from credits_core.api.connections import Patience
from credits_core.api.resources import Resources
from credits_core.errors import CreditsError
from credits_core.operations import jobs
from credits_core.operations.alert_state import read_state
from credits_core.store import deadline
from credits_core.store.database import FAILURES

_log = logging.getLogger("promptflow.api")


def routes(resources: Resources | None = None) -> list[BaseRoute]:
    """The root routes, over the configured database or the given resources."""
    logs.configure()
    shared = resources or Resources()
    return [
        Route("/api", lambda request: RedirectResponse(f"{request.scope['path']}/docs")),
        Mount("/api", create_api(shared)),
        Route("/metrics", partial(_metrics, shared)),
    ]


def middleware() -> list[Middleware]:
    """What stands around everything that a server serves: limits for slow callers, and for the names it answers to.

    Raises:
        InvalidRequest: `CREDITS_ALLOWED_HOSTS` cannot be understood.
    """
    around = [Middleware(Patience)]
    if hosts := settings.allowed_hosts():
        around.append(Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False))
    return around


def closing(resources: Resources) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """A lifespan for the server that serves these resources: jobs run from its start to its end, which closes them."""

    @asynccontextmanager
    async def until_the_end(_: object) -> AsyncIterator[None]:
        resources.start()
        yield
        resources.close()

    return until_the_end


def with_base_path(served: Sequence[BaseRoute], base_path: str) -> list[BaseRoute]:
    """The root routes, and the same ones below the base path, if there is one, such as `tools/credits`.

    The root stays, because a probe or a Prometheus on this machine asks there. Without the second set, the dashboard
    would answer below the path: with its page and status 200, so that a probe would never fail.
    """
    below = f"/{base_path.strip('/')}"
    if below == "/":
        return list(served)
    again: list[BaseRoute] = []
    for route in served:
        assert isinstance(route, Mount | Route), "the root has nothing else"
        again.append(
            Mount(below + route.path, route.app)
            if isinstance(route, Mount)
            else Route(below + route.path, route.endpoint)
        )
    return [*served, *again]


async def _metrics(shared: Resources, request: Request) -> Response:
    if not (_is_local(request) or _has_metrics_key(request)):
        return PlainTextResponse(
            "Send the metrics key as: Authorization: Bearer …", 401, {"WWW-Authenticate": "Bearer"}
        )
    try:
        with deadline.within(shared.deadline_seconds):
            await shared.catch_up()
            now = datetime.now(UTC)
            state = await shared.read(lambda connection: read_state(connection, jobs.NAMES, now=now, zone=shared.zone))
            text = shared.metrics.render(state)
    except (CreditsError, *FAILURES):
        _log.exception("the database cannot be read for the metrics")
        text = shared.metrics.render_without_database()
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _is_local(request: Request) -> bool:
    # A proxy on this machine calls from loopback on behalf of people elsewhere, and these headers say so.
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _has_metrics_key(request: Request) -> bool:
    key = settings.metrics_key()
    headers = request.headers.getlist("Authorization")
    if not key or len(headers) != 1:
        return False
    scheme, _, sent = headers[0].partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(sent.strip().encode(), key.encode())
