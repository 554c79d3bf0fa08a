"""Whatever a gateway says, in any order and however often: the ledger ends as a plain calculation says, in both
databases, and the audit finds nothing wrong."""

import itertools
import re
from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.errors import CreditsError
from credits_core.ledger.refusals import BalanceTooLarge
from credits_core.operations import payment_jobs
from credits_core.operations.refusals import JobFailed, LeaseLost
from credits_core.payments import receiving, sandbox
from credits_core.payments.gateway import GatewayEvent
from credits_core.payments.packs import Pack
from credits_core.payments.sandbox import Ending
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.store.kinds import Happened
from credits_core.store.refusals import DeadlinePassed
from credits_core.values.progress import finish
from tests.support import job_world, paying, world
from tests.support.actors import TESTER
from tests.support.paying import buy, event, parts, tell
from tests.support.plain_sql import contradictions, rows, scalar

PAID = event(Happened.PAID)
REFUNDED = event(Happened.REFUNDED, 30, about="refund", at=1)
DISPUTED = event(Happened.DISPUTED, 70, about="dispute", at=2)
LOST = event(Happened.LOST, 70, about="dispute", at=3)
WON = event(Happened.WON, 70, about="dispute", at=3)
PAID_AGAIN = event(Happened.PAID, about="second payment", at=4)


def clean(engine: Engine, book: PriceBook) -> bool:
    found = [str(one) for one in invariants.check(engine, book.plans) if not one.ok]
    assert found == []
    return contradictions(engine) == []


def test_a_paid_purchase_is_granted_once_with_a_receipt(engine: Engine, book: PriceBook) -> None:
    buy(engine, pack=paying.WITH_BONUS)
    first = tell(engine, PAID)
    again = tell(engine, PAID, paying.twice(PAID))
    assert (first.is_new, again.is_new, first.purchase.receipt) == (True, True, 1)
    assert parts(engine) == (1_100, 0, 0)
    assert rows(engine, "SELECT type, amount_credits FROM credit_transactions WHERE account_id = 'ada'") == [
        ("credit_purchase", 1_000),
        ("bonus", 100),
    ]
    assert scalar(engine, "SELECT has_lots FROM user_credits") in (0, False)  # nothing expires, so a run costs no more
    assert clean(engine, book)


@pytest.mark.parametrize(
    ("events", "due"),
    [
        ([PAID, REFUNDED, DISPUTED, LOST, paying.twice(PAID), paying.twice(LOST)], (0, 0, 0)),
        ([PAID, REFUNDED, DISPUTED, WON, PAID_AGAIN, paying.twice(DISPUTED)], (1_000, 0, 0)),
        ([PAID, REFUNDED, DISPUTED, paying.twice(REFUNDED)], (0, 700, 0)),
        ([PAID, event(Happened.REFUND_FAILED, 30, about="refund", at=5), REFUNDED, WON, DISPUTED], (1_000, 0, 0)),
    ],
    ids=["lost", "won and paid again", "disputed", "refund failed"],
)
def test_every_order_of_the_same_events_ends_in_the_same_ledger(
    engine: Engine, book: PriceBook, full: bool, events: list[GatewayEvent], due: tuple[int, int, int]
) -> None:
    orders = list(itertools.permutations(events))
    for number, order in enumerate(orders if full else orders[:: max(1, len(orders) // 24)]):
        user = f"u{number}"
        bought = buy(engine, user, key=f"buy-{number}")
        tell(engine, *_of(order, bought.id))
        assert parts(engine, user) == due, [one.event_id for one in order]
        assert paying.stored(engine, bought.id).receipt == number + 1
    assert clean(engine, book)


def _of(order: Iterable[GatewayEvent], purchase_id: int) -> list[GatewayEvent]:
    return [paying.of(one, purchase_id) for one in order]


# The user spends 600 of the 1,000 as soon as they are there, and buys 1,000 more. By hand: of 100 cents 30 are
# refunded and 70 lost, so all 1,000 are taken, of which 600 are spent; the second purchase pays them.
SPENT = {
    "refunded and lost": ([REFUNDED, DISPUTED, LOST], (0, 0, -600)),
    "disputed": ([REFUNDED, DISPUTED], (0, 100, 0)),
    "won": ([REFUNDED, DISPUTED, WON], (100, 0, 0)),
}


@pytest.mark.parametrize("case", SPENT)
@pytest.mark.parametrize("buys_again", [False, True])
def test_what_is_spent_is_owed_and_the_next_purchase_pays_it_whatever_the_order(
    engine: Engine, book: PriceBook, case: str, buys_again: bool
) -> None:
    events, (spendable, frozen, debt) = SPENT[case]
    second = [event(Happened.PAID, at=9, about="second")] if buys_again else []
    more = 1_000 + debt if buys_again else 0
    for number, order in enumerate(itertools.permutations([*events, *second])):
        user = f"u{number}"
        bought, another = (buy(engine, user, key=f"{name}-{number}") for name in ("buy", "more"))
        tell(engine, *_of([PAID], bought.id))
        for one in ("a", "b"):
            world.charge(engine, world.run_by(user), key=f"{user}-{one}")
        for one in order:
            tell(engine, *_of([one], another.id if one.about == "second" else bought.id))
        assert parts(engine, user) == (spendable + more, frozen, 0 if buys_again else debt)
        if buys_again:
            owed = [lot.now.owed_credits for lot in paying.stored(engine, another.id).lots]
            assert owed == [debt]
    assert clean(engine, book)


def test_a_dispute_freezes_what_is_left_of_its_own_lot_and_nothing_else(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 5_000, key="other")
    buy(engine)
    tell(engine, PAID, event(Happened.DISPUTED, 100, about="dispute", at=1))
    assert parts(engine) == (5_000, 1_000, 0)
    tell(engine, event(Happened.WON, 100, about="dispute", at=2))
    assert parts(engine) == (6_000, 0, 0)
    assert clean(engine, book)


BONUS = Pack(id="b", name="B", price_minor=300, currency="usd", credits=1_000, bonus_credits=100, bonus_days=30)


def test_a_part_of_the_money_takes_the_same_part_of_the_credits_rounded_down(engine: Engine, book: PriceBook) -> None:
    buy(engine, pack=BONUS)
    tell(engine, event(Happened.PAID, 300), event(Happened.REFUNDED, 100, about="r1", at=1))
    assert parts(engine) == (1_100 - 333 - 33, 0, 0)
    tell(engine, event(Happened.REFUNDED, 100, about="r2", at=2))
    assert parts(engine) == (1_100 - 666 - 66, 0, 0)
    tell(engine, event(Happened.REFUNDED, 100, about="r3", at=3))
    assert parts(engine) == (0, 0, 0)
    assert clean(engine, book)


def test_a_bonus_that_is_spent_is_not_owed(engine: Engine, book: PriceBook) -> None:
    buy(engine, pack=Pack(id="b", name="B", price_minor=100, currency="usd", credits=1_000, bonus_credits=400))
    tell(engine, PAID)
    world.charge(engine, world.run_by("ada"), key="run")  # 300 credits, of the bonus first
    tell(engine, event(Happened.LOST, 100, about="dispute", at=1))
    assert parts(engine) == (0, 0, 0)
    assert clean(engine, book)


def test_what_is_paid_too_little_grants_nothing(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    told = tell(engine, event(Happened.PAID, 99))
    assert (told.purchase.standing.state, parts(engine), told.purchase.receipt) == ("underpaid", (0, 0, 0), None)
    tell(engine, event(Happened.PAID, 1, about="rest", at=1))
    assert parts(engine) == (1_000, 0, 0)
    assert clean(engine, book)


def test_one_event_that_is_refused_keeps_no_other_waiting(engine: Engine, book: PriceBook) -> None:
    rich = world.add(engine, "ada", world.LARGEST_CREDITS - 999, key="rich")
    for number, user_id in enumerate(("ada", "ben"), start=1):
        buy(engine, user_id, key=f"buy-{user_id}")
        database.write(
            engine, lambda one, number=number: sandbox.play(one, number, Ending.PAID, now=world.NOW, actor=TESTER)
        )
    largest = "the largest balance is 9,007,199,254,740,991"
    said = f"1 refused, the first because: ada cannot hold 1,000 more credits: {largest}."
    for others in ("1 event told, 0 users settled.", "0 events told, 0 users settled."):  # it is told again
        with pytest.raises(JobFailed, match=f"^{re.escape(f'{said} All others: {others}')}$"):
            finish(payment_jobs.settle(job_world.around(engine)))
    assert parts(engine, "ben") == (1_000, 0, 0)
    assert [one.kind for one in paying.stored(engine).told] == [Happened.PAID]  # kept, for when there is room
    world.refund(engine, rich.entry_id, key="room")
    assert finish(payment_jobs.settle(job_world.around(engine))) == "1 event told, 0 users settled."
    assert parts(engine) == (1_000, 0, 0)
    assert clean(engine, book)


def test_other_purchases_of_a_user_are_read_only_where_they_matter(engine: Engine, book: PriceBook) -> None:
    """An event of the second purchase finds the first one's that was only kept as soon as it has to look at all."""
    for key in ("first", "second"):
        buy(engine, key=key)
    first = event(Happened.PAID, about="first")
    assert database.write(engine, lambda one: receiving.keep(one, first, now=world.NOW, actor=TESTER))
    tell(engine, event(Happened.PAID, about="second", purchase_id=2))
    assert parts(engine) == (1_000, 0, 0)  # the second one alone
    tell(engine, event(Happened.REFUNDED, 10, about="back", purchase_id=2, at=1))
    assert parts(engine) == (1_900, 0, 0)
    assert clean(engine, book)


def test_a_refusal_is_counted_once_when_its_event_and_its_user_are_refused(engine: Engine) -> None:
    world.add(engine, "ada", world.LARGEST_CREDITS - 999, key="rich")
    buy(engine)
    database.write(engine, lambda one: sandbox.play(one, 1, Ending.PAID, now=world.NOW, actor=TESTER))
    around = job_world.around(engine, now=world.NOW + timedelta(minutes=1))
    with pytest.raises(JobFailed, match=r"^1 refused, the first because: ada cannot hold"):
        finish(payment_jobs.settle(around))


@pytest.mark.parametrize(
    ("refusal", "raised", "settled"),
    [
        (BalanceTooLarge("ada", 5, 9), JobFailed, ["ada", "ben"]),
        (DeadlinePassed(), DeadlinePassed, ["ada"]),
        (LeaseLost("payments"), LeaseLost, ["ada"]),
    ],
)
def test_one_user_who_is_refused_keeps_no_other_waiting_and_a_lost_lease_ends_all(
    sqlite_engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    refusal: CreditsError,
    raised: type[CreditsError],
    settled: list[str],
) -> None:
    for number, user_id in enumerate(("ada", "ben"), start=1):
        buy(sqlite_engine, user_id, key=f"buy-{user_id}")
        tell(sqlite_engine, paying.of(PAID, number), paying.of(DISPUTED, number))
    met: list[str] = []

    def settle(*_: object, user_id: str, **__: object) -> None:
        met.append(user_id)
        if user_id == "ada":
            raise refusal

    monkeypatch.setattr(receiving, "settle_again", settle)
    with pytest.raises(raised):
        finish(payment_jobs.settle(job_world.around(sqlite_engine)))
    assert met == settled


def test_what_comes_back_later_is_frozen_or_pays_what_is_owed(engine: Engine, book: PriceBook) -> None:
    bought = buy(engine)
    tell(engine, PAID)
    run = world.charge(engine, world.run_by("ada"), key="run")  # 300 credits
    tell(engine, DISPUTED, event(Happened.DISPUTED, 30, about="another", at=3))
    assert parts(engine) == (0, 700, 0)
    world.refund(engine, run.entry_id, key="refund")
    assert parts(engine) == (300, 700, 0)
    around = job_world.around(engine)
    assert finish(payment_jobs.settle(around)) == "0 events told, 1 user settled."
    assert parts(engine) == (0, 1_000, 0)
    tell(engine, LOST, event(Happened.LOST, 30, about="another", at=4))
    assert (parts(engine), finish(payment_jobs.settle(around))) == ((0, 0, 0), "0 events told, 0 users settled.")
    assert paying.stored(engine, bought.id).standing.state == "lost"
    assert clean(engine, book)
