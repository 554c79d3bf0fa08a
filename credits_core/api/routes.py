"""The routes of the specification. Each reads its fields, calls the action that the dashboard calls, and answers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from credits_core.api import problems
from credits_core.api.answers import (
    AddAnswer,
    AlreadyUnlockedAnswer,
    BalanceAnswer,
    ChargeAnswer,
    ModelAnswer,
    ModelsAnswer,
    PriceAnswer,
    RefundAnswer,
    StatusAnswer,
    TransactionAnswer,
    TransactionsAnswer,
    UnlockAnswer,
    price_fields,
)
from credits_core.api.bodies import AddBody, ChargeBody, PriceBody, RefundBody, UnlockBody
from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import (
    IdempotencyKey,
    Shared,
    VisibleUser,
    bearer,
    only,
    resources_of,
)
from credits_core.api.fields import CursorText, Day, PageSize
from credits_core.api.performing import (
    REPLAYED,
    REPLAYED_HEADER,
    Responses,
    holds_now,
    in_unit_of_work,
    note,
    payer_balance,
    perform,
    written,
)
from credits_core.api.problems import READING, documented
from credits_core.api.refusals import BodyTooLarge, Forbidden, IdempotencyKeyRequired
from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts, actions, lot_rows, parts, refunds
from credits_core.ledger.accounts import Cursor, TransactionFilter
from credits_core.ledger.bearing import Bearing, sentence
from credits_core.ledger.receipts import Receipt, Unlock
from credits_core.ledger.refusals import (
    AccountLooksAlike,
    AlreadyRefunded,
    BalanceTooLarge,
    CirculationTooLarge,
    IdempotencyKeyReused,
    InsufficientCredits,
    NothingToCharge,
    NotRefundable,
    PriceChanged,
    RefundedByGateway,
    RefundExceedsRest,
    SpendingLimitReached,
    UnknownEntry,
    UnknownUser,
)
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.prices.refusals import NoPrice
from credits_core.pricing.quote import quote
from credits_core.pricing.refusals import AmbiguousModel, UnknownModel, UnpricedServiceTier, UnpricedUsage
from credits_core.store.kinds import Part, TransactionType
from credits_core.store.refusals import DatabaseNotReady, DeadlinePassed, TooManyWaiting, Unavailable
from credits_core.usage.refusals import UnreadableResponse
from credits_core.values.days import DayRange, to_microseconds
from credits_core.values.roles import Actor, Role
from credits_core.values.text import usd_text

WRITING = (*READING, Forbidden, IdempotencyKeyRequired, IdempotencyKeyReused, BodyTooLarge)
CHARGING = (*WRITING, InsufficientCredits, SpendingLimitReached, UnknownUser, AccountLooksAlike, BalanceTooLarge)
PRICING = (UnknownModel, AmbiguousModel, NoPrice, UnpricedUsage, UnpricedServiceTier, UnreadableResponse)
_NOT_REFUNDED = (AlreadyRefunded, NotRefundable, RefundedByGateway)
_BUSY = (Unavailable, DeadlinePassed, TooManyWaiting)
router = APIRouter(tags=["credits"], dependencies=[Security(bearer)], route_class=ClearRoute)
models_router = APIRouter(tags=["models"], dependencies=[Security(bearer)], route_class=ClearRoute)
status_router = APIRouter(tags=["status"])
_for_admins = Depends(only(Role.ADMIN))
FOR_SERVICES = (Role.SERVICE, Role.ADMIN)
_for_services = Depends(only(*FOR_SERVICES))


@router.get("/credits/balance", responses=documented(*READING, Forbidden, UnknownUser))
async def balance(user_id: VisibleUser, shared: Shared) -> BalanceAnswer:
    """What a user can spend; and beside that what is held, what is frozen by a dispute, and what is owed."""

    def look_up(connection: Connection) -> BalanceAnswer:
        found = accounts.user(connection, user_id)
        # What has expired and is not booked yet cannot be spent either.
        expired_credits = lot_rows.expired_credits(connection, user_id, at_us=to_microseconds(datetime.now(UTC)))
        balance_credits = found.balance_credits - expired_credits
        beside = parts.of_user(connection, user_id)
        return BalanceAnswer(
            user_id=user_id,
            balance_credits=balance_credits,
            balance_usd=usd_text(balance_credits),
            held_credits=beside.get(Part.HELD, 0),
            frozen_credits=beside.get(Part.FROZEN, 0),
            owed_credits=-beside.get(Part.DEBT, 0),
        )

    return await shared.read(look_up)


@router.get("/credits/transactions", responses=documented(*READING, Forbidden, UnknownUser))
async def transactions(
    user_id: VisibleUser,
    shared: Shared,
    limit: Annotated[PageSize, Query(description="The largest number of transactions to return.")] = 50,
    cursor: Annotated[CursorText | None, Query(description="`next_cursor` of the previous page.")] = None,
    type_: Annotated[
        Sequence[TransactionType] | None, Query(alias="type", description="Only these types; may be repeated.")
    ] = None,
    from_: Annotated[
        Day | None, Query(alias="from", description="First day of posting, inclusive, in the server's time zone.")
    ] = None,
    to: Annotated[Day | None, Query(description="Last day of posting, inclusive.")] = None,
) -> TransactionsAnswer:
    """A user's transactions, newest first, a page at a time."""
    if from_ is not None and to is not None and to < from_:
        raise InvalidRequest("to", "must not be before from")
    wanted = TransactionFilter(account_id=user_id, types=tuple(type_ or ()), days=DayRange(from_, to, shared.zone))

    def read_page(connection: Connection) -> TransactionsAnswer:
        accounts.user(connection, user_id)
        found = accounts.transactions(connection, wanted, before=_before(cursor), limit=limit + 1)
        page = found[:limit]
        entry_id, position = page[-1].cursor if page else (0, 0)
        return TransactionsAnswer(
            transactions=[TransactionAnswer.of(listed) for listed in page],
            next_cursor=f"{entry_id}-{position}" if len(found) > limit else None,
        )

    return await shared.read(read_page)


@router.post("/credits/calculate-cost", responses=documented(*READING, *PRICING, BodyTooLarge))
async def calculate_cost(body: PriceBody, shared: Shared) -> PriceAnswer:
    """What a run would cost now, with every step of the calculation. Charges nothing."""
    asked = body.asked()
    book = await shared.read(shared.books.at)
    priced = quote(
        book.models.anywhere(asked.model_id),
        book.plan,
        creator_fee_credits=body.creator_fee_credits,
        usage=asked.usage,
        input_tokens=body.input_tokens,
        output_tokens=body.output_tokens,
        service_tier=asked.service_tier,
        at=datetime.now(UTC),
    )
    return PriceAnswer(**price_fields(priced, book.models, asked))


@router.post(
    "/credits/add",
    status_code=201,
    dependencies=[_for_admins],
    responses=written(AddAnswer) | documented(*WRITING, AccountLooksAlike, BalanceTooLarge, CirculationTooLarge),
)
async def add(request: Request, response: Response, body: AddBody, key: IdempotencyKey) -> AddAnswer:
    """Add credits to a user's balance. The first credits create the user."""

    def action(connection: Connection, scoped_key: str, now: datetime, actor: Actor) -> Receipt:
        try:
            return actions.add_credits(
                connection,
                body.user_id,
                body.amount_credits,
                source=body.source,
                reason=body.description,
                expires_at=body.expires_at,
                key=scoped_key,
                now=now,
                actor=actor,
                distinct=body.create_distinct,
            )
        except InvalidRequest as refusal:
            raise InvalidRequest(
                "description" if refusal.field == "reason" else refusal.field, refusal.problem
            ) from None

    receipt = note(request, response, await perform(request, key, in_unit_of_work(request, action)))
    balance_credits = payer_balance(receipt)
    return AddAnswer(
        entry_id=receipt.entry_id,
        user_id=body.user_id,
        amount_credits=body.amount_credits,
        balance_credits=balance_credits,
        balance_usd=usd_text(balance_credits),
        **holds_now(receipt),
    )


@router.post(
    "/credits/charge-prompt",
    status_code=201,
    dependencies=[_for_services],
    responses=written(ChargeAnswer)
    | documented(
        *(*WRITING, *PRICING),
        *(InsufficientCredits, SpendingLimitReached, UnknownUser, PriceChanged, NothingToCharge),
        *(AccountLooksAlike, BalanceTooLarge),
    ),
)
async def charge_prompt(request: Request, response: Response, body: ChargeBody, key: IdempotencyKey) -> ChargeAnswer:
    """Charge one run of a prompt."""
    used = body.asked()
    asked = ChargeRequest(
        user_id=body.user_id,
        prompt_id=body.prompt_id,
        model_id=used.model_id,
        creator_id=body.creator_id,
        creator_fee_credits=body.creator_fee_credits,
        input_tokens=body.input_tokens,
        output_tokens=body.output_tokens,
        expected_total_credits=body.expected_total_credits,
        usage=used.usage,
        service_tier=used.service_tier,
        used_at=body.used_at,
    )
    shared = resources_of(request)

    async def charge(kept_key: str, now: datetime, actor: Actor) -> Receipt:
        return await shared.charge(Charge(asked, kept_key, now, actor, distinct=body.create_distinct))

    receipt = note(request, response, await perform(request, key, charge))
    assert receipt.quote is not None, "a charge has a quote"
    return ChargeAnswer(
        **price_fields(receipt.quote, shared.books.models, used),
        prompt_run_id=receipt.entry_id,
        entry_id=receipt.entry_id,
        used_at=receipt.used_at,
        user_balance_credits=payer_balance(receipt),
        **holds_now(receipt),
    )


_UNLOCKED_BEFORE: Responses = {
    200: {
        "model": UnlockAnswer | AlreadyUnlockedAnswer,
        "description": "The same request was carried out before, or the user already has the flow: no new charge",
        "headers": REPLAYED,
    }
}


@router.post(
    "/credits/unlock-flow",
    status_code=201,
    dependencies=[_for_services],
    responses=_UNLOCKED_BEFORE | documented(*CHARGING),
    response_model=UnlockAnswer,
)
async def unlock_flow(request: Request, response: Response, body: UnlockBody, key: IdempotencyKey) -> Any:
    """Unlock a flow for a user with one payment. Charges nothing when the user already has the flow or made it."""
    asked = UnlockRequest(**body.model_dump(exclude={"create_distinct"}))
    books = resources_of(request).books

    def action(connection: Connection, scoped_key: str, now: datetime, actor: Actor) -> Unlock:
        return actions.unlock_flow(
            connection,
            asked,
            book=books.at(connection),
            key=scoped_key,
            now=now,
            actor=actor,
            distinct=body.create_distinct,
        )

    unlock = await perform(request, key, in_unit_of_work(request, action))
    if unlock.receipt is None:
        answer = AlreadyUnlockedAnswer(
            unlocked_by_entry_id=unlock.had_by_entry_id,
            replayed=unlock.replayed,
            refunded_by_entry_id=unlock.refunded_by_entry_id,
            has_access_now=unlock.has_access_now,
        )
        return JSONResponse(answer.model_dump(), headers={REPLAYED_HEADER: "true"} if unlock.replayed else None)
    receipt = note(request, response, unlock.receipt)
    creator_share_credits = receipt.received_by(body.creator_id)
    return UnlockAnswer(
        entry_id=receipt.entry_id,
        creator_share_credits=creator_share_credits,
        platform_share_credits=body.unlock_fee_credits - creator_share_credits,
        user_balance_credits=payer_balance(receipt),
        has_access_now=unlock.has_access_now,
        **holds_now(receipt),
    )


@router.post(
    "/credits/refund",
    status_code=201,
    dependencies=[_for_admins],
    responses=written(RefundAnswer)
    | documented(
        *(*WRITING, UnknownEntry, AlreadyRefunded, RefundExceedsRest, NotRefundable, RefundedByGateway),
        *(InsufficientCredits, BalanceTooLarge),
    ),
)
async def refund(request: Request, response: Response, body: RefundBody, key: IdempotencyKey) -> RefundAnswer:
    """Refund an entry, once: a new entry reverses its transactions. With an amount, a run or unlock in parts.

    The provider of a run is paid all the same, so the platform bears the inference cost, unless `provider_refunded`.
    """
    books = resources_of(request).books

    def action(
        connection: Connection, scoped_key: str, now: datetime, actor: Actor
    ) -> tuple[Receipt, Bearing, tuple[int, int]]:
        receipt = actions.refund(
            connection,
            body.entry_id,
            reason=body.reason,
            provider_refunded=body.provider_refunded,
            amount_credits=body.amount_credits,
            book=books.at(connection),
            key=scoped_key,
            now=now,
            actor=actor,
        )
        return receipt, refunds.borne(connection, receipt), refunds.after(connection, receipt)

    receipt, borne, (refunded_credits, left_credits) = await perform(request, key, in_unit_of_work(request, action))
    note(request, response, receipt)
    return RefundAnswer(
        entry_id=receipt.entry_id,
        refunded_entry_id=body.entry_id,
        refunded_credits=refunded_credits,
        left_credits=left_credits,
        user_balance_credits=payer_balance(receipt),
        rule=borne.terms.rule,
        provider_refunded=borne.terms.provider_refunded,
        creator_gives_back_credits=borne.creator_credits,
        platform_bears_credits=borne.platform_credits,
        provider_gives_back_credits=borne.returned_cost_credits,
        summary=sentence(borne, done=True),
        **holds_now(receipt),
    )


@models_router.get("/models", responses=documented(*READING))
async def models(shared: Shared) -> ModelsAnswer:
    """Every model with its price, where the price is from, and when it was read there."""
    book, now = await shared.read(shared.books.at), datetime.now(UTC)
    return ModelsAnswer(models=[ModelAnswer.of(model, now) for model in book.models.values()])


@status_router.get("/health", responses=documented(problems.Unexpected))
async def health() -> StatusAnswer:
    """Says that the process answers."""
    return StatusAnswer()


@status_router.get("/ready", responses=documented(problems.Unexpected, DatabaseNotReady, *_BUSY))
async def ready(shared: Shared) -> StatusAnswer:
    """Says that the database answers and has the schema of this version."""
    await shared.require_ready()
    return StatusAnswer()


def _before(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    entry_id, _, position = cursor.partition("-")
    return int(entry_id), int(position)
