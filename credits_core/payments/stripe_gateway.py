"""The gateway Stripe, by its own client: checkouts, refunds, its books, and the events that it signs.

What an event means is said in `stripe_events`. A secret is never logged and never part of a refusal.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import stripe
from pydantic import ValidationError

from credits_core.payments import stripe_events
from credits_core.payments.gateway import Checkout, GatewayEvent, Order, PayoutAnswer, PayoutOrder
from credits_core.payments.refusals import EventNotSigned, GatewayFailed
from credits_core.payments.stripe_events import NAME, PURCHASE_ID, Payment
from credits_core.settings import StripeSettings
from credits_core.values.credits import div_floor
from credits_core.values.days import to_microseconds

TOLERANCE_SECONDS = 300
"""How long ago an event may have been signed; Stripe signs anew each time that it sends one again."""
BOOKS_DAYS = 30
"""How far back Stripe lists its events (docs.stripe.com/api/events/list, 2026-11-27)."""
_TIMEOUT_SECONDS = 4
_RETRIES = 2
_PAGE = 100
_EARLIER = timedelta(days=1)
"""A payment begins before it is told. Those that began earlier still are asked for one by one."""
_MARGIN = timedelta(minutes=1)
_FEE = "latest_charge.balance_transaction"


class StripeGateway:
    """Stripe, for one account."""

    name = NAME

    def __init__(self, settings: StripeSettings, clock: Callable[[], datetime]) -> None:
        """Ask with these settings. Nothing is asked yet."""
        self._settings, self._clock = settings, clock
        self._client = stripe.StripeClient(
            settings.secret_key,
            base_addresses={"api": settings.api_url},
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_SECONDS),
        )

    def create_checkout(self, order: Order) -> Checkout:
        """The page of Stripe where this purchase is paid. Asked again, it is the same page, for a day at least.

        Raises:
            GatewayFailed: Stripe did not answer, or refused.
        """
        address = f"{self._settings.public_url}/checkout?purchase={order.purchase_id}"
        named = {PURCHASE_ID: str(order.purchase_id)}
        with _answering():
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": order.currency,
                                "unit_amount": order.amount_minor,
                                "product_data": {"name": order.words},
                            },
                        }
                    ],
                    "client_reference_id": str(order.purchase_id),
                    "metadata": named,
                    "payment_intent_data": {"metadata": named},
                    # The purchase is in one currency, and what is paid must be in the same.
                    "adaptive_pricing": {"enabled": False},
                    "success_url": address,
                    "cancel_url": address,
                },
                # By its address, because another database on the same account has a purchase with this number too.
                {"idempotency_key": _key("checkout", address)},
            )
        if session.url is None:
            raise GatewayFailed(
                NAME, f"its checkout {session.id} of purchase {order.purchase_id} has ended.", may_again=False
            )
        return Checkout(session.id, session.url)

    def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        """Give some of a payment back. Stripe tells by an event when it has.

        Raises:
            GatewayFailed: Stripe did not answer, or refused.
        """
        with _answering():
            self._client.v1.refunds.create(
                {"payment_intent": payment, "amount": amount_minor},
                {"idempotency_key": _key("refund", payment, key)},
            )

    def payout(self, order: PayoutOrder) -> PayoutAnswer:
        """Transfer money to a creator's connected account, which Stripe answers at once (docs.stripe.com/api/transfers,
        2026-11-28). It failed when Stripe does not take the account; anything else may be tried again.

        Raises:
            GatewayFailed: Stripe did not answer, or refused, as when its balance does not suffice.
        """
        # By the address of this product too: another database on the same account has a payout with this number.
        group = _key("payout", f"{self._settings.public_url}/payouts/{order.payout_id}")
        with _answering():
            # Stripe forgets its idempotency keys after a day, and we may have died before we kept its answer.
            for made in self._client.v1.transfers.list({"transfer_group": group, "limit": 1}):
                _require_same(made, order)
                return PayoutAnswer(made.id)
            try:
                transfer = self._client.v1.transfers.create(
                    {
                        "amount": order.amount_minor,
                        "currency": order.currency,
                        "destination": order.address,
                        "transfer_group": group,
                    },
                    {"idempotency_key": group},
                )
            except stripe.InvalidRequestError as error:
                if error.param != "destination":
                    raise
                return PayoutAnswer("", (error.user_message or "Stripe does not know the account.").rstrip(".") + ".")
        return PayoutAnswer(transfer.id)

    def earliest(self) -> datetime | None:
        """A minute after the moment from which on Stripe lists its events, so that there is time to ask for them."""
        return self._clock() - timedelta(days=BOOKS_DAYS) + _MARGIN

    def events(self, since: datetime) -> list[GatewayEvent]:
        """All that has happened since, the oldest first.

        Raises:
            GatewayFailed: Stripe did not answer, or refused, or does not list its events so far back. What is missing
                in a list that is too short would look like money that never came.
        """
        earliest = self._clock() - timedelta(days=BOOKS_DAYS)
        if since < earliest:
            raise GatewayFailed(
                NAME,
                f"it lists its events of the last {BOOKS_DAYS} days only. Ask from {earliest:%Y-%m-%d %H:%M} UTC on.",
                may_again=False,
            )
        with _answering():
            known = self._payments_since(since - _EARLIER)

            def payment(payment_id: str) -> Payment:
                if payment_id not in known:
                    known[payment_id] = self.payment(payment_id)
                return known[payment_id]

            listed = self._client.v1.events.list(
                {"types": list(stripe_events.KINDS), "created": {"gte": _seconds(since)}, "limit": _PAGE}
            )
            told = [
                stripe_events.translate(
                    event.to_dict(), payment, lambda found, currency: payment(found).fee_minor(currency)
                )
                for event in listed.auto_paging_iter()
            ]
        return [event for event in reversed(told) if event is not None and event.happened_at >= since]

    def signed(self, body: bytes, signature: str) -> stripe.Event:
        """The event of a message to the webhook.

        Raises:
            EventNotSigned: Stripe did not sign it with our signing secret, or more than five minutes ago.
        """
        if not signature.isascii():  # the comparison of signatures knows ASCII alone
            raise EventNotSigned(NAME)
        try:
            return self._client.construct_event(body, signature, self._settings.webhook_secret, TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, ValueError):
            raise EventNotSigned(NAME) from None

    def translate(self, event: stripe.Event) -> GatewayEvent | None:
        """What an event says of a purchase; None where it means nothing to us. May ask Stripe for the payment.

        Raises:
            GatewayFailed: the event cannot be read, or Stripe did not say of which purchase it is.
        """
        return stripe_events.translate(event.to_dict(), self.payment, self._fee_minor)

    def payment(self, payment_id: str, *, retries: int = _RETRIES) -> Payment:
        """One payment, with Stripe's fee where that is known.

        Raises:
            GatewayFailed: Stripe did not answer, or refused.
        """
        with _answering():
            found = self._client.v1.payment_intents.retrieve(
                payment_id, {"expand": [_FEE]}, {"max_network_retries": retries}
            )
            return _payment(found)

    def _fee_minor(self, payment_id: str, currency: str) -> int:
        # Somebody has paid, and must not wait for his credits because the fee cannot be asked for.
        try:
            return self.payment(payment_id, retries=0).fee_minor(currency)
        except GatewayFailed:
            return 0

    def _payments_since(self, since: datetime) -> dict[str, Payment]:
        """The payments that began since, by id: a hundred at a time, which is much quicker than one by one."""
        listed = self._client.v1.payment_intents.list(
            {"created": {"gte": _seconds(since)}, "limit": _PAGE, "expand": [f"data.{_FEE}"]}
        )
        return {found.id: _payment(found) for found in listed.auto_paging_iter()}


def _payment(found: stripe.PaymentIntent) -> Payment:
    try:
        return Payment.model_validate(found.to_dict())
    except ValidationError:
        raise GatewayFailed(NAME, f"its payment {found.id} cannot be read.") from None


@contextmanager
def _answering() -> Iterator[None]:
    """Turns what the client raises into our refusal, in words that have no secret in them."""
    try:
        yield
    except stripe.AuthenticationError:
        raise GatewayFailed(NAME, "it does not accept the key in CREDITS_STRIPE_SECRET_KEY.", may_again=False) from None
    except stripe.PermissionError:
        raise GatewayFailed(NAME, "the key in CREDITS_STRIPE_SECRET_KEY may not do this.", may_again=False) from None
    except stripe.APIConnectionError:
        raise GatewayFailed(NAME, "it did not answer.") from None
    except stripe.StripeError as error:
        words = (error.user_message or "it gave no reason").rstrip(".")
        raise GatewayFailed(NAME, f"{words}.") from None


def _seconds(moment: datetime) -> int:
    return div_floor(to_microseconds(moment), 1_000_000)


def _key(*of: str) -> str:
    """An idempotency key for Stripe, which takes at most 255 characters."""
    return f"{of[0]}-{hashlib.sha256(ascii(of).encode('ascii')).hexdigest()}"


def _require_same(made: stripe.Transfer, order: PayoutOrder) -> None:
    destination = made.destination if isinstance(made.destination, str) else getattr(made.destination, "id", None)
    if (made.amount, made.currency, destination) != (order.amount_minor, order.currency, order.address):
        raise GatewayFailed(
            NAME,
            f"its transfer {made.id} has the name of payout {order.payout_id}, but another amount or account. Has a "
            "copy of another ledger the same address in CREDITS_PUBLIC_URL?",
            may_again=False,
        )
