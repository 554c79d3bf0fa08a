"""Sells packs on the small dashboard and plays their payments, as its screens do but without a screen."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core.payments import buying, configured, sandbox
from credits_core.payments.purchased import Bought
from credits_core.payments.sandbox import Ending
from credits_core.store import database
from tests.support import paying, world
from tests.support.actors import TESTER


def sell(engine: Engine, user_id: str = "ada", pack_id: str = "starter", *, key: str = "buy") -> Bought:
    """A purchase of a pack of `data/packs.toml` with its checkout open."""
    pack, now = configured.packs()[pack_id], datetime.now(UTC)
    plan = world.price_book().plan
    bought = database.write(
        engine,
        lambda one: buying.buy(one, user_id, pack, gateway=sandbox.NAME, plan=plan, key=key, now=now, actor=TESTER),
    )
    return buying.open_checkout(engine, configured.gateway(engine), bought, words=pack.name, now=now)


def play(engine: Engine, ending: Ending, purchase_id: int = 1) -> Bought:
    """Play it and tell it."""
    database.write(engine, lambda one: sandbox.play(one, purchase_id, ending, now=datetime.now(UTC), actor=TESTER))
    sandbox.tell(engine, now=datetime.now(UTC))
    return paying.stored(engine, purchase_id)
