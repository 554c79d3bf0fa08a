"""The webhook for Stripe: whose events it takes, what it answers, and that nothing is lost or doubled on the way."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.payments import buying, configured, reconciling, stripe_events
from credits_core.payments.stripe_gateway import StripeGateway
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import paying, stripe_stand_in
from tests.support.actors import TESTER
from tests.support.api_world import ADD, Api, api_over, problem
from tests.support.paying import parts, stored
from tests.support.plain_sql import every_row, scalar
from tests.support.stripe_stand_in import Courier, StandIn, Thing, signed

PATH = "/api/payments/stripe/events"
RUN = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with stripe_stand_in.serving() as stand_in:
        yield stand_in


@pytest.fixture
def api(engine: Engine, stand_in: StandIn) -> Iterator[Api]:
    """The API of a product that takes payments through Stripe."""
    with api_over(engine, **stripe_stand_in.settings_of(stand_in)) as api:
        yield api


def gateway() -> StripeGateway:
    found = configured.stripe()
    assert found is not None
    return found


def send(api: Api, event: Thing, **how: Any) -> Any:
    body, headers = signed(event, **how)
    return api.client.post(PATH, content=body, headers=headers)


def paid(api: Api, stand_in: StandIn) -> Thing:
    """The event of a purchase that is paid and of which nothing was told yet."""
    _, session_id = stripe_stand_in.bought(api.engine, gateway())
    stand_in.pay(session_id)
    return stand_in.events[-1]


def test_a_payment_that_stripe_tells_is_granted_once(api: Api, stand_in: StandIn) -> None:
    event = paid(api, stand_in)
    answer = send(api, event)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert parts(api.engine) == (1_000, 0, 0)
    assert scalar(api.engine, "SELECT actor FROM purchase_events WHERE kind = 'paid'") == "gateway"
    before = every_row(api.engine)
    again = send(api, event)
    assert (again.status_code, again.json()) == (200, {"received": True})
    assert every_row(api.engine) == before


def test_only_what_stripe_has_signed_in_the_last_five_minutes_is_taken(api: Api, stand_in: StandIn) -> None:
    event = paid(api, stand_in)
    before, now = every_row(api.engine), int(time.time())
    body, headers = signed(event)
    forged = body.replace(b'"purchase_id": "1"', b'"purchase_id": "2"')
    assert forged != body
    for answer in (
        send(api, event, secret="whsec_of_another_account"),
        send(api, event, at=now - 301),
        api.client.post(PATH, content=forged, headers=headers),
        api.client.post(PATH, content=body),
        api.client.post(PATH, content=body, headers={"Stripe-Signature": "v1=ü".encode("latin-1")}),
        api.client.post(PATH, content=b"", headers=headers),
        api.post(PATH, event),  # a key of ours opens nothing
    ):
        assert problem(answer) == (400, "event_not_signed")
        assert answer.json()["gateway"] == "stripe"
    assert every_row(api.engine) == before
    assert send(api, event, at=now - 290).status_code == 200


def test_what_means_nothing_is_answered_and_ignored(api: Api, stand_in: StandIn) -> None:
    event = paid(api, stand_in)
    before = every_row(api.engine)
    for ignored in (
        *(one for one in stand_in.events if one["type"] not in stripe_events.KINDS),
        {**event, "type": "customer.created", "data": {"object": {"id": "cus_1", "object": "customer"}}},
        {**event, "data": {"object": {**event["data"]["object"], "metadata": {}}}},
    ):
        answer = send(api, ignored)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert every_row(api.engine) == before


def test_an_event_that_fits_no_purchase_is_refused(api: Api, stand_in: StandIn) -> None:
    event = paid(api, stand_in)
    paying.buy(api.engine, "ben", key="played")  # purchase 2, of the sandbox
    told = event["data"]["object"]
    before = every_row(api.engine)
    for change, refusal in (
        ({"metadata": {"purchase_id": "2"}}, (404, "unknown_purchase")),
        ({"metadata": {"purchase_id": "99"}}, (404, "unknown_purchase")),
        ({"metadata": {"purchase_id": "9999999999999999999"}}, (404, "unknown_purchase")),
        ({"currency": "eur"}, (422, "invalid_request")),
        ({"amount_total": -1}, (422, "invalid_request")),
        ({"amount_total": "much"}, (502, "gateway_failed")),
    ):
        assert problem(send(api, {**event, "data": {"object": told | change}})) == refusal
    assert every_row(api.engine) == before
    assert send(api, event).status_code == 200
    assert problem(send(api, {**event, "data": {"object": told | {"amount_total": 99}}})) == (409, "event_differs")


def test_a_body_is_small_and_says_nothing_twice(api: Api, stand_in: StandIn) -> None:
    event = paid(api, stand_in)
    assert problem(send(api, event | {"more": "x" * 65_536})) == (413, "body_too_large")
    body, _ = signed(event)
    twice = body.replace(b'"livemode"', b'"id": "evt_9", "livemode"')
    assert problem(api.client.post(PATH, content=twice)) == (422, "invalid_request")
    assert parts(api.engine) == (0, 0, 0)


def test_another_method_needs_a_key_as_everywhere(api: Api) -> None:
    assert problem(api.get(PATH, as_=None)) == (401, "unauthorized")
    assert problem(api.get(PATH)) == (405, "method_not_allowed")
    assert problem(api.client.post(f"{PATH}/more")) == (401, "unauthorized")


def test_without_stripe_nothing_is_served_there(engine: Engine, stand_in: StandIn) -> None:
    with api_over(engine) as api:
        body, headers = signed({"id": "evt_1", "object": "event", "type": "a.kind"})
        assert problem(api.client.post(PATH, content=body, headers=headers)) == (404, "not_found")


def test_an_address_that_calls_too_often_is_told_when_to_come_back(sqlite_engine: Engine, stand_in: StandIn) -> None:
    with api_over(sqlite_engine, CREDITS_RATE_LIMIT="2/hour", **stripe_stand_in.settings_of(stand_in)) as api:
        event = paid(api, stand_in)
        answers = [send(api, event), send(api, event, secret="whsec_forged"), send(api, event)]
        assert [answer.status_code for answer in answers] == [200, 400, 429]
        assert int(answers[2].headers["retry-after"]) >= 1


def test_what_cannot_be_asked_for_now_is_told_again_later(api: Api, stand_in: StandIn) -> None:
    assert send(api, paid(api, stand_in)).status_code == 200
    dispute = stand_in.dispute(stand_in.made("payment_intent")[0]["id"], 100)
    stand_in.fails = [500] * 3
    before = every_row(api.engine)
    assert problem(send(api, stand_in.events[-1])) == (502, "gateway_failed")
    assert every_row(api.engine) == before
    assert send(api, stand_in.events[-1]).status_code == 200
    assert parts(api.engine) == (0, 1_000, 0)
    assert stored(api.engine).told[-1].about == dispute


def test_nobody_waits_for_a_stripe_that_does_not_answer(api: Api, stand_in: StandIn) -> None:
    assert send(api, paid(api, stand_in)).status_code == 200
    payment = stand_in.made("payment_intent")[0]["id"]
    for _ in range(12):
        stand_in.dispute(payment, 10)
    disputes = stand_in.events[-12:]
    asked = len(stand_in.asked)
    stand_in.answers_after = Event()
    with ThreadPoolExecutor(len(disputes)) as threads:
        told = [threads.submit(send, api, event) for event in disputes]
        while not stand_in.waiting:
            time.sleep(0.01)
        assert api.get("/api/credits/balance", user_id="ada").json()["balance_credits"] == 1_000
        assert api.post("/api/credits/add", ADD).status_code == 201
        assert [one.done() for one in told] == [False] * len(disputes)
        stand_in.answers_after.set()
        assert {one.result().status_code for one in told} <= {200, 503}  # 503 on a machine that is very slow
    assert len(stand_in.asked) > asked


def test_no_secret_reaches_the_log_or_an_answer(api: Api, stand_in: StandIn, api_log: pytest.LogCaptureFixture) -> None:
    api_log.set_level(logging.DEBUG)
    event = paid(api, stand_in)
    answers = [send(api, event), send(api, event, secret="whsec_forged_4711")]
    stand_in.fails = [500] * 3
    stand_in.dispute(stand_in.made("payment_intent")[0]["id"], 100)
    answers.append(send(api, stand_in.events[-1]))
    assert [answer.status_code for answer in answers] == [200, 400, 502]
    assert "Request to Stripe api" in api_log.text
    assert "4711" not in api_log.text + "".join(answer.text for answer in answers)


def test_a_purchase_that_is_asked_for_twice_has_one_checkout(api: Api, stand_in: StandIn) -> None:
    asked = {"user_id": "ada", "pack_id": "starter"}
    stand_in.fails = [500] * 3
    assert problem(api.post("/api/credits/purchases", asked, key="order-1")) == (502, "gateway_failed")
    first, again = (api.post("/api/credits/purchases", asked, key="order-1") for _ in range(2))
    assert [one["id"] for one in stand_in.made("checkout.session")] == ["cs_1"]
    assert first.json()["checkout_url"] == again.json()["checkout_url"] == "https://checkout.example.org/cs_1"
    assert first.json()["purchase_id"] == again.json()["purchase_id"] == 1
    (one,) = stand_in.made("checkout.session")
    assert (one["amount_total"], one["currency"]) == (first.json()["due_minor"], first.json()["currency"])
    stand_in.pay("cs_1")
    assert send(api, stand_in.events[-1]).status_code == 200
    assert api.get("/api/credits/purchases/1").json()["state"] == "paid"
    assert parts(api.engine)[0] == configured.packs()["starter"].credits


# --- stories ----------------------------------------------------------------------------------------------------------


def test_a_purchase_from_the_checkout_to_the_lost_dispute(api: Api, stand_in: StandIn, book: PriceBook) -> None:
    courier = Courier(lambda body, headers: int(api.client.post(PATH, content=body, headers=headers).status_code))
    began = datetime.fromtimestamp(stand_in.now, UTC)
    opened, session_id = stripe_stand_in.bought(api.engine, gateway())
    payment = stand_in.pay(session_id)
    courier.bring(stand_in.events, copies=2, shuffled=True)
    for key in ("a", "b"):
        assert api.post("/api/credits/charge-prompt", RUN, key=key).status_code == 201  # 300 each
    buying.give_back(api.engine, gateway(), opened.id, 30, key="ticket-1", now=datetime.now(UTC), actor=TESTER)
    courier.bring(stand_in.events, copies=2, shuffled=True)
    assert parts(api.engine) == (100, 0, 0)
    stand_in.now += 60
    dispute = stand_in.dispute(payment, 70)
    courier.bring(stand_in.events, copies=2, shuffled=True)
    assert parts(api.engine) == (0, 100, 0)
    stand_in.now += 60
    stand_in.close_dispute(dispute, "lost")
    courier.bring(stand_in.events, copies=2, shuffled=True)
    assert parts(api.engine) == (0, 0, -600)
    assert set(courier.statuses) == {200}
    assert [compared.match for compared in both_sides(api.engine, began)] == [reconciling.Match.MATCHED] * 4
    assert [str(one) for one in invariants.check(api.engine, book.plans) if not one.ok] == []


def both_sides(engine: Engine, since: datetime) -> list[reconciling.Compared]:
    with database.read(engine) as connection:
        here = reconciling.told_here(connection, "stripe", since)
    return reconciling.compare(here, gateway().events(since))


def test_events_that_are_doubled_shuffled_refused_and_lost_leave_nothing_lost_or_doubled(
    api: Api, stand_in: StandIn, book: PriceBook
) -> None:
    began = datetime.fromtimestamp(stand_in.now, UTC)
    calls = 0

    def webhook(body: bytes, headers: dict[str, str]) -> int:
        nonlocal calls
        calls += 1
        if calls % 4 == 0:  # the server is being started anew
            return 503
        return int(api.client.post(PATH, content=body, headers=headers).status_code)

    for number in range(30):
        _, session_id = stripe_stand_in.bought(api.engine, gateway(), f"u{number}", key=f"buy-{number}")
        payment = stand_in.pay(session_id)
        stand_in.now += 1
        if number % 3 == 0:
            stand_in.refund(payment, 40)
    courier = Courier(webhook, seed=7)
    courier.bring(stand_in.events, copies=2, shuffled=True, lost_in_5=1)
    assert set(courier.statuses) == {200, 503}
    missing = [one for one in both_sides(api.engine, began) if one.match is not reconciling.Match.MATCHED]
    assert {one.match for one in missing} == {reconciling.Match.MISSING_HERE}
    lost = {one.there.event_id for one in missing if one.there is not None}
    courier.bring([event for event in stand_in.events if event["id"] in lost])
    assert {one.match for one in both_sides(api.engine, began)} == {reconciling.Match.MATCHED}
    for number in range(30):
        assert parts(api.engine, f"u{number}") == (600 if number % 3 == 0 else 1_000, 0, 0)
    assert [str(one) for one in invariants.check(api.engine, book.plans) if not one.ok] == []
