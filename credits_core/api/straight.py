"""A straight way to one route for requests in good order, past the web framework's own steps.

The framework's routing, dependencies and checks cost more than a charge. So this way takes a request only when all of
it is as documented, and checks it by the same types. Anything else goes to the framework, which words the refusal.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from credits_core.api.clear_route import read_json
from credits_core.api.exchange import exchange_of
from credits_core.api.fields import IdempotencyKeyText
from credits_core.errors import CreditsError
from credits_core.store.database import FAILURES
from credits_core.values.roles import Role

_KEY = TypeAdapter[str](IdempotencyKeyText)


class StraightWay:
    """ASGI middleware of the API: the straight way to one of its POST routes."""

    def __init__(
        self,
        app: ASGIApp,
        route: Route,
        *,
        body: type[BaseModel],
        roles: tuple[Role, ...],
        refused: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        """Lead to a route's endpoint, whose body is of this type, callers in these roles.

        `refused` answers for a refusal of the endpoint.
        """
        self._app = app
        self._route = route
        self._body = body
        self._roles = roles
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        request = Request(scope) if scope["type"] == "http" else None
        asked = None if request is None else self._asked(request)
        if request is None or asked is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        try:
            response = Response(status_code=201, media_type="application/json")
            answer = await self._route.endpoint(request, response, **asked)
            response.body = answer.model_dump_json().encode()
            response.headers["content-length"] = str(len(response.body))
        except (CreditsError, *FAILURES) as error:
            response = await self._refused(request, error)
        await response(scope, receive, send)

    def _asked(self, request: Request) -> dict[str, Any] | None:
        """The body and the idempotency key of the endpoint; None when anything about the request is unusual."""
        exchange = exchange_of(request)
        if (
            exchange.path != self._route.path
            or exchange.method != "POST"
            or exchange.query
            or exchange.caller is None
            or exchange.caller.role not in self._roles
        ):
            return None
        keys = request.headers.getlist("Idempotency-Key")
        if len(keys) != 1 or request.headers.getlist("Content-Type") != ["application/json"]:
            return None
        content, twice = read_json(exchange.body)
        if twice or not isinstance(content, dict):
            return None
        try:
            return {"body": self._body.model_validate(content), "key": _KEY.validate_python(keys[0])}
        except ValidationError:
            return None
