"""Who has which flow, and unlocks answered without a payment: their keys never pay later, whatever happened since."""

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from credits_core.audit.answers import answers_match_their_unlocks
from credits_core.ledger import flows
from credits_core.ledger.flows import AccessNow, AccessReason
from credits_core.ledger.receipts import FlowAccess
from credits_core.ledger.refusals import IdempotencyKeyReused, UnknownUser
from credits_core.store import database
from tests.support import racers, world
from tests.support.plain_sql import balance, every_row, refused, rows
from tests.support.world import HAIKU, LATER, NOW, UNLOCK

DIFFERS = "the answer to {} differs from its request"
INSERTED = (
    "INSERT INTO unlock_answers VALUES ('{key}', 'h', 'ada', 'report-flow', '{creator}', 1001, {entry}, 'tester', 0)"
)


def _access(engine: Engine, user_id: str, flow_id: str = "report-flow") -> AccessNow:
    with database.read(engine) as connection:
        return flows.access_now(connection, user_id, flow_id)


@pytest.fixture
def unlocked(engine: Engine) -> Engine:
    """A ledger in which ada unlocked ben's flow with entry 2, and asked for it again with `again`."""
    world.add(engine, "ada", 5_000, key="k-1")
    world.unlock(engine, UNLOCK, key="k-2")
    again = world.unlock(engine, UNLOCK, key="again")
    assert (again.access, again.had_by_entry_id, again.replayed) == (FlowAccess.UNLOCKED_BEFORE, 2, False)
    return engine


def test_a_retry_of_an_unlock_that_cost_nothing_never_pays(unlocked: Engine) -> None:
    world.refund(unlocked, 2, key="k-3")
    before = every_row(unlocked)
    retried = world.unlock(unlocked, UNLOCK, key="again", now=LATER)
    assert (retried.access, retried.has_access_now, retried.receipt) == (FlowAccess.REFUNDED, False, None)
    assert (retried.had_by_entry_id, retried.refunded_by_entry_id, retried.replayed) == (2, 3, True)
    assert every_row(unlocked) == before

    world.unlock(unlocked, UNLOCK, key="anew")
    retried = world.unlock(unlocked, UNLOCK, key="again")
    assert (retried.access, retried.has_access_now, retried.refunded_by_entry_id) == (
        FlowAccess.UNLOCKED_BEFORE,
        True,
        3,
    )


def test_a_retry_for_the_own_flow_says_so_again(engine: Engine) -> None:
    world.add(engine, "ben", 5_000, key="k-1")
    asked = replace(UNLOCK, user_id="ben")
    first, again = (world.unlock(engine, asked, key="own") for _ in range(2))
    assert (first.access, first.replayed, again) == (FlowAccess.OWN_FLOW, False, replace(first, replayed=True))


def test_the_key_of_an_answer_is_taken_for_every_other_request(unlocked: Engine) -> None:
    different = {
        "unlock": partial(world.unlock, unlocked, replace(UNLOCK, unlock_fee_credits=9), key="again"),
        "charge": partial(world.charge, unlocked, HAIKU, key="again"),
        "add": partial(world.add, unlocked, "ada", 5, key="again"),
        "refund": partial(world.refund, unlocked, 1, key="again"),
    }
    for act in different.values():
        with refused(unlocked, IdempotencyKeyReused) as caught:
            act()
        assert caught.value.entry_id is None
        assert "answered without a charge" in str(caught.value)


def test_the_same_request_at_once_pays_once_or_is_answered_once(unlocked: Engine) -> None:
    outcomes = racers.at_once([partial(world.unlock, unlocked, UNLOCK, key="many")] * 8)
    assert Counter(outcome.replayed for outcome in outcomes) == {False: 1, True: 7}
    assert rows(unlocked, "SELECT idempotency_key FROM unlock_answers ORDER BY 1") == [("again",), ("many",)]
    world.refund(unlocked, 2, key="k-3")
    paid = racers.at_once([partial(world.unlock, unlocked, UNLOCK, key=key) for key in ("many", "again", "x", "x") * 2])
    assert Counter(outcome.receipt is None for outcome in paid) == {True: 4, False: 4}
    assert balance(unlocked, "ada") == 5_000 - 1_001


# --- who has the flow -------------------------------------------------------------------------------------------------


def test_access_follows_unlock_and_refund(engine: Engine) -> None:
    world.add(engine, "ada", 5_000, key="k-1")
    assert _access(engine, "ada") == AccessNow(AccessReason.NEVER_UNLOCKED)
    world.unlock(engine, UNLOCK, key="k-2")
    assert _access(engine, "ada") == AccessNow(AccessReason.UNLOCKED, 2, NOW)
    world.refund(engine, 2, key="k-3")
    assert _access(engine, "ada") == AccessNow(AccessReason.REFUNDED, 2, NOW, 3)
    world.unlock(engine, UNLOCK, key="k-4", now=LATER)
    assert _access(engine, "ada") == AccessNow(AccessReason.UNLOCKED, 4, LATER)
    assert _access(engine, "ada", "other-flow") == AccessNow(AccessReason.NEVER_UNLOCKED)
    assert [_access(engine, "ada").has_access, _access(engine, "ada", "other-flow").has_access] == [True, False]


def test_an_own_flow_is_known_from_another_users_unlock_or_from_an_answer(engine: Engine) -> None:
    for user in ("ada", "ben", "cleo"):
        world.add(engine, user, 5_000, key=user)
    assert _access(engine, "ben").reason is AccessReason.NEVER_UNLOCKED
    world.unlock(engine, UNLOCK, key="k-1")
    assert _access(engine, "ben") == AccessNow(AccessReason.OWN_FLOW)
    assert _access(engine, "cleo").reason is AccessReason.NEVER_UNLOCKED
    world.unlock(engine, replace(UNLOCK, user_id="cleo", creator_id="cleo", flow_id="hers"), key="k-2")
    assert _access(engine, "cleo", "hers") == AccessNow(AccessReason.OWN_FLOW)
    assert _access(engine, "ben", "hers").reason is AccessReason.NEVER_UNLOCKED


def test_access_of_nobody_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownUser):
        _access(engine, "nobody")


# --- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.as_owner
@pytest.mark.parametrize("change", ["UPDATE unlock_answers SET request_hash = 'x'", "DELETE FROM unlock_answers"])
def test_an_answer_cannot_be_changed(unlocked: Engine, change: str) -> None:
    with unlocked.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(change))


@pytest.mark.parametrize(("creator", "entry"), [("ben", "NULL"), ("ada", "2"), ("ben", "99")])
def test_an_answer_names_its_entry_or_the_own_flow(unlocked: Engine, creator: str, entry: str) -> None:
    statement = text(INSERTED.format(key="x", creator=creator, entry=entry))
    with unlocked.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("key", "entry", "found"),
    [
        ("x", 2, [DIFFERS.format("x")]),
        ("x", 1, [DIFFERS.format("x"), "the answer to x names an entry that did not unlock the flow"]),
        ("k-1", 2, [DIFFERS.format("k-1"), "the key k-1 has an answer and an entry"]),
    ],
)
def test_the_audit_finds_an_answer_that_was_not_given(unlocked: Engine, key: str, entry: int, found: list[str]) -> None:
    with unlocked.connect() as connection:
        assert answers_match_their_unlocks(connection, {}).violations == ()
        connection.execute(text(INSERTED.format(key=key, creator="ben", entry=entry)))
        assert list(answers_match_their_unlocks(connection, {}).violations) == found
        connection.rollback()
