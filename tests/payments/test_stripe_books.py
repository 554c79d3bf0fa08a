"""Stripe's books: as far back as it has them, and that events which are doubled, shuffled and lost leave nothing lost
or doubled in the ledger once both sides are compared, in both databases."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine

from credits_core.audit import invariants
from credits_core.payments import buying, course, receiving, reconciling, stripe_events
from credits_core.payments.gateway import GatewayEvent, Order
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import GatewayFailed
from credits_core.payments.stripe_gateway import StripeGateway
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.time_zones import UTC_ZONE
from tests.support import world
from tests.support.actors import TESTER
from tests.support.paying import NOW, PACK, parts
from tests.support.plain_sql import contradictions, scalar
from tests.support.stripe_stand_in import Courier, StandIn

ORDER = Order(17, 2_150, "usd", "Small pack")


def in_short(events: Sequence[GatewayEvent]) -> list[tuple[str, str, int]]:
    return [(one.kind.value, one.about, one.amount_minor) for one in events]


def keep(engine: Engine, event: GatewayEvent) -> None:
    receiving.take_in(engine, event, now=NOW, actor=receiving.GATEWAY)


def test_books_that_stripe_does_not_have_any_more_are_refused(stand_in: StandIn, gateway: StripeGateway) -> None:
    payment = stand_in.pay(gateway.create_checkout(ORDER).reference)
    stand_in.now += 30 * 86_400
    assert in_short(gateway.events(NOW)) == [("paid", payment, 2_150)]
    stand_in.now += 1
    with pytest.raises(GatewayFailed, match=r"of the last 30 days only\. Ask from 2026-03-01 12:00 UTC on"):
        gateway.events(NOW)


def test_books_begin_at_the_moment_that_is_asked_for(stand_in: StandIn, gateway: StripeGateway) -> None:
    payment = stand_in.pay(gateway.create_checkout(ORDER).reference)
    stand_in.now += 3 * 86_400
    refund = stand_in.refund(payment, 500)["id"]  # of a payment that began long before
    assert in_short(gateway.events(NOW + timedelta(days=3))) == [("refunded", refund, 500)]
    assert in_short(gateway.events(NOW + timedelta(microseconds=1))) == [("refunded", refund, 500)]
    assert in_short(gateway.events(NOW)) == [("paid", payment, 2_150), ("refunded", refund, 500)]
    stand_in.fails = [500] * 3
    with pytest.raises(GatewayFailed):
        gateway.events(NOW)


def test_the_screen_may_ask_from_the_moment_on_that_the_gateway_names(
    stand_in: StandIn, gateway: StripeGateway
) -> None:
    stand_in.pay(gateway.create_checkout(ORDER).reference)
    earliest = gateway.earliest()
    assert earliest == NOW - timedelta(days=30) + timedelta(minutes=1)
    stand_in.now += 59  # asking takes its time
    assert len(gateway.events(earliest)) == 1


def test_the_fee_of_a_dispute_is_counted_once_whichever_event_knows_it(
    engine: Engine, stand_in: StandIn, gateway: StripeGateway
) -> None:
    bought = database.write(engine, lambda one: buy_many(one, 1))[0]
    payment = stand_in.pay(gateway.create_checkout(Order(bought.id, 100, "usd", "Small pack")).reference)
    stand_in.now += 1
    dispute = stand_in.dispute(payment, 100, fee_minor=1_500)
    stand_in.now += 1
    stand_in.close_dispute(dispute, "lost", taken_minor=100)
    compared = mend(engine, gateway)
    (day,) = reconciling.by_day(compared, UTC_ZONE)
    assert (day.fees_minor, day.matches[reconciling.Match.MISSING_HERE]) == (59 + 1_500, 3)
    with database.read(engine) as connection:
        moments = course.course(connection, bought.id)
    assert (moments[-1].out_minor, moments[-1].fees_minor, moments[-1].kept_minor) == (100, 1_559, -1_559)


# Of ten purchases of 1,000 credits for 100 cents: what becomes of each, and how many credits that leaves, by hand.
FATES = ("part refunded", "lost", "won", "refund failed", "bounced", "arrived", "paid", "paid", "paid", "paid")
LEFT = (700, 0, 1_000, 1_000, 0, 1_000, 1_000, 1_000, 1_000, 1_000)


def befall(stand_in: StandIn, session_id: str, fate: str) -> None:
    if fate in ("bounced", "arrived"):
        stand_in.transfer(session_id)
        stand_in.now += 1
        (stand_in.arrive if fate == "arrived" else stand_in.bounce)(session_id)
        return
    payment = stand_in.pay(session_id)
    stand_in.now += 1
    if fate in ("part refunded", "refund failed"):
        refund = stand_in.refund(payment, 30)
        stand_in.now += 1
        if fate == "refund failed":
            stand_in.change_refund(refund["id"], "failed")
    if fate in ("lost", "won"):
        dispute = stand_in.dispute(payment, 100)
        stand_in.now += 1
        stand_in.close_dispute(dispute, fate)


def buy_many(connection: Connection, users: int) -> list[Bought]:
    """Ten purchases of each user, all first ones first."""
    of = {"gateway": "stripe", "plan": world.price_book().plan, "now": NOW, "actor": TESTER}
    numbers = range(users * len(FATES))
    return [buying.buy(connection, f"u{number % users}", PACK, key=f"buy-{number}", **of) for number in numbers]


@pytest.mark.long
def test_of_500_payments_told_twice_in_any_order_and_a_fifth_never_nothing_is_lost_or_doubled(
    engine: Engine, book: PriceBook, stand_in: StandIn, gateway: StripeGateway, full: bool
) -> None:
    users = 50 if full or engine.dialect.name == "sqlite" else 10  # with --full, 500 payments on PostgreSQL too
    for number, purchase in enumerate(database.write(engine, lambda one: buy_many(one, users))):
        order = Order(purchase.id, purchase.due_minor, "usd", "Small pack")
        befall(stand_in, gateway.create_checkout(order).reference, FATES[number // users])

    meant: dict[str, GatewayEvent | None] = {}

    def webhook(body: bytes, headers: dict[str, str]) -> int:
        signed = gateway.signed(body, headers["Stripe-Signature"])
        if signed.id not in meant:  # which saves a quarter of the test's time
            meant[signed.id] = gateway.translate(signed)
        event = meant[signed.id]
        assert event is not None
        keep(engine, event)
        return 200

    told = [event for event in stand_in.events if event["type"] in stripe_events.KINDS]
    Courier(webhook).bring(told, copies=2, shuffled=True, lost_in_5=1)
    kept = scalar(engine, "SELECT count(*) FROM purchase_events")
    assert isinstance(kept, int)
    assert 0.7 * len(told) < kept < 0.9 * len(told)
    assert [parts(engine, f"u{number}")[0] for number in range(users)] != [sum(LEFT)] * users

    mended = {one.match for one in mend(engine, gateway)}
    assert mended == {reconciling.Match.MATCHED, reconciling.Match.MISSING_HERE}
    assert [parts(engine, f"u{number}") for number in range(users)] == [(sum(LEFT), 0, 0)] * users
    assert {one.match for one in mend(engine, gateway)} == {reconciling.Match.MATCHED}
    assert scalar(engine, "SELECT count(*) FROM purchase_receipts") == 9 * users
    assert scalar(engine, "SELECT sum(fee_minor) FROM purchase_events WHERE kind = 'paid'") == 9 * users * 59
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []
    assert contradictions(engine) == []


def mend(engine: Engine, gateway: StripeGateway) -> list[reconciling.Compared]:
    with database.read(engine) as connection:
        here = reconciling.told_here(connection, "stripe", NOW)
    compared = reconciling.compare(here, gateway.events(NOW))
    for one in compared:
        if one.mending is not None:
            keep(engine, one.mending)
    return compared
