"""Actions about payouts that the walk through all roles carries out, on what `ada` and `ben` have."""

from collections.abc import Callable

from sqlalchemy import Connection, select

from credits_core.ledger import actions, payout_news
from credits_core.ledger import payouts as ledger
from credits_core.ledger.payouts import Due
from credits_core.ledger.requests import UnlockRequest
from credits_core.payments import destinations, paying, payout_files, payouts
from credits_core.payments.payout_rules import PayoutRules
from credits_core.store.kinds import CreditSource, DestinationKind, PayoutNews
from credits_core.store.tables import Payout
from credits_core.values.roles import Actor
from credits_core.values.time_zones import UTC_ZONE
from tests.support import world
from tests.support.actors import TESTER
from tests.support.world import NOW

RULES = PayoutRules(waiting_days=0, threshold_credits=0, payday=1)
NOBODY = Due(1, "ben", 10_000)
PROPOSE = "finance, admin, operator"


def propose(connection: Connection, actor: Actor) -> object:
    draft = payouts.draft(connection, RULES, now=NOW, zone=UTC_ZONE)
    return payouts.propose(connection, draft, now=NOW, actor=actor)


def approve(connection: Connection, actor: Actor) -> object:
    return ledger.approve(connection, propose(connection, actor), now=NOW, actor=actor)


def set_destination(connection: Connection, actor: Actor) -> object:
    kind = DestinationKind.GATEWAY
    return destinations.set_destination(connection, "ben", kind, "acct_ben", now=NOW, actor=actor)


def pause(connection: Connection, actor: Actor) -> object:
    return destinations.pause(connection, "ben", "Ask first", now=NOW, actor=actor)


def prepare(connection: Connection, set_up: Callable[[Connection, Actor], object] = set_destination) -> Due:
    """A payout of what `ben` has just earned, which is approved."""
    actions.add_credits(
        connection,
        "payer",
        20_000,
        source=CreditSource.PURCHASE,
        reason="",
        key="dashboard:payer",
        now=NOW,
        actor=TESTER,
    )
    request, book = UnlockRequest("payer", "flow", "ben", 20_000), world.price_book()
    actions.unlock_flow(connection, request, book=book, key="dashboard:unlock-of-ben", now=NOW, actor=TESTER)
    set_up(connection, TESTER)
    approve(connection, TESTER)
    (due,) = paying.to_set_aside(connection, limit=9)
    return due


def play(connection: Connection) -> None:
    """What somebody tries in a demo: a payout to a bank that arrives."""
    report(connection, TESTER)


def ready(connection: Connection, set_up: Callable[[Connection, Actor], object]) -> Due:
    """The same payout, set aside, to the destination that is set up."""
    due = prepare(connection, set_up)
    paying.set_aside(connection, due, zone=UTC_ZONE, now=NOW, actor=TESTER)
    return due


def to_bank(connection: Connection, actor: Actor) -> object:
    iban = "DE89370400440532013000"
    return destinations.set_destination(
        connection, "ben", DestinationKind.BANK, iban, holder="Ben", now=NOW, actor=actor
    )


def make_file(connection: Connection, actor: Actor) -> object:
    return payout_files.make(connection, _cycle_of(connection, ready(connection, to_bank)), now=NOW, actor=actor)


def _cycle_of(connection: Connection, due: Due) -> int:
    return connection.execute(select(Payout.cycle_id).where(Payout.id == due.payout_id)).scalar_one()


def report(connection: Connection, actor: Actor) -> object:
    due = ready(connection, to_bank)
    payout_files.make(connection, _cycle_of(connection, due), now=NOW, actor=TESTER)
    return payout_news.report(connection, due.payout_id, PayoutNews.PAID, now=NOW, actor=actor)


def answer(connection: Connection, actor: Actor) -> object:
    due = ready(connection, set_destination)
    return payout_news.answer(connection, due.payout_id, reference="tr_1", failed_because="", now=NOW, actor=actor)


def stop(connection: Connection, actor: Actor) -> object:
    due = prepare(connection)
    return payout_news.stop(connection, due.payout_id, PayoutNews.SHORT, now=NOW, actor=actor)


def set_aside(connection: Connection, actor: Actor) -> object:
    return ledger.set_aside(connection, NOBODY, lambda _: 0, now=NOW, actor=actor)


MOVE = "finance, admin, admin key, operator"
TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "ledger.payouts.approve": (PROPOSE, approve),
    "ledger.payouts.give_back": (MOVE, lambda c, actor: ledger.give_back(c, NOBODY, now=NOW, actor=actor)),
    "ledger.payouts.pay": (MOVE, lambda c, actor: ledger.pay(c, NOBODY, now=NOW, actor=actor)),
    "ledger.payouts.set_aside": (MOVE, set_aside),
    "payments.destinations.pause": (PROPOSE, pause),
    "payments.destinations.set_destination": (PROPOSE, set_destination),
    "payments.payouts.propose": (PROPOSE, propose),
    "ledger.payout_news.answer": (MOVE, answer),
    "ledger.payout_news.report": (MOVE, report),
    "ledger.payout_news.stop": (MOVE, stop),
    "payments.payout_files.make": (MOVE, make_file),
    "payments.paying.set_aside": (
        MOVE,
        lambda c, actor: paying.set_aside(c, prepare(c), zone=UTC_ZONE, now=NOW, actor=actor),
    ),
}
"""By the action: who may do it."""
