"""The bodies of the API's requests. Unknown fields are refused."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from credits_core.api.fields import (
    TIER_PATTERN,
    WORDS_PATTERN,
    CreatorId,
    Credits,
    EntryId,
    ExpectedTotal,
    ExpiresAt,
    Fee,
    FlowId,
    ModelId,
    PromptId,
    Tokens,
    UsedAt,
    UserId,
    Words,
)
from credits_core.pricing.units import MAX_COUNT, UNITS
from credits_core.store.kinds import CreditSource
from credits_core.usage.asked import AskedUsage, asked_usage


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


UsageBody = Annotated[
    dict[str, Any],  # `parse_usage` checks it, and says which count is wrong and why
    Field(
        min_length=1,
        max_length=len(UNITS),
        description="What the run used: for each unit a whole number. General units count their parts too: "
        "`input_tokens` counts the cached ones.",
        examples=[{"input_tokens": 2_006, "cache_read_tokens": 1_920, "output_tokens": 300}],
        json_schema_extra={
            "propertyNames": {"enum": [*UNITS]},
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
        },
    ),
]
ProviderName = Annotated[
    str,
    Field(strict=True, pattern=WORDS_PATTERN, max_length=80, description="Whose response it is.", examples=["openai"]),
]
RawResponse = Annotated[
    dict[str, Any] | list[dict[str, Any]],
    Field(
        description="Instead of a usage: the provider's response as it came, its usage part alone, or the list of a "
        "stream's events.",
        examples=[{"model": "gpt-4o", "usage": {"prompt_tokens": 2_006, "completion_tokens": 300}}],
    ),
]
ApiFlavour = Annotated[
    str,
    Field(
        strict=True,
        pattern=WORDS_PATTERN,
        max_length=40,
        description="Which API of the provider the response is from, where two could be meant.",
        examples=["responses"],
    ),
]
ServiceTier = Annotated[
    str,
    Field(
        strict=True,
        pattern=TIER_PATTERN,
        description="The provider's service tier, such as flex or batch; a response brings its own.",
        examples=["flex"],
    ),
]


ProviderRefunded = Annotated[
    bool,
    Field(
        strict=True,
        description="The provider gave the inference cost of the run back, so the platform need not bear it.",
    ),
]
RefundedCredits = Annotated[
    Credits,
    Field(description="How much of a run or unlock to refund; everything that is left without it.", examples=[500]),
]
CreateDistinct = Annotated[
    bool,
    Field(
        strict=True,
        description="Open an account even if its id differs from another one's only in upper and lower case.",
    ),
]


class AddBody(_Body):
    """Credits to add to a user. The first credits create the user."""

    user_id: UserId
    amount_credits: Credits
    description: Words
    source: CreditSource = CreditSource.PURCHASE
    expires_at: ExpiresAt | None = None
    create_distinct: CreateDistinct = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "ada", "amount_credits": 5_000_000, "description": "Card payment 4711"}]
        }
    )


class PriceBody(_Body):
    """A run to price. What it used is given once: as `usage`, as `provider` and `response`, or as two token counts.

    `model_id` may be left out where the response names its model.
    """

    model_id: ModelId | None = None
    creator_fee_credits: Fee = 0
    usage: UsageBody | None = None
    provider: ProviderName | None = None
    response: RawResponse | None = None
    api_flavour: ApiFlavour | None = None
    service_tier: ServiceTier | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None

    def asked(self) -> AskedUsage:
        """What was asked, in one form.

        Raises:
            InvalidRequest, UnreadableResponse: as `asked_usage`.
        """
        return asked_usage(
            model_id=self.model_id,
            usage=self.usage,
            provider=self.provider,
            response=self.response,
            api_flavour=self.api_flavour,
            service_tier=self.service_tier,
        )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model_id": "openai/gpt-4o", "input_tokens": 1_020, "output_tokens": 129},
                {
                    "model_id": "openai/gpt-4o",
                    "usage": {"input_tokens": 2_006, "cache_read_tokens": 1_920, "output_tokens": 300},
                },
            ]
        }
    )


class ChargeBody(PriceBody):
    """A run to charge. Give both `creator_id` and a positive `creator_fee_credits`, or neither."""

    user_id: UserId
    prompt_id: PromptId
    creator_id: CreatorId | None = None
    expected_total_credits: ExpectedTotal | None = None
    used_at: UsedAt | None = None
    create_distinct: CreateDistinct = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "ada",
                    "prompt_id": "summarise",
                    "model_id": "openai/gpt-4o",
                    "input_tokens": 1_020,
                    "output_tokens": 129,
                    "creator_id": "ben",
                    "creator_fee_credits": 1_001,
                }
            ]
        }
    )


class UnlockBody(_Body):
    """A flow to unlock for a user."""

    user_id: UserId
    flow_id: FlowId
    creator_id: CreatorId
    unlock_fee_credits: Credits
    create_distinct: CreateDistinct = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "ada", "flow_id": "weekly-report", "creator_id": "ben", "unlock_fee_credits": 250_000}
            ]
        }
    )


class RefundBody(_Body):
    """An entry to refund."""

    entry_id: EntryId
    reason: Words
    provider_refunded: ProviderRefunded = False
    amount_credits: RefundedCredits | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"entry_id": 1, "reason": "The answer was empty"}]})
