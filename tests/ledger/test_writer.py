"""The only writer: what it refuses, in which order it moves balances, and how entries are numbered."""

import threading
import time
from collections.abc import Callable
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.ledger import writer
from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.refusals import BalanceTooLarge, InsufficientCredits, UnknownUser
from credits_core.ledger.requests import NewEntry
from credits_core.store import database, statements
from credits_core.store.kinds import EntryType, TransactionType
from tests.support import world
from tests.support.plain_sql import balance, every_row, refused, rows, scalar, transactions
from tests.support.world import LARGEST_CREDITS, LATER, NOW, NOW_US

GRANTED = TransactionType.GRANT


def _entry(key: str, type_: EntryType = EntryType.GRANT) -> NewEntry:
    return NewEntry(type_, key, "0" * 64, "tester", NOW)


def _post(engine: Engine, key: str, *moved: tuple[str, int]) -> tuple[PostedTransaction, ...]:
    movements = [Movement(account_id, GRANTED, amount_credits) for account_id, amount_credits in moved]

    def claim_and_post(connection: Connection) -> tuple[PostedTransaction, ...]:
        users = {account_id for account_id, _ in moved if not account_id.startswith("platform:")}
        entry_id = writer.claim_key(connection, _entry(key), users)
        assert entry_id is not None
        return writer.post(connection, entry_id, created_at=NOW, movements=movements)

    return database.write(engine, claim_and_post)


def test_an_entry_is_written_with_its_movements_in_their_order(engine: Engine) -> None:
    posted = _post(engine, "k-1", ("zoe", 70), ("platform:grants", -100), ("amy", 30))

    assert posted == (
        PostedTransaction("zoe", GRANTED, 70, 70),
        PostedTransaction("platform:grants", GRANTED, -100, None),
        PostedTransaction("amy", GRANTED, 30, 30),
    )
    assert rows(engine, "SELECT * FROM journal_entries") == [
        (1, "grant", "k-1", "0" * 64, "tester", None, None, NOW_US)
    ]
    assert rows(engine, "SELECT * FROM credit_transactions ORDER BY position") == [
        (1, 0, "zoe", "grant", 70, 70, NOW_US),
        (1, 1, "platform:grants", "grant", -100, None, NOW_US),
        (1, 2, "amy", "grant", 30, 30, NOW_US),
    ]
    assert rows(engine, "SELECT * FROM user_credits ORDER BY user_id") == [("amy", 30, NOW_US), ("zoe", 70, NOW_US)]


def test_one_users_own_movements_keep_their_order(engine: Engine) -> None:
    posted = _post(engine, "k-1", ("ada", 100), ("amy", 5), ("ada", -60), ("platform:grants", -45))
    assert [moved.balance_after_credits for moved in posted] == [100, 5, 40, None]


def test_a_user_may_give_to_the_last_credit_and_no_further(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 100), ("platform:grants", -100))
    with refused(engine, InsufficientCredits) as caught:
        _post(engine, "k-2", ("ada", -101), ("platform:grants", 101))
    refusal = caught.value
    assert isinstance(refusal, InsufficientCredits)
    assert (refusal.user_id, refusal.balance_credits, refusal.required_credits) == ("ada", 100, 101)
    assert _post(engine, "k-2", ("ada", -100), ("platform:grants", 100))[0].balance_after_credits == 0


def test_a_user_may_receive_up_to_the_largest_balance_and_no_further(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", LARGEST_CREDITS - 1), ("platform:grants", 1 - LARGEST_CREDITS))
    with refused(engine, BalanceTooLarge):
        _post(engine, "k-2", ("ada", 2), ("platform:grants", -2))
    assert _post(engine, "k-2", ("ada", 1), ("platform:grants", -1))[0].balance_after_credits == LARGEST_CREDITS


def test_only_a_user_with_an_account_can_give(engine: Engine) -> None:
    with refused(engine, UnknownUser) as caught:
        _post(engine, "k-1", ("ada", -1), ("platform:grants", 1))
    assert str(caught.value) == "There is no user 'ada'. Add credits to create the user first."


def test_movements_that_do_not_sum_to_zero_are_our_own_mistake_and_leave_nothing(engine: Engine) -> None:
    before = every_row(engine)
    with pytest.raises(AssertionError, match="sum to zero"):
        _post(engine, "k-1", ("ada", 5), ("platform:grants", -4))
    assert every_row(engine) == before


def test_a_key_is_claimed_once(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 5), ("platform:grants", -5))

    def claim(connection: Connection, key: str) -> int | None:
        return writer.claim_key(connection, _entry(key), ["ada"])

    before = every_row(engine)
    assert database.write(engine, partial(claim, key="k-1")) is None
    assert every_row(engine) == before


def test_an_account_that_is_opened_again_keeps_its_balance(engine: Engine) -> None:
    database.write(engine, lambda connection: writer.open_account(connection, "ada", NOW))
    _post(engine, "k-1", ("ada", 5), ("platform:grants", -5))
    database.write(engine, lambda connection: writer.open_account(connection, "ada", LATER))
    assert rows(engine, "SELECT * FROM user_credits") == [("ada", 5, NOW_US)]


def test_balances_are_read_of_those_who_have_an_account(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 5), ("Ben", 7), ("platform:grants", -12))
    with database.read(engine) as connection:
        assert writer.balance_of(connection, "ada") == 5
        assert writer.lock_balances(connection, {"ada", "Ben", "cleo"}) == {"ada": 5, "Ben": 7}
        assert writer.lock_balances(connection, set()) == {}
        assert writer.circulating_credits(connection) == 12
        with pytest.raises(UnknownUser):
            writer.balance_of(connection, "cleo")


def test_nothing_circulates_in_an_empty_ledger(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert writer.circulating_credits(connection) == 0


def test_a_savepoint_undoes_its_own_part_alone(engine: Engine) -> None:
    def open_three(connection: Connection) -> None:
        writer.open_account(connection, "ada", NOW)
        with statements.Savepoint(connection) as savepoint:
            writer.open_account(connection, "ben", NOW)
            savepoint.roll_back()
        with statements.Savepoint(connection):
            writer.open_account(connection, "cleo", NOW)

    database.write(engine, open_three)
    assert rows(engine, "SELECT user_id FROM user_credits ORDER BY user_id") == [("ada",), ("cleo",)]


# --- on PostgreSQL, where units of work run side by side ------------------------------------------------------------


def _wait_for_a_lock_waiter(engine: Engine) -> None:
    waiters = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + 120
    while scalar(engine, waiters) == 0:
        assert time.monotonic() < deadline, "nobody waits for a lock"
        time.sleep(0.01)


@pytest.mark.parametrize("payer", ["ada", "cleo"])
def test_a_users_balances_follow_each_other_in_the_order_of_the_entries(postgres_engine: Engine, payer: str) -> None:
    # With "cleo" the two entries meet at the creator alone, who has no account yet.
    world.add(postgres_engine, "ada", 10_000, key="fund-ada")
    world.add(postgres_engine, "cleo", 10_000, key="fund-cleo")
    later = threading.Thread(
        target=partial(world.charge, postgres_engine, world.run_by(payer, world.HAIKU_WITH_FEE), key="later")
    )
    with postgres_engine.begin() as connection:
        first_id = writer.claim_key(connection, _entry("first"), {"ada", "ben"})
        later.start()
        _wait_for_a_lock_waiter(postgres_engine)
        assert first_id is not None
        moved = [Movement("ada", GRANTED, -40), Movement("ben", GRANTED, 30), Movement("platform:grants", GRANTED, 10)]
        writer.post(connection, first_id, created_at=NOW, movements=moved)
    later.join()

    second_id = int(str(scalar(postgres_engine, "SELECT id FROM journal_entries WHERE idempotency_key = 'later'")))
    assert second_id > first_id
    assert transactions(postgres_engine, second_id)[:2] == [
        (payer, "prompt_run", -1_251, {"ada": 9_960, "cleo": 10_000}[payer] - 1_251),
        ("ben", "creator_payment", 800, 830),
    ]


def test_a_key_that_another_unit_of_work_has_claimed_is_free_again_when_that_is_rolled_back(
    postgres_engine: Engine,
) -> None:
    world.add(postgres_engine, "ada", 1_000, key="fund")
    receipts = []
    waiting = threading.Thread(
        target=lambda: receipts.append(world.charge(postgres_engine, world.HAIKU, key="contested"))
    )
    with postgres_engine.connect() as connection:
        writer.claim_key(connection, _entry("contested"), ["cleo"])
        waiting.start()
        _wait_for_a_lock_waiter(postgres_engine)
        connection.rollback()
    waiting.join()

    assert [receipt.replayed for receipt in receipts] == [False]
    assert balance(postgres_engine, "ada") == 700


def _lock_by_reading(connection: Connection) -> None:
    writer.lock_balances(connection, ["ada", "Ben"])


def _lock_by_claiming(connection: Connection) -> None:
    writer.claim_key(connection, _entry("claim"), ["ada", "Ben"])


@pytest.mark.parametrize("lock", [_lock_by_reading, _lock_by_claiming])
@pytest.mark.parametrize(("held", "other", "other_is_free"), [("Ben", "ada", False), ("ada", "Ben", True)])
def test_users_are_locked_in_one_order_whatever_order_they_are_given_in(
    postgres_engine: Engine, held: str, other: str, other_is_free: bool, lock: Callable[[Connection], None]
) -> None:
    # Ada comes first, as ids are folded. So whoever waits for Ben holds ada, and whoever waits for ada holds nobody.
    def lock_both() -> None:
        with postgres_engine.connect() as connection:
            lock(connection)
            connection.rollback()

    waiting = threading.Thread(target=lock_both)
    with postgres_engine.begin() as holder:
        writer.lock_balances(holder, {held})
        waiting.start()
        _wait_for_a_lock_waiter(postgres_engine)
        with postgres_engine.connect() as third:
            third.execute(text("SET LOCAL lock_timeout = '100ms'"))
            try:
                writer.lock_balances(third, {other})
                was_free = True
            except psycopg.errors.LockNotAvailable:
                was_free = False
    waiting.join()
    assert was_free is other_is_free
