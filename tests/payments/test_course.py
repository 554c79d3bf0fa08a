"""How a purchase came to where it is: what is said of each moment, and that the last one is what the ledger has."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.ledger import lot_rows
from credits_core.payments import course, purchased, receiving
from credits_core.payments.course import Borne
from credits_core.payments.gateway import GatewayEvent
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import Happened
from tests.support import paying, world
from tests.support.actors import TESTER
from tests.support.paying import NOW, buy, event

PAID = replace(event(Happened.PAID), fee_minor=33)
DISPUTED = event(Happened.DISPUTED, about="dispute", at=2)
LOST = event(Happened.LOST, about="dispute", at=3)


def tell_at(engine: Engine, second: int, *events: GatewayEvent) -> None:
    now = NOW + timedelta(seconds=second)
    for one in events:
        receiving.take_in(engine, one, now=now, actor=TESTER)


def moments(engine: Engine, purchase_id: int = 1) -> list[course.Moment]:
    with database.read(engine) as connection:
        return course.course(connection, purchase_id)


def left(engine: Engine, lot: int) -> int:
    with database.read(engine) as connection:
        return sum(one.left_credits for one in lot_rows.lots_of(connection, "ada") if one.number == lot)


def test_after_each_event_every_credit_has_one_place(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell_at(engine, 1, PAID)
    for key in ("a", "b"):  # 300 credits each
        world.charge(engine, world.run_by("ada"), key=key, now=NOW + timedelta(seconds=2))
    tell_at(engine, 3, replace(DISPUTED, fee_minor=15))
    tell_at(engine, 4, LOST)
    found = moments(engine)
    assert [one.borne for one in found] == [
        Borne(can_spend_credits=1_000),
        Borne(spent_credits=600, frozen_credits=400),
        Borne(lost_credits=400, owed_credits=600),
    ]
    money = [(one.standing.paid_minor, one.standing.disputed_minor, one.out_minor, one.fees_minor) for one in found]
    assert money == [(100, 0, 0, 33), (100, 100, 0, 48), (100, 0, 100, 48)]
    assert found[-1].kept_minor == -48


def test_what_is_told_twice_costs_the_fee_once(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell_at(engine, 1, PAID, paying.twice(PAID))
    assert [(one.fees_minor, one.kept_minor) for one in moments(engine)] == [(33, 67), (33, 67)]


def test_events_that_were_told_at_one_moment_are_still_steps_of_their_own(engine: Engine, book: PriceBook) -> None:
    buy(engine, pack=paying.WITH_BONUS)
    tell_at(engine, 1, event(Happened.PENDING, about="bank"), PAID, event(Happened.REFUNDED, 50, about="r", at=1))
    found = [one.borne for one in moments(engine)]
    assert found == [
        Borne(),
        Borne(can_spend_credits=1_100),
        Borne(can_spend_credits=550, refunded_credits=550),
    ]


def test_what_was_refunded_and_what_a_bank_took_are_kept_apart(engine: Engine, book: PriceBook) -> None:
    buy(engine, pack=paying.WITH_BONUS)
    tell_at(engine, 1, PAID, event(Happened.REFUNDED, 33, about="r", at=1))
    tell_at(engine, 2, event(Happened.DISPUTED, 50, about="d", at=2), event(Happened.LOST, 50, about="d", at=3))
    assert moments(engine)[-1].borne == Borne(can_spend_credits=187, refunded_credits=363, lost_credits=550)
    with database.read(engine) as connection:
        bought = purchased.purchase(connection, 1)
    assert (bought.became.taken_credits, bought.refunded_credits) == (913, 363)  # 830 + 83, of which 330 + 33


def test_what_another_purchase_paid_of_a_debt_is_said_on_that_one(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell_at(engine, 1, PAID)
    for key in ("a", "b"):
        world.charge(engine, world.run_by("ada"), key=key, now=NOW + timedelta(seconds=2))
    tell_at(engine, 3, DISPUTED, LOST)
    second = buy(engine, key="more").id
    tell_at(engine, 4, event(Happened.PAID, purchase_id=second))
    assert [one.borne for one in moments(engine, second)] == [Borne(can_spend_credits=400, repaid_credits=600)]


def test_the_last_moment_is_what_the_ledger_has(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell_at(engine, 1, PAID)
    world.charge(engine, world.run_by("ada"), key="a", now=NOW + timedelta(seconds=2))
    tell_at(engine, 3, event(Happened.REFUNDED, 20, about="r", at=1), event(Happened.DISPUTED, 70, about="d", at=2))
    last = moments(engine)[-1].borne
    with database.read(engine) as connection:
        bought = purchased.purchase(connection, 1)
    taken, frozen, owed = bought.became
    assert (taken, frozen, owed) == (200, 500, 0)
    assert (last.refunded_credits, last.frozen_credits, last.owed_credits) == (200, 500, 0)
    assert last.can_spend_credits == left(engine, bought.lots[0].lot) == 0
    assert last.spent_credits == 300


def test_of_a_user_with_many_movements_only_the_money_is_said(
    engine: Engine, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(engine)
    tell_at(engine, 1, PAID)
    for number in range(3):
        monkeypatch.setattr(course, "MOST_MOVEMENTS", number)
        (last,) = moments(engine)
        assert (last.borne is None, last.standing.paid_minor, last.fees_minor) == (number < 1, 100, 33)
