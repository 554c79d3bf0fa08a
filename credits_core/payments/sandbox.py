"""The embedded gateway: it plays every ending of a payment, without money, and keeps books of its own.

What it has told the product and what has happened are two things: an event can be late, told twice, or lost.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Select, insert, select, update

from credits_core.errors import CreditsError
from credits_core.ledger.trial_users import require_test_users
from credits_core.payments import purchased, receiving
from credits_core.payments.gateway import Checkout, GatewayEvent, Order, PayoutAnswer, PayoutOrder
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import GatewayFailed, UnknownPurchase
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.store.tables import Purchase, SandboxEvent
from credits_core.values.credits import BPS_PER_WHOLE, div_nearest
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import Actor, May

NAME = "sandbox"
_FEE_BPS, _FEE_MINOR = 290, 30
_BANK_DAYS = 3
CLOSED = "-closed"
"""How the address of a creator ends whose payouts fail."""


class Ending(StrEnum):
    """What the embedded gateway can play. Those up to `EVENT_LOST` end a checkout, the others follow a payment.

    `NOT_CONFIRMED`: the payer did not confirm the payment with the bank (3-D Secure).
    """

    PAID = "paid"
    DECLINED = "declined"
    NOT_CONFIRMED = "not_confirmed"
    BANK_TRANSFER = "bank_transfer"
    PAID_TWICE = "paid_twice"
    EVENT_LOST = "event_lost"
    DISPUTED = "disputed"
    WON = "won"
    LOST = "lost"


ENDS_CHECKOUT = (
    Ending.PAID,
    Ending.DECLINED,
    Ending.NOT_CONFIRMED,
    Ending.BANK_TRANSFER,
    Ending.PAID_TWICE,
    Ending.EVENT_LOST,
)
_WHY_DECLINED = {
    Ending.DECLINED: "The card was declined.",
    Ending.NOT_CONFIRMED: "The payment was not confirmed with 3-D Secure.",
}


@dataclass(frozen=True, slots=True)
class BookLine:
    """One line of the gateway's books. `told_at` is when the product was told; a lost one never is."""

    event: GatewayEvent
    is_lost: bool
    told_at: datetime | None


def fee_minor(amount_minor: int) -> int:
    """What the gateway keeps of a payment: 2.9 % rounded to the nearest, and 30.

    >>> fee_minor(2_000)
    88
    """
    return div_nearest(amount_minor * _FEE_BPS, BPS_PER_WHOLE) + _FEE_MINOR


class Sandbox:
    """The embedded gateway over one database."""

    name = NAME

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        """Keep its books in this database, by this clock."""
        self._engine, self._clock = engine, clock

    def create_checkout(self, order: Order) -> Checkout:
        """The page of the dashboard that plays the payment of this purchase."""
        return Checkout(f"checkout_{order.purchase_id}", f"/checkout?purchase={order.purchase_id}")

    def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        """Note that some of a payment went back.

        Raises:
            GatewayFailed: there is no such payment.
        """
        about = f"refund_{hashlib.sha256(key.encode()).hexdigest()[:24]}"

        def note(connection: Connection) -> None:
            paid = connection.execute(_BOOKS.where(SandboxEvent.about == payment)).first()
            if paid is None:
                raise GatewayFailed(NAME, f"it knows no payment {payment}.", may_again=False)
            if connection.execute(select(SandboxEvent.id).where(SandboxEvent.about == about)).first() is None:
                connection.execute(_line(paid.purchase_id, Happened.REFUNDED, about, amount_minor, self._clock()))

        database.write(self._engine, note)

    def earliest(self) -> datetime | None:
        """None: it keeps all its books."""
        return None

    def events(self, since: datetime) -> Iterable[GatewayEvent]:
        """All lines of its books since then, but for those of the future."""
        with database.read(self._engine) as connection:
            wanted = _BOOKS.where(
                SandboxEvent.happened_at_us >= to_microseconds(since),
                SandboxEvent.happened_at_us <= to_microseconds(self._clock()),
            )
            return [_event(row) for row in connection.execute(wanted.order_by(SandboxEvent.id))]

    def payout(self, order: PayoutOrder) -> PayoutAnswer:
        """Paid, unless the address ends with `-closed`: then the account is closed."""
        is_closed = order.address.endswith(CLOSED)
        return PayoutAnswer(f"payout_{order.payout_id}", "The account is closed." if is_closed else "")


def play(connection: Connection, purchase_id: int, ending: Ending, *, now: datetime, actor: Actor) -> None:
    """Note in the gateway's books what this ending brings. `tell` then tells it to the product.

    Raises:
        UnknownPurchase: there is none of this gateway.
        NotAllowed, NeedsApproval: the actor may not move the user's credits, or not so many alone.
        GatewayFailed: the purchase is not where this can happen, such as a dispute of what was never paid.
    """
    found = purchased.purchase(connection, purchase_id)
    if found.gateway != NAME:
        raise UnknownPurchase(purchase_id)
    require_test_users(connection, actor, May.MOVE_CREDITS, [found.user_id])
    actor.require_second(found.credits + found.bonus_credits, instead="Buy a smaller pack")
    for line in _lines(connection, found, ending, now):
        connection.execute(line)


def books(connection: Connection, purchase_id: int) -> list[BookLine]:
    """All lines about one purchase, those of the future too, in the order in which they were noted."""
    rows = connection.execute(_BOOKS.where(SandboxEvent.purchase_id == purchase_id).order_by(SandboxEvent.id))
    return [
        BookLine(_event(row), bool(row.is_lost), None if row.told_at_us is None else from_microseconds(row.told_at_us))
        for row in rows
    ]


def open_disputes(events: Iterable[GatewayEvent]) -> dict[str, int]:
    """The disputes among these events that have not ended, with their amounts in minor units, by the gateway's name."""
    found: dict[str, int] = {}
    for one in events:
        if one.kind is Happened.DISPUTED:
            found[one.about] = one.amount_minor
        elif one.kind in (Happened.WON, Happened.LOST):
            found.pop(one.about, None)
    return found


def tell(
    engine: Engine,
    *,
    now: datetime,
    purchase_id: int | None = None,
    if_refused: Callable[[CreditsError], None] | None = None,
) -> int:
    """Tell the product what has happened up to now and was not told yet, and return how many events that were.

    Each is taken in as those of any gateway, and then noted as told. One that is refused ends it, or `if_refused` is
    told of it and the next one follows; what was refused is told again the next time.

    Raises:
        CreditsError: an event is refused and there is no `if_refused`, or the database or the job's lease is gone.
    """
    untold = _BOOKS.where(
        SandboxEvent.told_at_us.is_(None), ~SandboxEvent.is_lost, SandboxEvent.happened_at_us <= to_microseconds(now)
    ).order_by(SandboxEvent.id)
    if purchase_id is not None:
        untold = untold.where(SandboxEvent.purchase_id == purchase_id)
    with database.read(engine) as connection:
        rows = connection.execute(untold).all()
    told_events = 0
    for row in rows:
        told = update(SandboxEvent).where(SandboxEvent.id == row.id, SandboxEvent.told_at_us.is_(None))
        noted = told.values(told_at_us=to_microseconds(now))
        try:
            receiving.take_in(engine, _event(row), now=now, actor=receiving.GATEWAY)
            database.write(engine, lambda one, noted=noted: one.execute(noted))  # type: ignore[misc]
        except CreditsError as refusal:
            if if_refused is None or refusal.ends_all:
                raise
            if_refused(refusal)
        else:
            told_events += 1
    return told_events


_BOOKS: Select[Any] = select(SandboxEvent.__table__, Purchase.currency).join(
    Purchase, Purchase.id == SandboxEvent.purchase_id
)


def _lines(connection: Connection, found: Bought, ending: Ending, now: datetime) -> Iterator[Executable]:
    noted = [line.event for line in books(connection, found.id)]
    payments = [event for event in noted if event.kind is Happened.PAID and event.happened_at <= now]
    if ending in ENDS_CHECKOUT:
        if payments:
            raise GatewayFailed(NAME, f"purchase {found.id} is paid already.", may_again=False)
        payment = f"payment_{found.id}_{len(noted) + 1}"
        if ending in _WHY_DECLINED:
            yield _line(found.id, Happened.DECLINED, payment, found.due_minor, now, note=_WHY_DECLINED[ending])
            return
        if ending is Ending.BANK_TRANSFER:
            yield _line(found.id, Happened.PENDING, payment, found.due_minor, now)
            now += timedelta(days=_BANK_DAYS)
        yield _line(found.id, Happened.PAID, payment, found.due_minor, now, is_lost=ending is Ending.EVENT_LOST)
        if ending is Ending.PAID_TWICE:
            yield _line(found.id, Happened.PAID, f"{payment}_again", found.due_minor, now)
        return
    open_ones = open_disputes(noted)
    if ending is Ending.DISPUTED:
        left_minor = found.standing.refundable_minor
        if not payments or not left_minor or open_ones:
            raise GatewayFailed(NAME, f"purchase {found.id} has nothing to dispute.", may_again=False)
        about = f"dispute_{found.id}_{len(noted) + 1}"
        yield _line(found.id, Happened.DISPUTED, about, min(left_minor, found.due_minor), now)
        return
    if not open_ones:
        raise GatewayFailed(NAME, f"purchase {found.id} has no open dispute.", may_again=False)
    kind = Happened.WON if ending is Ending.WON else Happened.LOST
    for about, amount_minor in open_ones.items():
        yield _line(found.id, kind, about, amount_minor, now)


def _line(
    purchase_id: int,
    kind: Happened,
    about: str,
    amount_minor: int,
    now: datetime,
    *,
    note: str = "",
    is_lost: bool = False,
) -> Executable:
    row = {
        "purchase_id": purchase_id,
        "kind": kind.value,
        "about": about,
        "amount_minor": amount_minor,
        "fee_minor": fee_minor(amount_minor) if kind is Happened.PAID else 0,
        "note": note,
        "happened_at_us": to_microseconds(now),
        "is_lost": is_lost,
    }
    return insert(SandboxEvent).values(row)


def _event(row: Any) -> GatewayEvent:
    return GatewayEvent.of_row(NAME, f"sandbox_{row.id}", row)
