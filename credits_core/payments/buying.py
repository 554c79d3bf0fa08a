"""What people do with purchases: buy a pack, open its checkout, and give money back."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from credits_core.errors import InvalidRequest
from credits_core.ledger import purchases
from credits_core.ledger.refusals import IdempotencyKeyReused
from credits_core.ledger.requests import is_key
from credits_core.ledger.trial_users import require_test_users
from credits_core.payments import purchased, receiving
from credits_core.payments.gateway import Gateway, GatewayEvent, Order
from credits_core.payments.packs import Pack
from credits_core.payments.purchased import Bought
from credits_core.payments.refusals import GatewayFailed, NothingToRefund, RefundedInPart
from credits_core.payments.standing import State
from credits_core.pricing.plan import PricePlan
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.store.kinds import Happened
from credits_core.store.tables import Purchase
from credits_core.values.days import to_microseconds
from credits_core.values.fields import require_id
from credits_core.values.money import format_money
from credits_core.values.roles import Actor, May


def buy(
    connection: Connection,
    user_id: str,
    pack: Pack,
    *,
    gateway: str,
    plan: PricePlan,
    key: str,
    now: datetime,
    actor: Actor,
    distinct: bool = False,
) -> Bought:
    """Note that a user wants to buy a pack. Nothing is paid or granted; `open_checkout` has to follow.

    A new user gets an account. The same request with the same key finds the same purchase.

    Raises:
        InvalidRequest: the user's id or the key cannot be accepted.
        AccountLooksAlike: the user has no account, but one whose id differs only in upper and lower case is there.
        IdempotencyKeyReused: the key belongs to another purchase.
    """
    may = May.CHARGE if May.CHARGE in actor.may else May.MOVE_CREDITS
    require_test_users(connection, actor, may, [require_id("user_id", user_id)])
    if not is_key(key):
        raise InvalidRequest("idempotency_key", "must be 1 to 400 visible ASCII characters")
    request_hash = hash_of(user_id, pack.id, gateway)
    purchases.open_account(connection, user_id, now=now, distinct=distinct)
    before = connection.execute(
        select(Purchase.id, Purchase.request_hash).where(Purchase.idempotency_key == key)
    ).one_or_none()
    if before is not None:
        if before.request_hash != request_hash:
            raise IdempotencyKeyReused(key, None)
        return purchased.purchase(connection, before.id)
    row = {
        "user_id": user_id,
        "gateway": gateway,
        "pack_id": pack.id,
        "price_minor": pack.price_minor,
        "fee_minor": pack.fee_minor(plan),
        "currency": pack.currency,
        "credits": pack.credits,
        "bonus_credits": pack.bonus_credits,
        "bonus_days": pack.bonus_days,
        "plan_id": plan.id,
        "idempotency_key": key,
        "request_hash": request_hash,
        "actor": actor.recorded,
        "created_at_us": to_microseconds(now),
    }
    (purchase_id,) = connection.execute(insert(Purchase).values(row).returning(Purchase.id)).one()
    return purchased.purchase(connection, purchase_id)


def open_checkout(engine: Engine, gateway: Gateway, bought: Bought, *, words: str, now: datetime) -> Bought:
    """Ask the gateway for the page where a purchase is paid, unless there is one. No unit of work waits for it.

    Raises:
        GatewayFailed: the gateway did not answer, or refused. Ask again; it makes one checkout for a purchase.
    """
    if bought.checkout_url is not None or bought.standing.state is State.EXPIRED:
        return bought
    made = gateway.create_checkout(Order(bought.id, bought.due_minor, bought.currency, words))
    event = GatewayEvent(
        gateway.name,
        f"opened:{made.reference}",
        bought.id,
        Happened.OPENED,
        made.reference,
        0,
        bought.currency,
        now,
        note=made.url,
    )
    return receiving.take_in(engine, event, now=now, actor=receiving.GATEWAY).purchase


def give_back(
    engine: Engine,
    gateway: Gateway,
    purchase_id: int,
    amount_minor: int,
    *,
    key: str,
    now: datetime,
    actor: Actor,
    left: Mapping[str, int] | None = None,
) -> Bought:
    """Ask the gateway to give some of the money back. The credits follow when it tells that it did.

    Who asked is on record before the gateway is asked. Money of several payments is given back by one request for each,
    the newest payment first. Where one fails after another, the same key with `left`, what the refusal says is left of
    each payment, gives back the rest, whether or not the gateway has told of the first part by then.

    A person who would move more credits than one may alone is refused.

    Raises:
        UnknownPurchase: there is none.
        NothingToRefund: it is not paid, or less than this can go back.
        NeedsApproval: the credits are more than one person may move alone.
        GatewayFailed: the gateway did not answer, or refused. The same request again gives back once.
        RefundedInPart: the same, of several payments; some of it may have been given back.
    """
    with database.read(engine) as connection:
        found = purchased.purchase(connection, purchase_id)
        require_test_users(connection, actor, May.MOVE_CREDITS, [found.user_id])
    refundable_minor = found.standing.refundable_minor
    assert left is None or sum(left.values()) == amount_minor, "the rest is what is left of each payment"
    if type(amount_minor) is not int or not 1 <= amount_minor <= refundable_minor:
        raise NothingToRefund(purchase_id, amount_minor, refundable_minor, found.currency)
    after = found.standing.refunded_by(amount_minor)
    moved_credits = sum(
        after.parts_of(credits)[0] - found.standing.parts_of(credits)[0]
        for credits in (found.credits, found.bonus_credits)
    )
    actor.require_second(moved_credits, instead="Refund less")
    asked = {"gateway": gateway.name, "amount": format_money(amount_minor, found.currency)}
    database.write(
        engine,
        lambda one: activity.note(
            one, Change.REFUND_ASKED, str(purchase_id), actor=actor.recorded, now=now, detail=asked
        ),
    )
    gone_minor = found.standing.refunded_minor + found.standing.lost_minor + found.standing.open_minor
    waiting = dict(left or parts_of(found.payments, gone_minor, amount_minor))
    done_minor = 0
    for payment, part_minor in [*waiting.items()]:
        try:
            gateway.refund(payment, part_minor, key=f"{purchase_id}:{payment}:{part_minor}:{key}")
        except GatewayFailed as refusal:
            # With several payments, a retry has to ask for the same parts: the first may have gone back all the same.
            if not done_minor and (len(found.payments) == 1 or not refusal.may_again):
                raise
            raise RefundedInPart(purchase_id, found.currency, done_minor, waiting, refusal.why) from None
        done_minor += waiting.pop(payment)
    return found


def parts_of(payments: Mapping[str, int], gone_minor: int, amount_minor: int) -> dict[str, int]:
    """How much of each payment is given back, the newest first, when so much of them is gone already.

    >>> parts_of({"second": 500, "first": 500}, 200, 700)
    {'second': 300, 'first': 400}
    """
    parts = {}
    for payment, paid_minor in payments.items():
        before_minor = min(gone_minor, paid_minor)
        part_minor = min(amount_minor, paid_minor - before_minor)
        gone_minor, amount_minor = gone_minor - before_minor, amount_minor - part_minor
        if part_minor:
            parts[payment] = part_minor
    return parts


def hash_of(user_id: str, pack_id: str, gateway: str) -> str:
    """The hash of a request to buy."""
    return hashlib.sha256(ascii(("purchase", user_id, pack_id, gateway)).encode("ascii")).hexdigest()
