"""The routes for the levels below which a user wants to be told of the balance."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Caller, Shared, VisibleUser, bearer, require_visible, resources_of
from credits_core.api.fields import Credits, UserId
from credits_core.api.problems import READING, documented
from credits_core.api.refusals import BodyTooLarge, Forbidden
from credits_core.ledger import accounts
from credits_core.ledger.refusals import UnknownUser
from credits_core.notices import low_balance
from credits_core.notices.low_balance import MOST_LEVELS

levels_router = APIRouter(tags=["levels"], dependencies=[Security(bearer)], route_class=ClearRoute)


class LevelsBody(BaseModel):
    """All levels of a user from now on; an empty list for none of their own."""

    user_id: UserId
    levels_credits: Annotated[Sequence[Credits], Field(max_length=MOST_LEVELS)]

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"user_id": "ada", "levels_credits": [1_000_000, 100_000]}]},
    )


class LevelsAnswer(BaseModel):
    """The levels of a user, the highest first. Without any, those for everybody count."""

    user_id: str
    levels_credits: list[int]


@levels_router.get("/credits/low-balance-levels", responses=documented(*READING, Forbidden, UnknownUser))
async def low_balance_levels(user_id: VisibleUser, shared: Shared) -> LevelsAnswer:
    """Below which balances `balance.low` is told of a user."""
    return await shared.read(lambda connection: _answer(connection, user_id))


@levels_router.put("/credits/low-balance-levels", responses=documented(*READING, Forbidden, UnknownUser, BodyTooLarge))
async def set_low_balance_levels(request: Request, body: LevelsBody, caller: Caller) -> LevelsAnswer:
    """Set all levels of a user. The event `balance.low` says `set_by: user` for them. Sent again, nothing changes.

    A key with the role user sets those of its own user.
    """
    require_visible(caller, body.user_id)
    now, wanted = datetime.now(UTC), set(body.levels_credits)

    def set_all(connection: Connection) -> LevelsAnswer:
        accounts.user(connection, body.user_id)
        before = set(low_balance.levels_of(connection, body.user_id))
        for credits in before - wanted:
            low_balance.remove_level(connection, body.user_id, credits, now=now, actor=caller.actor)
        for credits in wanted - before:
            low_balance.set_level(connection, body.user_id, credits, now=now, actor=caller.actor)
        return _answer(connection, body.user_id)

    return await resources_of(request).write(set_all)


def _answer(connection: Connection, user_id: str) -> LevelsAnswer:
    accounts.user(connection, user_id)
    return LevelsAnswer(user_id=user_id, levels_credits=low_balance.levels_of(connection, user_id))
