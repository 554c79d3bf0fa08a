"""Adding credits and importing opening balances: the rows they leave, and what is refused."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.ledger import movements as ledger_movements
from credits_core.ledger import opening, requests, writer
from credits_core.ledger.receipts import Receipt
from credits_core.ledger.refusals import BalanceTooLarge, CirculationTooLarge, IdempotencyKeyReused
from credits_core.store import database
from credits_core.store.kinds import CreditSource, EntryType
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import balance, every_row, refused, rows, scalar, transactions
from tests.support.world import HAIKU, LARGEST_CREDITS, LATER, NOW, NOW_US


@pytest.mark.parametrize(
    ("source", "entry_type", "counter_account"),
    [
        (CreditSource.PURCHASE, "credit_purchase", "platform:payments_in"),
        (CreditSource.GRANT, "grant", "platform:grants"),
        (CreditSource.ADJUSTMENT, "adjustment", "platform:adjustments"),
    ],
)
def test_added_credits_come_from_the_platforms_account_for_their_source(
    engine: Engine, source: CreditSource, entry_type: str, counter_account: str
) -> None:
    receipt = world.add(engine, "ada", 5_000, source=source, reason=" Welcome ", key="k-1")

    assert transactions(engine, receipt.entry_id) == [
        ("ada", entry_type, 5_000, 5_000),
        (counter_account, entry_type, -5_000, None),
    ]
    assert rows(engine, "SELECT type, actor, description, created_at_us FROM journal_entries") == [
        (entry_type, "tester", "Welcome", NOW_US)
    ]


def test_the_first_credits_create_the_user_and_later_ones_are_added(engine: Engine) -> None:
    world.add(engine, "ada", 700, key="k-1")
    receipt = world.add(engine, "ada", 300, key="k-2", now=LATER)

    assert receipt.balance_after("ada") == 1_000
    assert rows(engine, "SELECT user_id, balance_credits, created_at_us FROM user_credits") == [("ada", 1_000, NOW_US)]


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_purchase_needs_no_reason(engine: Engine, blank: str) -> None:
    assert world.add(engine, "ada", 700, reason=blank, key="k-1").description is None


def test_the_largest_amount_fits_and_one_credit_more_does_not(engine: Engine) -> None:
    assert world.add(engine, "ada", 9_007_199_254_740_991, key="k-1").balance_after("ada") == 2**53 - 1

    with refused(engine, BalanceTooLarge):
        world.add(engine, "ada", 1, key="k-2")


def test_all_balances_together_may_reach_the_circulation_limit_and_not_pass_it(engine: Engine) -> None:
    # 512 users with the largest balance hold 512 × (2^53 - 1) = 2^62 - 512 credits.
    _import(engine, {f"user-{number}": LARGEST_CREDITS for number in range(512)})

    with refused(engine, CirculationTooLarge) as caught:
        world.add(engine, "ada", 513, key="k-1")
    assert isinstance(caught.value, CirculationTooLarge)
    assert (caught.value.amount_credits, caught.value.maximum_credits) == (513, 4_611_686_018_427_387_904)
    assert world.add(engine, "ada", 512, key="k-2").balance_after("ada") == 512


@pytest.mark.parametrize("amount_credits", [0, -1, 2**53, True, 1.0, "5", None])
def test_an_amount_that_is_no_whole_number_from_1_to_the_largest_is_refused(
    engine: Engine, amount_credits: object
) -> None:
    world.add(engine, "ada", 1_000, key="k-1")
    with refused(engine, InvalidRequest):
        world.add(engine, "ada", amount_credits, key="k-2")  # type: ignore[arg-type]


@pytest.mark.parametrize("user_id", ["", "platform:revenue", "a b", "=cmd", "a" * 129, "ä", None, 7, "ada\n"])
def test_a_user_id_that_could_be_taken_for_something_else_is_refused(engine: Engine, user_id: object) -> None:
    with refused(engine, InvalidRequest):
        world.add(engine, user_id, 1, key="k-1")  # type: ignore[arg-type]


class _Shouting(str):
    """A text that prints as another one, as NumPy's do: the hash of a request would be of what it prints."""

    def __repr__(self) -> str:
        return repr(self.upper())


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 401, "ü", "k\n", None, 7, _Shouting("k")])
def test_a_key_that_is_not_1_to_400_visible_characters_is_refused(engine: Engine, key: object) -> None:
    with refused(engine, InvalidRequest):
        world.add(engine, "ada", 1, key=key)  # type: ignore[arg-type]


def test_a_key_of_400_characters_is_accepted(engine: Engine) -> None:
    assert world.add(engine, "ada", 1, key="k" * 400).idempotency_key == "k" * 400


@pytest.mark.parametrize("source", [CreditSource.GRANT, CreditSource.ADJUSTMENT])
@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines", "\x00", None, 7, _Shouting("Welcome")])
def test_a_grant_or_adjustment_without_a_proper_reason_is_refused(
    engine: Engine, source: CreditSource, reason: object
) -> None:
    with refused(engine, InvalidRequest):
        world.add(engine, "ada", 1, source=source, reason=reason, key="k-1")  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["x" * 501, "two\nlines", None])
def test_a_purchase_with_an_improper_reason_is_refused(engine: Engine, reason: object) -> None:
    with refused(engine, InvalidRequest):
        world.add(engine, "ada", 1, reason=reason, key="k-1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "now",
    [
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
        datetime(9998, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
        datetime(2026, 3, 1),  # noqa: DTZ001 - a time without its zone
    ],
)
def test_a_time_that_could_not_be_shown_everywhere_is_refused(engine: Engine, now: datetime) -> None:
    with refused(engine, InvalidRequest):
        world.add(engine, "ada", 1, key="k-1", now=now)


@pytest.mark.parametrize(
    ("now", "now_us"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 253_370_764_799_999_999),
    ],
)
def test_the_first_and_the_last_moment_are_kept(engine: Engine, now: datetime, now_us: int) -> None:
    world.add(engine, "ada", 1, key="k-1", now=now)
    assert scalar(engine, "SELECT created_at_us FROM journal_entries") == now_us


def test_a_reason_of_500_characters_is_kept(engine: Engine) -> None:
    world.add(engine, "ada", 1, source=CreditSource.GRANT, reason="ü" * 500, key="k-1")
    assert scalar(engine, "SELECT description FROM journal_entries") == "ü" * 500


# --- opening balances -------------------------------------------------------------------------------------------------


def _import(engine: Engine, opening_credits: dict[str, int]) -> dict[str, Receipt | CreditsError | None]:
    return database.write(
        engine,
        lambda connection: opening.import_opening_balances(connection, opening_credits, now=NOW, actor=TESTER),
    )


def test_opening_balances_are_imported_once(engine: Engine) -> None:
    first = _import(engine, {"ada": 1_500, "ben": 0, "cleo": 1})
    after_first = every_row(engine)
    second = _import(engine, {"ada": 1_500, "ben": 0, "cleo": 1})

    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 1_500),
        ("ben", 0),
        ("cleo", 1),
    ]
    assert rows(engine, "SELECT idempotency_key, type FROM journal_entries ORDER BY id") == [
        ("legacy:ada", "adjustment"),
        ("legacy:cleo", "adjustment"),
    ]
    ada, ben, _ = first.values()
    assert isinstance(ada, Receipt)
    assert ben is None
    assert transactions(engine, ada.entry_id) == [
        ("ada", "adjustment", 1_500, 1_500),
        ("platform:adjustments", "adjustment", -1_500, None),
    ]
    assert second["ada"] == replace(ada, replayed=True)
    assert every_row(engine) == after_first


def test_opening_balances_that_the_pace_leaves_are_left_for_another_unit_of_work(engine: Engine) -> None:
    outcomes = database.write(
        engine,
        lambda connection: opening.import_opening_balances(
            connection, {"ada": 1, "ben": 2, "cleo": 3}, now=NOW, actor=TESTER, pace=lambda users: islice(users, 2)
        ),
    )
    assert list(outcomes) == ["ada", "ben"]
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 1),
        ("ben", 2),
    ]


def test_an_import_again_leaves_what_users_have_spent_alone(engine: Engine) -> None:
    _import(engine, {"ada": 1_500, "ben": 0})
    world.charge(engine, HAIKU, key="k-1")
    world.add(engine, "ben", 7, key="k-2")
    _import(engine, {"ada": 1_500, "ben": 0, "cleo": 10})
    assert (balance(engine, "ada"), balance(engine, "ben"), balance(engine, "cleo")) == (1_200, 7, 10)


def test_a_bad_opening_balance_is_refused_and_the_others_stand(engine: Engine) -> None:
    _import(engine, {"ada": 1_500})
    outcomes = _import(engine, {"ben": -1, "b n": 0, "platform:revenue": 5, "ada": 1_501, "cleo": 2**53, "dora": 9})

    assert {user_id: type(outcome) for user_id, outcome in outcomes.items()} == {
        "ben": InvalidRequest,
        "b n": InvalidRequest,
        "platform:revenue": InvalidRequest,
        "ada": IdempotencyKeyReused,
        "cleo": InvalidRequest,
        "dora": Receipt,
    }
    assert rows(engine, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id") == [
        ("ada", 1_500),
        ("dora", 9),
    ]


def test_opening_balances_that_pass_the_circulation_limit_are_all_refused(engine: Engine) -> None:
    with refused(engine, CirculationTooLarge):
        _import(engine, {f"user-{number}": LARGEST_CREDITS for number in range(513)})


def test_an_import_takes_no_lock_for_each_user(postgres_engine: Engine) -> None:
    # The server's table of locks has room for about ten thousand, and a former system may have had more users.
    def import_and_count_locks(connection: Connection) -> object:
        opening_credits = {f"user-{number}": 5 for number in range(50)}
        opening.import_opening_balances(connection, opening_credits, now=NOW, actor=TESTER)
        return connection.execute(text("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'")).scalar_one()

    assert database.write(postgres_engine, import_and_count_locks) == 1


def test_an_import_waits_for_an_entry_that_has_its_number_and_not_yet_its_balances(engine: Engine) -> None:
    world.add(engine, "ada", 3_000, key="k-1")
    importing = threading.Thread(target=_import, args=(engine, {"ada": 70}))
    grant = requests.NewEntry(EntryType.GRANT, "k-2", "0" * 64, "tester", NOW, "Welcome")
    _, movements = ledger_movements.for_added_credits(CreditSource.GRANT, "ada", 500)

    def post_while_the_import_begins(connection: Connection) -> None:
        posting = writer.begin(connection, ["ada"], ["k-2"])
        posting.post(grant, movements)
        importing.start()
        importing.join(0.5)
        posting.write()

    database.write(engine, post_while_the_import_begins)
    importing.join()

    assert rows(
        engine,
        "SELECT balance_after_credits FROM credit_transactions WHERE account_id = 'ada' ORDER BY entry_id",
    ) == [(3_000,), (3_500,), (3_570,)]
