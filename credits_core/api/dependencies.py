"""What a route asks of its request first: who calls, in which role, whose data, and with which idempotency key."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPBearer

from credits_core.access.keys import KeyRecord
from credits_core.api.exchange import exchange_of
from credits_core.api.fields import IdempotencyKeyText, UserId
from credits_core.api.refusals import Forbidden
from credits_core.api.resources import Resources
from credits_core.values.roles import Role

# Only for the documentation: the gate has checked the key before a route is reached.
bearer = HTTPBearer(
    scheme_name="API key", description="A key made by `python -m credits_core api-key create`.", auto_error=False
)


def resources_of(request: Request) -> Resources:
    """What the API's routes share."""
    resources: Resources = request.app.state.resources
    return resources


async def any_caller(request: Request) -> KeyRecord:
    """The key of the caller, whatever its role."""
    caller = exchange_of(request).caller
    assert caller is not None, "the gate lets nobody in without a key"
    return caller


def only(*roles: Role) -> Callable[[KeyRecord], Awaitable[KeyRecord]]:
    """A dependency: the key of a caller in one of these roles.

    Raises, when it is asked:
        Forbidden: the caller has another role.
    """

    async def caller_in_role(caller: Caller) -> KeyRecord:
        if caller.role not in roles:
            raise Forbidden(caller.role.value, " or ".join(roles))
        return caller

    return caller_in_role


async def visible_user(caller: Annotated[KeyRecord, Depends(any_caller)], user_id: Annotated[UserId, Query()]) -> str:
    """The user whose data is asked for, when the caller may see it.

    Raises:
        Forbidden: the key is another user's.
    """
    require_visible(caller, user_id)
    return user_id


def require_visible(caller: KeyRecord, user_id: str) -> None:
    """Do nothing for a caller who may see the user's data.

    Raises:
        Forbidden: the key is another user's.
    """
    if caller.role is Role.USER and caller.user_id != user_id:
        raise Forbidden(caller.role.value, "service, admin or the user's own key")


Caller = Annotated[KeyRecord, Depends(any_caller)]
Shared = Annotated[Resources, Depends(resources_of)]
VisibleUser = Annotated[str, Depends(visible_user)]
IdempotencyKey = Annotated[
    IdempotencyKeyText,
    Header(
        alias="Idempotency-Key",
        description="Choose one key per action. Sending the same request with the same key again does not repeat it.",
        examples=["order-4711"],
    ),
]
