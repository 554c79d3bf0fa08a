"""Holds: credits set aside for a run whose cost is not known yet, then captured, released or expired, once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants, seals
from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import (
    HoldEnded,
    HoldTooSmall,
    IdempotencyKeyReused,
    InsufficientCredits,
    NotRefundable,
    UnknownHold,
    UnknownUser,
)
from credits_core.ledger.requests import CaptureRequest, HoldRequest
from credits_core.pricing.quote import PriceBook
from credits_core.pricing.refusals import UnknownModel
from credits_core.store.kinds import HoldEnd
from tests.support import world
from tests.support.holding import (
    IN_TIME,
    TOKENS,
    TOO_LATE,
    USED_LESS,
    WITH_FEE,
    authorise,
    capture,
    expire,
    held,
    release,
    stored,
)
from tests.support.plain_sql import balance, contradictions, every_row, refused, rows, transactions
from tests.support.world import LARGEST_CREDITS, LATER, NOW


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    """Ada has 100,000 credits, by entry 1."""
    world.add(engine, "ada", 100_000, key="fund")
    return engine


def _is_clean(engine: Engine) -> bool:
    assert contradictions(engine) == []
    seals.catch_up(engine, now=LATER)
    assert [str(found) for found in invariants.check(engine, world.price_book().plans) if not found.ok] == []
    return True


def test_held_credits_cannot_be_spent_and_sum_to_zero(ledger: Engine) -> None:
    made = authorise(ledger, key="hold")
    assert (made.hold.held_credits, made.balance_credits, made.replayed) == (13_750, 86_250, False)
    assert (balance(ledger, "ada"), held(ledger)) == (86_250, 13_750)
    assert transactions(ledger, made.hold.id) == [
        ("ada", "transfer", -13_750, 86_250),
        ("ada:held", "transfer", 13_750, 13_750),
    ]
    with refused(ledger, InsufficientCredits) as caught:
        authorise(ledger, replace(TOKENS, asked_credits=86_251, input_tokens=None, output_tokens=None), key="more")
    assert "ada has 86,250 credits, but this takes 86,251" in str(caught.value)
    assert _is_clean(ledger)


def test_a_capture_charges_what_was_used_and_gives_the_rest_back(ledger: Engine) -> None:
    made = authorise(ledger, key="hold")
    done = capture(ledger, made.hold.id, USED_LESS, key="capture", now=IN_TIME)
    assert (done.released_credits, done.balance_credits) == (13_750 - 7_800, 100_000 - 7_800)
    assert (balance(ledger, "ada"), held(ledger)) == (92_200, 0)
    given_back = done.receipt.entry_id - 1
    assert transactions(ledger, given_back) == [
        ("ada", "transfer", 13_750, 100_000),
        ("ada:held", "transfer", -13_750, 0),
    ]
    assert transactions(ledger, done.receipt.entry_id)[0] == ("ada", "prompt_run", -7_800, 92_200)
    now = stored(ledger, made.hold.id)
    assert (now.end, now.run_entry_id, now.total_credits) == (HoldEnd.CAPTURED, done.receipt.entry_id, 7_800)
    assert now.released_credits == 5_950
    assert _is_clean(ledger)


def test_a_capture_without_usage_charges_the_most_that_was_expected(ledger: Engine) -> None:
    made = authorise(ledger, WITH_FEE, key="hold")
    done = capture(ledger, made.hold.id, key="capture")
    assert (done.released_credits, balance(ledger, "ada"), balance(ledger, "ben")) == (0, 100_000 - 1_251, 800)
    assert _is_clean(ledger)


def test_an_amount_can_be_held_and_captured_with_the_usage(ledger: Engine) -> None:
    made = authorise(ledger, HoldRequest("ada", "chat", "openai/gpt-4o", asked_credits=8_000), key="hold")
    with refused(ledger, InvalidRequest):
        capture(ledger, made.hold.id, key="whole")
    done = capture(ledger, made.hold.id, USED_LESS, key="capture")
    assert (done.released_credits, balance(ledger, "ada")) == (200, 92_200)
    assert _is_clean(ledger)


def test_a_release_gives_all_of_it_back(ledger: Engine) -> None:
    made = authorise(ledger, key="hold")
    back = release(ledger, made.hold.id, key="release")
    assert (back.hold.end, back.balance_credits, back.hold.released_credits) == (HoldEnd.RELEASED, 100_000, 13_750)
    assert (balance(ledger, "ada"), held(ledger)) == (100_000, 0)
    assert _is_clean(ledger)


def test_a_hold_keeps_its_price_plan_until_it_is_captured(ledger: Engine, book: PriceBook) -> None:
    made = authorise(ledger, key="hold")
    dearer = replace(world.dearer_book(), models=book.models)
    done = capture(ledger, made.hold.id, USED_LESS, key="capture", book=dearer)
    assert -done.receipt.transactions[0].amount_credits == 7_800
    assert rows(ledger, "SELECT plan_id FROM prompt_runs") == [("plan-1",)]


def test_a_hold_keeps_the_prices_of_its_list_until_it_is_captured(ledger: Engine) -> None:
    first = world.make_prices_live(ledger, world.PRICES)
    of_first = world.usage_book(first)
    made = authorise(ledger, key="hold", book=of_first)
    second = world.make_prices_live(ledger, world.PRICES.replace("2.5", "5"))
    done = capture(ledger, made.hold.id, key="capture", book=replace(world.dearer_book(), price_list=second))
    assert (-done.receipt.transactions[0].amount_credits, done.released_credits) == (13_750, 0)
    assert rows(ledger, "SELECT price_list_id FROM prompt_runs") == [(first,)]
    assert _is_clean(ledger)


@pytest.mark.parametrize(
    ("overrun_bps", "output_tokens", "total_credits"),
    [
        # 1,000 input tokens are 2,500; 10 % of the markup on top: (2,500 + 10,000) × 1.1 = 13,750 are held.
        (0, 1_000, 13_750),
        (0, 1_001, None),
        (1_000, 1_125, 15_125),  # 13,750 + 1,375
        (1_000, 1_126, None),
    ],
)
def test_a_run_costs_at_most_the_hold_and_what_the_plan_allows_beyond(
    ledger: Engine, book: PriceBook, overrun_bps: int, output_tokens: int, total_credits: int | None
) -> None:
    plan = replace(book.plan, hold_overrun_bps=overrun_bps)
    book = replace(book, plan=plan, plans={plan.id: plan})
    made = authorise(ledger, key="hold", book=book)
    used = CaptureRequest(input_tokens=1_000, output_tokens=output_tokens)
    if total_credits is None:
        with refused(ledger, HoldTooSmall) as caught:
            capture(ledger, made.hold.id, used, key="capture", book=book)
        assert "Nothing was charged, and the hold stays open" in str(caught.value)
        return
    done = capture(ledger, made.hold.id, used, key="capture", book=book)
    assert -done.receipt.transactions[0].amount_credits == total_credits
    assert (done.released_credits, balance(ledger, "ada")) == (0, 100_000 - total_credits)


def test_an_overrun_is_refused_when_the_user_cannot_spend_it(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 13_750, key="fund")
    plan = replace(book.plan, hold_overrun_bps=1_000)
    book = replace(book, plan=plan, plans={plan.id: plan})
    made = authorise(engine, key="hold", book=book)
    with refused(engine, InsufficientCredits):
        capture(engine, made.hold.id, CaptureRequest(input_tokens=1_000, output_tokens=1_001), key="c", book=book)


def test_a_run_that_no_hold_covers_is_refused_for_that_also_when_the_user_could_not_pay_it(engine: Engine) -> None:
    """More credits would not help, so nobody is told to add some. What helps depends on how the hold was made."""
    world.add(engine, "ada", 20_000, key="fund")
    of_usage = authorise(engine, key="hold-1").hold
    amount = replace(TOKENS, asked_credits=5_000, input_tokens=None, output_tokens=None)
    of_amount = authorise(engine, amount, key="hold-2").hold
    much = CaptureRequest(input_tokens=1_000, output_tokens=100_000)
    for made, advice in (
        (of_usage, "Capture it without usage"),
        (of_amount, "Release it, and charge the run"),
    ):
        with refused(engine, HoldTooSmall) as caught:
            capture(engine, made.id, much, key="capture")
        assert advice in str(caught.value)


def test_a_hold_expires_to_the_microsecond(ledger: Engine) -> None:
    in_time, too_late = (authorise(ledger, key=f"hold-{number}").hold for number in range(2))
    capture(ledger, in_time.id, USED_LESS, key="capture", now=IN_TIME)
    with refused(ledger, HoldEnded) as caught:
        capture(ledger, too_late.id, USED_LESS, key="late", now=TOO_LATE)
    assert "has expired. Nothing was charged" in str(caught.value)
    with refused(ledger, HoldEnded):
        release(ledger, too_late.id, key="late", now=TOO_LATE)
    assert expire(ledger, now=IN_TIME) == 0
    assert (expire(ledger, now=TOO_LATE), expire(ledger, now=TOO_LATE)) == (1, 0)
    assert (balance(ledger, "ada"), held(ledger)) == (92_200, 0)
    assert stored(ledger, too_late.id).end is HoldEnd.EXPIRED
    assert rows(ledger, "SELECT actor FROM journal_entries WHERE id = (SELECT MAX(id) FROM journal_entries)") == [
        ("expiry",)
    ]
    assert _is_clean(ledger)


def test_the_job_ends_the_oldest_holds_first_and_a_bounded_number(ledger: Engine) -> None:
    made = [
        authorise(ledger, replace(WITH_FEE, lasts=timedelta(seconds=60 - number)), key=f"hold-{number}").hold.id
        for number in range(5)
    ]
    assert [expire(ledger, now=LATER, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    ended = [id_ for (id_,) in rows(ledger, "SELECT hold_id FROM hold_ends ORDER BY id")]
    assert ended == sorted(made, reverse=True)
    assert _is_clean(ledger)


def test_credits_held_after_their_time_are_there_for_whoever_needs_them(engine: Engine) -> None:
    world.add(engine, "ada", 14_000, key="fund")
    authorise(engine, key="hold")
    with refused(engine, InsufficientCredits):
        world.charge(engine, world.HAIKU, key="run", now=IN_TIME)
    world.charge(engine, world.HAIKU, key="run", now=TOO_LATE)
    assert (balance(engine, "ada"), held(engine)) == (13_700, 0)
    authorise(engine, replace(TOKENS, asked_credits=13_700, input_tokens=None, output_tokens=None), key="h2", now=LATER)
    unlocked = world.unlock(engine, world.UNLOCK, key="unlock", now=LATER + timedelta(hours=1))
    assert unlocked.receipt is not None
    assert balance(engine, "ada") == 12_699
    assert _is_clean(engine)


def test_a_retry_replays_the_first_answer_and_changes_nothing(ledger: Engine) -> None:
    made = authorise(ledger, key="hold")
    assert authorise(ledger, key="hold", now=LATER) == replace(made, replayed=True)
    done = capture(ledger, made.hold.id, USED_LESS, key="capture")
    before = every_row(ledger)
    again = capture(ledger, made.hold.id, USED_LESS, key="capture", now=LATER)
    assert again == replace(done, receipt=replace(done.receipt, replayed=True))
    assert authorise(ledger, key="hold", now=LATER).hold.end is HoldEnd.CAPTURED
    second = authorise(ledger, key="second").hold.id
    back = release(ledger, second, key="release")
    assert release(ledger, second, key="release", now=LATER) == replace(back, replayed=True)
    assert every_row(ledger) != before


def test_a_key_belongs_to_one_request(ledger: Engine) -> None:
    made, other = (authorise(ledger, key=f"hold-{number}").hold.id for number in range(2))
    capture(ledger, made, USED_LESS, key="capture")
    for again in (
        lambda: authorise(ledger, replace(TOKENS, output_tokens=999), key="hold-0"),
        lambda: authorise(ledger, replace(TOKENS, lasts=timedelta(minutes=16)), key="hold-0"),
        lambda: authorise(ledger, key="capture"),
        lambda: capture(ledger, made, replace(USED_LESS, output_tokens=399), key="capture"),
        lambda: capture(ledger, other, USED_LESS, key="capture"),
        lambda: capture(ledger, other, USED_LESS, key="hold-1"),
        lambda: release(ledger, other, key="hold-1"),
        lambda: world.charge(ledger, world.HAIKU, key="hold-1"),
    ):
        with refused(ledger, IdempotencyKeyReused):
            again()


def test_a_hold_ends_once(ledger: Engine) -> None:
    for number, end in enumerate((capture, release)):
        made = authorise(ledger, key=f"hold-{number}").hold.id
        end(ledger, made, key=f"end-{number}")
        for again in (lambda: capture(ledger, made, key="again"), lambda: release(ledger, made, key="again")):  # noqa: B023
            with refused(ledger, HoldEnded) as caught:
                again()
            assert f"by entry {stored(ledger, made).ended_by_entry_id}" in str(caught.value)
    assert expire(ledger, now=LATER) == 0


def test_what_cannot_be_held_is_refused(ledger: Engine) -> None:
    for request, refusal in (
        (replace(TOKENS, user_id="zed"), UnknownUser),
        (replace(TOKENS, model_id="gpt-9"), UnknownModel),
        (replace(TOKENS, asked_credits=5), InvalidRequest),
        (HoldRequest("ada", "chat", "openai/gpt-4o", asked_credits=0), InvalidRequest),
        (replace(TOKENS, lasts=timedelta(microseconds=999_999)), InvalidRequest),
        (replace(TOKENS, lasts=timedelta(days=1, microseconds=1)), InvalidRequest),
        (replace(TOKENS, creator_id="ben"), InvalidRequest),
    ):
        with refused(ledger, refusal):
            authorise(ledger, request, key="hold")
    for hold_id in (1, 99, 0, -1, 2**63):
        with refused(ledger, UnknownHold):
            capture(ledger, hold_id, key="capture")
        with refused(ledger, UnknownHold):
            release(ledger, hold_id, key="release")
    made = authorise(ledger, replace(TOKENS, lasts=timedelta(days=1)), key="a-day").hold
    assert made.expires_at == NOW + timedelta(days=1)


def test_a_captured_run_is_refunded_and_a_hold_is_not(ledger: Engine) -> None:
    made = authorise(ledger, key="hold")
    done = capture(ledger, made.hold.id, USED_LESS, key="capture")
    with refused(ledger, NotRefundable) as caught:
        world.refund(ledger, made.hold.id, key="no")
    assert "is no payment" in str(caught.value)
    world.refund(ledger, done.receipt.entry_id, key="refund")
    assert (balance(ledger, "ada"), held(ledger)) == (100_000, 0)
    assert _is_clean(ledger)


def test_what_is_held_can_always_come_back(engine: Engine) -> None:
    """Nobody receives so much meanwhile that the held credits would have no room."""
    world.add(engine, "ada", LARGEST_CREDITS, key="fund")
    made = authorise(engine, key="hold")
    with pytest.raises(Exception, match="cannot hold 1 more credits"):
        world.add(engine, "ada", 1, key="more")
    release(engine, made.hold.id, key="release")
    assert balance(engine, "ada") == LARGEST_CREDITS
