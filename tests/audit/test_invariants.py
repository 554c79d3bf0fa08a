import itertools
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
from sqlalchemy import (
    Engine,
    text,
)

from credits_core import settings
from credits_core.audit import invariants as audit_invariants
from credits_core.audit.finding import Finding
from credits_core.ledger import opening
from credits_core.ledger.requests import ChargeRequest, UnlockRequest
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import busy_ledger, damage, demo, world
from tests.support.actors import TESTER
from tests.support.damage import TOKENS, Ledger
from tests.support.world import HAIKU, NOW


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("audit"), book) as ledger:
        yield ledger


def _wrong(engine: Engine, book: PriceBook) -> list[str]:
    return [str(finding) for finding in audit_invariants.check(engine, book.plans) if not finding.ok]


# --- clean ----------------------------------------------------------------------------------------------------------


def test_an_empty_ledger_is_clean(engine: Engine, book: PriceBook) -> None:
    assert _wrong(engine, book) == []


def test_the_demo_world_is_clean(engine: Engine) -> None:
    real_book = settings.load_price_book()
    demo.build(engine, real_book)
    assert _wrong(engine, real_book) == []
    daily_totals.catch_up(engine)
    assert _wrong(engine, real_book) == []


def test_the_ledger_is_clean_after_every_kind_of_action(engine: Engine, book: PriceBook) -> None:
    actions: list[Callable[[], object]] = [
        lambda: world.add(engine, "ada", 50_000, key="purchase"),
        lambda: world.add(engine, "ben", 500, key="grant", source=CreditSource.GRANT, reason="Welcome"),
        lambda: world.add(engine, "ada", 900, key="adjustment", source=CreditSource.ADJUSTMENT, reason="Goodwill"),
        lambda: world.charge(engine, HAIKU, key="run"),
        lambda: world.charge(engine, TOKENS, key="tokens"),
        lambda: world.charge(engine, ChargeRequest("ada", "p", "gpt-4", expected_total_credits=33_000), key="expected"),
        lambda: world.charge(engine, ChargeRequest("ada", "own", "claude-3-haiku", "ada", 100), key="own"),
        lambda: world.charge(engine, ChargeRequest("ada", "tiny", "claude-3-haiku", "ben", 1), key="no-share"),
        lambda: world.charge(engine, HAIKU, key="dearer", book=world.dearer_book()),
        lambda: world.unlock(engine, UnlockRequest("ada", "flow", "cara", 1), key="unlock-no-share"),
        lambda: daily_totals.catch_up(engine),
        lambda: world.refund(engine, 8, key="refund-no-share"),
        lambda: world.refund(engine, 5, provider_refunded=True, key="refund-by-provider"),
        lambda: world.refund(engine, 7, key="refund-own"),
        lambda: world.refund(engine, 10, key="refund-unlock"),
        lambda: world.refund(engine, 3, key="refund-adjustment"),
        lambda: database.write(
            engine,
            lambda connection: opening.import_opening_balances(connection, {"dev": 7, "eve": 0}, now=NOW, actor=TESTER),
        ),
    ]
    for action in actions:
        action()
        assert _wrong(engine, world.dearer_book()) == []


@pytest.mark.parametrize("seed_number", [1, 2, 3])
def test_the_ledger_is_clean_after_drawn_actions(engine: Engine, book: PriceBook, seed_number: int) -> None:
    busy_ledger.drawn_days(engine, seed=seed_number, actions=80)
    daily_totals.catch_up(engine)
    busy_ledger.drawn_days(engine, seed=seed_number + 10, actions=80)
    assert _wrong(engine, book) == []


def test_the_audit_reads_one_snapshot_while_charges_go_on(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 1_000_000, key="fund")
    stop = Event()

    def charge_until_stopped() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            world.charge(engine, HAIKU, key=f"run-{number}")

    charging = Thread(target=charge_until_stopped)
    charging.start()
    try:
        assert [_wrong(engine, book) for _ in range(5)] == [[]] * 5
    finally:
        stop.set()
        charging.join()


# --- damaged (each invariant's own damage is in test_audit_damage) --------------------------------------------------

# Damage that several invariants see, each from its side.
SEVERAL: dict[str, tuple[list[str], set[str]]] = {
    "a run's tokens are changed": (
        ["UPDATE prompt_runs SET input_tokens = 1000 WHERE entry_id = <token run>"],
        {"entries_say_what_was_asked", "runs_cost_what_they_should"},
    ),
    "a run's usage is changed": (
        ["UPDATE prompt_runs SET usage = replace(usage, '1920', '1919') WHERE entry_id = <usage run>"],
        {"entries_say_what_was_asked", "runs_cost_what_they_should"},
    ),
    "a run's usage is made unreadable": (
        ["UPDATE prompt_runs SET usage = '{' WHERE entry_id = <usage run>"],
        {"entries_say_what_was_asked", "runs_cost_what_they_should", "runs_have_the_price_of_their_list"},
    ),
    "a run's usage is a list": (
        ["UPDATE prompt_runs SET usage = '[]' WHERE entry_id = <usage run>"],
        {"entries_say_what_was_asked", "runs_cost_what_they_should", "runs_have_the_price_of_their_list"},
    ),
    "a run is said to have been in no service tier": (
        ["UPDATE prompt_runs SET service_tier = NULL WHERE entry_id = <usage run>"],
        {"entries_say_what_was_asked", "runs_have_the_price_of_their_list"},
    ),
    "a run names a price list that is not there": (
        ["UPDATE prompt_runs SET price_list_id = 9 WHERE entry_id = <usage run>"],
        {"references_exist", "runs_have_the_price_of_their_list"},
    ),
    "a run's usage is gone": (
        ["UPDATE prompt_runs SET usage = NULL WHERE entry_id = <usage run>"],
        {"entries_say_what_was_asked", "runs_cost_what_they_should"},
    ),
    "a run is deleted": (
        ["DELETE FROM prompt_runs WHERE entry_id = <late run>"],
        {"entries_say_what_was_asked", "runs_match_their_transactions"},
    ),
    "a refund is of another entry": (
        ["UPDATE journal_entries SET refunds_entry_id = <token run> WHERE id = <refund of run by ben>"],
        {"entries_say_what_was_asked", "refunds_reverse_once"},
    ),
    "a refund is of a refund": (
        ["UPDATE journal_entries SET refunds_entry_id = <refund of grant> WHERE id = <refund of run by ben>"],
        {"entries_say_what_was_asked", "refunds_reverse_once"},
    ),
    "a refund is said to be of the earliest rule, after one of a later rule": (
        ["UPDATE refunds SET rule = 'cost_booked_back' WHERE entry_id = <refund of run by ben>"],
        {"earnings_are_paid_left_or_owed", "refunds_reverse_once", "refunds_have_a_rule"},
    ),
    "a provider is said to have given a cost back": (
        ["UPDATE refunds SET provider_refunded = TRUE WHERE entry_id = <refund of run by ben>"],
        {"entries_say_what_was_asked", "refunds_reverse_once"},
    ),
    "a user of runs is deleted": (
        ["DELETE FROM user_credits WHERE user_id = 'cara'"],
        {"balances_are_sums", "references_exist"},
    ),
    "an entry loses all its transactions and the balance what they gave": (
        [
            "DELETE FROM credit_transactions WHERE entry_id = <late purchase>",
            "UPDATE user_credits SET balance_credits = balance_credits - 500 WHERE user_id = 'ada'",
        ],
        {"entries_sum_to_zero", "entries_say_what_was_asked"},
    ),
    "somebody else pays for a run": (
        ["UPDATE credit_transactions SET account_id = 'eve' WHERE entry_id = <late run> AND position = 0"],
        {"balances_are_sums", "balances_follow_each_other", "runs_match_their_transactions"},
    ),
    "somebody else pays for an unlock": (
        ["UPDATE credit_transactions SET account_id = 'eve' WHERE entry_id = <late unlock> AND position = 0"],
        {"balances_are_sums", "balances_follow_each_other", "unlocks_match_their_transactions"},
    ),
    "somebody else is paid": (
        ["UPDATE credit_transactions SET account_id = 'fay' WHERE entry_id = <late unlock> AND position = 1"],
        {"balances_are_sums", "balances_follow_each_other", "unlocks_match_their_transactions"},
    ),
}


@pytest.mark.parametrize("done", SEVERAL)
def test_damage_is_seen_from_every_side(ledger: Ledger, done: str) -> None:
    statements, invariants = SEVERAL[done]
    assert set(ledger.after(*statements)) == invariants


# --- guards ---------------------------------------------------------------------------------------------------------


def _guards_missed(engine: Engine, book: PriceBook, *statements: str) -> list[str]:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return _wrong(engine, book)


def test_a_row_that_got_past_its_check_is_found(sqlite_engine: Engine, book: PriceBook) -> None:
    (wrong,) = _guards_missed(
        sqlite_engine,
        book,
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO rollup_watermark (id, entry_id) VALUES (2, 0)",
        "PRAGMA ignore_check_constraints = OFF",
    )
    assert wrong.startswith("WRONG every constraint is in place and holds: ")
    assert "rollup_watermark" in wrong


def test_a_negative_balance_is_found_even_when_everything_adds_up(sqlite_engine: Engine, book: PriceBook) -> None:
    world.add(sqlite_engine, "ada", 500, key="fund")
    world.charge(sqlite_engine, HAIKU, key="run")
    _guards_missed(
        sqlite_engine,
        book,
        "PRAGMA ignore_check_constraints = ON",
        "DROP TRIGGER credit_transactions_no_update",
        "UPDATE credit_transactions SET amount_credits = amount_credits / 5 WHERE entry_id = 1",
        "UPDATE credit_transactions SET balance_after_credits = balance_after_credits - 400 WHERE account_id = 'ada'",
        "UPDATE user_credits SET balance_credits = balance_credits - 400",
    )
    wrong = _wrong(sqlite_engine, book)
    assert (
        "WRONG every balance is the sum of its transactions: 1 checked, 1 wrong: ada has -200 credits, which is"
        " negative" in wrong
    )
    assert [line for line in wrong if "ada has -200 credits after entry 2, which is negative" in line] != []


def test_a_finding_names_the_first_five_and_counts_the_rest() -> None:
    assert str(Finding("nothing is wrong", 1_000, ("a", "b", "c", "d", "e"))) == (
        "WRONG nothing is wrong: 1,000 checked, 5 wrong: a; b; c; d; e"
    )
    assert str(Finding("nothing is wrong", 1_000, tuple("abcdefg"))) == (
        "WRONG nothing is wrong: 1,000 checked, 7 wrong: a; b; c; d; e; and 2 more"
    )
