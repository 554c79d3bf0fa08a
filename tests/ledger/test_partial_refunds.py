"""Refunds in parts: any parts end in the whole refund, to the credit, and never give back more. Both databases."""

import itertools
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from credits_core.audit import invariants, seals
from credits_core.errors import InvalidRequest
from credits_core.ledger import entries, flows, lot_rows, refunds
from credits_core.ledger.lots import Draw
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import AlreadyRefunded, IdempotencyKeyReused, NotRefundable, RefundExceedsRest
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.refund_shares import RefundPart
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import world
from tests.support.plain_sql import balance, contradictions, refused, rows, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LATER, NOW, UNLOCK

PARTS = "SELECT number, refunded_credits, through_credits, fee_credits, share_credits FROM partial_refunds ORDER BY id"
_examples = itertools.count()


def _run(engine: Engine, request: ChargeRequest = HAIKU_WITH_FEE) -> int:
    world.add(engine, "ada", 10_000, key="fund")
    return world.charge(engine, request, key="run").entry_id


def _part(engine: Engine, entry_id: int, credits: int | None, key: str, *, provider: bool = False) -> Receipt:
    return world.refund(engine, entry_id, amount_credits=credits, provider_refunded=provider, key=key, now=LATER)


def _receipt(engine: Engine, entry_id: int) -> Receipt:
    with database.read(engine) as connection:
        return entries.receipt(connection, entry_id, plans=world.price_book().plans)


def _assert_clean(engine: Engine) -> None:
    assert contradictions(engine) == []
    for _ in range(2):
        assert [str(one) for one in invariants.check(engine, world.price_book().plans) if not one.ok] == []
        daily_totals.catch_up(engine)
    seals.catch_up(engine, now=LATER + timedelta(days=1))
    assert [str(one) for one in invariants.check(engine, world.price_book().plans) if not one.ok] == []


def test_a_part_takes_from_everybody_the_part_of_their_share(engine: Engine) -> None:
    # 1,251 = 250 inference + 800 of ben + 201 of the platform. Of 500: ben 800 x 500 / 1,251 = 319.7, so 319. The
    # platform has 181, of which the inference 250 x 181 / 451 = 100.3, so 100.
    run = _run(engine)
    first = _part(engine, run, 500, "part-1")
    assert transactions(engine, first.entry_id) == [
        ("ada", "refund", 500, 9_249),
        ("ben", "creator_payment", -319, 481),
        ("platform:revenue", "platform_revenue", -81, None),
        ("platform:refunded_inference", "refund", -100, None),
    ]
    assert (first.type, first.refunds_entry_id, first.part) == ("partial_refund", run, RefundPart(0, 500))
    # The fee of 1,001 x 500 / 1,251 = 400.08.
    assert rows(engine, PARTS) == [(1, 500, 500, 400, 319)]

    # What is left is 751: the rest of every share, to the credit.
    rest = _part(engine, run, None, "rest")
    assert transactions(engine, rest.entry_id) == [
        ("ada", "refund", 751, 10_000),
        ("ben", "creator_payment", -481, 0),
        ("platform:revenue", "platform_revenue", -120, None),
        ("platform:refunded_inference", "refund", -150, None),
    ]
    assert (rest.type, rest.refunds_entry_id, rest.part) == ("refund", run, RefundPart(500, 1_251))
    assert rows(engine, PARTS) == [(1, 500, 500, 400, 319), (2, 751, 1_251, 601, 481)]
    _assert_clean(engine)


def test_a_receipt_says_what_is_refunded_by_now_and_what_is_left(engine: Engine) -> None:
    run = _run(engine)
    assert (_receipt(engine, run).refunded_credits, _receipt(engine, run).left_credits) == (0, 1_251)
    part = _part(engine, run, 251, "part-1")
    found = _receipt(engine, run)
    assert (found.refunded_credits, found.left_credits, found.refunded_by_entry_id) == (251, 1_000, None)
    assert found.is_refunded_in_part
    assert _receipt(engine, part.entry_id) == part
    last = _part(engine, run, 1_000, "part-2")
    found = _receipt(engine, run)
    assert (found.refunded_credits, found.left_credits, found.refunded_by_entry_id) == (1_251, 0, last.entry_id)
    assert not found.is_refunded_in_part
    assert (_receipt(engine, last.entry_id), last.type) == (last, "refund")


def test_a_refund_of_the_whole_amount_at_once_is_a_whole_refund(engine: Engine) -> None:
    run = _run(engine)
    refund = _part(engine, run, 1_251, "all")
    assert (refund.type, refund.part, rows(engine, PARTS)) == ("refund", None, [])
    with refused(engine, AlreadyRefunded):
        _part(engine, run, 1, "more")
    _assert_clean(engine)


def test_no_more_than_what_is_left_is_refunded_and_the_refusal_says_what_that_is(engine: Engine) -> None:
    run = _run(engine)
    with refused(engine, RefundExceedsRest) as caught:
        _part(engine, run, 1_252, "too-much")
    assert str(caught.value).startswith(f"Of the 1,251 credits of entry {run}, 1,251 are left to refund, not 1,252.")
    _part(engine, run, 1_000, "part-1")
    with refused(engine, RefundExceedsRest) as caught:
        _part(engine, run, 252, "part-2")
    assert (caught.value.left_credits, caught.value.amount_credits, caught.value.paid_credits) == (251, 252, 1_251)
    _part(engine, run, 251, "part-3")
    with refused(engine, AlreadyRefunded):
        _part(engine, run, 1, "part-4")
    assert balance(engine, "ada") == 10_000


@pytest.mark.parametrize("credits", [0, -5, 2**53, True, 1.0, "5"])
def test_an_amount_is_a_whole_number_of_credits_from_1_on(engine: Engine, credits: object) -> None:
    run = _run(engine)
    with refused(engine, InvalidRequest) as caught:
        _part(engine, run, credits, "part")  # type: ignore[arg-type]
    assert caught.value.field == "amount_credits"


def test_added_credits_and_refunds_are_not_refunded_in_parts(engine: Engine) -> None:
    added = world.add(engine, "ada", 500, source=CreditSource.GRANT, reason="Welcome", key="grant").entry_id
    with refused(engine, InvalidRequest):
        _part(engine, added, 100, "part-of-grant")
    part = _part(engine, _run(engine, HAIKU), 100, "part")
    with refused(engine, NotRefundable):
        _part(engine, part.entry_id, None, "back")


def test_a_retry_answers_the_same_and_another_amount_under_the_key_is_refused(engine: Engine) -> None:
    run = _run(engine)
    first = _part(engine, run, 500, "part")
    _part(engine, run, None, "rest")
    again = _part(engine, run, 500, "part")
    assert (again.entry_id, again.replayed, again.transactions) == (first.entry_id, True, first.transactions)
    for other in (501, None):
        with refused(engine, IdempotencyKeyReused):
            _part(engine, run, other, "part")


def test_a_creator_owes_what_is_spent_of_a_part(engine: Engine) -> None:
    run = _run(engine)
    world.charge(engine, world.run_by("ben"), key="ben-spends")  # 300 of the 800
    world.charge(engine, world.run_by("ben"), key="ben-spends-more")  # 200 are left
    first = _part(engine, run, 500, "part-1")
    assert transactions(engine, first.entry_id)[1:4] == [
        ("ben", "transfer", 119, 319),
        ("ben:debt", "transfer", -119, -119),
        ("ben", "creator_payment", -319, 0),
    ]
    world.add(engine, "ben", 1_000, key="ben-buys")
    _part(engine, run, None, "rest")  # he has enough for what is left of the share again
    assert balance(engine, "ben") == 1_000 - 481
    _assert_clean(engine)


def test_a_flow_stays_unlocked_until_all_of_its_fee_is_refunded(engine: Engine) -> None:
    world.add(engine, "ada", 2_000, key="fund")
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None

    def has_access() -> bool:
        with database.read(engine) as connection:
            return flows.access_now(connection, "ada", "report-flow").has_access

    _part(engine, unlocked.entry_id, 1_000, "part")
    assert has_access()
    _part(engine, unlocked.entry_id, 1, "rest")
    assert not has_access()
    _assert_clean(engine)


def test_a_provider_may_give_back_one_part_and_not_the_other(engine: Engine) -> None:
    run = _run(engine, HAIKU)  # 250 + 50
    _part(engine, run, 100, "part", provider=True)
    rest = _part(engine, run, None, "rest")
    assert rows(
        engine,
        "SELECT account_id, SUM(amount_credits) FROM credit_transactions WHERE account_id LIKE '%inference'"
        " GROUP BY 1 ORDER BY 1",
    ) == [("platform:inference", 250 - 83), ("platform:refunded_inference", -(250 - 83))]
    with database.read(engine) as connection:
        assert refunds.borne(connection, rest).inference_credits == 167
    _assert_clean(engine)


def test_a_preview_says_who_would_bear_a_part_and_the_rest(engine: Engine) -> None:
    run = _run(engine)
    with database.read(engine) as connection:
        part = refunds.preview(connection, run, amount_credits=500)
    assert (part.user_credits, part.creator_credits, part.revenue_credits, part.inference_credits) == (
        500,
        319,
        81,
        100,
    )
    _part(engine, run, 500, "part")
    with database.read(engine) as connection:
        rest = refunds.preview(connection, run)
    assert (rest.user_credits, rest.creator_credits) == (751, 481)
    with pytest.raises(RefundExceedsRest), database.read(engine) as connection:
        refunds.preview(connection, run, amount_credits=752)


def test_the_lot_that_paid_last_is_given_back_first(engine: Engine) -> None:
    day = NOW + timedelta(days=1)
    expiring = world.add(engine, "ada", 120, key="day", expires_at=day).entry_id
    bought = world.add(engine, "ada", 500, key="bought").entry_id
    run = world.charge(engine, HAIKU, key="run").entry_id

    def left() -> list[tuple[int, int]]:
        with database.read(engine) as connection:
            return [(lot.number, lot.left_credits) for lot in lot_rows.lots_of(connection, "ada")]

    with database.read(engine) as connection:
        assert lot_rows.drawn_by(connection, "ada", run) == [Draw(expiring, 120), Draw(bought, 180)]
    _part(engine, run, 100, "part-1")
    assert left() == [(bought, 420)]
    _part(engine, run, 100, "part-2")
    assert left() == [(expiring, 20), (bought, 500)]
    _part(engine, run, None, "rest")
    assert left() == [(expiring, 120), (bought, 500)]
    _assert_clean(engine)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    fee=st.integers(0, 3_000),
    parts=st.lists(st.tuples(st.integers(1, 900), st.booleans()), max_size=4),
    is_unlock=st.booleans(),
)
def test_whatever_the_parts_they_end_as_one_whole_refund_does(
    engine: Engine, fee: int, parts: list[tuple[int, bool]], is_unlock: bool
) -> None:
    sums = "SELECT type, SUM(amount_credits) FROM credit_transactions WHERE account_id = :account GROUP BY 1 ORDER BY 1"
    ends = []
    for way in ("whole", "parts"):
        mark = f"z{next(_examples)}"
        ada, ben = f"{mark}-ada", f"{mark}-ben"
        world.add(engine, ada, 10_000, key=f"{mark}-fund")
        if is_unlock:
            unlocked = world.unlock(engine, world.UnlockRequest(ada, "flow", ben, fee + 1), key=f"{mark}-unlock")
            assert unlocked.receipt is not None
            entry_id = unlocked.receipt.entry_id
        else:
            run = ChargeRequest(ada, "summarise", "claude-3-haiku", ben if fee else None, fee)
            entry_id = world.charge(engine, run, key=f"{mark}-run").entry_id
        for number, (credits, provider) in enumerate(parts if way == "parts" else ()):
            with suppress(RefundExceedsRest, AlreadyRefunded):
                _part(engine, entry_id, credits, f"{mark}-part-{number}", provider=provider and not is_unlock)
        with suppress(AlreadyRefunded):
            _part(engine, entry_id, None, f"{mark}-rest")
        assert balance(engine, ada) == 10_000
        ends.append(rows(engine, sums, account=ben))
    assert ends[0] == ends[1]
    assert contradictions(engine) == []
    assert [str(one) for one in invariants.check(engine, world.price_book().plans) if not one.ok] == []
