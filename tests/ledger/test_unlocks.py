"""Unlocking a flow: one payment per user and flow, and none for its creator."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger.receipts import FlowAccess
from credits_core.ledger.refusals import BalanceTooLarge, InsufficientCredits, UnknownUser
from credits_core.ledger.requests import UnlockRequest
from tests.support import world
from tests.support.plain_sql import balance, every_row, refused, rows, scalar, transactions
from tests.support.world import HAIKU_WITH_FEE, LARGEST_CREDITS, LATER, NOW_US, UNLOCK


def test_an_unlock_is_one_payment_split_between_creator_and_platform(engine: Engine) -> None:
    world.add(engine, "ada", 1_500, key="k-1")
    unlocked = world.unlock(engine, UNLOCK, key="k-2")

    assert unlocked.access is FlowAccess.PAID_NOW
    assert unlocked.receipt is not None
    assert transactions(engine, unlocked.receipt.entry_id) == [
        ("ada", "flow_unlock", -1_001, 499),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
    ]
    assert rows(engine, "SELECT * FROM unlocked_flows") == [
        (unlocked.receipt.entry_id, "ada", "report-flow", "ben", "plan-1", 1_001, 800, None, NOW_US)
    ]


def test_of_an_unlock_for_one_credit_the_creator_gets_nothing(engine: Engine) -> None:
    world.add(engine, "ada", 1, key="k-1")
    unlocked = world.unlock(engine, replace(UNLOCK, unlock_fee_credits=1), key="k-2")
    assert unlocked.receipt is not None
    assert transactions(engine, unlocked.receipt.entry_id) == [
        ("ada", "flow_unlock", -1, 0),
        ("platform:revenue", "platform_revenue", 1, None),
    ]


def test_a_second_unlock_costs_nothing_and_leaves_only_its_answer(engine: Engine) -> None:
    world.add(engine, "ada", 1_500, key="k-1")
    world.unlock(engine, UNLOCK, key="k-2")
    after_first = every_row(engine)
    after_first.pop("unlock_answers")

    again = world.unlock(engine, replace(UNLOCK, unlock_fee_credits=9_999), key="k-3")

    assert (again.access, again.receipt) == (FlowAccess.UNLOCKED_BEFORE, None)
    rows_now = every_row(engine)
    assert [row[0] for row in rows_now.pop("unlock_answers")] == ["k-3"]
    assert rows_now == after_first


def test_a_creator_has_their_own_flow_without_paying(engine: Engine) -> None:
    world.add(engine, "ben", 1_500, key="k-1")
    before = every_row(engine)
    before.pop("unlock_answers")
    own = world.unlock(engine, replace(UNLOCK, user_id="ben"), key="k-2")
    assert (own.access, own.receipt) == (FlowAccess.OWN_FLOW, None)
    rows_now = every_row(engine)
    assert [row[0] for row in rows_now.pop("unlock_answers")] == ["k-2"]
    assert rows_now == before


def test_a_retried_unlock_replays_its_receipt(engine: Engine) -> None:
    world.add(engine, "ada", 1_001, key="k-1")
    first = world.unlock(engine, UNLOCK, key="k-2")
    after_first = every_row(engine)

    again = world.unlock(engine, UNLOCK, key="k-2", now=LATER)

    assert first.receipt is not None
    assert (again.access, again.receipt) == (FlowAccess.PAID_NOW, replace(first.receipt, replayed=True))
    assert every_row(engine) == after_first


def test_two_users_and_two_flows_are_unlocked_apart(engine: Engine) -> None:
    world.add(engine, "ada", 5_000, key="k-1")
    world.add(engine, "cleo", 5_000, key="k-2")
    requests = [UNLOCK, replace(UNLOCK, user_id="cleo"), replace(UNLOCK, flow_id="other-flow")]
    accesses = [world.unlock(engine, request, key=f"u-{n}").access for n, request in enumerate(requests)]
    assert accesses == [FlowAccess.PAID_NOW] * 3
    assert (balance(engine, "ada"), balance(engine, "cleo"), balance(engine, "ben")) == (2_998, 3_999, 2_400)


def test_runs_after_an_unlock_are_charged_as_usual(engine: Engine) -> None:
    world.add(engine, "ada", 3_000, key="k-1")
    world.unlock(engine, UNLOCK, key="k-2")
    assert world.charge(engine, HAIKU_WITH_FEE, key="k-3").balance_after("ada") == 3_000 - 1_001 - 1_251


def test_a_refunded_flow_is_locked_again_and_can_be_bought_again(engine: Engine) -> None:
    world.add(engine, "ada", 1_001, key="k-1")
    first = world.unlock(engine, UNLOCK, key="k-2").receipt
    assert first is not None
    refund = world.refund(engine, first.entry_id, key="k-3")
    assert scalar(engine, "SELECT refunded_by_entry_id FROM unlocked_flows") == refund.entry_id

    second = world.unlock(engine, UNLOCK, key="k-4")

    assert second.access is FlowAccess.PAID_NOW
    assert second.receipt is not None
    assert balance(engine, "ada") == 0
    assert rows(engine, "SELECT entry_id, refunded_by_entry_id FROM unlocked_flows ORDER BY entry_id") == [
        (first.entry_id, refund.entry_id),
        (second.receipt.entry_id, None),
    ]


def test_a_replayed_unlock_says_what_the_payment_gives_today(engine: Engine) -> None:
    world.add(engine, "ada", 2_002, key="k-1")
    first = world.unlock(engine, UNLOCK, key="k-2").receipt
    assert first is not None
    refund = world.refund(engine, first.entry_id, key="k-3")

    locked = world.unlock(engine, UNLOCK, key="k-2", now=LATER)
    world.unlock(engine, UNLOCK, key="k-4")
    bought_again = world.unlock(engine, UNLOCK, key="k-2", now=LATER)

    as_of_now = replace(first, replayed=True, refunded_by_entry_id=refund.entry_id, refunded_credits=1_001)
    assert (locked.access, locked.receipt, locked.has_access_now) == (FlowAccess.REFUNDED, as_of_now, False)
    assert (bought_again.access, bought_again.receipt) == (FlowAccess.UNLOCKED_BEFORE, as_of_now)
    assert bought_again.has_access_now


@pytest.mark.parametrize(
    ("refusal", "request_"),
    [
        (InsufficientCredits, replace(UNLOCK, unlock_fee_credits=1_501)),
        (UnknownUser, replace(UNLOCK, user_id="nobody")),
        (UnknownUser, replace(UNLOCK, user_id="nobody", creator_id="nobody")),
        (BalanceTooLarge, replace(UNLOCK, creator_id="rich")),
        (InvalidRequest, replace(UNLOCK, unlock_fee_credits=0)),
        (InvalidRequest, replace(UNLOCK, unlock_fee_credits=-5)),
        (InvalidRequest, replace(UNLOCK, unlock_fee_credits=2**53)),
        (InvalidRequest, replace(UNLOCK, flow_id="")),
        (InvalidRequest, replace(UNLOCK, user_id="platform:revenue")),
        (InvalidRequest, replace(UNLOCK, creator_id="platform:revenue")),
    ],
)
def test_an_unlock_that_cannot_be_carried_out_is_refused(
    engine: Engine, refusal: type[CreditsError], request_: UnlockRequest
) -> None:
    world.add(engine, "ada", 1_500, key="k-1")
    world.add(engine, "rich", LARGEST_CREDITS, key="k-2")
    with refused(engine, refusal):
        world.unlock(engine, request_, key="k-3")
