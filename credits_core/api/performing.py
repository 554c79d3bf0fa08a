"""Carries out a write of the API in one unit of work, with a key that belongs to its caller."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from fastapi import Request, Response
from sqlalchemy import Connection

from credits_core.access import callers
from credits_core.api.dependencies import any_caller, resources_of
from credits_core.api.exchange import exchange_of
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.values.roles import Actor

Result = TypeVar("Result")
Responses = dict[int | str, dict[str, Any]]
REPLAYED_HEADER = "Idempotent-Replayed"
REPLAYED = {
    REPLAYED_HEADER: {
        "schema": {"type": "string"},
        "description": "`true`: this request was carried out before and was not carried out again.",
    }
}


def written(model: type[Any]) -> Responses:
    """The documentation of the answer to a request that is repeated."""
    return {200: {"model": model, "description": "The same request was carried out before", "headers": REPLAYED}}


def in_unit_of_work(
    request: Request, action: Callable[[Connection, str, datetime, Actor], Result]
) -> Callable[[str, datetime, Actor], Awaitable[Result]]:
    """An action in a unit of work of its own, as `perform` carries it out."""

    async def in_one(kept_key: str, now: datetime, actor: Actor) -> Result:
        return await resources_of(request).write(lambda connection: action(connection, kept_key, now, actor))

    return in_one


async def perform(request: Request, key: str, carry_out: Callable[[str, datetime, Actor], Awaitable[Result]]) -> Result:
    """Carry out an action with an idempotency key that only this caller can use, now and by this caller.

    An entry of an earlier version may have the same key in an older form. Then it is the one to replay.
    """
    caller, now = await any_caller(request), datetime.now(UTC)
    kept_keys = [callers.scoped_key(caller.name, key)]
    if caller.has_numbered_requests:
        older = await resources_of(request).read(lambda connection: callers.numbered_keys(connection, caller, key))
        kept_keys = older or kept_keys
    try:
        for kept_key in kept_keys[:-1]:
            try:
                return await carry_out(kept_key, now, caller.actor)
            except IdempotencyKeyReused:
                continue  # the key was used under two numbers of the name, for two requests
        return await carry_out(kept_keys[-1], now, caller.actor)
    except IdempotencyKeyReused as refusal:
        raise IdempotencyKeyReused(key, refusal.entry_id) from None


def note(request: Request, response: Response, receipt: Receipt) -> Receipt:
    """Note what was written with the call, and say in the answer that it is a repetition. Returns the receipt."""
    exchange_of(request).receipt = receipt
    if receipt.replayed:
        response.status_code = 200
        response.headers[REPLAYED_HEADER] = "true"
    return receipt


def holds_now(receipt: Receipt) -> dict[str, Any]:
    """The fields of an answer that say what holds when it is given."""
    return {"replayed": receipt.replayed, "refunded_by_entry_id": receipt.refunded_by_entry_id}


def payer_balance(receipt: Receipt) -> int:
    """What the user whom the entry is about can spend after it, in credits."""
    balance_credits = receipt.balance_after(receipt.transactions[0].account_id)
    assert balance_credits is not None, "the first transaction of an entry is a user's"
    return balance_credits
