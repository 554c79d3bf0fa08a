"""The rows of the walk through all roles that are about purchases: who may do it, and what is done."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine

from credits_core.ledger import purchases
from credits_core.payments import buying, receiving, sandbox
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.roles import Actor
from tests.support import paying, world
from tests.support.actors import TESTER
from tests.support.world import NOW

_PLAN = world.price_book().plan
_LESS = purchases.Wanted(1, True, 1_000, 10, 0, 0, 0, 0)
_BUY = "finance, admin, service key, admin key, operator"
_BUY_TRIAL = "tester, finance, admin, service key, admin key, operator"
_MOVE = "finance, admin, admin key, operator"
_MOVE_TRIAL = "tester, finance, admin, admin key, operator"


def _buy(connection: Connection, actor: Actor, user_id: str) -> int:
    bought = buying.buy(
        connection, user_id, paying.PACK, gateway="sandbox", plan=_PLAN, key=f"b-{user_id}", now=NOW, actor=actor
    )
    return bought.id


def _bought_by(user_id: str) -> Callable[[Connection, Actor], object]:
    return lambda connection, actor: _buy(connection, actor, user_id)


def _played(user_id: str) -> Callable[[Connection, Actor], object]:
    def play(connection: Connection, actor: Actor) -> object:
        purchase_id = _buy(connection, TESTER, user_id)
        return sandbox.play(connection, purchase_id, Ending.PAID, now=NOW, actor=actor)

    return play


def _received(connection: Connection, actor: Actor) -> object:
    purchase_id = _buy(connection, TESTER, "ada")
    paid = paying.event(Happened.PAID, purchase_id=purchase_id)
    return receiving.receive(connection, paid, now=NOW, actor=actor)


def prepare(engine: Engine, user_ids: Sequence[str]) -> None:
    """Let each of these users buy and pay a pack: purchases 1, 2 and so on."""
    for number, user_id in enumerate(user_ids, start=1):
        paying.buy(engine, user_id, key=f"paid-{user_id}")
        database.write(engine, lambda one, number=number: sandbox.play(one, number, Ending.PAID, now=NOW, actor=TESTER))
    sandbox.tell(engine, now=NOW)


def _given_back(purchase_id: int) -> Callable[[Engine, Actor, Path], object]:
    return lambda engine, actor, _: buying.give_back(
        engine, Sandbox(engine, lambda: NOW), purchase_id, 1, key="k", actor=actor
    )


def actions(real: str, trial: str) -> dict[str, tuple[str, Callable[[Connection, Actor], object]]]:
    """Actions in the caller's unit of work, on a user and on a test user."""
    return {
        "payments.buying.buy": (_BUY, _bought_by(real)),
        "payments.buying.buy of a test user": (_BUY_TRIAL, _bought_by(trial)),
        "payments.sandbox.play": (_MOVE, _played(real)),
        "payments.sandbox.play of a test user": (_MOVE_TRIAL, _played(trial)),
        "payments.receiving.receive": (_MOVE, _received),
        "payments.receiving.settle_again": (
            _MOVE,
            lambda connection, actor: receiving.settle_again(connection, real, now=NOW, actor=actor),
        ),
        "ledger.purchases.settle": (
            _MOVE,
            lambda connection, actor: purchases.settle(connection, real, lambda _: [_LESS], now=NOW, actor=actor),
        ),
    }


IN_PIECES: dict[str, tuple[str, Callable[[Engine, Actor, Path], object]]] = {
    "payments.buying.give_back": (_MOVE, _given_back(1)),
    "payments.buying.give_back of a test user": (_MOVE_TRIAL, _given_back(2)),
}
"""Actions that make units of work of their own, after `prepare` for a user and a test user."""
