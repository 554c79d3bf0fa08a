"""Actions about spending limits that the walk through all roles carries out, of ada and the key shop."""

from collections.abc import Callable

from sqlalchemy import Connection

from credits_core.ledger import spending_limits
from credits_core.ledger.spending import subject_of_key
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.roles import Actor
from credits_core.values.time_zones import UTC_ZONE
from tests.support.actors import TESTER
from tests.support.world import NOW

MOVE = "finance, admin, admin key, operator"
MANAGE = "admin, operator"
SHOP = subject_of_key("shop")
DAY, MONTH = SpendingPeriod.DAY, SpendingPeriod.MONTH


def prepare(connection: Connection) -> None:
    """Limits of a month for ada and for the key shop."""
    for subject in ("ada", SHOP):
        of_one(connection, subject)


def of_one(connection: Connection, subject: str) -> None:
    """A limit of a month for a user or a key."""
    spending_limits.set_limit(connection, subject, MONTH, 50_000, zone=UTC_ZONE, now=NOW, actor=TESTER)


def _set(subject: str) -> Callable[[Connection, Actor], object]:
    return lambda c, actor: spending_limits.set_limit(c, subject, DAY, 5_000, zone=UTC_ZONE, now=NOW, actor=actor)


def _remove(subject: str) -> Callable[[Connection, Actor], object]:
    return lambda c, actor: spending_limits.remove_limit(c, subject, MONTH, now=NOW, actor=actor)


TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "ledger.spending_limits.set_limit of a user": (MOVE, _set("ada")),
    "ledger.spending_limits.set_limit of a key": (MANAGE, _set(SHOP)),
    "ledger.spending_limits.remove_limit of a user": (MOVE, _remove("ada")),
    "ledger.spending_limits.remove_limit of a key": (MANAGE, _remove(SHOP)),
}
