"""A batch is taken back as a whole: each run once, in pieces, by the refund that everything else is refunded by."""

from dataclasses import replace
from functools import partial
from itertools import count

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.bulk import batch_refund as batch_refund_module
from credits_core.bulk import pieces
from credits_core.bulk.batch import Batch, Summary, charge_piece, large_percent
from credits_core.bulk.batch_refund import BatchRefund, refund_piece
from credits_core.errors import InvalidRequest
from credits_core.ledger.requests import ChargeRequest
from credits_core.store import database
from tests.support import plain_sql, world
from tests.support.actors import TESTER

SPEND = ChargeRequest("ben", "own", "claude-3-haiku")
"""A run of 300 credits, by the creator of the batch's prompt."""


def charge_all(engine: Engine, batch: Batch, *, key: str = "k") -> Summary:
    summary = Summary()
    while summary.runs < batch.runs:
        action = partial(charge_piece, batch=batch, before=summary, book=world.price_book(), key=key)
        summary = database.write(engine, partial(action, now=world.NOW, actor=TESTER))
    return summary


def refund(engine: Engine, batch: Batch, before: BatchRefund | None = None, *, reason: str = "Wrong") -> BatchRefund:
    action = partial(refund_piece, batch=batch, before=before or BatchRefund(), key="k", reason=reason)
    return database.write(engine, partial(action, book=world.price_book(), now=world.LATER, actor=TESTER))


def refund_all(engine: Engine, batch: Batch, back: BatchRefund | None = None) -> BatchRefund:
    back = back or BatchRefund()
    while back.runs < batch.runs:
        back = refund(engine, batch, back)
    return back


def sums(engine: Engine) -> dict[object, int]:
    """The credits of each account, added up from its transactions."""
    found = plain_sql.rows(
        engine, "SELECT account_id, SUM(amount_credits) FROM credit_transactions GROUP BY account_id"
    )
    return {account_id: int(str(credits)) for account_id, credits in found}


def parts(back: BatchRefund) -> tuple[int, int, int]:
    """What the user got back, what the creator gave back, and what the platform bore."""
    assert back.borne is not None
    return back.borne.user_credits, back.borne.creator_credits, back.borne.platform_credits


def refund_keys(engine: Engine) -> list[object]:
    found = plain_sql.rows(engine, "SELECT idempotency_key FROM journal_entries WHERE type = 'refund' ORDER BY id")
    return [key for (key,) in found]


def assert_audited(engine: Engine) -> None:
    findings = invariants.check(engine, world.price_book().plans)
    assert [finding for finding in findings if not finding.ok] == []


def test_every_run_of_a_batch_is_refunded(engine: Engine) -> None:
    world.add(engine, "ada", 500_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 120)
    charge_all(engine, batch)
    back = refund_all(engine, batch)
    assert (back.refunded, back.refunded_before, back.not_charged, back.refused) == (120, 0, 0, {})
    assert parts(back) == (120 * 1_251, 120 * 800, 120 * 451)
    assert sums(engine) == {
        "ada": 500_000,
        "ben": 0,
        "platform:payments_in": -500_000,
        "platform:revenue": 0,
        "platform:inference": 120 * 250,
        "platform:refunded_inference": -120 * 250,
    }
    assert plain_sql.rows(engine, "SELECT DISTINCT description FROM journal_entries WHERE type = 'refund'") == [
        ("Wrong",)
    ]
    assert_audited(engine)


def test_a_batch_that_is_refunded_twice_is_refunded_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 500_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 5)
    charge_all(engine, batch)
    first = refund_all(engine, batch)
    before = plain_sql.every_row(engine)
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 0)  # one run in each piece
    assert refund_all(engine, batch) == first
    assert plain_sql.every_row(engine) == before
    assert refund_keys(engine) == [f"k:{number}:refund" for number in (1, 2, 3, 4, 5)]


def test_a_run_that_was_refunded_before_is_counted_and_left_alone(engine: Engine) -> None:
    world.add(engine, "ada", 500_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 4)
    charge_all(engine, batch)
    second = plain_sql.scalar(engine, "SELECT id FROM journal_entries WHERE idempotency_key = 'k:2'")
    world.refund(engine, int(str(second)), key="by-hand")
    back = refund_all(engine, batch)
    assert (back.refunded, back.refunded_before, back.refused_count) == (3, 1, 0)
    assert parts(back) == (3 * 1_251, 3 * 800, 3 * 451)
    assert refund_keys(engine) == ["by-hand", "k:1:refund", "k:3:refund", "k:4:refund"]
    assert plain_sql.balance(engine, "ada") == 500_000
    assert_audited(engine)


def test_a_refund_that_stopped_half_way_is_continued(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 500_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 5)
    charge_all(engine, batch)
    clock = count(0, 10_000_000).__next__  # each run takes 10 ms
    with monkeypatch.context() as patch:
        patch.setattr(batch_refund_module, "for_a_while", partial(pieces.for_a_while, clock=clock))
        half = refund(engine, batch)
    assert (half.refunded, half.runs) == (2, 2)
    assert parts(half) == (2 * 1_251, 2 * 800, 2 * 451)
    assert sums(engine)["ada"] == 500_000 - 3 * 1_251
    assert_audited(engine)
    whole = refund_all(engine, batch, half)
    assert (whole.refunded, whole.refunded_before, parts(whole)) == (5, 0, (5 * 1_251, 5 * 800, 5 * 451))
    assert whole == refund_all(engine, batch)  # also from the beginning, as after a crash
    assert sums(engine)["ada"] == 500_000
    assert len(refund_keys(engine)) == 5


def test_a_piece_refunds_a_hundred_runs_at_most(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(engine, "ada", 1_000_000, key="a")
    batch = Batch(world.HAIKU, 101)
    charge_all(engine, batch)
    monkeypatch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
    first = refund(engine, batch)
    assert (first.refunded, plain_sql.balance(engine, "ada")) == (100, 1_000_000 - 300)
    assert refund(engine, batch, first).refunded == 101


def test_the_creator_owes_what_is_spent(engine: Engine) -> None:
    world.add(engine, "ada", 500_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 3)
    charge_all(engine, batch)
    for number in range(5):  # ben had 2,400 and keeps 900
        world.charge(engine, SPEND, key=f"spend-{number}")
    back = refund_all(engine, batch)
    assert (back.refunded, back.refused_count) == (3, 0)
    assert parts(back) == (3 * 1_251, 900, 3 * 451)
    assert back.borne is not None
    assert back.borne.owed_credits == -sums(engine)["ben:debt"] == 1_500
    assert (sums(engine)["ada"], sums(engine)["ben"]) == (500_000, 0)
    assert sums(engine)["platform:revenue"] == 5 * 50
    assert_audited(engine)


def test_a_refund_that_cannot_be_is_named_and_the_others_are_made(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="a")
    batch = Batch(world.HAIKU_WITH_FEE, 4)
    charge_all(engine, batch)
    # 10,000 - 4 × 1,251 = 4,996 are left. Room for two runs, as the largest balance is 2^53 - 1.
    world.add(engine, "ada", 9_007_199_254_740_991 - 4_996 - 2 * 1_251, key="b")
    back = refund_all(engine, batch)
    assert (back.refunded, back.refused_count, list(back.refused)) == (2, 2, ["balance_too_large"])
    assert back.refused["balance_too_large"].count == 2
    assert str(back.refused["balance_too_large"].first).startswith("ada cannot hold 1,251 more credits")
    assert plain_sql.balance(engine, "ada") == 9_007_199_254_740_991
    assert (plain_sql.balance(engine, "ben"), len(refund_keys(engine))) == (2 * 800, 2)
    # Once there is room, the same refund does the rest.
    world.charge(engine, world.run_by("ada", replace(world.HAIKU, model_id="gpt-4")), key="spend")
    assert parts(refund_all(engine, batch)) == (4 * 1_251, 4 * 800, 4 * 451)
    assert plain_sql.balance(engine, "ben") == 0
    assert_audited(engine)


def test_runs_that_were_never_charged_are_not_refunded(engine: Engine) -> None:
    world.add(engine, "ada", 700, key="a")
    batch = Batch(world.HAIKU, 5)
    assert charge_all(engine, batch).charged == 2
    charge_all(engine, replace(batch, request=replace(world.HAIKU, prompt_id="other")), key="another")
    back = refund_all(engine, batch)
    assert (back.refunded, back.not_charged, back.runs) == (2, 3, 5)
    assert plain_sql.balance(engine, "ada") == 700


def test_creators_who_ran_their_own_prompt_give_the_share_back(engine: Engine) -> None:
    world.add(engine, "ben", 10_000, key="a")
    batch = Batch(world.run_by("ben", world.HAIKU_WITH_FEE), 3)
    charge_all(engine, batch)
    assert parts(refund_all(engine, batch)) == (3 * 1_251, 3 * 800, 3 * 451)
    assert plain_sql.balance(engine, "ben") == 10_000


def test_a_batch_is_refunded_for_a_reason(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="a")
    batch = Batch(world.HAIKU, 2)
    charge_all(engine, batch)
    with plain_sql.refused(engine, InvalidRequest):
        refund(engine, batch, reason=" ")


@pytest.mark.parametrize(
    ("total_credits", "balance_credits", "percent"),
    [
        (100, 1_000, None),
        (101, 1_000, 10),
        (114, 1_000, 11),
        (115, 1_000, 12),
        (234, 1_000, 23),
        (1_500, 1_000, 150),
        (1, 0, None),
        (9_007_199_254_740_991, 9_007_199_254_740_991, 100),
    ],
)
def test_a_batch_is_large_when_it_takes_more_than_a_tenth_of_the_balance(
    total_credits: int, balance_credits: int, percent: int | None
) -> None:
    assert large_percent(total_credits, balance_credits) == percent
