"""The fields of the API's requests and answers. Credits are whole numbers, dollars are text with six decimals.

Numbers are never converted: 1.0, "5" and true are not whole numbers. Unknown fields are refused.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from credits_core.ledger.accounts import ListedTransaction
from credits_core.pricing.models import Model, ModelRegistry, RunPrice
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import MAX_COUNT, UNITS
from credits_core.store.kinds import CreditSource, TransactionType
from credits_core.usage.asked import AskedUsage, asked_usage
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.fields import ID_FORM, ID_PATTERN, MAX_TEXT, MODEL_ID_FORM, MODEL_ID_PATTERN
from credits_core.values.text import exact_text, usd_text

MAX_PAGE = 200
_ID, _MODEL_ID = rf"^{ID_PATTERN}$", rf"^{MODEL_ID_PATTERN}$"
_WORDS, _KEY, _CURSOR = r"\S", r"^[!-~]+$", r"^[0-9]{1,18}-[0-9]{1,4}$"
_TIER = r"^[A-Za-z0-9_-]{1,32}$"
MEANING_OF_PATTERN = {
    _ID: f"must be {ID_FORM}",
    _MODEL_ID: f"must be {MODEL_ID_FORM}",
    _WORDS: "must not be blank",
    _TIER: "must be a word such as flex or batch, of at most 32 characters",
    _KEY: "must be 1 to 255 visible ASCII characters",
    _CURSOR: "must be the next_cursor of the previous page",
}
"""For each pattern, what to tell a caller whose text does not match it."""
_DIGITS = re.compile(r"[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = "^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)


def _digits(text: object) -> int:
    # Query parameters are text; Pydantic alone would take "1.0", " 1" and "1_0" as well.
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        raise ValueError("must be a whole number written in digits")
    return int(text)


def _day(text: object) -> date:
    # Pydantic alone would read a number as seconds since 1970.
    problem = "must be a day from 1970-01-01 to 9998-12-31"
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError(problem)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(problem) from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise ValueError(problem)
    return day


def _id(description: str, example: str) -> Any:
    return Field(strict=True, pattern=_ID, description=description, examples=[example])


UserId = Annotated[str, _id("The user whose credits these are.", "ada")]
PromptId = Annotated[str, _id("The prompt that is run.", "summarise")]
ModelId = Annotated[
    str,
    Field(
        strict=True,
        pattern=_MODEL_ID,
        description="A model of `GET /api/models`, by id or a name that its provider uses. A cost can be calculated "
        "for any model of the price list.",
        examples=["openai/gpt-4o"],
    ),
]
FlowId = Annotated[str, _id("The flow that is unlocked.", "weekly-report")]
CreatorId = Annotated[str, _id("The creator of the prompt or flow, who receives the creator's share.", "ben")]
Credits = Annotated[int, Field(strict=True, ge=1, le=MAX_CREDITS)]
Fee = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_CREDITS, description="The creator's fee for the run, in credits; 0 is no fee."),
]
Tokens = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=MAX_COUNT,
        description="In short for a usage with these two counts. A model with a fixed price per run does not use it.",
    ),
]
ExpectedTotal = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=MAX_CREDITS,
        description="The price that the user has seen. If the run costs anything else, it is refused.",
    ),
]
EntryId = Annotated[
    int, Field(strict=True, ge=1, le=2**53 - 1, description="The `entry_id` of a write or of a transaction.")
]
Words = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=MAX_TEXT,
        pattern=_WORDS,
        description="Printable characters, kept with the entry in the ledger.",
    ),
]
IdempotencyKeyText = Annotated[str, Field(min_length=1, max_length=255, pattern=_KEY)]
CursorText = Annotated[str, Field(pattern=_CURSOR)]
PageSize = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=MAX_PAGE)]
EntryNumber = Annotated[
    int,
    # The bounds come first: after the validator they would not be in the document as JSON Schema's minimum and maximum.
    Field(ge=1, le=2**53 - 1, description="The `entry_id` of a write or of a transaction.", examples=[4_711]),
    BeforeValidator(_digits),
]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": _YEARS + "-[0-9]{2}-[0-9]{2}$"}),
]
Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


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
    str, Field(strict=True, pattern=_WORDS, max_length=80, description="Whose response it is.", examples=["openai"])
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
        pattern=_WORDS,
        max_length=40,
        description="Which API of the provider the response is from, where two could be meant.",
        examples=["responses"],
    ),
]
ServiceTier = Annotated[
    str,
    Field(
        strict=True,
        pattern=_TIER,
        description="The provider's service tier, such as flex or batch; a response brings its own.",
        examples=["flex"],
    ),
]


CreateDistinct = Annotated[
    bool,
    Field(
        strict=True,
        description="Open an account even if its id differs from another one's only in upper and lower case.",
    ),
]
UsedAt = Annotated[
    AwareDatetime,
    Field(
        description="When the run took place, with its zone; at most five minutes ahead. The entry is dated when it is "
        "posted and has today's price.",
        examples=["2026-11-16T18:15:46Z"],
    ),
]


class AddBody(_Body):
    """Credits to add to a user. The first credits create the user."""

    user_id: UserId
    amount_credits: Credits
    description: Words
    source: CreditSource = CreditSource.PURCHASE
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

    model_config = ConfigDict(json_schema_extra={"examples": [{"entry_id": 1, "reason": "The answer was empty"}]})


class BalanceAnswer(BaseModel):
    """A user's balance."""

    user_id: str
    balance_credits: int
    balance_usd: str


class TransactionAnswer(BaseModel):
    """One change of a user's balance. Positive amounts were received, negative ones paid."""

    id: str
    entry_id: int
    type: TransactionType
    amount_credits: int
    balance_after_credits: int
    description: str
    created_at: Moment
    prompt_run_id: int | None
    flow_id: str | None

    @classmethod
    def of(cls, listed: ListedTransaction) -> "TransactionAnswer":
        """The answer for a transaction of a user's account."""
        assert listed.balance_after_credits is not None, "a user's transaction has a balance"
        return cls(
            id=f"{listed.entry_id}-{listed.position}",
            entry_id=listed.entry_id,
            type=listed.type,
            amount_credits=listed.amount_credits,
            balance_after_credits=listed.balance_after_credits,
            description=listed.description,
            created_at=listed.created_at,
            prompt_run_id=None if listed.prompt_id is None else listed.entry_id,
            flow_id=listed.flow_id,
        )


class TransactionsAnswer(BaseModel):
    """A page of a user's transactions, newest first."""

    transactions: list[TransactionAnswer]
    next_cursor: str | None


_Replayed = Annotated[
    bool,
    Field(description="This request was carried out before, and was not carried out again.", examples=[False]),
]
_RefundedBy = Annotated[
    int | None,
    Field(description="The entry that has refunded this one, as of now; null while none has.", examples=[4_720]),
]
_HasAccess = Annotated[bool, Field(description="Whether the user may use the flow now.", examples=[True])]


class AddAnswer(BaseModel):
    """The credits that were added, and the balance just after."""

    entry_id: int
    user_id: str
    amount_credits: int
    balance_credits: int
    balance_usd: str
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy


class StepAnswer(BaseModel):
    """One step of the price: its name, how it was computed, and the result in credits."""

    label: str
    arithmetic: str
    credits: int


class ChargedUnitAnswer(BaseModel):
    """One unit of the inference cost: so many, in dollars for `per` of them, and the exact credits as text."""

    unit: str
    count: int
    usd: str
    per: int
    exact_credits: str


class PriceAnswer(BaseModel):
    """What a run costs and who receives it. The creator's and the platform's share add up to the creator fee.

    `units` are what the inference cost is made of; a fixed price has none. `usage_note` says when a usage was given and
    not used.
    """

    model_id: str
    inference_cost_credits: int
    creator_fee_credits: int
    platform_markup_credits: int
    total_credits: int
    total_usd: str
    creator_share_credits: int
    platform_share_credits: int
    plan: str
    steps: list[StepAnswer]
    usage: dict[str, int] | None
    units: list[ChargedUnitAnswer]
    service_tier: str | None
    usage_note: str | None


class ChargeAnswer(PriceAnswer):
    """A charged run: its price, and the user's balance just after."""

    prompt_run_id: int
    entry_id: int
    user_balance_credits: int
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy


def price_fields(quote: Quote, models: ModelRegistry) -> dict[str, Any]:
    """The fields of `PriceAnswer` for a quote."""
    return {
        "model_id": quote.model_id,
        "inference_cost_credits": quote.inference_cost_credits,
        "creator_fee_credits": quote.creator_fee_credits,
        "platform_markup_credits": quote.platform_markup_credits,
        "total_credits": quote.total_credits,
        "total_usd": usd_text(quote.total_credits),
        "creator_share_credits": quote.creator_share_credits,
        "platform_share_credits": quote.platform_share_credits,
        "plan": quote.plan.id,
        "steps": [
            StepAnswer(label=step.label, arithmetic=step.arithmetic, credits=step.credits) for step in quote.steps
        ],
        "usage": None if quote.usage is None else dict(quote.usage),
        "units": [
            ChargedUnitAnswer(
                unit=line.key,
                count=line.count,
                usd=f"{line.usd:f}",
                per=UNITS[line.key].per,
                exact_credits=exact_text(line.exact_credits),
            )
            for line in quote.lines
        ],
        "service_tier": quote.service_tier,
        "usage_note": models.note_on(quote.model_id) if quote.is_usage_unused else None,
    }


class UnlockAnswer(BaseModel):
    """A paid unlock, and the user's balance just after."""

    entry_id: int
    creator_share_credits: int
    platform_share_credits: int
    user_balance_credits: int
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy
    has_access_now: _HasAccess


class AlreadyUnlockedAnswer(BaseModel):
    """The user already had the flow when this was asked first. Nothing was charged, and this key never charges.

    `refunded_by_entry_id` is the refund of the entry by which the user had the flow.
    """

    already_unlocked: Literal[True] = True
    unlocked_by_entry_id: int | None = Field(
        description="The entry by which the user had the flow; null for the user's own flow.", examples=[5]
    )
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy
    has_access_now: _HasAccess


class RefundAnswer(BaseModel):
    """A refund, and the balance just after of the user who had paid or received the credits."""

    entry_id: int
    refunded_entry_id: int
    user_balance_credits: int
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy


class TokenPriceAnswer(BaseModel):
    """A price in dollars, as exact decimal text, for runs with more input tokens than `above_input_tokens`."""

    input_usd_per_mtok: str
    output_usd_per_mtok: str
    request_usd_per_thousand: str
    above_input_tokens: int


class UnitPriceAnswer(BaseModel):
    """Dollars as exact decimal text for `per` of a unit, in runs with more input tokens than `above_input_tokens`."""

    unit: str
    per: int
    usd: str
    above_input_tokens: int

    @classmethod
    def of(cls, key: str, usd: Decimal, above_input_tokens: int) -> "UnitPriceAnswer":
        """The answer for one unit's price."""
        return cls(unit=key, per=UNITS[key].per, usd=f"{usd:f}", above_input_tokens=above_input_tokens)


class ModelAnswer(BaseModel):
    """A model and its price now: credits per run, or dollars for each unit of usage.

    `token_prices` repeats the prices of input and output tokens, for models that have both.
    """

    id: str
    name: str
    provider: str
    type: str
    run_price_credits: int | None
    token_prices: list[TokenPriceAnswer]
    unit_prices: list[UnitPriceAnswer]
    service_tiers: list[str]
    source: str
    checked_on: date | None

    @classmethod
    def of(cls, model: Model, at: datetime) -> "ModelAnswer":
        """The answer for a model, with the prices of this moment."""
        run_price_credits, token_prices, unit_prices, service_tiers = None, [], [], []
        if isinstance(model.prices, RunPrice):
            run_price_credits = model.prices.run_price_credits
        else:
            service_tiers = sorted(model.prices.service_tiers)
            for above_input_tokens, price in model.prices.at(at).levels():
                usd = dict(price.usd)
                unit_prices += [UnitPriceAnswer.of(key, one, above_input_tokens) for key, one in price.usd]
                if "input_tokens" in usd and "output_tokens" in usd:
                    token_prices.append(
                        TokenPriceAnswer(
                            input_usd_per_mtok=f"{usd['input_tokens']:f}",
                            output_usd_per_mtok=f"{usd['output_tokens']:f}",
                            request_usd_per_thousand=f"{usd.get('requests', Decimal(0)):f}",
                            above_input_tokens=above_input_tokens,
                        )
                    )
        return cls(
            id=model.id,
            name=model.name,
            provider=model.provider,
            type=model.type,
            run_price_credits=run_price_credits,
            token_prices=token_prices,
            unit_prices=unit_prices,
            service_tiers=service_tiers,
            source=model.source,
            checked_on=model.checked_on,
        )


class ModelsAnswer(BaseModel):
    """Every model that runs can be priced with."""

    models: list[ModelAnswer]


class StatusAnswer(BaseModel):
    """The process, or the database, is ready."""

    status: Literal["ok"] = "ok"
