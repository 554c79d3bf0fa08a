"""The routes for holds: credits set aside for a run whose cost is not known yet."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response, Security
from sqlalchemy import Connection

from credits_core.api.answers import price_fields
from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Caller, IdempotencyKey, Shared, bearer, only, resources_of
from credits_core.api.fields import EntryNumber
from credits_core.api.hold_bodies import CaptureAnswer, CaptureBody, HoldAnswer, HoldBody, HoldWrittenAnswer
from credits_core.api.performing import REPLAYED_HEADER, holds_now, in_unit_of_work, note, perform, written
from credits_core.api.problems import READING, documented
from credits_core.api.routes import CHARGING, FOR_SERVICES, PRICING
from credits_core.errors import InvalidRequest
from credits_core.ledger import hold_rows, holds
from credits_core.ledger.holds import Captured, Held
from credits_core.ledger.refusals import HoldEnded, HoldTooSmall, NothingToCharge, UnknownHold
from credits_core.ledger.requests import CaptureRequest, HoldRequest
from credits_core.pricing.units import parse_usage
from credits_core.usage.asked import AskedUsage, asked_usage
from credits_core.values.roles import Actor

holds_router = APIRouter(tags=["holds"], dependencies=[Security(bearer)], route_class=ClearRoute)
_for_services = Depends(only(*FOR_SERVICES))
_NOTHING = CaptureBody()
_CAPTURING = (*CHARGING, *PRICING, NothingToCharge, UnknownHold, HoldEnded, HoldTooSmall)


@holds_router.post(
    "/credits/holds",
    status_code=201,
    dependencies=[_for_services],
    responses=written(HoldWrittenAnswer) | documented(*CHARGING, *PRICING, NothingToCharge),
)
async def make_hold(request: Request, response: Response, body: HoldBody, key: IdempotencyKey) -> HoldWrittenAnswer:
    """Hold credits of a user for one run, before its cost is known. The user cannot spend them meanwhile."""
    asked = HoldRequest(
        body.user_id,
        body.prompt_id,
        body.model_id,
        body.creator_id,
        body.creator_fee_credits,
        body.input_tokens,
        body.output_tokens,
        usage=None if body.usage is None else parse_usage(body.usage),
        service_tier=body.service_tier,
        asked_credits=body.amount_credits,
        lasts=timedelta(seconds=body.expires_in_seconds),
    )
    books = resources_of(request).books

    def action(connection: Connection, kept_key: str, now: datetime, actor: Actor) -> Held:
        return holds.authorise(connection, asked, book=books.at(connection), key=kept_key, now=now, actor=actor)

    return _answer(response, await perform(request, key, in_unit_of_work(request, action)))


@holds_router.post(
    "/credits/holds/{hold_id}/capture",
    status_code=201,
    dependencies=[_for_services],
    responses=written(CaptureAnswer) | documented(*_CAPTURING),
)
async def capture_hold(
    request: Request,
    response: Response,
    hold_id: EntryNumber,
    key: IdempotencyKey,
    body: Annotated[CaptureBody, Body()] = _NOTHING,
) -> CaptureAnswer:
    """Charge the run of a hold for what it used, at the price of when the hold was made, and give back the rest."""
    shared = resources_of(request)
    found = await shared.read(lambda connection: hold_rows.hold(connection, hold_id))
    told = _told(found.model_name, body)
    used = None
    if told is not None:
        used = CaptureRequest(told.usage, body.input_tokens, body.output_tokens, told.service_tier)

    def action(connection: Connection, kept_key: str, now: datetime, actor: Actor) -> Captured:
        book = shared.books.at(connection)
        return holds.capture(connection, hold_id, used, book=book, key=kept_key, now=now, actor=actor)

    done = await perform(request, key, in_unit_of_work(request, action))
    receipt = note(request, response, done.receipt)
    assert receipt.quote is not None, "a captured run has a quote"
    return CaptureAnswer(
        **price_fields(receipt.quote, shared.books.models, told or _nothing_told(found.model_name)),
        hold_id=hold_id,
        entry_id=receipt.entry_id,
        released_credits=done.released_credits,
        user_balance_credits=done.balance_credits,
        **holds_now(receipt),
    )


@holds_router.post(
    "/credits/holds/{hold_id}/release",
    status_code=201,
    dependencies=[_for_services],
    responses=written(HoldWrittenAnswer) | documented(*CHARGING, UnknownHold, HoldEnded),
)
async def release_hold(
    request: Request, response: Response, hold_id: EntryNumber, key: IdempotencyKey
) -> HoldWrittenAnswer:
    """Give all credits of a hold back to the user. Its run is not charged."""

    def action(connection: Connection, kept_key: str, now: datetime, actor: Actor) -> Held:
        return holds.release(connection, hold_id, key=kept_key, now=now, actor=actor)

    return _answer(response, await perform(request, key, in_unit_of_work(request, action)))


@holds_router.get("/credits/holds/{hold_id}", responses=documented(*READING, UnknownHold))
async def hold(hold_id: EntryNumber, caller: Caller, shared: Shared) -> HoldAnswer:
    """One hold as it is now. A key with the role user sees its user's holds; any other is as unknown as none."""
    found = await shared.read(lambda connection: hold_rows.hold(connection, hold_id))
    if caller.user_id not in (None, found.user_id):
        raise UnknownHold(hold_id)
    return HoldAnswer(**HoldAnswer.fields_of(found, datetime.now(UTC)))


def _answer(response: Response, held: Held) -> HoldWrittenAnswer:
    if held.replayed:
        response.status_code = 200
        response.headers[REPLAYED_HEADER] = "true"
    fields: dict[str, Any] = HoldAnswer.fields_of(held.hold, datetime.now(UTC))
    return HoldWrittenAnswer(**fields, user_balance_credits=held.balance_credits, replayed=held.replayed)


def _told(model_name: str, body: CaptureBody) -> AskedUsage | None:
    """What was said of the usage; None when nothing was said at all."""
    if body == _NOTHING:
        return None
    if body.usage is None and body.response is None and body.input_tokens is None and body.output_tokens is None:
        raise InvalidRequest("usage", "must be given with a service tier or provider, or nothing at all")
    return asked_usage(
        model_id=model_name,
        usage=body.usage,
        provider=body.provider,
        response=body.response,
        api_flavour=body.api_flavour,
        service_tier=body.service_tier,
    )


def _nothing_told(model_name: str) -> AskedUsage:
    return asked_usage(
        model_id=model_name, usage=None, provider=None, response=None, api_flavour=None, service_tier=None
    )
