"""Refuses requests that two readers could understand differently, before a route reads their fields."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from credits_core.api.problems import LONGEST_NAME, InvalidFields

_ONCE = "is given more than once"
_QUERY_FIELDS = {
    "/credits/balance": {"user_id"},
    "/credits/flow-access": {"user_id", "flow_id"},
    "/credits/limits": {"user_id"},
    "/credits/low-balance-levels": {"user_id"},
    "/credits/purchases": {"user_id", "limit", "before"},
    "/credits/transactions": {"user_id", "limit", "cursor", "type", "from", "to"},
}
_REPEATABLE = {"type"}


class ClearRoute(APIRoute):
    """A route that refuses unknown query parameters and everything that is given twice.

    Otherwise a misspelt filter would filter nothing. And when a name occurs twice, in the query or in an object of the
    body, or there are two idempotency keys, some readers take the first one and others the last.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind this check.

        Raises:
            InvalidFields: the request names something unknown or something twice.
        """
        handle = super().get_route_handler()

        async def handle_clear(request: Request) -> Response:
            query = [name for name, _ in request.query_params.multi_items()]
            known = _QUERY_FIELDS.get(self.path, set()) if request.method == "GET" else set()
            unknown = sorted(set(query) - known)
            problems = [(name, "is not a parameter of this query") for name in unknown]
            problems += [(name, _ONCE) for name in _twice(query) if name not in _REPEATABLE | set(unknown)]
            if len(request.headers.getlist("Idempotency-Key")) > 1:
                problems.append(("Idempotency-Key", _ONCE))
            problems += [(name, _ONCE) for name in read_json(await request.body())[1]]
            if problems:
                raise InvalidFields([(name[:LONGEST_NAME], problem) for name, problem in problems])
            return await handle(request)

        return handle_clear


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def read_json(body: bytes) -> tuple[Any, list[str]]:
    """What a body says, and the names that occur twice in one of its objects; None and no name if it cannot be read."""
    twice: list[str] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            twice.extend(_twice(name for name, _ in pairs))
        return read

    try:
        return json.loads(body, object_pairs_hook=object_of), twice
    except (ValueError, RecursionError):
        return None, []  # what cannot be read is refused when the fields are read
