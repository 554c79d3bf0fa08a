"""Actions about what other systems are told that the walk through all roles carries out, on endpoint 1."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, text

from credits_core.notices import deliveries, endpoints, low_balance, telling
from credits_core.notices.journal import Settled
from credits_core.store.kinds import EventKind
from credits_core.values.roles import Actor
from tests.support import walked_limits
from tests.support.actors import TESTER
from tests.support.hooks import SECRET
from tests.support.world import NOW

ADDRESS = "https://hooks.example.com/credits"
MANAGE = "admin, operator"
OVERLAP = timedelta(days=1)


def prepare(connection: Connection) -> None:
    """Endpoint 1, of which delivery 1 is a dead letter, and a level of 700 credits for everybody."""
    low_balance.set_level(connection, low_balance.EVERYBODY, 700, now=NOW, actor=TESTER)
    endpoints.add(connection, ADDRESS, list(EventKind), secret=SECRET, now=NOW, actor=TESTER)
    deliveries.send_test(connection, 1, key="prepared", now=NOW, actor=TESTER)
    connection.execute(text("UPDATE webhook_deliveries SET state = 'dead', next_at_us = NULL, tries = 10"))


def play(connection: Connection) -> None:
    """Something in every table about what other systems are told, an event of a gateway that is left to do, a limit."""
    prepare(connection)
    connection.execute(text("INSERT INTO webhook_held_users VALUES (1, 'ada', 0, 0)"))
    first = "INSERT INTO events_to_settle (event_id, purchase_id) SELECT id, purchase_id FROM purchase_events LIMIT 1"
    connection.execute(text(first))
    telling.tell(connection, EventKind.PAYOUT_PAID, "ben", {"payout_id": 1}, about="payout 1", now=NOW)
    low_balance.look(connection, Settled(0, "", 0))
    walked_limits.of_one(connection, "newcomer")


def disable(connection: Connection) -> None:
    """Endpoint 1 is disabled."""
    because = "It has taken nothing for 5 days."
    connection.execute(
        text("UPDATE webhook_endpoints SET disabled_at_us = 1, disabled_because = :because"), {"because": because}
    )


TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "notices.endpoints.add": (
        MANAGE,
        lambda c, actor: endpoints.add(c, ADDRESS, list(EventKind), secret=SECRET, now=NOW, actor=actor),
    ),
    "notices.endpoints.remove": (MANAGE, lambda c, actor: endpoints.remove(c, 1, now=NOW, actor=actor)),
    "notices.endpoints.enable": (MANAGE, lambda c, actor: endpoints.enable(c, 1, now=NOW, actor=actor)),
    "notices.endpoints.rotate": (
        MANAGE,
        lambda c, actor: endpoints.rotate(c, 1, secret=SECRET, overlap=OVERLAP, now=NOW, actor=actor),
    ),
    "notices.low_balance.set_level of everybody": (
        MANAGE,
        lambda c, actor: low_balance.set_level(c, low_balance.EVERYBODY, 500, now=NOW, actor=actor),
    ),
    "notices.low_balance.set_level of a user": (
        f"{MANAGE}, user key, service key, admin key",
        lambda c, actor: low_balance.set_level(c, "ada", 500, now=NOW, actor=actor),
    ),
    "notices.low_balance.remove_level": (
        MANAGE,
        lambda c, actor: low_balance.remove_level(c, low_balance.EVERYBODY, 700, now=NOW, actor=actor),
    ),
    "notices.deliveries.send_again": (MANAGE, lambda c, actor: deliveries.send_again(c, 1, now=NOW, actor=actor)),
    "notices.deliveries.send_test": (
        MANAGE,
        lambda c, actor: deliveries.send_test(c, 1, key="walk", now=NOW, actor=actor),
    ),
}
