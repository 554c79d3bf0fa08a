"""The embedded gateway plays every ending, and tells what happened once, in its time."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.errors import CreditsError
from credits_core.payments import buying, sandbox
from credits_core.payments.gateway import Order
from credits_core.payments.packs import load_packs
from credits_core.payments.refusals import GatewayFailed, NothingToRefund
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.settings import PACKS_FILE
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.refusals import NeedsApproval
from credits_core.values.roles import PersonRole, person
from tests.support import paying, world
from tests.support.actors import TESTER
from tests.support.paying import buy, parts
from tests.support.plain_sql import rows
from tests.support.world import NOW


def play(engine: Engine, *endings: Ending, purchase_id: int = 1) -> None:
    for ending in endings:
        database.write(engine, lambda one, ending=ending: sandbox.play(one, purchase_id, ending, now=NOW, actor=TESTER))
        sandbox.tell(engine, now=NOW)


@pytest.mark.parametrize(
    ("endings", "state", "spendable", "frozen"),
    [
        ([Ending.PAID], "paid", 1_000, 0),
        ([Ending.DECLINED], "declined", 0, 0),
        ([Ending.DECLINED, Ending.PAID], "paid", 1_000, 0),
        ([Ending.BANK_TRANSFER], "pending", 0, 0),
        ([Ending.PAID_TWICE], "paid", 1_000, 0),
        ([Ending.EVENT_LOST], "new", 0, 0),
        ([Ending.PAID, Ending.DISPUTED], "disputed", 0, 1_000),
        ([Ending.PAID, Ending.DISPUTED, Ending.WON], "paid", 1_000, 0),
        ([Ending.PAID, Ending.DISPUTED, Ending.LOST], "lost", 0, 0),
    ],
)
def test_every_ending_is_played(engine: Engine, endings: list[Ending], state: str, spendable: int, frozen: int) -> None:
    buy(engine)
    play(engine, *endings)
    assert (paying.stored(engine).standing.state, parts(engine)) == (state, (spendable, frozen, 0))


def test_a_bank_transfer_arrives_after_three_days(engine: Engine) -> None:
    buy(engine)
    play(engine, Ending.BANK_TRANSFER)
    assert sandbox.tell(engine, now=NOW + timedelta(days=3, seconds=-1)) == 0
    assert sandbox.tell(engine, now=NOW + timedelta(days=3)) == 1
    assert sandbox.tell(engine, now=NOW + timedelta(days=4)) == 0
    assert parts(engine) == (1_000, 0, 0)


@pytest.mark.parametrize(
    "endings",
    [[Ending.PAID, Ending.PAID], [Ending.DISPUTED], [Ending.PAID, Ending.WON], [Ending.PAID] + [Ending.DISPUTED] * 2],
)
def test_what_cannot_happen_is_refused(engine: Engine, endings: list[Ending]) -> None:
    buy(engine)
    play(engine, *endings[:-1])
    with pytest.raises(GatewayFailed):
        play(engine, endings[-1])


def test_money_is_given_back_once_for_a_key_and_never_more_than_there_is(engine: Engine) -> None:
    buy(engine)
    gateway = Sandbox(engine, lambda: NOW)
    with pytest.raises(NothingToRefund) as refused:
        buying.give_back(engine, gateway, 1, 1, key="k", now=NOW, actor=TESTER)
    assert str(refused.value) == (
        "No money of purchase 1 can go back: it is not paid, or it went back or is disputed. Nothing was refunded."
    )
    play(engine, Ending.PAID)
    for _ in range(2):
        buying.give_back(engine, gateway, 1, 30, key="k", now=NOW, actor=TESTER)
        sandbox.tell(engine, now=NOW)
    assert parts(engine) == (700, 0, 0)
    asked = "SELECT DISTINCT subject, actor, detail FROM activity WHERE kind = 'refund_asked'"
    assert rows(engine, asked) == [("1", "tester", '{"amount": "$0.30", "gateway": "sandbox"}')]
    for amount, why in (
        (71, "$0.71 is more than the $0.70 that can go back."),
        (0, "$0.00 cannot be refunded: it must be $0.01 to $0.70."),
        (-1, "-$0.01 cannot be refunded: it must be $0.01 to $0.70."),
    ):
        with pytest.raises(NothingToRefund) as refused:
            buying.give_back(engine, gateway, 1, amount, key="another", now=NOW, actor=TESTER)
        assert str(refused.value) == f"{why} Nothing was refunded."


def test_of_two_payments_the_newest_is_given_back_first(engine: Engine) -> None:
    buy(engine)
    play(engine, Ending.PAID_TWICE)
    buying.give_back(engine, Sandbox(engine, lambda: NOW), 1, 130, key="k", now=NOW, actor=TESTER)
    assert sandbox.tell(engine, now=NOW) == 2
    with database.read(engine) as connection:
        told = [line.event for line in sandbox.books(connection, 1)]
    assert [one.amount_minor for one in told if one.kind is Happened.REFUNDED] == [100, 30]
    assert parts(engine) == (700, 0, 0)


def test_a_checkout_that_expired_is_shown_nobody(engine: Engine) -> None:
    bought = buy(engine)
    opened = buying.open_checkout(engine, Sandbox(engine, lambda: NOW), bought, words="Small", now=NOW)
    assert opened.checkout_url is not None
    expired = paying.tell(engine, paying.event(Happened.EXPIRED, 0, about="checkout", at=1)).purchase
    assert (expired.checkout_url, expired.standing.state) == (None, "expired")
    assert buying.open_checkout(engine, Sandbox(engine, lambda: NOW), expired, words="Small", now=NOW) == expired


def test_more_than_one_person_may_move_alone_needs_a_second_one(engine: Engine) -> None:
    buy(engine)
    finance = person("fin@example.org", frozenset({PersonRole.FINANCE}), alone_up_to_credits=999)
    with pytest.raises(NeedsApproval):
        database.write(engine, lambda one: sandbox.play(one, 1, Ending.PAID, now=NOW, actor=finance))
    play(engine, Ending.PAID)
    gateway = Sandbox(engine, lambda: NOW)
    with pytest.raises(NeedsApproval):
        buying.give_back(engine, gateway, 1, 100, key="k", now=NOW, actor=finance)
    buying.give_back(engine, gateway, 1, 99, key="k", now=NOW, actor=finance)


def test_a_checkout_is_made_once_and_its_address_kept(engine: Engine) -> None:
    bought = buy(engine)
    gateway = Sandbox(engine, lambda: NOW)
    opened = buying.open_checkout(engine, gateway, bought, words="Small", now=NOW)
    assert opened.checkout_url == gateway.create_checkout(Order(1, 100, "usd", "Small")).url == "/checkout?purchase=1"
    assert buying.open_checkout(engine, gateway, opened, words="Small", now=NOW) == opened
    assert len(opened.told) == 1


def test_the_packs_that_are_offered_can_be_read_and_cost_what_the_plan_adds() -> None:
    packs = load_packs(PACKS_FILE)
    assert [(pack.id, pack.price_minor) for pack in packs.packs] == [
        ("starter", 500),
        ("regular", 2_000),
        ("studio", 10_000),
    ]
    plan = world.price_book().plan
    assert packs["regular"].fee_minor(plan) == 0
    with pytest.raises(CreditsError, match="There is no pack 'huge'"):
        packs["huge"]
