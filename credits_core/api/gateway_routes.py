"""The routes that payment gateways call: they tell what has happened to a purchase. No key; the gateway signs."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Shared
from credits_core.api.exchange import exchange_of
from credits_core.api.problems import InvalidFields, NoSuchRoute, Unexpected, documented
from credits_core.api.refusals import BodyTooLarge, RateLimited
from credits_core.ledger.refusals import BalanceTooLarge, CirculationTooLarge
from credits_core.payments.refusals import EventDiffers, EventNotSigned, GatewayFailed, UnknownPurchase
from credits_core.store.refusals import DatabaseNotReady, DeadlinePassed, TooManyWaiting, Unavailable

gateways_router = APIRouter(tags=["purchases"], route_class=ClearRoute)
_REFUSED = (
    *(EventNotSigned, NoSuchRoute, UnknownPurchase, EventDiffers, BodyTooLarge, InvalidFields),
    *(BalanceTooLarge, CirculationTooLarge, RateLimited, Unexpected, GatewayFailed),
    *(DatabaseNotReady, Unavailable, DeadlinePassed, TooManyWaiting),
)
_EVENT = {
    "requestBody": {
        "description": "An event as Stripe sends it.",
        "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
    }
}


class ReceivedAnswer(BaseModel):
    """Says that the event need not be sent again: it was kept, or it means nothing here."""

    received: bool = True


@gateways_router.post("/payments/stripe/events", responses=documented(*_REFUSED), openapi_extra=_EVENT)
async def stripe_events(
    request: Request,
    shared: Shared,
    signature: Annotated[
        str, Header(alias="Stripe-Signature", description="Stripe's signature of the body, not older than 5 minutes.")
    ] = "",
) -> ReceivedAnswer:
    """Take in an event of Stripe. Only Stripe can call this; no key is needed. Unknown kinds are ignored."""
    gateway = shared.stripe
    if gateway is None:
        raise NoSuchRoute
    signed = gateway.signed(exchange_of(request).body, signature)
    event = await shared.ask(lambda: gateway.translate(signed))
    if event is not None:
        await shared.take_in(event)
    return ReceivedAnswer()
