"""Charging many runs in one unit of work: each stands or is refused on its own."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice

import pytest
from sqlalchemy import Engine

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import (
    BalanceTooLarge,
    IdempotencyKeyReused,
    InsufficientCredits,
    PriceChanged,
    UnknownUser,
)
from credits_core.ledger.requests import Charge
from credits_core.pricing.refusals import UnknownModel
from credits_core.store import database
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, every_row, rows
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LARGEST_CREDITS, LATER, NOW, NOW_US


def _charge_all(
    engine: Engine, charges: list[Charge], *, pace: Callable[[Iterable[Charge]], Iterable[Charge]] = iter
) -> list[Receipt | CreditsError]:
    book = world.price_book()
    return database.write(engine, lambda connection: actions.charge_prompts(connection, charges, book=book, pace=pace))


def _outcomes(outcomes: list[Receipt | CreditsError]) -> list[object]:
    return [
        (outcome.idempotency_key, outcome.replayed) if isinstance(outcome, Receipt) else type(outcome)
        for outcome in outcomes
    ]


def test_a_batch_answers_in_order_and_its_refusals_leave_the_others_standing(engine: Engine) -> None:
    world.add(engine, "ada", 1_551, key="k-1")
    outcomes = _charge_all(
        engine,
        [
            Charge(HAIKU, "b-1", NOW, TESTER),
            Charge(replace(HAIKU, model_id="gpt-5"), "b-2", NOW, TESTER),
            Charge(replace(HAIKU, model_id="gpt-4"), "b-3", NOW, TESTER),
            Charge(replace(HAIKU_WITH_FEE, expected_total_credits=1), "b-4", NOW, TESTER),
            Charge(HAIKU_WITH_FEE, "b-5", LATER, TESTER),
            Charge(HAIKU, "b-6", NOW, TESTER),
            Charge(replace(HAIKU, user_id="nobody"), "b-7", NOW, TESTER),
            Charge(HAIKU, "not a key", NOW, TESTER),
        ],
    )

    assert _outcomes(outcomes) == [
        ("b-1", False),
        UnknownModel,
        InsufficientCredits,  # 30,500 credits
        PriceChanged,
        ("b-5", False),
        InsufficientCredits,  # 0 credits are left
        UnknownUser,
        InvalidRequest,
    ]
    assert rows(engine, "SELECT idempotency_key, created_at_us FROM journal_entries ORDER BY id") == [
        ("k-1", NOW_US),
        ("b-1", NOW_US),
        ("b-5", NOW_US + 3_600_000_000),
    ]
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 0),
        ("ben", 800),
    ]


def test_a_charge_refused_half_way_leaves_nothing_of_itself_in_the_batch(engine: Engine) -> None:
    # Ada has paid when Ben is found to hold too much.
    world.add(engine, "ada", 1_300, key="k-1")
    world.add(engine, "ben", LARGEST_CREDITS, key="k-2")
    outcomes = _charge_all(engine, [Charge(HAIKU_WITH_FEE, "b-1", NOW, TESTER), Charge(HAIKU, "b-2", NOW, TESTER)])

    assert _outcomes(outcomes) == [BalanceTooLarge, ("b-2", False)]
    assert (balance(engine, "ada"), balance(engine, "ben")) == (1_000, LARGEST_CREDITS)


def test_a_refused_charge_keeps_no_key_in_its_batch(engine: Engine) -> None:
    world.add(engine, "ada", 300, key="k-1")
    outcomes = _charge_all(engine, [Charge(HAIKU_WITH_FEE, "b-1", NOW, TESTER), Charge(HAIKU, "b-1", NOW, TESTER)])
    assert _outcomes(outcomes) == [InsufficientCredits, ("b-1", False)]


def test_equal_keys_in_a_batch_charge_once(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    outcomes = _charge_all(
        engine,
        [
            Charge(HAIKU, "b-1", NOW, TESTER),
            Charge(HAIKU, "b-1", LATER, TESTER),
            Charge(HAIKU_WITH_FEE, "b-1", NOW, TESTER),
        ],
    )
    assert _outcomes(outcomes) == [("b-1", False), ("b-1", True), IdempotencyKeyReused]
    first, again, _ = outcomes
    assert isinstance(first, Receipt)
    assert again == replace(first, replayed=True)
    assert balance(engine, "ada") == 9_700


def test_a_batch_again_replays_every_receipt(engine: Engine) -> None:
    world.add(engine, "ada", 700, key="k-1")
    charges = [Charge(HAIKU, f"b-{number}", NOW, TESTER) for number in range(3)]
    _charge_all(engine, charges)
    after_first = every_row(engine)
    assert _outcomes(_charge_all(engine, charges)) == [("b-0", True), ("b-1", True), InsufficientCredits]
    assert every_row(engine) == after_first


def test_an_empty_batch_does_nothing(engine: Engine) -> None:
    before = every_row(engine)
    assert _charge_all(engine, []) == []
    assert every_row(engine) == before


def test_charges_that_the_pace_leaves_are_left_for_another_unit_of_work(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    charges = [Charge(HAIKU, f"b-{number}", NOW, TESTER) for number in range(3)]

    def two(offered: Iterable[Charge]) -> Iterable[Charge]:
        return islice(offered, 2)

    assert _outcomes(_charge_all(engine, charges, pace=two)) == [("b-0", False), ("b-1", False)]
    assert balance(engine, "ada") == 9_400
    assert _outcomes(_charge_all(engine, charges)) == [("b-0", True), ("b-1", True), ("b-2", False)]


def test_a_batch_that_breaks_down_leaves_nothing(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="k-1")
    before = every_row(engine)
    broken = Charge(HAIKU, "b-2", None, TESTER)  # type: ignore[arg-type] # our own mistake, not a refusal
    with pytest.raises(AttributeError):
        _charge_all(engine, [Charge(HAIKU, "b-1", NOW, TESTER), broken])
    assert every_row(engine) == before


def test_mixed_batches_at_once_do_not_wait_for_each_other_in_a_circle(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_POSTGRES_ATTEMPTS", 1)  # a circle shows as a deadlock instead of another attempt
    users = [f"user-{number}" for number in range(8)]
    for user_id in users:
        world.add(engine, user_id, 100 * 1_251, key=f"fund-{user_id}")

    def batch(number: int) -> list[Charge]:
        turned = users[number:] + users[:number]
        return [
            Charge(replace(HAIKU_WITH_FEE, user_id=payer, creator_id=creator), f"b-{number}-{payer}", NOW, TESTER)
            for payer, creator in zip(turned, turned[1:] + turned[:1], strict=True)
        ]

    outcomes = racers.at_once([partial(_charge_all, engine, batch(number)) for number in range(8)])

    assert all(isinstance(outcome, Receipt) for answered in outcomes for outcome in answered)
    # Each user paid eight runs of 1,251 and earned eight shares of 800.
    assert [balance(engine, user_id) for user_id in users] == [100 * 1_251 - 8 * 1_251 + 8 * 800] * 8
