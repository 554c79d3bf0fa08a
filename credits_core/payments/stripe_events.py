"""What Stripe's events mean to a purchase. Pure, but that it may ask for the payment that an event is about.

An event carries the object that it is about as that was then. Field names and states as of Stripe's API 2026-10-28
(docs.stripe.com/api: checkout sessions, payment intents, refunds, disputes; read 2026-11-27).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.refusals import GatewayFailed
from credits_core.store.kinds import Happened

NAME = "stripe"
PURCHASE_ID = "purchase_id"
"""Under which name the purchase stands in the metadata of a checkout and of its payment."""
KINDS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.closed",
)
"""The kinds of events that may mean something. Stripe sends others too, which are ignored."""
_LONGEST_NOTE = 200
_ID = re.compile(r"[1-9][0-9]{0,18}")
_REFUNDS = {
    "succeeded": Happened.REFUNDED,
    "failed": Happened.REFUND_FAILED,
    "canceled": Happened.REFUND_FAILED,
}
_DISPUTES = {"won": Happened.WON, "warning_closed": Happened.WON, "lost": Happened.LOST}
"""An inquiry that the bank closes without taking money (`warning_closed`) is as good as won."""


class Balance(BaseModel):
    """One movement of our money at Stripe: the sum and Stripe's fee, in minor units of the currency of the account."""

    amount: int
    fee: int = 0
    currency: str


class Charge(BaseModel):
    """The charge of a payment; what it came to stands there once Stripe has booked it."""

    balance_transaction: Balance | str | None = None


class Problem(BaseModel):
    """Why a payment was declined."""

    message: str | None = None


class Payment(BaseModel):
    """A payment intent. It names the purchase unless it is for something else on the same Stripe account."""

    id: str
    amount: int
    currency: str
    metadata: Mapping[str, str] | None = None
    latest_charge: Charge | str | None = None
    last_payment_error: Problem | None = None

    @property
    def purchase_id(self) -> int | None:
        """The purchase that it pays; None when it pays something else."""
        return _purchase_id(self.metadata)

    def fee_minor(self, currency: str) -> int:
        """What Stripe kept of it. 0 while that is not known, or where the account is in another currency."""
        balance = self.latest_charge.balance_transaction if isinstance(self.latest_charge, Charge) else None
        return balance.fee if isinstance(balance, Balance) and balance.currency == currency else 0


class _Named(BaseModel):
    id: str


class _Session(_Named):
    payment_status: str
    payment_intent: _Named | str | None = None
    amount_total: int | None = None
    currency: str | None = None
    metadata: Mapping[str, str] | None = None


class _OfPayment(_Named):
    amount: int
    currency: str
    status: str | None = None
    payment_intent: _Named | str | None = None


class _Dispute(_OfPayment):
    balance_transactions: Sequence[Balance] = ()


class _Body(BaseModel):
    object: Mapping[str, Any]


class _Event(BaseModel):
    id: str
    type: str
    created: int = Field(ge=0)
    data: _Body


def translate(
    content: Mapping[str, Any], payment: Callable[[str], Payment], fee_minor: Callable[[str, str], int]
) -> GatewayEvent | None:
    """What an event of Stripe says of a purchase; None where it means nothing to us.

    `payment` finds a payment by its id, and `fee_minor` what Stripe keeps of one in a currency.

    Raises:
        GatewayFailed: the event has not the form that Stripe documents, or `payment` failed.
    """
    try:
        event = _Event.model_validate(content)
        if event.type not in KINDS:
            return None
        if event.type.startswith("checkout.session."):
            return _of_session(event, fee_minor)
        if event.type.startswith("payment_intent."):
            return _of_declined(event)
        if event.type.startswith("refund."):
            return _of_refund(event, payment)
        return _of_dispute(event, payment)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors()}))
        raise GatewayFailed(NAME, f"it told an event that cannot be read: {fields}.") from None


def _of_session(event: _Event, fee_minor: Callable[[str, str], int]) -> GatewayEvent | None:
    session = _Session.model_validate(event.data.object)
    purchase_id, payment_id = _purchase_id(session.metadata), _id_of(session.payment_intent)
    if purchase_id is None or session.amount_total is None or session.currency is None:
        return None
    if event.type == "checkout.session.expired":
        return _told(event, purchase_id, Happened.EXPIRED, session.id, session.amount_total, session.currency)
    kind = {
        "checkout.session.async_payment_succeeded": Happened.PAID,
        "checkout.session.async_payment_failed": Happened.DECLINED,
    }.get(event.type) or {"paid": Happened.PAID, "unpaid": Happened.PENDING}.get(session.payment_status)
    if kind is None or payment_id is None:  # nothing was to be paid
        return None
    return _told(
        event,
        purchase_id,
        kind,
        payment_id,
        session.amount_total,
        session.currency,
        fee_minor=fee_minor(payment_id, session.currency) if kind is Happened.PAID else 0,
    )


def _of_declined(event: _Event) -> GatewayEvent | None:
    payment = Payment.model_validate(event.data.object)
    if payment.purchase_id is None:
        return None
    why = (payment.last_payment_error and payment.last_payment_error.message) or ""
    return _told(event, payment.purchase_id, Happened.DECLINED, payment.id, payment.amount, payment.currency, note=why)


def _of_refund(event: _Event, payment: Callable[[str], Payment]) -> GatewayEvent | None:
    refund = _OfPayment.model_validate(event.data.object)
    kind = _REFUNDS.get(refund.status or "")
    return None if kind is None else _of_payment(event, kind, refund, payment)


def _of_dispute(event: _Event, payment: Callable[[str], Payment]) -> GatewayEvent | None:
    dispute = _Dispute.model_validate(event.data.object)
    kind: Happened | None = Happened.DISPUTED
    if event.type == "charge.dispute.closed":
        kind = _DISPUTES.get(dispute.status or "")
        if dispute.status == "prevented":  # settled before the bank decided; where that took no money, a refund did
            taken = sum(balance.amount for balance in dispute.balance_transactions) < 0
            kind = Happened.LOST if taken else Happened.WON
    # Stripe takes its fee with the money, and books nothing more for a dispute that is lost.
    fee_minor = 0
    if kind is Happened.DISPUTED:
        fee_minor = sum(max(0, one.fee) for one in dispute.balance_transactions if one.currency == dispute.currency)
    return None if kind is None else _of_payment(event, kind, dispute, payment, fee_minor=fee_minor)


def _of_payment(
    event: _Event, kind: Happened, found: _OfPayment, payment: Callable[[str], Payment], *, fee_minor: int = 0
) -> GatewayEvent | None:
    payment_id = _id_of(found.payment_intent)
    purchase_id = None if payment_id is None else payment(payment_id).purchase_id
    if purchase_id is None:
        return None
    return _told(event, purchase_id, kind, found.id, found.amount, found.currency, fee_minor=fee_minor)


def _told(
    event: _Event,
    purchase_id: int,
    kind: Happened,
    about: str,
    amount_minor: int,
    currency: str,
    *,
    fee_minor: int = 0,
    note: str = "",
) -> GatewayEvent:
    happened_at = datetime.fromtimestamp(event.created, UTC)
    return GatewayEvent(
        NAME,
        event.id,
        purchase_id,
        kind,
        about,
        amount_minor,
        currency,
        happened_at,
        fee_minor,
        note[:_LONGEST_NOTE],
    )


def _purchase_id(metadata: Mapping[str, str] | None) -> int | None:
    given = (metadata or {}).get(PURCHASE_ID, "")
    return int(given) if _ID.fullmatch(given) else None


def _id_of(one: _Named | str | None) -> str | None:
    return one.id if isinstance(one, _Named) else one
