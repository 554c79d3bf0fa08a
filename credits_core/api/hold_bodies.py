"""The bodies and answers of the routes for holds. Unknown fields are refused."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from credits_core.api.answers import PriceAnswer
from credits_core.api.bodies import ApiFlavour, ProviderName, RawResponse, ServiceTier, UsageBody
from credits_core.api.fields import CreatorId, Credits, Fee, ModelId, Moment, PromptId, Tokens, UserId
from credits_core.ledger.hold_rows import StoredHold
from credits_core.values.text import usd_text

_LONGEST_SECONDS = 86_400


class HoldBody(BaseModel):
    """A run to hold credits for: with the most that it may use, or with an amount.

    The price of the most is held, or `amount_credits`. Give both `creator_id` and a positive `creator_fee_credits`, or
    neither.
    """

    user_id: UserId
    prompt_id: PromptId
    model_id: ModelId
    creator_id: CreatorId | None = None
    creator_fee_credits: Fee = 0
    usage: UsageBody | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    service_tier: ServiceTier | None = None
    amount_credits: Annotated[Credits, Field(description="Hold so many instead of the price of a usage.")] | None = None
    expires_in_seconds: Annotated[
        int, Field(strict=True, ge=1, le=_LONGEST_SECONDS, description="After so long the credits come back.")
    ] = 900

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "user_id": "ada",
                    "prompt_id": "summarise",
                    "model_id": "openai/gpt-4o",
                    "usage": {"input_tokens": 1_000, "output_tokens": 1_000},
                }
            ]
        },
    )


class CaptureBody(BaseModel):
    """What the run of a hold used, in the same ways as for a charge. Nothing charges the most that was expected."""

    usage: UsageBody | None = None
    provider: ProviderName | None = None
    response: RawResponse | None = None
    api_flavour: ApiFlavour | None = None
    service_tier: ServiceTier | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"usage": {"input_tokens": 1_000, "output_tokens": 400}}]},
    )


_State = Annotated[
    str, Field(description="`open`, `captured`, `released` or `expired`, when the answer is given.", examples=["open"])
]


class HoldAnswer(BaseModel):
    """A hold as it is now. `entry_id` is the run that it was captured for, `total_credits` what that cost."""

    hold_id: int
    user_id: str
    prompt_id: str
    model_id: str
    plan: str
    state: _State
    held_credits: int
    held_usd: str
    created_at: Moment
    expires_at: Moment
    released_credits: int
    entry_id: int | None
    total_credits: int | None

    @classmethod
    def fields_of(cls, hold: StoredHold, now: datetime) -> dict[str, Any]:
        """The fields for a hold, as it is at this moment."""
        return {
            "hold_id": hold.id,
            "user_id": hold.user_id,
            "prompt_id": hold.prompt_id,
            "model_id": hold.model_id,
            "plan": hold.plan_id,
            "state": hold.state(now),
            "held_credits": hold.held_credits,
            "held_usd": usd_text(hold.held_credits),
            "created_at": hold.created_at,
            "expires_at": hold.expires_at,
            "released_credits": hold.released_credits,
            "entry_id": hold.run_entry_id,
            "total_credits": hold.total_credits,
        }


class HoldWrittenAnswer(HoldAnswer):
    """A hold that was made or released, and what the user can spend now."""

    user_balance_credits: int
    replayed: Annotated[
        bool,
        Field(description="This request was carried out before, and was not carried out again.", examples=[False]),
    ]


class CaptureAnswer(PriceAnswer):
    """The run that a hold was captured for: its price, what came back, and what the user can spend now."""

    hold_id: int
    entry_id: int
    released_credits: int
    user_balance_credits: int
    replayed: Annotated[
        bool,
        Field(description="This request was carried out before, and was not carried out again.", examples=[False]),
    ]
    refunded_by_entry_id: Annotated[
        int | None,
        Field(description="The entry that has refunded this one, as of now; null while none has.", examples=[4_720]),
    ]
