"""The routes for purchases: credits that a user pays for through a gateway."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from sqlalchemy import Connection

from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Caller, IdempotencyKey, Shared, VisibleUser, bearer, only, resources_of
from credits_core.api.fields import PageSize, PurchaseNumber
from credits_core.api.performing import REPLAYED_HEADER, Responses, in_unit_of_work, perform, written
from credits_core.api.problems import READING, documented
from credits_core.api.purchase_bodies import PurchaseAnswer, PurchaseBody, PurchasesAnswer
from credits_core.api.refusals import Forbidden
from credits_core.api.routes import FOR_SERVICES, WRITING
from credits_core.ledger import accounts
from credits_core.ledger.refusals import AccountLooksAlike, UnknownUser
from credits_core.payments import buying, configured, purchased
from credits_core.payments.purchased import Bought
from credits_core.payments.receipt_file import receipt_pdf
from credits_core.payments.refusals import GatewayFailed, NotPaidYet, UnknownPack, UnknownPurchase
from credits_core.values.roles import Actor

purchases_router = APIRouter(tags=["purchases"], dependencies=[Security(bearer)], route_class=ClearRoute)
_PDF = "application/pdf"
_RECEIPT: Responses = {200: {"content": {_PDF: {}}, "description": "The receipt"}}
_for_services = Depends(only(*FOR_SERVICES))


@purchases_router.post(
    "/credits/purchases",
    status_code=201,
    dependencies=[_for_services],
    responses=written(PurchaseAnswer) | documented(*WRITING, AccountLooksAlike, UnknownPack, GatewayFailed),
)
async def buy_credits(request: Request, response: Response, body: PurchaseBody, key: IdempotencyKey) -> PurchaseAnswer:
    """Begin a purchase of a pack, and answer where the user pays. Credits are added when the gateway has the money.

    A new user gets an account. Send the same request again after `gateway_failed`: it finds the same purchase.
    """
    shared, pack = resources_of(request), configured.packs()[body.pack_id]
    gateway = configured.name()
    is_new = False

    def action(connection: Connection, kept_key: str, now: datetime, actor: Actor) -> Bought:
        nonlocal is_new
        bought = buying.buy(
            connection,
            body.user_id,
            pack,
            gateway=gateway,
            plan=shared.books.at(connection).plan,
            key=kept_key,
            now=now,
            actor=actor,
            distinct=body.create_distinct,
        )
        is_new = bought.created_at == now and not bought.told
        return bought

    bought = await perform(request, key, in_unit_of_work(request, action))
    if not is_new:
        response.status_code = 200
        response.headers[REPLAYED_HEADER] = "true"
    return PurchaseAnswer(**PurchaseAnswer.fields_of(await shared.open_checkout(bought, pack)))


@purchases_router.get("/credits/purchases", responses=documented(*READING, Forbidden, UnknownUser))
async def purchases(
    user_id: VisibleUser,
    shared: Shared,
    limit: Annotated[PageSize, Query(description="The largest number of purchases to return.")] = 50,
    before: PurchaseNumber | None = None,
) -> PurchasesAnswer:
    """A user's purchases, newest first, a page at a time."""

    def read(connection: Connection) -> PurchasesAnswer:
        accounts.user(connection, user_id)
        found = purchased.purchases_of(connection, user_id, before=before, limit=limit + 1)
        page = [PurchaseAnswer(**PurchaseAnswer.fields_of(one)) for one in found[:limit]]
        next_before = page[-1].purchase_id if len(found) > limit else None
        return PurchasesAnswer(user_id=user_id, purchases=page, next_before=next_before)

    return await shared.read(read)


@purchases_router.get("/credits/purchases/{purchase_id}", responses=documented(*READING, UnknownPurchase))
async def purchase(purchase_id: PurchaseNumber, caller: Caller, shared: Shared) -> PurchaseAnswer:
    """One purchase as it is now. A key with the role user sees its user's; any other is as unknown as none."""
    found = await shared.read(lambda connection: _visible(connection, purchase_id, caller))
    return PurchaseAnswer(**PurchaseAnswer.fields_of(found))


@purchases_router.get(
    "/credits/purchases/{purchase_id}/receipt",
    response_class=Response,
    responses=_RECEIPT | documented(*READING, UnknownPurchase, NotPaidYet),
)
async def receipt(purchase_id: PurchaseNumber, caller: Caller, shared: Shared) -> Response:
    """The receipt of a purchase that was paid, as a PDF file. For whoever may ask for the purchase."""

    def make(connection: Connection) -> bytes:
        return receipt_pdf(_visible(connection, purchase_id, caller), shared.zone, made_at=datetime.now(UTC))

    return Response(await shared.read(make), media_type=_PDF)


def _visible(connection: Connection, purchase_id: int, caller: Caller) -> Bought:
    found = purchased.purchase(connection, purchase_id)
    if caller.user_id not in (None, found.user_id):
        raise UnknownPurchase(purchase_id)
    return found
