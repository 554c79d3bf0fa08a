"""What the product asks of a payment gateway, and in which form it hears of what has happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from credits_core.store.kinds import Happened
from credits_core.values.days import from_microseconds


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """One thing that has happened to a purchase, as its gateway says. The gateway names each event once.

    `about` is the gateway's name of the checkout, payment, refund or dispute. Amount and fee are in minor units of the
    currency. `note` is the address of a checkout, or why a payment was declined.
    """

    gateway: str
    event_id: str
    purchase_id: int
    kind: Happened
    about: str
    amount_minor: int
    currency: str
    happened_at: datetime
    fee_minor: int = 0
    note: str = ""

    @classmethod
    def of_row(cls, gateway: str, event_id: str, row: Any) -> "GatewayEvent":
        """The event that a row keeps, of what was told or of the sandbox's books, together with the currency."""
        return cls(
            gateway,
            event_id,
            row.purchase_id,
            Happened(row.kind),
            row.about,
            row.amount_minor,
            row.currency,
            from_microseconds(row.happened_at_us),
            row.fee_minor,
            row.note,
        )


class Checkout(NamedTuple):
    """Where a user pays: the gateway's name of the checkout, and its address."""

    reference: str
    url: str


class Order(NamedTuple):
    """What a checkout is for. The amount is in minor units of the currency; `words` say what is bought."""

    purchase_id: int
    amount_minor: int
    currency: str
    words: str


class PayoutOrder(NamedTuple):
    """What a creator is to be paid: the account at the gateway, and the amount in minor units of the currency."""

    payout_id: int
    address: str
    amount_minor: int
    currency: str


class PayoutAnswer(NamedTuple):
    """What a gateway answers to a payout: its own name of it, and why it failed; empty when it was paid."""

    reference: str
    failed_because: str = ""


class Gateway(Protocol):
    """A payment gateway. Every method may raise `GatewayFailed`, and then may be called again."""

    name: str

    def create_checkout(self, order: Order) -> Checkout:
        """Make the page where the user pays, or find the one that was made for this purchase before."""

    def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        """Give some of a payment back. With the same key it is done once. The gateway tells by an event."""

    def earliest(self) -> datetime | None:
        """The moment from which on it lists its books; None where it lists all of them. Asks nobody."""

    def events(self, since: datetime) -> Iterable[GatewayEvent]:
        """All that has happened since, told or not: the gateway's own books."""

    def payout(self, order: PayoutOrder) -> PayoutAnswer:
        """Pay a creator. The same payout again is paid once, and is answered as before."""
