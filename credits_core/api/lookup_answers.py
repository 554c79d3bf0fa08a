"""What the two look-ups answer: an entry as its caller may see it, and a user's access to a flow."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from credits_core.api.fields import Moment, PostedAt, UsedAtAnswer
from credits_core.ledger.accounts import ListedTransaction
from credits_core.ledger.entries import usage_of_run
from credits_core.ledger.entry_lots import LotPart
from credits_core.ledger.flows import AccessNow, AccessReason
from credits_core.ledger.lots import LotSource
from credits_core.ledger.receipts import Receipt
from credits_core.store.kinds import EntryType, RefundRule, TransactionType


class EntryTransactionAnswer(BaseModel):
    """One account's movement in an entry. The platform's own accounts begin with `platform:` and show no balance."""

    account_id: str
    type: TransactionType
    amount_credits: int
    balance_after_credits: int | None


class EntryRunAnswer(BaseModel):
    """The charged run. A creator's key sees the prompt, the model and the fee; the rest is null."""

    user_id: str | None
    prompt_id: str
    model_id: str
    usage: dict[str, int] | None
    service_tier: str | None
    plan: str | None
    inference_cost_credits: int | None
    creator_id: str | None
    creator_fee_credits: int
    creator_share_credits: int
    platform_markup_credits: int | None
    total_credits: int | None

    @classmethod
    def of(cls, run: Any, *, is_payer_hidden: bool) -> "EntryRunAnswer":
        """The answer for a recorded run, a row of `entries.run_columns`."""
        usage = None if is_payer_hidden else usage_of_run(run)
        payers = ("user_id", "service_tier", "inference_cost_credits", "platform_markup_credits", "total_credits")
        return cls(
            prompt_id=run.prompt_id,
            model_id=run.model_id,
            usage=None if usage is None else dict(usage),
            plan=None if is_payer_hidden else run.plan_id,
            creator_id=run.creator_id,
            creator_fee_credits=run.creator_fee_credits,
            creator_share_credits=run.creator_share_credits,
            **{field: None if is_payer_hidden else getattr(run, field) for field in payers},
        )


class EntryUnlockAnswer(BaseModel):
    """The paid unlock. A creator's key does not see who paid."""

    user_id: str | None
    flow_id: str
    creator_id: str
    plan: str
    unlock_fee_credits: int
    creator_share_credits: int

    @classmethod
    def of(cls, unlock: Any, *, is_payer_hidden: bool) -> "EntryUnlockAnswer":
        """The answer for a recorded unlock, a row of `unlocked_flows`."""
        return cls(
            user_id=None if is_payer_hidden else unlock.user_id,
            flow_id=unlock.flow_id,
            creator_id=unlock.creator_id,
            plan=unlock.plan_id,
            unlock_fee_credits=unlock.unlock_fee_credits,
            creator_share_credits=unlock.creator_share_credits,
        )


class EntryRefundAnswer(BaseModel):
    """The rule that a refund was made under, and whether the provider gave the inference cost back."""

    rule: RefundRule
    provider_refunded: bool


class EntryLotAnswer(BaseModel):
    """What the entry took from one lot of the user (below 0) or gave to it: the credits of one source and one expiry.

    `entry_id` is the entry that added the lot, and null for what the user earned. `purchase_id` is there for a lot of a
    purchase or of its bonus. Credits without `expires_at` never expire.
    """

    entry_id: int | None
    source: LotSource
    purchase_id: int | None
    expires_at: Moment | None
    amount_credits: int


class EntryAnswer(BaseModel):
    """An entry of the ledger, and its refund as of now. `refunded_credits` is what refunds gave back of it so far.

    `idempotency_key` is as the caller sent it, and null when somebody else wrote the entry. `run` is there for a prompt
    run, `unlock` for a flow unlock, `refund` for a refund. `lots` says which credits of the user paid, or were added:
    the user of the key, or else the first one in the entry. It is null where too many movements would have to be read.
    """

    id: int
    type: EntryType
    actor: str
    description: str
    created_at: PostedAt
    used_at: UsedAtAnswer
    idempotency_key: str | None
    transactions: list[EntryTransactionAnswer]
    lots: list[EntryLotAnswer] | None
    refunds_entry_id: int | None
    refunded_by_entry_id: int | None
    refunded_credits: int
    run: EntryRunAnswer | None
    unlock: EntryUnlockAnswer | None
    refund: EntryRefundAnswer | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 5,
                    "type": "flow_unlock",
                    "actor": "api/marketplace",
                    "description": "Unlock of weekly-report",
                    "created_at": "2026-11-23T06:34:07.041728Z",
                    "used_at": None,
                    "idempotency_key": "unlock-1",
                    "transactions": [
                        {
                            "account_id": "ada",
                            "type": "flow_unlock",
                            "amount_credits": -250_000,
                            "balance_after_credits": 45_318,
                        },
                        {
                            "account_id": "ben",
                            "type": "creator_payment",
                            "amount_credits": 200_000,
                            "balance_after_credits": 201_600,
                        },
                        {
                            "account_id": "platform:revenue",
                            "type": "platform_revenue",
                            "amount_credits": 50_000,
                            "balance_after_credits": None,
                        },
                    ],
                    "lots": [
                        {
                            "entry_id": 1,
                            "source": "purchase",
                            "purchase_id": None,
                            "expires_at": None,
                            "amount_credits": -250_000,
                        }
                    ],
                    "refunds_entry_id": None,
                    "refunded_by_entry_id": 8,
                    "refunded_credits": 250_000,
                    "run": None,
                    "unlock": {
                        "user_id": "ada",
                        "flow_id": "weekly-report",
                        "creator_id": "ben",
                        "plan": "promptflow-v1",
                        "unlock_fee_credits": 250_000,
                        "creator_share_credits": 200_000,
                    },
                    "refund": None,
                }
            ]
        }
    )

    @classmethod
    def of(
        cls,
        receipt: Receipt,
        visible: Sequence[ListedTransaction],
        *,
        lots: Sequence[LotPart] | None,
        run: Any | None,
        unlock: Any | None,
        idempotency_key: str | None,
        for_user_id: str | None,
    ) -> "EntryAnswer":
        """The answer with these transactions; for a user's key without what only another payer may see."""

        def is_payer_hidden(row: Any) -> bool:
            return for_user_id not in (None, row.user_id)

        terms = receipt.terms
        return cls(
            id=receipt.entry_id,
            type=receipt.type,
            actor=receipt.actor,
            description=visible[0].description,
            created_at=receipt.created_at,
            used_at=receipt.used_at,
            idempotency_key=idempotency_key,
            transactions=[
                EntryTransactionAnswer(
                    account_id=listed.account_id,
                    type=listed.type,
                    amount_credits=listed.amount_credits,
                    balance_after_credits=listed.balance_after_credits,
                )
                for listed in visible
            ],
            lots=None if lots is None else [EntryLotAnswer(**one._asdict()) for one in lots],
            refunds_entry_id=receipt.refunds_entry_id,
            refunded_by_entry_id=receipt.refunded_by_entry_id,
            refunded_credits=receipt.refunded_credits,
            run=None if run is None else EntryRunAnswer.of(run, is_payer_hidden=is_payer_hidden(run)),
            unlock=None if unlock is None else EntryUnlockAnswer.of(unlock, is_payer_hidden=is_payer_hidden(unlock)),
            refund=None
            if terms is None
            else EntryRefundAnswer(rule=terms.rule, provider_refunded=terms.provider_refunded),
        )


class FlowAccessAnswer(BaseModel):
    """Whether a user may use a flow now, and why.

    `reason` is `unlocked` or `own_flow` with access, `never_unlocked` or `refunded` without. The entry is the user's
    last unlock of the flow. An own flow is known when an unlock has named the user as its creator.
    """

    user_id: str
    flow_id: str
    has_access: bool
    reason: AccessReason
    unlocked_by_entry_id: int | None
    unlocked_at: Moment | None
    refunded_by_entry_id: int | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "ada",
                    "flow_id": "weekly-report",
                    "has_access": True,
                    "reason": "unlocked",
                    "unlocked_by_entry_id": 5,
                    "unlocked_at": "2026-11-23T06:34:07.041728Z",
                    "refunded_by_entry_id": None,
                }
            ]
        }
    )

    @classmethod
    def of(cls, user_id: str, flow_id: str, found: AccessNow) -> "FlowAccessAnswer":
        """The answer for what the ledger found."""
        return cls(
            user_id=user_id,
            flow_id=flow_id,
            has_access=found.has_access,
            reason=found.reason,
            unlocked_by_entry_id=found.unlock_entry_id,
            unlocked_at=found.unlocked_at,
            refunded_by_entry_id=found.refunded_by_entry_id,
        )
