"""Lots: credits that expire, what is drawn first, and who is given back what. Both databases; each story is audited."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants, seals
from credits_core.errors import InvalidRequest
from credits_core.ledger import expiring, lot_rows
from credits_core.ledger.lots import Draw
from credits_core.ledger.refusals import AddedCreditsSpent, IdempotencyKeyReused, InsufficientCredits
from credits_core.ledger.requests import ChargeRequest, HoldRequest
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import holding, world
from tests.support.actors import TESTER
from tests.support.damage import behind_its_back
from tests.support.plain_sql import balance, contradictions, refused, rows, transactions
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LATER, NOW

TOMORROW, NEXT_WEEK = NOW + timedelta(days=1), NOW + timedelta(days=7)


def _grant(engine: Engine, credits: int, key: str, *, expires_at: datetime | None = None, now: datetime = NOW) -> int:
    return world.add(
        engine, "ada", credits, key=key, source=CreditSource.GRANT, reason="Welcome", expires_at=expires_at, now=now
    ).entry_id


def _drawn(engine: Engine, entry_id: int, user_id: str = "ada") -> list[Draw]:
    with database.read(engine) as connection:
        return lot_rows.drawn_by(connection, user_id, entry_id)


def _left(engine: Engine, user_id: str = "ada") -> list[tuple[int, int]]:
    """The number of each lot and what is left of it, in the order in which they are drawn."""
    with database.read(engine) as connection:
        return [(lot.number, lot.left_credits) for lot in lot_rows.lots_of(connection, user_id)]


def _expire(engine: Engine, now: datetime, limit: int = expiring.MOST_AT_ONCE) -> int:
    return database.write(
        engine, lambda connection: expiring.expire_lots(connection, now=now, actor=TESTER, limit=limit)
    )


def _is_clean(engine: Engine) -> bool:
    assert contradictions(engine) == []
    seals.catch_up(engine, now=NEXT_WEEK)
    assert [str(found) for found in invariants.check(engine, world.price_book().plans) if not found.ok] == []
    return True


def test_the_soonest_expiry_pays_first_then_grants_then_purchases_the_oldest_first(engine: Engine) -> None:
    old = world.add(engine, "ada", 200, key="old").entry_id
    young = world.add(engine, "ada", 200, key="young").entry_id
    granted = _grant(engine, 100, "grant")
    week = world.add(engine, "ada", 150, key="week", expires_at=NEXT_WEEK).entry_id
    day = _grant(engine, 120, "day", expires_at=TOMORROW)
    first = world.charge(engine, HAIKU, key="run-1").entry_id  # 300
    second = world.charge(engine, HAIKU, key="run-2").entry_id
    assert _drawn(engine, first) == [Draw(granted, 30), Draw(week, 150), Draw(day, 120)]
    assert _drawn(engine, second) == [Draw(old, 200), Draw(young, 30), Draw(granted, 70)]
    assert _left(engine) == [(young, 170)]
    assert _is_clean(engine)


def test_credits_cannot_be_spent_from_the_moment_when_they_expire_though_no_job_ran(engine: Engine) -> None:
    _grant(engine, 300, "day", expires_at=TOMORROW)
    world.add(engine, "ada", 299, key="bought")
    with refused(engine, InsufficientCredits) as caught:
        world.charge(engine, HAIKU, key="late", now=TOMORROW)
    assert "ada has 299 credits, but this takes 300" in str(caught.value)
    world.charge(engine, HAIKU, key="in-time", now=TOMORROW - timedelta(microseconds=1))
    assert balance(engine, "ada") == 299
    assert _is_clean(engine)


def test_a_charge_books_what_has_expired_and_the_job_the_rest_once(engine: Engine) -> None:
    _grant(engine, 500, "day", expires_at=TOMORROW)
    bought = world.add(engine, "ada", 1_000, key="bought").entry_id
    world.add(engine, "bob", 70, key="bob", expires_at=TOMORROW)
    run = world.charge(engine, HAIKU, key="run", now=TOMORROW)
    assert transactions(engine, run.entry_id - 1) == [
        ("ada", "expiry", -500, 1_000),
        ("platform:expired", "expiry", 500, None),
    ]
    assert (run.balance_after("ada"), _drawn(engine, run.entry_id)) == (700, [Draw(bought, 300)])
    assert _expire(engine, TOMORROW - timedelta(microseconds=1)) == 0
    assert [_expire(engine, TOMORROW) for _ in range(2)] == [1, 0]
    assert balance(engine, "bob") == 0
    assert _is_clean(engine)


def test_the_job_takes_a_bounded_number_of_users_at_once(engine: Engine) -> None:
    for number in range(5):
        world.add(engine, f"user{number}", 10, key=f"k{number}", expires_at=TOMORROW)
    assert [_expire(engine, NEXT_WEEK, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert _is_clean(engine)


def test_lots_begin_to_be_kept_with_the_first_credits_that_expire_and_know_what_came_before(engine: Engine) -> None:
    bought = world.add(engine, "ada", 1_000, key="bought").entry_id
    granted = _grant(engine, 100, "grant")
    before = world.charge(engine, HAIKU, key="before").entry_id
    assert rows(engine, "SELECT COUNT(*) FROM lots") == [(0,)]
    assert _drawn(engine, before) == [Draw(bought, 200), Draw(granted, 100)]
    assert _left(engine) == [(bought, 800)]
    day = _grant(engine, 50, "day", expires_at=TOMORROW)
    assert _left(engine) == [(day, 50), (bought, 800)]
    # A run from before is given back to the lots that paid for it, one of which was empty.
    world.refund(engine, before, key="refund")
    assert _left(engine) == [(day, 50), (granted, 100), (bought, 1_000)]
    assert _is_clean(engine)


def test_a_refund_gives_back_to_the_lots_that_paid_even_when_their_time_is_over(engine: Engine) -> None:
    day = _grant(engine, 100, "day", expires_at=TOMORROW)
    bought = world.add(engine, "ada", 1_000, key="bought").entry_id
    run = world.charge(engine, HAIKU, key="run").entry_id
    world.refund(engine, run, key="refund", now=NEXT_WEEK)
    assert _left(engine) == [(day, 100), (bought, 1_000)]
    assert _expire(engine, NEXT_WEEK) == 1
    assert (balance(engine, "ada"), _left(engine)) == (1_000, [(bought, 1_000)])
    assert _is_clean(engine)


def test_one_grant_is_taken_back_without_the_others(engine: Engine) -> None:
    first = _grant(engine, 100, "first", expires_at=NEXT_WEEK)
    second = _grant(engine, 100, "second", expires_at=TOMORROW)
    world.refund(engine, first, key="refund")
    assert _left(engine) == [(second, 100)]
    world.add(engine, "ada", 400, key="bought")
    world.charge(engine, HAIKU, key="run")
    with refused(engine, AddedCreditsSpent) as caught:
        world.refund(engine, second, key="again")
    assert "ada has 0 credits, but this takes 100" in str(caught.value)
    assert _is_clean(engine)


def test_a_hold_keeps_credits_past_their_time_and_what_it_does_not_use_expires(engine: Engine) -> None:
    day = _grant(engine, 10_000, "day", expires_at=NOW + timedelta(minutes=5))
    bought = world.add(engine, "ada", 20_000, key="bought").entry_id
    made = holding.authorise(engine, key="hold")  # 13,750
    assert _left(engine) == [(bought, 16_250)]
    done = holding.capture(engine, made.hold.id, holding.USED_LESS, key="capture", now=holding.IN_TIME)  # 7,800
    assert _drawn(engine, done.receipt.entry_id) == [Draw(day, 7_800)]
    assert (done.released_credits, done.balance_credits) == (5_950, 20_000)
    assert _left(engine) == [(bought, 20_000)]
    assert _is_clean(engine)
    run = done.receipt.entry_id
    world.refund(engine, run, key="refund", now=LATER)
    assert _left(engine) == [(day, 7_800), (bought, 20_000)]
    assert _is_clean(engine)


def test_two_holds_come_back_to_their_own_lots(engine: Engine) -> None:
    day = _grant(engine, 500, "day", expires_at=TOMORROW)
    bought = world.add(engine, "ada", 500, key="bought").entry_id
    ask = HoldRequest("ada", "chat", "claude-3-haiku", asked_credits=400)
    first, second = (holding.authorise(engine, ask, key=f"hold-{number}").hold.id for number in range(2))
    assert (_drawn(engine, first), _drawn(engine, second)) == ([Draw(day, 400)], [Draw(day, 100), Draw(bought, 300)])
    holding.release(engine, second, key="release")
    assert _left(engine) == [(day, 100), (bought, 500)]
    assert holding.expire(engine, now=LATER) == 1
    assert _left(engine) == [(day, 500), (bought, 500)]
    assert _is_clean(engine)


def test_a_hold_from_before_lots_were_kept_comes_back_to_its_lots(engine: Engine) -> None:
    bought = world.add(engine, "ada", 500, key="bought").entry_id
    ask = HoldRequest("ada", "chat", "claude-3-haiku", asked_credits=500)
    made = holding.authorise(engine, ask, key="hold").hold.id
    day = _grant(engine, 5, "day", expires_at=TOMORROW)
    holding.release(engine, made, key="release")
    assert _left(engine) == [(day, 5), (bought, 500)]
    assert _is_clean(engine)


def test_what_a_creator_earns_is_one_lot_and_a_share_is_given_back_from_it(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    day = world.add(engine, "ben", 100, key="ben", source=CreditSource.GRANT, reason="Hi", expires_at=TOMORROW).entry_id
    runs = [world.charge(engine, HAIKU_WITH_FEE, key=f"run-{number}").entry_id for number in range(2)]
    assert _left(engine, "ben") == [(day, 100), (0, 1_600)]
    world.refund(engine, runs[0], key="refund")
    assert _left(engine, "ben") == [(day, 100), (0, 800)]
    own = world.charge(engine, ChargeRequest("ben", "mine", "claude-3-haiku", "ben", 500), key="own").entry_id
    assert _left(engine, "ben") == [(0, 800 + 100 - 750 + 400)]
    world.refund(engine, own, key="refund-own")
    assert _left(engine, "ben") == [(day, 100), (0, 800)]
    assert _is_clean(engine)


def test_an_expiry_is_part_of_what_was_asked(engine: Engine) -> None:
    _grant(engine, 100, "key", expires_at=TOMORROW)
    for expires_at in (None, NEXT_WEEK):
        with refused(engine, IdempotencyKeyReused):
            _grant(engine, 100, "key", expires_at=expires_at)
    for wrong in (NOW, NOW - timedelta(days=1), NEXT_WEEK.replace(tzinfo=None)):
        with refused(engine, InvalidRequest):
            _grant(engine, 100, "other", expires_at=wrong)
    assert rows(engine, "SELECT COUNT(*) FROM journal_entries") == [(1,)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE lots SET left_credits = left_credits + 1 WHERE number = 1",
        "UPDATE lots SET expires_at_us = expires_at_us + 1 WHERE number = 1",
        "UPDATE lots SET source = 'purchase' WHERE number = 1",
        "DELETE FROM lots WHERE number = 2",
        "UPDATE lot_draws SET credits = credits + 1",
        "UPDATE lot_draws SET lot = 2 WHERE entry_id = 1",
        "DELETE FROM lot_draws WHERE entry_id = 3",
        "INSERT INTO lots VALUES ('ada', 77, 'grant', NULL, 5)",
        "INSERT INTO lots VALUES ('ben', 1, 'grant', NULL, 5)",
        "UPDATE user_credits SET has_lots = NOT has_lots WHERE user_id = 'ada'",
        "UPDATE user_credits SET has_lots = NOT has_lots WHERE user_id = 'ben'",
    ],
)
@pytest.mark.as_owner
def test_the_audit_finds_what_does_not_follow_from_the_journal(engine: Engine, damage: str) -> None:
    _grant(engine, 1_000, "day", expires_at=TOMORROW)
    world.add(engine, "ada", 2_000, key="bought")
    world.charge(engine, HAIKU_WITH_FEE, key="run")
    assert _is_clean(engine)
    behind_its_back(engine, damage)
    wrong = {found.invariant for found in invariants.check(engine, world.price_book().plans) if not found.ok}
    assert wrong == {"every lot follows from the journal"}
