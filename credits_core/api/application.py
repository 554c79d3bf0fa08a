"""Puts the API together: the routes, the handler of refusals, the documentation, and the gate around them."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from credits_core import settings
from credits_core.api import problems
from credits_core.api.bodies import ChargeBody
from credits_core.api.exchange import exchange_of
from credits_core.api.gate import Gate
from credits_core.api.gateway_routes import gateways_router
from credits_core.api.hold_routes import holds_router
from credits_core.api.level_routes import levels_router
from credits_core.api.limit_routes import limits_router
from credits_core.api.lookup_answers import EntryAnswer, FlowAccessAnswer
from credits_core.api.lookups import lookups_router
from credits_core.api.purchase_routes import purchases_router
from credits_core.api.resources import Resources
from credits_core.api.routes import FOR_SERVICES, charge_prompt, models_router, router, status_router
from credits_core.api.straight import StraightWay
from credits_core.errors import CreditsError
from credits_core.store.database import FAILURES

_PARTS = (
    *(router, holds_router, limits_router, levels_router, purchases_router, lookups_router, models_router),
    *(gateways_router, status_router),
)
_DESCRIPTION = """Prices, charges and refunds prompt runs, unlocks flows, and reads users' balances and transactions.

Amounts are whole credits (1 credit = $0.000001); dollars are text with six decimals. Every request that moves credits
needs an `Idempotency-Key`: when you send the same request with the same key again, it is not carried out again, and you
get the first answer. Refusals are `application/problem+json` with a stable `code`."""


def create_api(resources: Resources) -> ASGIApp:
    """The API as an app to mount, with the gate around it. Its document names the path where it was asked for."""
    gated: ASGIApp = Gate(_app_of_routes(resources), resources)
    if origins := settings.cors_origins():
        # Outside the gate, because a browser asks for permission without a key.
        return CORSMiddleware(
            gated,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Idempotent-Replayed", "Retry-After", "X-Request-Id"],
        )
    return gated


def _app_of_routes(resources: Resources) -> FastAPI:
    api = FastAPIOffline(
        title="PromptFlow credits",
        version="1",
        description=_DESCRIPTION,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url="/docs/oauth2-redirect",
        redirect_slashes=False,  # a path with one slash too many is another path
        generate_unique_id_function=lambda route: route.name,  # what a generated client calls its methods
    )
    api.state.resources = resources
    for part in _PARTS:
        api.include_router(part)
    (charge,) = (route for route in router.routes if isinstance(route, Route) and route.endpoint is charge_prompt)
    api.add_middleware(StraightWay, route=charge, body=ChargeBody, roles=FOR_SERVICES, refused=_refused)
    for kind in (CreditsError, RequestValidationError, HTTPException, *FAILURES, Exception):
        api.add_exception_handler(kind, _refused)
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]
    return api


async def _refused(request: Request, error: Exception) -> Response:
    exchange = exchange_of(request)
    refusal = problems.refusal_for(error, exchange.request_id)
    exchange.refuse(refusal)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    if headers and "Allow" in headers:
        headers["Allow"] = _allowed(request)
    return problems.response(refusal, exchange.request_id, headers=headers)


def _allowed(request: Request) -> str:
    """The methods that this path accepts: the router names those of the first of several routes alone."""
    routes = [route for part in _PARTS for route in part.routes if isinstance(route, Route)]
    found = [route.methods or set() for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted(set().union(*found)))


def _document(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        document = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
        problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= problem.pop("$defs") | {"Problem": problem}
        # FastAPI leaves out every null of an example, and a field that is null is still there in an answer.
        for answer in (EntryAnswer, FlowAccessAnswer):
            document["components"]["schemas"][answer.__name__]["examples"] = answer.model_json_schema()["examples"]
        api.openapi_schema = document
    return api.openapi_schema
