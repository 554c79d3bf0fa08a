"""The answers of the API. Credits are whole numbers, dollars are text with six decimals."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from credits_core.api.fields import PostedAt, UsedAtAnswer
from credits_core.ledger.accounts import ListedTransaction
from credits_core.pricing.models import Model, ModelRegistry, RunPrice
from credits_core.pricing.quote import Quote
from credits_core.pricing.units import UNITS
from credits_core.store.kinds import RefundRule, TransactionType
from credits_core.usage.asked import AskedUsage
from credits_core.values.text import exact_text, usd_text


class BalanceAnswer(BaseModel):
    """What a user can spend. Held and frozen credits are not among it: they are set aside for runs and disputes.

    `owed_credits` is what the user owes: a payment went back whose credits were spent, or a share was refunded that the
    user had spent.
    """

    user_id: str
    balance_credits: int
    balance_usd: str
    held_credits: int
    frozen_credits: int
    owed_credits: int


class TransactionAnswer(BaseModel):
    """One change of a user's balance. Positive amounts were received, negative ones paid."""

    id: str
    entry_id: int
    type: TransactionType
    amount_credits: int
    balance_after_credits: int
    description: str
    created_at: PostedAt
    used_at: UsedAtAnswer
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
            used_at=listed.used_at,
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
    unread: list[str] = Field(
        description="Counts above 0 of the response, by their path, that are not charged: their meaning is unknown.",
        examples=[["server_tool_use.code_execution_requests"]],
    )
    usage_note: str | None
    model_note: str | None = Field(
        description="Said when the response names another model than `model_id`, by which the run is priced.",
        examples=["The response is of openai/gpt-4o-mini. The run was priced as openai/gpt-4o, as you named it."],
    )


class ChargeAnswer(PriceAnswer):
    """A charged run: its price, and the user's balance just after."""

    prompt_run_id: int
    entry_id: int
    used_at: UsedAtAnswer
    user_balance_credits: int
    replayed: _Replayed
    refunded_by_entry_id: _RefundedBy


def price_fields(quote: Quote, models: ModelRegistry, asked: AskedUsage) -> dict[str, Any]:
    """The fields of `PriceAnswer` for a quote of what was asked."""
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
        "unread": [*asked.unread],
        "usage_note": models.note_on(quote.model_id) if quote.is_usage_unused else None,
        "model_note": models.note_on_response(quote.model_id, asked.model_of_response),
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
    """A refund: the balance just after of the user who had paid or received the credits, and who bore what.

    What the creator no longer has of the share is owed, and the creator's next earnings pay it first. The platform
    bears its own income from the charge, and the inference cost unless the provider gave it back. `rule` is the rule
    that the refund was made under: under earlier ones the platform bore spent shares, too, and the earliest booked the
    inference cost back, so that `provider_gives_back_credits` has it. `refunded_credits` is what this refund and those
    before it gave back of the entry, `left_credits` what was left to refund after it.
    """

    entry_id: int
    refunded_entry_id: int
    refunded_credits: int
    left_credits: int
    user_balance_credits: int
    rule: RefundRule
    provider_refunded: bool
    creator_gives_back_credits: int
    creator_owes_credits: int
    platform_bears_credits: int
    provider_gives_back_credits: int
    summary: str = Field(
        description="Who bore what, in one sentence.",
        examples=["ada got back 1,251 credits ($0.001251): ben gave back 800, PromptFlow bore 451."],
    )
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
