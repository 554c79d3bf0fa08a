"""The bodies and answers of the routes for purchases. Unknown fields are refused."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from credits_core.api.bodies import CreateDistinct
from credits_core.api.fields import Moment, UserId
from credits_core.payments import packs
from credits_core.payments.purchased import Bought
from credits_core.payments.standing import State


class PurchaseBody(BaseModel):
    """What a user wants to buy: one of the packs of `data/packs.toml`, by its id."""

    user_id: UserId
    pack_id: Annotated[str, Field(strict=True, pattern=packs.ID_PATTERN, examples=["starter"])]
    create_distinct: CreateDistinct = False

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"user_id": "ada", "pack_id": "starter"}]}
    )


class PurchaseLotAnswer(BaseModel):
    """Credits of a purchase in the ledger: the entry that added them, and what has become of them."""

    entry_id: int
    is_bonus: bool
    granted_credits: int
    taken_credits: int
    frozen_credits: int
    owed_credits: Annotated[
        int,
        Field(description="Taken back although spent; below 0 where it paid what another purchase owes."),
    ]


class PurchaseAnswer(BaseModel):
    """A purchase as it is now. Money is in minor units of the currency, such as cents.

    `state` says what became of the payment, never what a success page said.
    """

    purchase_id: int
    user_id: str
    pack_id: str
    gateway: str
    state: State
    price_minor: int
    fee_minor: int
    due_minor: int
    currency: str
    credits: int
    bonus_credits: int
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    checkout_url: Annotated[str | None, Field(description="Where the user pays; null when the gateway has none yet.")]
    receipt_number: int | None
    lots: list[PurchaseLotAnswer]
    created_at: Moment

    @classmethod
    def fields_of(cls, bought: Bought) -> dict[str, Any]:
        """The fields for a purchase."""
        stands = bought.standing
        return {
            "purchase_id": bought.id,
            "user_id": bought.user_id,
            "pack_id": bought.pack_id,
            "gateway": bought.gateway,
            "state": stands.state,
            "price_minor": bought.price_minor,
            "fee_minor": bought.fee_minor,
            "due_minor": bought.due_minor,
            "currency": bought.currency,
            "credits": bought.credits,
            "bonus_credits": bought.bonus_credits,
            "paid_minor": stands.paid_minor,
            "refunded_minor": stands.refunded_minor,
            "disputed_minor": stands.disputed_minor,
            "checkout_url": bought.checkout_url,
            "receipt_number": bought.receipt,
            "lots": [
                PurchaseLotAnswer(
                    entry_id=lot.lot,
                    is_bonus=lot.is_bonus,
                    granted_credits=lot.granted_credits,
                    taken_credits=lot.now.taken_credits,
                    frozen_credits=lot.now.frozen_credits,
                    owed_credits=lot.now.owed_credits,
                )
                for lot in bought.lots
            ],
            "created_at": bought.created_at,
        }


class PurchasesAnswer(BaseModel):
    """A user's purchases, newest first. `next_before` asks for older ones; null on the last page."""

    user_id: str
    purchases: list[PurchaseAnswer]
    next_before: int | None
