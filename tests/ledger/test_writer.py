"""The only writer: what it refuses, in which order it moves balances, and how entries are numbered."""

import threading
from datetime import datetime
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.errors import CreditsError
from credits_core.ledger import locks, writer
from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import PostedTransaction, Receipt
from credits_core.ledger.refusals import BalanceTooLarge, IdempotencyKeyReused, InsufficientCredits, UnknownUser
from credits_core.ledger.requests import NewEntry
from credits_core.store import database
from credits_core.store.kinds import EntryType, TransactionType
from tests.support import world
from tests.support.plain_sql import balance, every_row, refused, rows, scalar, transactions
from tests.support.waiting import wait_until
from tests.support.world import LARGEST_CREDITS, LATER, NOW, NOW_US

GRANTED = TransactionType.GRANT


def _entry(key: str, type_: EntryType = EntryType.GRANT) -> NewEntry:
    return NewEntry(type_, key, "0" * 64, "tester", NOW)


def _post(engine: Engine, key: str, *moved: tuple[str, int]) -> tuple[PostedTransaction, ...]:
    movements = [Movement(account_id, GRANTED, amount_credits) for account_id, amount_credits in moved]

    def post(connection: Connection) -> tuple[PostedTransaction, ...]:
        users = {account_id for account_id, _ in moved if not account_id.startswith("platform:")}
        posting = writer.begin(connection, users, [key])
        _, posted = posting.post(_entry(key), movements)
        posting.write()
        return posted

    return database.write(engine, post)


def _open_account(engine: Engine, user_id: str, at: datetime) -> None:
    def open_account(connection: Connection) -> None:
        posting = writer.begin(connection, [user_id], [])
        posting.open_account(user_id, at)
        posting.write()

    database.write(engine, open_account)


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
    assert rows(engine, "SELECT user_id, balance_credits, created_at_us FROM user_credits ORDER BY user_id") == [
        ("amy", 30, NOW_US),
        ("zoe", 70, NOW_US),
    ]


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


def test_a_posting_knows_which_keys_are_taken_and_by_which_entry(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 5), ("platform:grants", -5))
    with database.read(engine) as connection:
        taken = writer.begin(connection, ["ada"], ["k-1", "k-2"]).taken
    assert taken == {"k-1": (1, "0" * 64)}


def test_what_is_posted_later_sees_what_was_posted_before_it(engine: Engine) -> None:
    def post_both(connection: Connection) -> list[int | None]:
        posting = writer.begin(connection, ["ada", "amy"], ["k-1", "k-2"])
        first = [Movement("ada", GRANTED, 100), Movement("platform:grants", GRANTED, -100)]
        posting.post(_entry("k-1"), first)
        _, posted = posting.post(_entry("k-2"), [Movement("ada", GRANTED, -30), Movement("amy", GRANTED, 30)])
        posting.write()
        return [moved.balance_after_credits for moved in posted]

    assert database.write(engine, post_both) == [70, 30]
    assert rows(engine, "SELECT id, idempotency_key FROM journal_entries ORDER BY id") == [(1, "k-1"), (2, "k-2")]
    assert rows(engine, "SELECT user_id, balance_credits, created_at_us FROM user_credits ORDER BY user_id") == [
        ("ada", 70, NOW_US),
        ("amy", 30, NOW_US),
    ]


def test_what_is_refused_leaves_nothing_of_itself_in_a_posting(engine: Engine) -> None:
    def post_all(connection: Connection) -> None:
        posting = writer.begin(connection, ["ada", "amy", "ben"], ["k-1", "k-2"])
        posting.post(_entry("k-1"), [Movement("ada", GRANTED, 100), Movement("platform:grants", GRANTED, -100)])
        with pytest.raises(InsufficientCredits):  # amy has got an account and credits when ada is found to have too few
            posting.post(_entry("k-2"), [Movement("amy", GRANTED, 101), Movement("ada", GRANTED, -101)])
        posting.post(_entry("k-2"), [Movement("ada", GRANTED, -100), Movement("ben", GRANTED, 100)])
        posting.write()

    database.write(engine, post_all)
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 0),
        ("ben", 100),
    ]
    assert rows(engine, "SELECT account_id, amount_credits FROM credit_transactions ORDER BY entry_id, position") == [
        ("ada", 100),
        ("platform:grants", -100),
        ("ada", -100),
        ("ben", 100),
    ]


@pytest.mark.parametrize("entries", [1, 99, 100, 101, 250])
def test_any_number_of_entries_is_written_whole(engine: Engine, entries: int) -> None:
    # SQLite gets them in hundreds and the rest one by one.
    def post_all(connection: Connection) -> None:
        posting = writer.begin(connection, ["ada"], [f"k-{number}" for number in range(entries)])
        for number in range(entries):
            granted = [Movement("ada", GRANTED, number + 1), Movement("platform:grants", GRANTED, -number - 1)]
            posting.post(_entry(f"k-{number}"), granted)
        posting.write()

    database.write(engine, post_all)
    in_all = entries * (entries + 1) // 2
    assert balance(engine, "ada") == in_all
    assert rows(engine, "SELECT id, idempotency_key FROM journal_entries ORDER BY id") == [
        (number + 1, f"k-{number}") for number in range(entries)
    ]
    sums = "SELECT account_id, COUNT(*), SUM(amount_credits) FROM credit_transactions GROUP BY 1 ORDER BY 1"
    assert rows(engine, sums) == [
        ("ada", entries, in_all),
        ("platform:grants", entries, -in_all),
    ]


def test_a_balance_that_somebody_changed_without_the_lock_is_not_overwritten(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 100), ("platform:grants", -100))

    def post_over(connection: Connection) -> None:
        posting = writer.begin(connection, ["ada"], ["k-2"])
        posting.post(_entry("k-2"), [Movement("ada", GRANTED, -10), Movement("platform:grants", GRANTED, 10)])
        connection.execute(text("UPDATE user_credits SET balance_credits = 70"))
        posting.write()

    before = every_row(engine)
    with pytest.raises(RuntimeError, match="a balance has changed"):
        database.write(engine, post_over)
    assert every_row(engine) == before


def test_an_account_that_is_opened_again_keeps_its_balance(engine: Engine) -> None:
    _open_account(engine, "ada", NOW)
    _post(engine, "k-1", ("ada", 5), ("platform:grants", -5))
    _open_account(engine, "ada", LATER)
    assert rows(engine, "SELECT user_id, balance_credits, created_at_us FROM user_credits") == [("ada", 5, NOW_US)]


def test_balances_are_read_of_those_who_have_an_account(engine: Engine) -> None:
    _post(engine, "k-1", ("ada", 5), ("Ben", 7), ("platform:grants", -12))
    with database.read(engine) as connection:
        assert writer.balance_of(connection, "ada") == 5
        assert writer.begin(connection, {"ada", "Ben", "cleo"}, []).balances == {"ada": 5, "Ben": 7}
        assert writer.begin(connection, (), []).balances == {}
        assert writer.circulating_credits(connection) == 12
        with pytest.raises(UnknownUser):
            writer.balance_of(connection, "cleo")


def test_nothing_circulates_in_an_empty_ledger(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert writer.circulating_credits(connection) == 0


# --- on PostgreSQL, where units of work run side by side ------------------------------------------------------------


def _wait_for_a_lock_waiter(engine: Engine) -> None:
    waiters = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    wait_until(lambda: scalar(engine, waiters) != 0)


@pytest.mark.parametrize("payer", ["ada", "cleo"])
def test_a_users_balances_follow_each_other_in_the_order_of_the_entries(postgres_engine: Engine, payer: str) -> None:
    # With "cleo" the two entries meet at the creator alone, who has no account yet.
    world.add(postgres_engine, "ada", 10_000, key="fund-ada")
    world.add(postgres_engine, "cleo", 10_000, key="fund-cleo")
    later = threading.Thread(
        target=partial(world.charge, postgres_engine, world.run_by(payer, world.HAIKU_WITH_FEE), key="later")
    )
    with postgres_engine.begin() as connection:
        posting = writer.begin(connection, ["ada", "ben"], ["first"])
        later.start()
        _wait_for_a_lock_waiter(postgres_engine)
        moved = [Movement("ada", GRANTED, -40), Movement("ben", GRANTED, 30), Movement("platform:grants", GRANTED, 10)]
        first_id, _ = posting.post(_entry("first"), moved)
        posting.write()
    later.join()

    second_id = int(str(scalar(postgres_engine, "SELECT id FROM journal_entries WHERE idempotency_key = 'later'")))
    assert second_id > first_id
    assert transactions(postgres_engine, second_id)[:2] == [
        (payer, "prompt_run", -1_251, {"ada": 9_960, "cleo": 10_000}[payer] - 1_251),
        ("ben", "creator_payment", 800, 830),
    ]


@pytest.mark.parametrize("is_committed", [False, True])
def test_of_two_users_who_send_one_key_at_once_the_second_waits_for_what_becomes_of_the_first(
    postgres_engine: Engine, is_committed: bool
) -> None:
    world.add(postgres_engine, "ada", 1_000, key="fund")
    outcomes: list[Receipt | CreditsError] = []

    def charge_ada() -> None:
        try:
            outcomes.append(world.charge(postgres_engine, world.HAIKU, key="contested"))
        except CreditsError as refusal:
            outcomes.append(refusal)

    waiting = threading.Thread(target=charge_ada)
    with postgres_engine.connect() as connection:
        unit_of_work = connection.begin()
        posting = writer.begin(connection, ["cleo"], ["contested"])
        granted = [Movement("cleo", GRANTED, 1), Movement("platform:grants", GRANTED, -1)]
        entry_id, _ = posting.post(_entry("contested"), granted)
        posting.write()
        waiting.start()
        _wait_for_a_lock_waiter(postgres_engine)
        if is_committed:
            unit_of_work.commit()
        else:
            unit_of_work.rollback()
    waiting.join()

    (outcome,) = outcomes
    if is_committed:
        assert isinstance(outcome, IdempotencyKeyReused)
        assert (outcome.key, outcome.entry_id) == ("contested", entry_id)
    else:
        assert isinstance(outcome, Receipt)
        assert not outcome.replayed
    assert balance(postgres_engine, "ada") == (1_000 if is_committed else 700)


@pytest.mark.parametrize(("held", "other", "other_is_free"), [("Ben", "ada", False), ("ada", "Ben", True)])
def test_users_are_locked_in_one_order_whatever_order_they_are_given_in(
    postgres_engine: Engine, held: str, other: str, other_is_free: bool
) -> None:
    # Ada comes first, as ids are folded. So whoever waits for Ben holds ada, and whoever waits for ada holds nobody.
    def lock_both() -> None:
        with postgres_engine.connect() as connection:
            writer.begin(connection, ["ada", "Ben"], ["k-1"])
            connection.rollback()

    waiting = threading.Thread(target=lock_both)
    with postgres_engine.begin() as holder:
        locks.lock_users(holder, [held])
        waiting.start()
        _wait_for_a_lock_waiter(postgres_engine)
        with postgres_engine.connect() as third:
            third.execute(text("SET LOCAL lock_timeout = '100ms'"))
            try:
                locks.lock_users(third, [other])
                was_free = True
            except psycopg.errors.LockNotAvailable:
                was_free = False
    waiting.join()
    assert was_free is other_is_free
