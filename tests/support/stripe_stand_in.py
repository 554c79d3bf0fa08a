"""Stripe for tests: a server which speaks the part of its API that we call, and tells what happens by signed events.

`StandIn` keeps the books: people pay, decline and dispute by its methods, and our client makes checkouts and refunds
over HTTP. `Courier` posts the events to a webhook as Stripe says it does: late, in any order, more than once, and again
when the answer was not 2xx; and some it loses. The forms follow docs.stripe.com/api as of 2026-10-28.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe
from sqlalchemy import Engine

from credits_core.payments import buying
from credits_core.payments.purchased import Bought
from credits_core.payments.stripe_gateway import StripeGateway
from credits_core.settings import StripeSettings
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.paying import PACK

KEY = "sk_test_stand_in_4711"
SECRET = "whsec_stand_in_4711"
PUBLIC_URL = "https://credits.example.org"
_FEE_MINOR, _LONGEST_WAIT_SECONDS = 59, 60
Thing = dict[str, Any]


class Refused(Exception):
    """An answer of the API that is no success."""

    def __init__(self, status: int, kind: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param


class StandIn:
    """The books of one Stripe account. `now` are its seconds since 1970; a test moves them on."""

    def __init__(self) -> None:
        self.url = ""
        self.now = int(time.time())
        self.things: dict[str, Thing] = {}
        self.events: list[Thing] = []
        self.asked: list[tuple[str, str, Thing, str]] = []
        self.fails: list[int] = []
        self.is_silent = False
        self.answers_after: Event | None = None
        self.waiting = 0
        self._kept: dict[str, tuple[Thing, Thing]] = {}
        self._number = 0
        self.lock = RLock()

    def made(self, kind: str) -> list[Thing]:
        """All objects of a kind, such as `checkout.session`, in the order in which they were made."""
        return [thing for thing in self.things.values() if thing["object"] == kind]

    # --- what people and banks do -------------------------------------------------------------------------------------

    def pay(self, session_id: str) -> str:
        """A card pays; returns the payment."""
        payment = self._begin(session_id)
        self._charge(payment)
        self._end_session(session_id, "paid")
        return str(payment["id"])

    def transfer(self, session_id: str) -> str:
        """A bank transfer begins, which takes days; `arrive` or `bounce` end it."""
        payment = self._begin(session_id)
        payment["status"] = "processing"
        self._end_session(session_id, "unpaid")
        return str(payment["id"])

    def arrive(self, session_id: str) -> None:
        self._charge(self.things[self.things[session_id]["payment_intent"]])
        self.things[session_id]["payment_status"] = "paid"
        self.tell("checkout.session.async_payment_succeeded", session_id)

    def bounce(self, session_id: str) -> None:
        self.decline(session_id)
        self.tell("checkout.session.async_payment_failed", session_id)

    def decline(self, session_id: str) -> str:
        """A card is declined; the checkout stays open."""
        payment = self._begin(session_id)
        payment |= {"status": "requires_payment_method", "last_payment_error": {"message": "Your card was declined."}}
        self.tell("payment_intent.payment_failed", payment["id"])
        return str(payment["id"])

    def expire(self, session_id: str) -> None:
        self.things[session_id] |= {"status": "expired", "url": None}
        self.tell("checkout.session.expired", session_id)

    def refund(self, payment_id: str, amount_minor: int, *, status: str = "succeeded") -> Thing:
        """Money goes back, as our client asks or by a click in Stripe's dashboard."""
        payment = self.things.get(payment_id)
        if payment is None:
            raise Refused(404, "invalid_request_error", f"No such payment_intent: '{payment_id}'")
        gone = sum(one["amount"] for one in self.made("refund") if one["payment_intent"] == payment_id)
        if amount_minor > payment["amount_received"] - gone:
            raise Refused(400, "invalid_request_error", "Refund amount is greater than unrefunded amount on charge")
        refund = self._make("refund", "re", amount=amount_minor, payment_intent=payment_id, status=status)
        refund["charge"] = payment["latest_charge"]
        self.tell("refund.created", refund["id"])
        self.tell("charge.refunded", str(payment["latest_charge"]))
        return refund

    def change_refund(self, refund_id: str, status: str) -> None:
        self.things[refund_id]["status"] = status
        self.tell("refund.failed" if status == "failed" else "refund.updated", refund_id)

    def dispute(self, payment_id: str, amount_minor: int, *, fee_minor: int = 0) -> str:
        charge_id = self.things[payment_id]["latest_charge"]
        dispute = self._make("dispute", "du", amount=amount_minor, payment_intent=payment_id, status="needs_response")
        dispute |= {"charge": charge_id, "balance_transactions": []}
        self.tell("charge.dispute.created", dispute["id"])
        if fee_minor:
            dispute["balance_transactions"] = [{"amount": -amount_minor, "fee": fee_minor, "currency": "usd"}]
            self.tell("charge.dispute.funds_withdrawn", dispute["id"])
        return str(dispute["id"])

    def close_dispute(self, dispute_id: str, status: str, *, taken_minor: int = 0) -> None:
        dispute = self.things[dispute_id]
        dispute["status"] = status
        if taken_minor:
            dispute["balance_transactions"] = [{"amount": -taken_minor, "fee": 1_500, "currency": "usd"}]
        self.tell("charge.dispute.closed", dispute_id)

    def tell(self, kind: str, thing_id: str) -> Thing:
        """Note an event about an object as it is now."""
        with self.lock:
            event = {
                "id": f"evt_{len(self.events) + 1}",
                "object": "event",
                "api_version": "2026-10-28.endive",
                "created": self.now,
                "data": {"object": json.loads(json.dumps(self.things[thing_id]))},
                "livemode": False,
                "type": kind,
            }
            self.events.append(event)
            return event

    # --- the API ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, given: Thing, key: str, idempotency_key: str) -> Thing:
        """What the API answers.

        Raises:
            Refused: with a status that is no success.
        """
        with self.lock:
            self.asked.append((method, path, given, idempotency_key))
            if self.fails:
                raise Refused(self.fails.pop(0), "api_error", "Something is wrong on our end")
            if key != KEY:
                raise Refused(401, "invalid_request_error", f"Invalid API Key provided: {key[:8]}****{key[-4:]}")
            if method == "GET":
                return self._read(path, given)
            if idempotency_key in self._kept:
                asked, answered = self._kept[idempotency_key]
                if asked != given:
                    raise Refused(
                        400,
                        "idempotency_error",
                        "This idempotency key came with other parameters",
                    )
                return answered
            done = self._do(path, given)
            self._kept[idempotency_key] = given, json.loads(json.dumps(done))
            return done

    def _do(self, path: str, given: Thing) -> Thing:
        if path == "/v1/refunds":
            return self.refund(given["payment_intent"], int(given["amount"]))
        if path == "/v1/transfers":
            return self._transfer(given)
        if path != "/v1/checkout/sessions":
            raise Refused(404, "invalid_request_error", f"Unrecognized request URL (POST: {path})")
        price = given["line_items"]["0"]["price_data"]
        total = int(price["unit_amount"]) * int(given["line_items"]["0"]["quantity"])
        session = self._make("checkout.session", "cs", mode=given["mode"], status="open", payment_status="unpaid")
        session |= {"amount_total": total, "currency": price["currency"], "payment_intent": None}
        session["of_payment"] = given["payment_intent_data"]["metadata"]
        session |= {name: given[name] for name in ("metadata", "client_reference_id", "success_url", "cancel_url")}
        return session | {"url": f"https://checkout.example.org/{session['id']}"}

    def _transfer(self, given: Thing) -> Thing:
        if not given["destination"].startswith("acct_"):
            message = f"No such destination: '{given['destination']}'"
            raise Refused(400, "invalid_request_error", message, param="destination")
        return self._make("transfer", "tr", **{**given, "amount": int(given["amount"])})

    def _read(self, path: str, given: Thing) -> Thing:
        if path == "/v1/events":
            types = set(given["types"].values())
            found = [event for event in self.events if event["type"] in types]
        elif path == "/v1/payment_intents":
            found = [self._expanded(thing, given) for thing in self.made("payment_intent")]
        elif path == "/v1/transfers":
            found = [one for one in self.made("transfer") if one["transfer_group"] == given["transfer_group"]]
        else:
            thing = self.things.get(path.rpartition("/")[2])
            if thing is None:
                raise Refused(404, "invalid_request_error", f"No such object: '{path}'")
            return self._expanded(thing, given)
        since = int(given.get("created", {"gte": 0})["gte"])
        newest_first = [one for one in reversed(found) if one["created"] >= since]
        if "starting_after" in given:
            ids = [one["id"] for one in newest_first]
            newest_first = newest_first[ids.index(given["starting_after"]) + 1 :]
        limit = int(given.get("limit", 10))
        return {
            "object": "list",
            "data": newest_first[:limit],
            "has_more": len(newest_first) > limit,
            "url": path,
        }

    def _expanded(self, thing: Thing, given: Thing) -> Thing:
        if "expand" not in given or thing.get("latest_charge") is None:
            return thing
        charge = self.things[thing["latest_charge"]]
        balance = charge["balance_transaction"] and self.things[charge["balance_transaction"]]
        return thing | {"latest_charge": charge | {"balance_transaction": balance}}

    # --- objects ------------------------------------------------------------------------------------------------------

    def _make(self, kind: str, prefix: str, **fields: Any) -> Thing:
        with self.lock:
            self._number += 1
            made = {"id": f"{prefix}_{self._number}", "object": kind, "created": self.now, "currency": "usd", **fields}
            self.things[made["id"]] = made
            return made

    def _begin(self, session_id: str) -> Thing:
        session = self.things[session_id]
        if session["payment_intent"] is None:
            made = self._make("payment_intent", "pi", amount=session["amount_total"], amount_received=0)
            made |= {"currency": session["currency"], "latest_charge": None}
            made["metadata"] = session["of_payment"]
            session["payment_intent"] = made["id"]
        return self.things[session["payment_intent"]]

    def _charge(self, payment: Thing) -> None:
        of = {"amount": payment["amount"], "currency": payment["currency"]}
        balance = self._make("balance_transaction", "txn", **of, fee=_FEE_MINOR)
        charge = self._make("charge", "ch", **of, payment_intent=payment["id"], balance_transaction=balance["id"])
        payment |= {"status": "succeeded", "amount_received": payment["amount"], "latest_charge": charge["id"]}
        self.tell("charge.succeeded", charge["id"])
        self.tell("payment_intent.succeeded", payment["id"])

    def _end_session(self, session_id: str, payment_status: str) -> None:
        self.things[session_id] |= {"status": "complete", "payment_status": payment_status, "url": None}
        self.tell("checkout.session.completed", session_id)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer, or each would wait for an acknowledgement
    stand_in: StandIn

    def do_GET(self) -> None:
        self._answer("GET", urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _answer(self, method: str, sent: str) -> None:
        if self.stand_in.is_silent:
            self.close_connection = True
            return
        if self.stand_in.answers_after is not None:
            self.stand_in.waiting += 1
            self.stand_in.answers_after.wait(_LONGEST_WAIT_SECONDS)
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        idempotency_key = self.headers.get("Idempotency-Key", "")
        try:
            status = 200
            content = self.stand_in.answer(method, urlsplit(self.path).path, nested(sent), key, idempotency_key)
        except Refused as refusal:
            error = {"type": refusal.kind, "message": str(refusal), "param": refusal.param}
            status, content = refusal.status, {"error": error}
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


def nested(sent: str) -> Thing:
    """The fields of a form in Stripe's brackets: `a[b]=1` is `{"a": {"b": "1"}}`."""
    found: Thing = {}
    for name, text in parse_qsl(sent, keep_blank_values=True):
        *outer, last = re.findall(r"[^\[\]]+", name)
        place = found
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = text
    return found


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in with its API at `url`, on a free port."""
    stand_in = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": stand_in}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def gateway_of(stand_in: StandIn, *, key: str = KEY, public_url: str = PUBLIC_URL) -> StripeGateway:
    """A gateway that asks this Stripe, in its time."""
    return StripeGateway(
        StripeSettings(key, SECRET, stand_in.url, public_url), lambda: datetime.fromtimestamp(stand_in.now, UTC)
    )


def bought(engine: Engine, gateway: StripeGateway, user_id: str = "ada", *, key: str = "buy") -> tuple[Bought, str]:
    """A purchase of 1,000 credits for 100 cents with its checkout, and Stripe's name of that."""
    plan = world.price_book().plan
    made = database.write(
        engine,
        lambda one: buying.buy(one, user_id, PACK, gateway="stripe", plan=plan, key=key, now=world.NOW, actor=TESTER),
    )
    opened = buying.open_checkout(engine, gateway, made, words="Small pack", now=world.NOW)
    return opened, opened.told[0].about


def settings_of(stand_in: StandIn, *, key: str = KEY) -> dict[str, str]:
    """The environment of a product that uses this Stripe."""
    return {
        "CREDITS_GATEWAY": "stripe",
        "CREDITS_STRIPE_SECRET_KEY": key,
        "CREDITS_STRIPE_WEBHOOK_SECRET": SECRET,
        "CREDITS_STRIPE_URL": stand_in.url,
        "CREDITS_PUBLIC_URL": PUBLIC_URL,
    }


def signed(event: Thing, *, secret: str = SECRET, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the message by which Stripe tells an event."""
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return body.encode(), {"Content-Type": "application/json", "Stripe-Signature": signature}


class Courier:
    """Brings events to a webhook: `post` sends a body with its headers and returns the status of the answer."""

    def __init__(self, post: Callable[[bytes, dict[str, str]], int], seed: int = 1) -> None:
        self._post, self._random = post, random.Random(seed)
        self.statuses: list[int] = []

    def bring(self, events: Sequence[Thing], *, copies: int = 1, shuffled: bool = False, lost_in_5: int = 0) -> None:
        """Bring these events so many times each, of which `lost_in_5` of 5 never arrive, however often they are sent.

        What is not answered by 2xx is signed anew and sent twice more after all others, as Stripe does for days.
        """
        kept = [event for event in events if self._random.randrange(5) >= lost_in_5]
        sending = kept * copies
        if shuffled:
            self._random.shuffle(sending)
        for _ in range(3):
            sending = [event for event in sending if not self._arrives(event)]

    def _arrives(self, event: Thing) -> bool:
        self.statuses.append(self._post(*signed(event)))
        return 200 <= self.statuses[-1] < 300
