"""Purchases in the ledger's small world: a pack of 1,000 credits for 100 cents, and what a gateway says of it."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Engine

from credits_core.access.callers import scoped_key
from credits_core.payments import buying, purchased, receiving, sandbox
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.packs import Pack
from credits_core.payments.purchased import Bought
from credits_core.payments.receiving import Received
from credits_core.payments.refusals import GatewayFailed
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.store import database
from credits_core.store.kinds import Happened
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import scalar
from tests.support.world import NOW

PACK = Pack(id="small", name="Small", price_minor=100, currency="usd", credits=1_000)
WITH_BONUS = Pack(id="bonus", name="Bonus", price_minor=100, currency="usd", credits=1_000, bonus_credits=100)
GATEWAY = "sandbox"


class HalfWay(Sandbox):
    """The embedded gateway, which does not answer to a refund of the first payment as long as it is silent."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, lambda: NOW)
        self.is_silent = True

    def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        if self.is_silent and not payment.endswith("again"):
            raise GatewayFailed(GATEWAY, "it did not answer.")
        super().refund(payment, amount_minor, key=key)


def buy(engine: Engine, user_id: str = "ada", *, pack: Pack = PACK, key: str = "buy", now: datetime = NOW) -> Bought:
    """A purchase of which nothing was told yet."""
    plan = world.price_book().plan
    return database.write(
        engine,
        lambda one: buying.buy(one, user_id, pack, gateway=GATEWAY, plan=plan, key=key, now=now, actor=TESTER),
    )


def buy_as_a_caller(engine: Engine, _: object = None) -> Bought:
    """A purchase with a key that a caller of the API chose."""
    return buy(engine, "buyer", key=scoped_key("shop", "order-1"))


def buy_and_pay(engine: Engine, user_id: str, *, key: str, now: datetime = NOW) -> None:
    """A purchase that the embedded gateway has played and told."""
    bought = buy(engine, user_id, key=key, now=now)
    database.write(engine, lambda one: sandbox.play(one, bought.id, Ending.PAID, now=now, actor=TESTER))
    sandbox.tell(engine, now=now)


def event(
    kind: Happened, amount_minor: int = 100, *, about: str = "", purchase_id: int = 1, at: int = 0, event_id: str = ""
) -> GatewayEvent:
    """What a gateway says, so many seconds after the purchase. Unless told otherwise it is about the one payment."""
    return GatewayEvent(
        GATEWAY,
        event_id or f"{purchase_id}-{kind}-{about}-{at}",
        purchase_id,
        kind,
        about or "payment",
        amount_minor,
        "usd",
        NOW + timedelta(seconds=at),
    )


def tell(engine: Engine, *events: GatewayEvent, now: datetime = NOW) -> Received:
    """Tell the events one after the other, and return what the last one came to."""
    for one in events:
        told = receiving.take_in(engine, one, now=now, actor=TESTER)
    return told


def twice(one: GatewayEvent) -> GatewayEvent:
    """The same fact in another event."""
    return replace(one, event_id=f"{one.event_id}-again")


def of(one: GatewayEvent, purchase_id: int) -> GatewayEvent:
    """The same news of another purchase."""
    return replace(one, purchase_id=purchase_id, event_id=f"{purchase_id}:{one.event_id}")


def stored(engine: Engine, purchase_id: int = 1) -> Bought:
    with database.read(engine) as connection:
        return purchased.purchase(connection, purchase_id)


def parts(engine: Engine, user_id: str = "ada") -> tuple[object, object, object]:
    """What the user can spend, what is frozen, and what the user owes (0 or below), in credits."""
    one = "SELECT coalesce((SELECT balance_credits FROM user_parts WHERE account_id = :account), 0)"
    own = "SELECT balance_credits FROM user_credits WHERE user_id = :user"
    return (
        scalar(engine, own, user=user_id),
        scalar(engine, one, account=f"{user_id}:frozen"),
        scalar(engine, one, account=f"{user_id}:debt"),
    )
