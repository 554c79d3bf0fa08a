"""Corners of purchases that somebody could live in: what is held, paid twice, corrected, refused or told to two."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event

from credits_core import settings
from credits_core.audit import invariants
from credits_core.errors import DataFileInvalid
from credits_core.ledger.refusals import BalanceTooLarge, IdempotencyKeyReused
from credits_core.ledger.requests import HoldRequest
from credits_core.operations import payment_jobs
from credits_core.payments import buying, configured, purchased, receiving, reconciling, sandbox
from credits_core.payments.packs import Pack
from credits_core.payments.refusals import GatewayFailed, NothingToRefund, RefundedInPart
from credits_core.payments.sandbox import Ending, Sandbox
from credits_core.pricing.quote import PriceBook
from credits_core.settings import PACKS_FILE
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.progress import finish
from credits_core.values.roles import PersonRole, person
from tests.support import holding, job_world, paying, world
from tests.support.actors import TESTER
from tests.support.paying import buy, event, parts, tell
from tests.support.plain_sql import rows, scalar
from tests.support.world import NOW

PAID = event(Happened.PAID)
HALF_BONUS = Pack(id="b", name="B", price_minor=100, currency="usd", credits=1_000, bonus_credits=500)
LARGE = Pack(id="l", name="L", price_minor=100, currency="usd", credits=20_000_000, bonus_credits=1_000_000)


def clean(engine: Engine, book: PriceBook) -> bool:
    return [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def test_a_bonus_that_was_held_when_the_money_went_back_is_taken_once_it_comes_back(
    engine: Engine, book: PriceBook
) -> None:
    buy(engine, pack=HALF_BONUS)
    tell(engine, PAID)
    request = HoldRequest("ada", "p", "claude-3-haiku", asked_credits=500, lasts=timedelta(minutes=5))
    hold = holding.authorise(engine, request, key="hold").hold  # the bonus is drawn first
    tell(engine, event(Happened.REFUNDED, 100, about="r", at=1))
    assert parts(engine) == (0, 0, 0)
    holding.release(engine, hold.id, key="release")
    assert parts(engine) == (500, 0, 0)
    around = job_world.around(engine, now=NOW + timedelta(days=1))
    assert finish(payment_jobs.settle(around)) == "0 events told, 1 user settled."
    assert parts(engine) == (0, 0, 0)
    assert clean(engine, book)


def test_what_is_disputed_of_a_second_payment_is_not_given_back_as_well(engine: Engine) -> None:
    buy(engine)
    for ending in (Ending.PAID_TWICE, Ending.DISPUTED):
        database.write(engine, lambda one, ending=ending: sandbox.play(one, 1, ending, now=NOW, actor=TESTER))
        sandbox.tell(engine, now=NOW)
    stands = paying.stored(engine).standing
    assert (stands.paid_minor, stands.open_minor, stands.disputed_minor, stands.refundable_minor) == (200, 100, 0, 100)
    with pytest.raises(NothingToRefund):
        buying.give_back(engine, Sandbox(engine, lambda: NOW), 1, 101, key="k", now=NOW, actor=TESTER)


def test_a_lost_second_payment_leaves_the_purchase_paid(engine: Engine) -> None:
    buy(engine)
    told = tell(
        engine,
        PAID,
        event(Happened.PAID, about="second", at=1),
        event(Happened.DISPUTED, about="d", at=2),
        event(Happened.LOST, about="d", at=3),
    )
    assert (told.purchase.standing.state, parts(engine)) == ("paid", (1_000, 0, 0))


def test_an_end_that_the_gateway_does_not_know_is_corrected(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    disputed = event(Happened.DISPUTED, about="d", at=1)
    tell(engine, PAID, disputed, event(Happened.WON, about="d", at=2))
    assert parts(engine) == (1_000, 0, 0)
    with database.read(engine) as connection:
        here = reconciling.told_here(connection, paying.GATEWAY, NOW)
    (wrong,) = [one for one in reconciling.compare(here, [PAID, disputed]) if one.mending is not None]
    assert wrong.mending is not None
    tell(engine, wrong.mending)
    assert parts(engine) == (0, 1_000, 0)
    assert clean(engine, book)


def test_a_correction_of_a_payment_is_what_is_given_back(engine: Engine) -> None:
    buy(engine)
    corrected = replace(event(Happened.PAID, 60, about="first"), event_id="~first")
    bought = tell(
        engine, event(Happened.PAID, about="first"), corrected, event(Happened.PAID, about="q", at=1)
    ).purchase
    assert bought.payments == {"q": 100, "first": 60}


def test_an_event_whose_credits_have_no_room_is_kept_and_settled_later(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    full = world.add(engine, "ada", MAX_CREDITS - 999, key="full")
    with pytest.raises(BalanceTooLarge):
        receiving.take_in(engine, PAID, now=NOW, actor=TESTER)
    assert [one.kind for one in paying.stored(engine).told] == [Happened.PAID]
    world.refund(engine, full.entry_id, key="room")
    around = job_world.around(engine, now=NOW + timedelta(minutes=1))
    assert finish(payment_jobs.settle(around)) == "0 events told, 1 user settled."
    assert parts(engine) == (1_000, 0, 0)
    assert receiving.take_in(engine, PAID, now=NOW, actor=TESTER).is_new is False
    assert clean(engine, book)


def test_a_refund_that_was_only_kept_is_carried_out_by_the_job(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    tell(engine, PAID)
    back = event(Happened.REFUNDED, 40, about="r", at=1)
    assert database.write(engine, lambda one: receiving.keep(one, back, now=NOW, actor=TESTER))
    assert parts(engine) == (1_000, 0, 0)
    around = job_world.around(engine, now=NOW + timedelta(minutes=1))
    assert finish(payment_jobs.settle(around)) == "0 events told, 1 user settled."
    assert (parts(engine), finish(payment_jobs.settle(around))) == ((600, 0, 0), "0 events told, 0 users settled.")
    assert clean(engine, book)


def test_whoever_tells_a_lost_payment_is_kept_with_it_and_needs_no_second_person(engine: Engine) -> None:
    buy(engine, pack=LARGE)
    finance = person("fin@example.org", frozenset({PersonRole.FINANCE}))
    receiving.take_in(engine, PAID, now=NOW, actor=finance)
    assert parts(engine) == (21_000_000, 0, 0)
    assert rows(engine, "SELECT actor FROM purchase_events") == [("dashboard/fin@example.org",)]
    assert rows(engine, "SELECT DISTINCT actor FROM journal_entries") == [("gateway",)]


def test_giving_back_what_was_paid_too_much_moves_no_credits_and_needs_no_second_person(engine: Engine) -> None:
    buy(engine, pack=LARGE)
    tell(engine, PAID, event(Happened.PAID, about="second", at=1))
    finance = person("fin@example.org", frozenset({PersonRole.FINANCE}))
    asked: list[tuple[str, int]] = []

    class Gateway(Sandbox):
        def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
            asked.append((payment, amount_minor))

    buying.give_back(engine, Gateway(engine, lambda: NOW), 1, 100, key="k", now=NOW, actor=finance)
    assert asked == [("second", 100)]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_refund_of_two_payments_that_fails_half_way_says_what_is_left_and_a_retry_finishes_it(
    engine: Engine, book: PriceBook, is_told: bool
) -> None:
    buy(engine)
    database.write(engine, lambda one: sandbox.play(one, 1, Ending.PAID_TWICE, now=NOW, actor=TESTER))
    sandbox.tell(engine, now=NOW)
    gateway = paying.HalfWay(engine)
    with pytest.raises(RefundedInPart) as refused:
        buying.give_back(engine, gateway, 1, 160, key="k", now=NOW, actor=TESTER)
    assert str(refused.value) == (
        "$1.00 of purchase 1 was refunded. $0.60 was not: it did not answer. Refund the rest with the same key."
    )
    assert refused.value.left == {"payment_1_1": 60}
    if is_told:
        sandbox.tell(engine, now=NOW)
        assert paying.stored(engine).standing.refunded_minor == 100
    with pytest.raises(RefundedInPart, match=r"The refund of \$0.60 of purchase 1 is not confirmed") as again:
        buying.give_back(engine, gateway, 1, 60, key="k", now=NOW, actor=TESTER, left=refused.value.left)
    assert again.value.left == refused.value.left
    gateway.is_silent = False
    for _ in range(1 if is_told else 2):
        buying.give_back(engine, gateway, 1, 60, key="k", now=NOW, actor=TESTER, left=refused.value.left)
    sandbox.tell(engine, now=NOW)
    assert (paying.stored(engine).standing.refunded_minor, parts(engine)) == (160, (400, 0, 0))
    assert clean(engine, book)


def test_a_refund_whose_answer_was_lost_is_made_once_though_its_event_came_before_the_retry(engine: Engine) -> None:
    buy(engine)
    database.write(engine, lambda one: sandbox.play(one, 1, Ending.PAID_TWICE, now=NOW, actor=TESTER))
    sandbox.tell(engine, now=NOW)

    class AnswerIsLost(Sandbox):
        is_silent = True

        def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
            super().refund(payment, amount_minor, key=key)
            if self.is_silent:
                raise GatewayFailed("sandbox", "it did not answer.")

    gateway = AnswerIsLost(engine, lambda: NOW)
    with pytest.raises(RefundedInPart) as refused:
        buying.give_back(engine, gateway, 1, 100, key="k", now=NOW, actor=TESTER)
    sandbox.tell(engine, now=NOW)
    gateway.is_silent = False
    buying.give_back(engine, gateway, 1, 100, key="k", now=NOW, actor=TESTER, left=refused.value.left)
    sandbox.tell(engine, now=NOW)
    assert paying.stored(engine).standing.refunded_minor == 100


def test_one_key_of_two_users_is_of_one_purchase(engine: Engine) -> None:
    buy(engine, "ada", key="same")
    with pytest.raises(IdempotencyKeyReused):
        buy(engine, "ben", key="same")
    assert scalar(engine, "SELECT COUNT(*) FROM purchases") == 1


def test_a_list_of_purchases_asks_the_database_as_often_as_a_single_one(engine: Engine) -> None:
    asked = {}
    for count in (1, 5):
        for number in range(count):
            buy(engine, f"u{count}-{number}", key=f"{count}-{number}")
        statements: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_: object, said: list[str] = statements) -> None:
            said.append(statement)

        sqlalchemy_event.listen(engine, "before_cursor_execute", note)
        with database.read(engine) as connection:
            assert len(purchased.purchases_of(connection, limit=count)) == count
        sqlalchemy_event.remove(engine, "before_cursor_execute", note)
        asked[count] = len([one for one in statements if "purchase" in one])
    assert asked[5] == asked[1] == 3


def test_the_packs_are_read_again_when_their_file_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "packs.toml"
    text = PACKS_FILE.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(settings, "PACKS_FILE", file)
    assert configured.packs() is configured.packs()
    file.write_text(text.replace('name = "Starter"', 'name = "Beginning"'), encoding="utf-8")
    assert configured.packs()["starter"].name == "Beginning"
    file.unlink()
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        configured.packs()
