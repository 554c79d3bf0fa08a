"""Actions about purchases that the walk through all roles carries out, on a paid purchase of each of two users."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.ledger import purchases
from credits_core.payments import buying, configured, receiving, sandbox
from credits_core.payments.purchased import Bought
from credits_core.payments.sandbox import Ending
from credits_core.store.kinds import Happened
from credits_core.values.roles import Actor
from tests.support import paying, world
from tests.support.actors import TESTER
from tests.support.world import NOW

PLAN = world.price_book().plan


def prepare(connection: Connection, *user_ids: str) -> None:
    """A purchase of each user, numbered from 1, whose payment the sandbox has in its books."""
    for user_id in user_ids:
        bought = buy(user_id, key=f"pack-{user_id}")(connection, TESTER)
        sandbox.play(connection, bought.id, Ending.PAID, now=NOW, actor=TESTER)


def buy(user_id: str, *, key: str = "walk") -> Callable[[Connection, Actor], Bought]:
    return lambda c, actor: buying.buy(
        c, user_id, paying.PACK, gateway=sandbox.NAME, plan=PLAN, key=key, now=NOW, actor=actor
    )


def dispute(purchase_id: int) -> Callable[[Connection, Actor], object]:
    return lambda c, actor: sandbox.play(c, purchase_id, Ending.DISPUTED, now=NOW, actor=actor)


def keep(connection: Connection, actor: Actor) -> object:
    event = paying.event(Happened.DECLINED, about="another payment")
    return receiving.keep(connection, event, now=NOW, actor=actor)


def take_in(engine: Engine, actor: Actor, _folder: Path) -> object:
    event = paying.event(Happened.DECLINED, about="another payment")
    return receiving.take_in(engine, event, now=NOW, actor=actor)


def settle(connection: Connection, actor: Actor) -> object:
    return purchases.settle(connection, "ada", lambda found: receiving.wanted_of(found, "ada"), now=NOW, actor=actor)


def settle_again(connection: Connection, actor: Actor) -> object:
    return receiving.settle_again(connection, "ada", now=NOW, actor=actor)


def give_back(purchase_id: int) -> Callable[[Engine, Actor, Path], object]:
    def given_back(engine: Engine, actor: Actor, _folder: Path) -> object:
        gateway = configured.gateway(engine)
        return buying.give_back(engine, gateway, purchase_id, 10, key="walk", now=NOW, actor=actor)

    return given_back


def tell(engine: Engine) -> None:
    """Tell what `prepare` noted."""
    sandbox.tell(engine, now=datetime.now(UTC))


SELL = "finance, admin, service key, admin key, operator"
SELL_TRIAL = "tester, finance, admin, service key, admin key, operator"
MOVE = "finance, admin, admin key, operator"
MOVE_TRIAL = "tester, finance, admin, admin key, operator"
TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "ledger.purchases.settle": (MOVE, settle),
    "payments.buying.buy": (SELL, buy("ada")),
    "payments.buying.buy of a test user": (SELL_TRIAL, buy("testy")),
    "payments.receiving.keep": (MOVE, keep),
    "payments.receiving.settle_again": (MOVE, settle_again),
    "payments.sandbox.play": (MOVE, dispute(1)),
    "payments.sandbox.play of a test user": (MOVE_TRIAL, dispute(2)),
}
"""By the action, and where that matters, whose credits move: who may do it."""
OF_THEIR_OWN_UNITS: dict[str, tuple[str, Callable[[Engine, Actor, Path], object]]] = {
    "payments.receiving.take_in": (MOVE, take_in),
    "payments.buying.give_back": (MOVE, give_back(1)),
    "payments.buying.give_back of a test user": (MOVE_TRIAL, give_back(2)),
}
