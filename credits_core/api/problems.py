"""Turns refusals into HTTP answers and their documentation: RFC 9457 problems with a stable code and the numbers.

The only place that does. An answer repeats nothing that the caller sent except what the refusal itself names.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from credits_core.access.refusals import Unauthorized
from credits_core.api.fields import MEANING_OF_PATTERN
from credits_core.api.refusals import BodyTooLarge, Forbidden, IdempotencyKeyRequired, RateLimited
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.refusals import (
    AccountLooksAlike,
    AlreadyRefunded,
    BalanceTooLarge,
    CirculationTooLarge,
    HoldEnded,
    HoldTooSmall,
    IdempotencyKeyReused,
    InsufficientCredits,
    NothingToCharge,
    NotRefundable,
    PriceChanged,
    RefundedByGateway,
    RefundExceedsRest,
    SpendingLimitReached,
    UnknownEntry,
    UnknownHold,
    UnknownUser,
)
from credits_core.ledger.spending import SpendingLimit
from credits_core.payments.refusals import (
    EventDiffers,
    EventNotSigned,
    GatewayFailed,
    NotPaidYet,
    UnknownPack,
    UnknownPurchase,
)
from credits_core.prices.refusals import NoPrice
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel, UnpricedServiceTier, UnpricedUsage
from credits_core.store.database import is_out_of_reach
from credits_core.store.kinds import SpendingPeriod
from credits_core.store.refusals import DatabaseNotReady, DeadlinePassed, TooManyWaiting, Unavailable
from credits_core.usage.refusals import UnreadableResponse
from credits_core.values.time_zones import UTC_ZONE

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("promptflow.api")
MAX_BODY_BYTES = 64 * 1024
LONGEST_NAME = 140
"""At most this many characters of a field's name are repeated, because a caller can make one up."""
_MOST_TOLD = 20
_EXAMPLE_REQUEST_ID = "0d9c7a5e4f2b4c1d9a37b1f0c2e8d6a4"
_NO_OBJECT = "must be a JSON object, sent with Content-Type: application/json"
COME_AGAIN = (RateLimited, Unavailable, DeadlinePassed, TooManyWaiting)
"""The refusals that pass by themselves: the header `Retry-After` says when to send the request again."""
_BODY_PROBLEMS = {
    "json_invalid": "is not valid JSON",
    "missing": _NO_OBJECT,
    "model_attributes_type": _NO_OBJECT,
    "model_type": _NO_OBJECT,
}
_KEY = ("header", "Idempotency-Key")


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """A refusal. Beside these fields it has the numbers involved, such as `balance_credits` and `required_credits`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []

    model_config = ConfigDict(extra="allow")


class InvalidFields(CreditsError):
    """Fields of the request cannot be accepted. Has one message per field, for at most twenty fields."""

    code = "invalid_request"
    http_status = 422

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        told = errors[:_MOST_TOLD]
        self.errors = [{"field": field, "message": message} for field, message in told]
        super().__init__("; ".join(f"{field}: {message}" for field, message in told))


class Unexpected(CreditsError):
    """Something failed that should not have. Does not tell the caller what."""

    code = "internal_error"
    http_status = 500

    def __init__(self) -> None:
        super().__init__(
            "Something failed on our side. Send the same request again, with the same Idempotency-Key: nothing is "
            "charged twice. If it fails again, tell us the request id."
        )


class NoSuchRoute(CreditsError):
    """Nothing is served at this path."""

    code = "not_found"
    http_status = 404

    def __init__(self) -> None:
        super().__init__("Nothing is served at this path. /api/docs lists the paths.")


class WrongMethod(CreditsError):
    """The path is served, but not with this method."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self) -> None:
        super().__init__("This path does not accept this method. The header Allow names the methods that it accepts.")


def response(refusal: CreditsError, request_id: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP answer for a refusal."""
    all_headers = dict(headers or {})
    if isinstance(refusal, Unauthorized):
        all_headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, COME_AGAIN):
        all_headers["Retry-After"] = str(refusal.retry_after_seconds)
    # ASCII, because a field's name can have characters that no encoding accepts.
    content = json.dumps(content_of(refusal, request_id), ensure_ascii=True)
    return Response(content, refusal.http_status, all_headers, MEDIA_TYPE)


def content_of(refusal: CreditsError, request_id: str) -> dict[str, Any]:
    """The problem as JSON: the fields of `Problem` and the refusal's own numbers."""
    numbers = dict(vars(refusal))
    if isinstance(refusal, InvalidRequest):
        numbers = {"errors": [{"field": refusal.field, "message": refusal.problem}]}
    return {
        "type": f"urn:promptflow:problem:{refusal.code}",
        "title": HTTPStatus(refusal.http_status).phrase if refusal.http_status >= 500 else _title(refusal.code),
        "status": refusal.http_status,
        "detail": str(refusal),
        "code": refusal.code,
        "request_id": request_id,
        **numbers,
    }


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def refusal_for(error: Exception, request_id: str) -> CreditsError:
    """The refusal to answer with for any exception. A failure that is not the caller's doing is logged in full."""
    if isinstance(error, CreditsError):
        return error
    if isinstance(error, RequestValidationError):
        return of_validation(error)
    if isinstance(error, HTTPException):
        return of_http(error)
    if is_out_of_reach(error):
        _log.error("the database does not answer", extra={"request_id": request_id}, exc_info=error)
        return Unavailable()
    _log.error("the call failed", extra={"request_id": request_id}, exc_info=error)
    return Unexpected()


def of_validation(error: RequestValidationError) -> CreditsError:
    """The refusal for fields without the documented form: the first message of each field."""
    messages: dict[str, str] = {}
    for problem in error.errors():
        location = tuple(str(part) for part in problem["loc"])
        if location == _KEY and problem["type"] in {"missing", "string_too_short"}:
            return IdempotencyKeyRequired()
        # Deeper parts of a location are positions in a list, which a query writes by repeating the field.
        field = location[1] if len(location) > 1 and problem["type"] != "json_invalid" else location[0]
        message = _BODY_PROBLEMS.get(problem["type"], problem["msg"]) if field == "body" else problem["msg"]
        if problem["type"] == "string_pattern_mismatch":
            message = MEANING_OF_PATTERN[problem["ctx"]["pattern"]]
        messages.setdefault(field[:LONGEST_NAME], message.removeprefix("Value error, "))
    return InvalidFields(list(messages.items()))


def of_http(error: HTTPException) -> CreditsError:
    """The refusal for a request that the web framework itself rejected."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NoSuchRoute()
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return WrongMethod()
    return InvalidFields([("body", "cannot be read")])


_DAY_OF_ADA = SpendingLimit(
    *("ada", SpendingPeriod.DAY, 20_000, UTC_ZONE), begins_us=0, ends_us=1_796_169_600_000_000, spent_credits=6_100
)
_EXAMPLES: Mapping[type[CreditsError], CreditsError] = {
    type(example): example
    for example in (
        IdempotencyKeyRequired(),
        Unauthorized("The key is unknown"),
        InsufficientCredits("ada", 120, 300),
        SpendingLimitReached(_DAY_OF_ADA, held_credits=13_750, required_credits=300),
        Forbidden("user", "admin"),
        UnknownUser("ada"),
        UnknownModel("gpt-9"),
        AmbiguousModel("mimo-v2.5", ["avian/xiaomi/mimo-v2.5", "openrouter/xiaomi/mimo-v2.5"]),
        NoPrice("github-copilot/gpt-4o"),
        UnpricedUsage("web_searches", 3),
        UnpricedServiceTier("scale", ["batch", "flex", "priority"]),
        UnreadableResponse("has no counts yet. Wait for the end of the stream"),
        UnknownEntry(4_711),
        PriceChanged(300, 320),
        NothingToCharge("maker/free-model"),
        AlreadyRefunded(4_711, 4_720),
        RefundExceedsRest(4_711, 900, left_credits=751, paid_credits=1_251),
        UnknownHold(4_715),
        HoldEnded(4_715, "captured", 4_716),
        HoldTooSmall(4_715, 14_000, 13_750),
        NotRefundable(4_720),
        RefundedByGateway(4_711, 12),
        UnknownPack("huge", ["starter", "regular", "studio"]),
        UnknownPurchase(12),
        NotPaidYet(12),
        GatewayFailed("stripe", "it did not answer."),
        AccountLooksAlike("Ada", "ada"),
        BodyTooLarge(MAX_BODY_BYTES),
        InvalidFields([("amount_credits", "Input should be a valid integer")]),
        IdempotencyKeyReused("order-4711", 4_711),
        BalanceTooLarge("ada", 2**53 - 1, 2**53 - 1),
        CirculationTooLarge(2**53 - 1, 2**62),
        RateLimited("600 per 1 minute", 12),
        NoSuchRoute(),
        EventNotSigned("stripe"),
        EventDiffers("evt_4711", 12),
        Unexpected(),
        DatabaseNotReady("0001", "0002"),
        Unavailable(),
        DeadlinePassed(may_have_happened=True),
        TooManyWaiting(200),
    )
}


def documented(*refusals: type[CreditsError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of these refusals: their status, the form of the answer and an example of each."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for refusal in refusals:
        example = _EXAMPLES[refusal]
        answer = by_status.setdefault(
            refusal.http_status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA, "examples": {}}}},
        )
        answer["description"] = ", ".join(filter(None, [answer["description"], f"`{refusal.code}`"]))
        answer["content"][MEDIA_TYPE]["examples"][refusal.code] = {
            "value": content_of(example, _EXAMPLE_REQUEST_ID),
            "summary": _title(refusal.code),
        }
        if issubclass(refusal, COME_AGAIN):
            answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return by_status


_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_ALWAYS = (Unauthorized, RateLimited, Unexpected, DatabaseNotReady, Unavailable, DeadlinePassed, TooManyWaiting)
READING = (*_ALWAYS, InvalidFields)
"""The refusals of every route that reads."""
