"""The routes for users' spending limits: what is left of them, and setting them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Security
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from credits_core.api.clear_route import ClearRoute
from credits_core.api.dependencies import Caller, Shared, VisibleUser, bearer, only, resources_of
from credits_core.api.fields import UserId
from credits_core.api.problems import READING, documented
from credits_core.api.refusals import BodyTooLarge, Forbidden
from credits_core.ledger import accounts, spending_limits
from credits_core.ledger.refusals import UnknownUser
from credits_core.ledger.spending_limits import LimitNow
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.roles import Role

limits_router = APIRouter(tags=["limits"], dependencies=[Security(bearer)], route_class=ClearRoute)
_Limit = Annotated[int, Field(strict=True, ge=0, le=MAX_CREDITS)]


class LimitsBody(BaseModel):
    """What a user may spend from now on: both limits, and null where there shall be none."""

    user_id: UserId
    day_credits: Annotated[_Limit | None, Field(description="At most so many in a day.")]
    month_credits: Annotated[_Limit | None, Field(description="At most so many in a month.")]

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"user_id": "ada", "day_credits": 2_000_000, "month_credits": None}]},
    )


class LimitAnswer(BaseModel):
    """A limit of a day or a month with what counts against it. At `resets_at` the next one begins."""

    period: SpendingPeriod
    limit_credits: int
    spent_credits: Annotated[int, Field(description="What runs and unlocks in the period cost.")]
    held_credits: Annotated[int, Field(description="What is held for runs that are not over yet. It counts too.")]
    left_credits: int
    resets_at: datetime

    @classmethod
    def of(cls, now: LimitNow) -> "LimitAnswer":
        """The limit as it is now."""
        return cls(
            period=now.limit.period,
            limit_credits=now.limit.limit_credits,
            spent_credits=now.limit.spent_credits,
            held_credits=now.held_credits,
            left_credits=now.left_credits,
            resets_at=now.limit.resets_at,
        )


class LimitsAnswer(BaseModel):
    """The limits of a user; none where the user may spend all there is."""

    user_id: str
    limits: list[LimitAnswer]


@limits_router.get("/credits/limits", responses=documented(*READING, Forbidden, UnknownUser))
async def spending_limits_of_user(user_id: VisibleUser, shared: Shared) -> LimitsAnswer:
    """What a user may spend in a day and in a month, and how much of it is left."""
    return await shared.read(lambda connection: _answer(connection, user_id))


@limits_router.put(
    "/credits/limits",
    responses=documented(*READING, Forbidden, UnknownUser, BodyTooLarge),
    dependencies=[Depends(only(Role.ADMIN))],
)
async def set_spending_limits(request: Request, body: LimitsBody, caller: Caller) -> LimitsAnswer:
    """Set both limits of a user. What was spent in the present day and month counts. Sent again, nothing changes."""
    now, zone = datetime.now(UTC), resources_of(request).zone
    wanted = {SpendingPeriod.DAY: body.day_credits, SpendingPeriod.MONTH: body.month_credits}

    def set_both(connection: Connection) -> LimitsAnswer:
        known = {one.limit.period: one.limit for one in spending_limits.limits_now(connection, body.user_id, now=now)}
        for period, credits in wanted.items():
            before = known.get(period)
            if credits is None and before is not None:
                spending_limits.remove_limit(connection, body.user_id, period, now=now, actor=caller.actor)
            if credits is not None and (before is None or (before.limit_credits, before.zone) != (credits, zone)):
                spending_limits.set_limit(
                    connection, body.user_id, period, credits, zone=zone, now=now, actor=caller.actor
                )
        return _answer(connection, body.user_id)

    return await resources_of(request).write(set_both)


def _answer(connection: Connection, user_id: str) -> LimitsAnswer:
    accounts.user(connection, user_id)
    found = spending_limits.limits_now(connection, user_id, now=datetime.now(UTC))
    return LimitsAnswer(user_id=user_id, limits=[LimitAnswer.of(one) for one in found])
