"""The real client of Stripe over HTTP against a stand-in: what it asks for, what it makes of Stripe's events, and that
events which are doubled, shuffled and lost leave nothing lost or doubled in the ledger, in both databases."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.payments import buying, configured, receiving, stripe_events, stripe_gateway
from credits_core.payments.gateway import GatewayEvent, Order
from credits_core.payments.refusals import EventNotSigned, GatewayFailed
from credits_core.payments.sandbox import Sandbox
from credits_core.payments.stripe_gateway import StripeGateway
from credits_core.pricing.quote import PriceBook
from credits_core.settings import StripeSettings
from tests.support import stripe_stand_in, world
from tests.support.actors import TESTER
from tests.support.paying import NOW, parts, stored
from tests.support.plain_sql import contradictions, rows
from tests.support.stripe_stand_in import KEY, SECRET, StandIn

ORDER = Order(17, 2_150, "usd", "Small pack")


def heard(gateway: StripeGateway, event: dict[str, Any]) -> GatewayEvent | None:
    """What the gateway makes of the message that Stripe would send, signed a moment ago."""
    body, headers = stripe_stand_in.signed(event)
    return gateway.translate(gateway.signed(body, headers["Stripe-Signature"]))


def all_heard(gateway: StripeGateway, events: Sequence[dict[str, Any]]) -> list[GatewayEvent]:
    return [one for one in (heard(gateway, event) for event in events) if one is not None]


def in_short(events: Sequence[GatewayEvent]) -> list[tuple[str, str, int]]:
    return [(one.kind.value, one.about, one.amount_minor) for one in events]


def keep(engine: Engine, event: GatewayEvent) -> None:
    receiving.take_in(engine, event, now=NOW, actor=receiving.GATEWAY)


def hear_all(engine: Engine, gateway: StripeGateway, stand_in: StandIn) -> None:
    for event in all_heard(gateway, stand_in.events):
        keep(engine, event)


def clean(engine: Engine, book: PriceBook) -> bool:
    found = [str(one) for one in invariants.check(engine, book.plans) if not one.ok]
    assert found == []
    return contradictions(engine) == []


# --- a whole purchase -------------------------------------------------------------------------------------------------


def test_a_purchase_is_paid_spent_refunded_in_part_disputed_and_lost(
    engine: Engine, book: PriceBook, stand_in: StandIn, gateway: StripeGateway
) -> None:
    opened, session_id = stripe_stand_in.bought(engine, gateway)
    assert opened.checkout_url == f"https://checkout.example.org/{session_id}"
    payment = stand_in.pay(session_id)
    hear_all(engine, gateway, stand_in)
    assert parts(engine) == (1_000, 0, 0)
    assert rows(engine, "SELECT kind, about, amount_minor, fee_minor FROM purchase_events ORDER BY id") == [
        ("opened", session_id, 0, 0),
        ("paid", payment, 100, 59),
    ]
    for one in ("a", "b"):
        world.charge(engine, world.run_by("ada"), key=one)  # 300 each
    buying.give_back(engine, gateway, opened.id, 30, key="ticket-1", now=NOW, actor=TESTER)
    buying.give_back(engine, gateway, opened.id, 30, key="ticket-1", now=NOW, actor=TESTER)
    stand_in.now += 60
    hear_all(engine, gateway, stand_in)
    assert parts(engine) == (100, 0, 0)
    dispute = stand_in.dispute(payment, 70)
    hear_all(engine, gateway, stand_in)
    assert parts(engine) == (0, 100, 0)
    stand_in.now += 60
    stand_in.close_dispute(dispute, "lost")
    hear_all(engine, gateway, stand_in)
    assert parts(engine) == (0, 0, -600)
    assert stored(engine).standing.state == "lost"
    assert clean(engine, book)


def test_a_checkout_names_the_purchase_and_leads_back_to_it(stand_in: StandIn, gateway: StripeGateway) -> None:
    made = gateway.create_checkout(ORDER)
    ((method, path, asked, _),) = stand_in.asked
    assert (method, path) == ("POST", "/v1/checkout/sessions")
    assert made == ("cs_1", "https://checkout.example.org/cs_1")
    assert asked == {
        "mode": "payment",
        "line_items": {
            "0": {
                "quantity": "1",
                "price_data": {"currency": "usd", "unit_amount": "2150", "product_data": {"name": "Small pack"}},
            }
        },
        "client_reference_id": "17",
        "metadata": {"purchase_id": "17"},
        "payment_intent_data": {"metadata": {"purchase_id": "17"}},
        "adaptive_pricing": {"enabled": "false"},
        "success_url": "https://credits.example.org/checkout?purchase=17",
        "cancel_url": "https://credits.example.org/checkout?purchase=17",
    }


def test_a_checkout_that_is_asked_for_twice_is_made_once(stand_in: StandIn, gateway: StripeGateway) -> None:
    assert gateway.create_checkout(ORDER) == stripe_stand_in.gateway_of(stand_in).create_checkout(ORDER)
    assert len(stand_in.made("checkout.session")) == 1
    with pytest.raises(GatewayFailed, match=r"came with other parameters\. Send the same request again"):
        gateway.create_checkout(ORDER._replace(amount_minor=1))
    # Another database on the same account has a purchase 17 of its own.
    elsewhere = stripe_stand_in.gateway_of(stand_in, public_url="https://trial.example.org").create_checkout(ORDER)
    assert elsewhere.reference == stand_in.made("checkout.session")[1]["id"]


def test_a_refund_that_is_asked_for_twice_is_made_once(stand_in: StandIn, gateway: StripeGateway) -> None:
    payment = stand_in.pay(gateway.create_checkout(ORDER).reference)
    for key in ("17:a", "17:a", "17:b"):
        gateway.refund(payment, 1_000, key=key)
    assert [one["amount"] for one in stand_in.made("refund")] == [1_000, 1_000]
    with pytest.raises(GatewayFailed, match=r"greater than unrefunded amount on charge\. Send"):
        gateway.refund(payment, 151, key="17:c")


# --- what its events mean ---------------------------------------------------------------------------------------------


def session(gateway: StripeGateway) -> str:
    return gateway.create_checkout(ORDER).reference


def test_a_bank_transfer_is_pending_until_it_arrives(stand_in: StandIn, gateway: StripeGateway) -> None:
    first = session(gateway)
    payment = stand_in.transfer(first)
    stand_in.now += 86_400
    stand_in.arrive(first)
    told = all_heard(gateway, stand_in.events)
    assert in_short(told) == [("pending", payment, 2_150), ("paid", payment, 2_150)]
    assert [one.happened_at for one in told] == [NOW, NOW + timedelta(days=1)]
    assert [(one.purchase_id, one.currency, one.gateway, one.fee_minor) for one in told] == [
        (17, "usd", "stripe", 0),
        (17, "usd", "stripe", 59),
    ]


def test_a_bank_transfer_that_bounces_and_a_card_that_is_refused_are_declined(
    stand_in: StandIn, gateway: StripeGateway
) -> None:
    first = session(gateway)
    payment = stand_in.transfer(first)
    stand_in.bounce(first)
    told = all_heard(gateway, stand_in.events)
    assert in_short(told) == [("pending", payment, 2_150), ("declined", payment, 2_150), ("declined", payment, 2_150)]
    assert told[1].note == "Your card was declined."


def test_a_checkout_that_nobody_pays_expires(stand_in: StandIn, gateway: StripeGateway) -> None:
    first = session(gateway)
    stand_in.expire(first)
    assert in_short(all_heard(gateway, stand_in.events)) == [("expired", first, 2_150)]


def test_a_checkout_without_anything_to_pay_is_no_payment(stand_in: StandIn, gateway: StripeGateway) -> None:
    first = session(gateway)
    stand_in.things[first]["payment_status"] = "paid"
    assert heard(gateway, stand_in.tell("checkout.session.completed", first)) is None
    stand_in.pay(first)
    stand_in.things[first]["payment_status"] = "no_payment_required"
    assert heard(gateway, stand_in.tell("checkout.session.completed", first)) is None


@pytest.mark.parametrize(
    ("states", "kinds"),
    [
        (["succeeded"], ["refunded"]),
        (["pending"], []),
        (["requires_action"], []),
        (["pending", "succeeded"], ["refunded"]),
        (["pending", "failed"], ["refund_failed"]),
        (["succeeded", "failed"], ["refunded", "refund_failed"]),
        (["requires_action", "canceled"], ["refund_failed"]),
    ],
)
def test_a_refund_counts_once_it_has_gone_out_and_not_when_it_fails(
    stand_in: StandIn, gateway: StripeGateway, states: list[str], kinds: list[str]
) -> None:
    payment = stand_in.pay(session(gateway))
    refund = stand_in.refund(payment, 500, status=states[0])["id"]
    for state in states[1:]:
        stand_in.change_refund(refund, state)
    told = all_heard(gateway, stand_in.events)
    assert in_short(told) == [("paid", payment, 2_150), *((kind, refund, 500) for kind in kinds)]
    assert {one.purchase_id for one in told} == {17}


@pytest.mark.parametrize(
    ("status", "taken_minor", "kind"),
    [
        ("won", 0, ["won"]),
        ("warning_closed", 0, ["won"]),
        ("lost", 2_000, ["lost"]),
        ("prevented", 2_000, ["lost"]),
        ("prevented", 0, ["won"]),
        ("a state of next year", 2_000, []),
    ],
)
def test_a_dispute_is_won_or_lost_by_its_status(
    stand_in: StandIn, gateway: StripeGateway, status: str, taken_minor: int, kind: list[str]
) -> None:
    payment = stand_in.pay(session(gateway))
    dispute = stand_in.dispute(payment, 2_000)
    stand_in.close_dispute(dispute, status, taken_minor=taken_minor)
    told = in_short(all_heard(gateway, stand_in.events))
    assert told[1:] == [("disputed", dispute, 2_000), *((one, dispute, 2_000) for one in kind)]


@pytest.mark.parametrize(
    "named", [{}, {"purchase_id": ""}, {"purchase_id": "017"}, {"purchase_id": "17 "}, {"x": "17"}]
)
def test_what_is_sold_elsewhere_on_the_same_account_means_nothing(
    stand_in: StandIn, gateway: StripeGateway, named: dict[str, str]
) -> None:
    first = session(gateway)
    stand_in.things[first] |= {"metadata": named, "of_payment": named}
    payment = stand_in.pay(first)
    stand_in.decline(first)
    stand_in.refund(payment, 500)
    stand_in.close_dispute(stand_in.dispute(payment, 500), "lost")
    assert len(stand_in.events) == 8
    assert all_heard(gateway, stand_in.events) == []
    assert gateway.events(NOW) == []


def test_a_refund_of_a_charge_without_a_payment_means_nothing(stand_in: StandIn, gateway: StripeGateway) -> None:
    refund = stand_in.refund(stand_in.pay(session(gateway)), 500)
    refund["payment_intent"] = None
    assert heard(gateway, stand_in.tell("refund.updated", refund["id"])) is None


def test_other_kinds_of_events_are_not_even_read(stand_in: StandIn, gateway: StripeGateway) -> None:
    stand_in.pay(session(gateway))
    ignored = [event for event in stand_in.events if event["type"] not in stripe_events.KINDS]
    assert [event["type"] for event in ignored] == ["charge.succeeded", "payment_intent.succeeded"]
    assert all_heard(gateway, ignored) == []
    assert heard(gateway, {**ignored[0], "type": "a.new.kind", "data": {"object": {}}}) is None


def test_an_event_that_is_not_as_stripe_documents_it_is_refused(stand_in: StandIn, gateway: StripeGateway) -> None:
    stand_in.pay(session(gateway))
    event = stand_in.events[-1]
    broken = {**event, "data": {"object": {**event["data"]["object"], "amount_total": "much", "id": 7}}}
    with pytest.raises(GatewayFailed, match=r"an event that cannot be read: amount_total, id\. Send"):
        heard(gateway, broken)


def test_what_a_payer_is_told_is_kept_to_200_characters(stand_in: StandIn, gateway: StripeGateway) -> None:
    payment = stand_in.things[stand_in.decline(session(gateway))]
    payment["last_payment_error"] = {"message": "No. " * 100}
    (told,) = all_heard(gateway, [stand_in.tell("payment_intent.payment_failed", payment["id"])])
    assert told.note == "No. " * 50


# --- fees -------------------------------------------------------------------------------------------------------------


def test_a_payment_counts_also_when_its_fee_is_not_known(stand_in: StandIn, gateway: StripeGateway) -> None:
    payment = stand_in.pay(session(gateway))
    paid = stand_in.events[-1]
    stand_in.fails = [500]
    asked = len(stand_in.asked)
    told = heard(gateway, paid)
    assert (told and told.fee_minor, len(stand_in.asked) - asked) == (0, 1)  # whoever has paid waits for no second try
    charge = stand_in.things[stand_in.things[payment]["latest_charge"]]
    stand_in.things[charge["balance_transaction"]]["currency"] = "eur"
    assert [one.fee_minor for one in all_heard(gateway, [paid])] == [0]
    charge["balance_transaction"] = None
    assert [one.fee_minor for one in all_heard(gateway, [paid])] == [0]
    assert [one.fee_minor for one in gateway.events(NOW)] == [0]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_it_is_asked_three_times_at_most(stand_in: StandIn, gateway: StripeGateway) -> None:
    stand_in.fails = [500, 503]
    assert gateway.create_checkout(ORDER).reference == "cs_1"
    stand_in.fails = [500] * 4
    with pytest.raises(GatewayFailed, match=r"^stripe did not do it: Something is wrong on our end\. Send the same"):
        gateway.create_checkout(ORDER)
    assert (len(stand_in.asked), stand_in.fails) == (6, [500])
    assert len({key for *_, key in stand_in.asked}) == 1


def test_a_server_that_hangs_up_or_waits_is_a_refusal(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_gateway, "_RETRIES", 0)
    monkeypatch.setattr(stripe_gateway, "_TIMEOUT_SECONDS", 1)
    gateway = stripe_stand_in.gateway_of(stand_in)
    stand_in.is_silent = True
    with pytest.raises(GatewayFailed, match="it did not answer"):
        gateway.create_checkout(ORDER)
    stand_in.is_silent, stand_in.answers_after = False, Event()
    with pytest.raises(GatewayFailed, match="it did not answer"):
        gateway.payment("pi_1", retries=0)
    stand_in.answers_after.set()


def test_no_secret_is_logged_or_repeated(stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    gateway, wrong = (
        stripe_stand_in.gateway_of(stand_in),
        stripe_stand_in.gateway_of(stand_in, key="sk_live_wrong_4711"),
    )
    stand_in.pay(session(gateway))
    assert len(all_heard(gateway, stand_in.events)) == 1
    with pytest.raises(GatewayFailed, match="it does not accept the key in CREDITS_STRIPE_SECRET_KEY") as caught:
        wrong.create_checkout(ORDER)
    said = f"{caught.value}{vars(caught.value)}{StripeSettings(KEY, SECRET, 'a', 'b')}"
    assert "4711" not in said
    assert f"{stand_in.url}/v1/checkout/sessions" in caplog.text  # the client's own log is on
    assert [secret for secret in (KEY, SECRET, "sk_live_wrong_4711") if secret in caplog.text] == []


# --- signatures -------------------------------------------------------------------------------------------------------


def test_only_what_stripe_signed_is_an_event(gateway: StripeGateway) -> None:
    body, headers = stripe_stand_in.signed({"id": "evt_1", "object": "event", "type": "a.kind"})
    assert gateway.signed(body, headers["Stripe-Signature"]).id == "evt_1"
    for sent, signature in (
        (body, ""),
        (body, "t=1,v1=ü"),
        (body + b" ", headers["Stripe-Signature"]),
        (b"\xff", headers["Stripe-Signature"]),
        (body, stripe_stand_in.signed({}, secret="whsec_another")[1]["Stripe-Signature"]),
    ):
        with pytest.raises(EventNotSigned):
            gateway.signed(sent, signature)


# --- the settings -----------------------------------------------------------------------------------------------------


def test_the_settings_choose_the_gateway(
    sqlite_engine: Engine, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(configured.gateway(sqlite_engine), Sandbox)
    for name, text in stripe_stand_in.settings_of(stand_in).items():
        monkeypatch.setenv(name, text)
    chosen = configured.gateway(sqlite_engine)
    assert isinstance(chosen, StripeGateway)
    assert chosen.create_checkout(ORDER).reference == "cs_1"
