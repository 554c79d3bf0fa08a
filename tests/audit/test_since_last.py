"""The audit of what came after the last clean one: it finds the same in what is new, and no old damage but by sums."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text

from credits_core.audit import invariants, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import BEGINNING, Finding, Since
from credits_core.pricing.quote import PriceBook
from credits_core.reports import daily_totals
from credits_core.store import database
from tests.audit import test_damage, test_invariants, test_refund_damage
from tests.support import busy_ledger, damage, plain_sql, world
from tests.support.damage import MUCH_LATER, Ledger
from tests.support.plain_sql import rows
from tests.support.world import HAIKU, UNLOCK


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays."""
    with damage.four_days(request, tmp_path_factory.mktemp("since"), book) as ledger:
        yield ledger


# What was done, and the invariants by which an audit of everything finds it: the tables' own tests prove that.
DAMAGE = {
    **{f"{done} (alone)": (statements, {by}) for done, (statements, by, _) in test_damage.DAMAGE.items()},
    **{f"{done} (refund)": (statements, {by}) for done, (statements, by, _) in test_refund_damage.DAMAGE.items()},
    **{f"{done} (several)": several for done, several in test_invariants.SEVERAL.items()},
}


def _is_new(ledger: Ledger, statements: list[str]) -> bool:
    """Whether the damage is to entries of the fourth day alone."""
    named = [ledger.ids[name] for statement in statements for name in re.findall(r"WHERE .*?<([^>]+)>", statement)]
    return bool(named) and all(entry_id > ledger.since.entry_id for entry_id in named)


def test_nothing_is_wrong_after_a_clean_audit(ledger: Ledger) -> None:
    assert 0 < ledger.since.summed_entry_id < ledger.since.entry_id < ledger.ids["token run"]
    assert ledger.after(since=ledger.since) == {}


@pytest.mark.parametrize("done", DAMAGE)
def test_damage_to_what_is_new_is_found_as_by_an_audit_of_everything(ledger: Ledger, done: str) -> None:
    statements, invariants_that_find_it = DAMAGE[done]
    everything = ledger.after(*statements, by=invariants_that_find_it)
    since_last = ledger.after(*statements, since=ledger.since)
    found = {name: finding.violations for name, finding in since_last.items()}
    if _is_new(ledger, statements):
        assert found == {name: finding.violations for name, finding in everything.items()}
    else:  # nothing that is not there
        assert {name: set(said) <= set(everything[name].violations) for name, said in found.items()} == dict.fromkeys(
            found, True
        )


def test_most_of_the_damage_is_to_what_is_new(ledger: Ledger) -> None:
    assert sum(_is_new(ledger, statements) for statements, _ in DAMAGE.values()) > 50


OLD_AND_UNSEEN = {
    "a run is said to be of another prompt": "UPDATE prompt_runs SET prompt_id = 'x' WHERE entry_id = <run with fee>",
    "a platform account's amount is changed": damage.set_transaction("run with fee", 1, "amount_credits = 7"),
    "a use of a prompt is not counted": "UPDATE daily_works SET uses = uses + 1",
}


@pytest.mark.parametrize("done", OLD_AND_UNSEEN)
def test_an_old_row_that_was_changed_behind_the_ledgers_back_is_seen_by_an_audit_of_everything_alone(
    ledger: Ledger, done: str
) -> None:
    assert ledger.after(OLD_AND_UNSEEN[done], since=ledger.since) == {}
    assert ledger.after(OLD_AND_UNSEEN[done]) != {}


OLD_AND_SEEN = {
    "the balance of a user of whom nothing is new": (
        "UPDATE user_credits SET balance_credits = 1 WHERE user_id = 'cara'",
        {"balances_are_sums": ("cara has 1 credit, but the transactions sum to 0",)},
    ),
    "the credits in circulation": (
        "UPDATE rollup_watermark SET circulating_credits = circulating_credits + 1",
        {"daily_totals_are_sums": None},
    ),
    "a sum of an old day": (
        "UPDATE daily_sums SET given_credits = given_credits + 1 WHERE party = 'platform:grants'",
        {"daily_totals_are_sums": None},
    ),
    "an index": ("DROP INDEX uq_unlocked_flows_in_force", {"constraints_hold": None}),
}


@pytest.mark.parametrize("done", OLD_AND_SEEN)
def test_sums_that_carry_over_reveal_what_is_old_and_everything_is_named(ledger: Ledger, done: str) -> None:
    statement, expected = OLD_AND_SEEN[done]
    found = ledger.after(statement, since=ledger.since)
    assert found.keys() == expected.keys()
    assert {name: finding.violations for name, finding in found.items()} == {
        name: said or ledger.after(statement)[name].violations for name, said in expected.items()
    }


def test_a_trigger_that_is_gone_is_seen_by_every_audit(ledger: Ledger) -> None:
    on_table = "update" if ledger.engine.dialect.name == "sqlite" else "change ON prompt_runs"
    with ledger.engine.connect() as connection:
        connection.execute(text(f"DROP TRIGGER prompt_runs_no_{on_table}"))
        found = [invariant(connection, ledger.book.plans, ledger.since) for invariant in invariants.INVARIANTS]
        connection.rollback()
    ((violation,),) = [finding.violations for finding in found if not finding.ok]
    assert "prompt_runs_no_" in violation


@pytest.mark.parametrize("stamp", ["", "Europe/Berlin of-old"])
def test_sums_that_nobody_compared_are_not_carried_over(engine: Engine, book: PriceBook, stamp: str) -> None:
    busy_ledger.covered_three_days(engine, "everything")
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    # As while the tables are being emptied, or after a country changed its clocks; and with sums that are wrong.
    _do(engine, f"UPDATE rollup_watermark SET time_zone = '{stamp}'")
    if not stamp:
        _do(engine, "UPDATE rollup_watermark SET entry_id = 0, circulating_credits = 0")
    _do(engine, "UPDATE daily_sums SET given_credits = given_credits + 1 WHERE party = 'platform:grants'")
    for before in (BEGINNING, since):
        findings, leaves = invariants.audit(engine, book.plans, before)
        assert [str(finding) for finding in findings if not finding.ok] == []
        assert leaves is None
    _do(engine, "UPDATE daily_sums SET given_credits = given_credits - 1 WHERE party = 'platform:grants'")


def test_sums_with_other_days_are_not_held_against_those_that_carried_over(engine: Engine, book: PriceBook) -> None:
    busy_ledger.covered_three_days(engine, "everything")
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    _do(engine, "UPDATE rollup_watermark SET time_zone = 'Europe/Berlin of-old'")
    (of_days,) = (one for one in invariants.audit(engine, book.plans, since)[0] if "daily totals" in one.invariant)
    assert (of_days.checked, of_days.ok) == (0, True)


def test_a_total_of_a_user_that_is_new_in_the_daily_tables_is_checked(engine: Engine, book: PriceBook) -> None:
    busy_ledger.three_days(engine)
    daily_totals.catch_up(engine)
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    world.add(engine, "dev", 11, key="new", now=MUCH_LATER)
    daily_totals.catch_up(engine)
    assert _wrong(engine, book, since) == []
    _do(engine, "UPDATE daily_totals SET amount_credits = 12 WHERE account_id = 'dev' AND amount_credits = 11")
    (wrong,) = _wrong(engine, book, since)
    assert "for dev (credit purchase) says 12 credits in 1 movement, but the transactions give 11 credits" in wrong
    _do(engine, "UPDATE daily_totals SET amount_credits = 11 WHERE account_id = 'dev' AND amount_credits = 12")


def test_a_refund_after_the_last_clean_audit_is_held_against_what_it_refunds(engine: Engine, book: PriceBook) -> None:
    busy_ledger.three_days(engine)
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    world.refund(engine, 3, key="refund-3", now=MUCH_LATER)  # the run
    assert _wrong(engine, book, since) == []
    _, newer = invariants.audit(engine, book.plans, since)
    assert newer is not None
    assert (since.entry_id, newer.entry_id) == (12, 13)


def test_a_new_refund_of_an_old_unlock_locks_the_flow_again(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    unlocked = world.unlock(engine, UNLOCK, key="unlock").receipt
    assert unlocked is not None
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    world.refund(engine, unlocked.entry_id, key="refund", now=MUCH_LATER)
    assert _wrong(engine, book, since) == []
    with plain_sql.unguarded(engine) as connection:
        connection.execute(text("UPDATE unlocked_flows SET refunded_by_entry_id = NULL"))
    (wrong,) = _wrong(engine, book, since)
    assert wrong.endswith(f"entry {unlocked.entry_id} does not match its unlock")
    with plain_sql.unguarded(engine) as connection:
        connection.execute(text(f"UPDATE unlocked_flows SET refunded_by_entry_id = {unlocked.entry_id + 1}"))


@pytest.mark.as_owner
def test_a_new_refund_is_held_against_the_refunds_before(postgres_engine: Engine, book: PriceBook) -> None:
    """Also without the constraint that an entry is refunded once."""
    ids = busy_ledger.three_days(postgres_engine)
    _, since = invariants.audit(postgres_engine, book.plans)
    assert since is not None
    again = world.refund(postgres_engine, ids["run"], key="refund-run", now=MUCH_LATER).entry_id
    with postgres_engine.begin() as connection:
        for statement in (
            "ALTER TABLE journal_entries DROP CONSTRAINT uq_journal_entries_refunds_entry_id",
            "SET LOCAL session_replication_role = replica",
            f"UPDATE journal_entries SET refunds_entry_id = {ids['run with fee']} WHERE id = {again}",
            f"UPDATE refunds SET rule = 'cost_booked_back' WHERE entry_id = {again}",
        ):
            connection.execute(text(statement))
    wrong = " ".join(_wrong(postgres_engine, book, since))
    assert f"refund {again} is of entry {ids['run with fee']}, which cannot be refunded or was refunded before" in wrong
    first = ids["refund of run with fee"]
    assert f"refund {again} has the earlier rule, but refund {first} before it the present one" in wrong


def test_each_clean_audit_begins_where_the_one_before_ended(engine: Engine, book: PriceBook) -> None:
    since = BEGINNING
    for day in range(3):
        busy_ledger.drawn_days(engine, seed=day, actions=40)
        if day != 1:
            daily_totals.catch_up(engine)
        findings, leaves = invariants.audit(engine, book.plans, since)
        assert [str(finding) for finding in findings if not finding.ok] == []
        assert leaves is not None
        assert leaves.entry_id == rows(engine, "SELECT max(id) FROM journal_entries")[0][0]
        assert leaves == invariants.audit(engine, book.plans)[1]
        since = leaves


def test_what_an_audit_leaves_is_kept_with_it(engine: Engine, book: PriceBook) -> None:
    assert _last_clean(engine) is None
    busy_ledger.covered_three_days(engine, "the first half")
    seals.catch_up(engine, now=MUCH_LATER)
    findings, leaves = invariants.audit(engine, book.plans)
    assert leaves is not None
    assert leaves.seal_number == 1
    _record(engine, findings, leaves)
    assert _last_clean(engine) == leaves
    broken = [*findings[:-1], Finding("history cannot be changed", 1, ("a trigger is missing",))]
    _record(engine, broken, None)
    assert _last_clean(engine) == leaves  # the last clean one, not the last one


def test_an_empty_ledger_leaves_nothing(engine: Engine, book: PriceBook) -> None:
    assert invariants.audit(engine, book.plans)[1] is None


def test_an_audit_that_finds_something_leaves_nothing(sqlite_engine: Engine, book: PriceBook) -> None:
    world.add(sqlite_engine, "ada", 500, key="fund")
    _do(sqlite_engine, "UPDATE user_credits SET balance_credits = 501")
    findings, leaves = invariants.audit(sqlite_engine, book.plans)
    assert ([finding.ok for finding in findings].count(False), leaves) == (1, None)


def test_what_is_read_does_not_grow_with_what_was_checked_before(sqlite_engine: Engine, book: PriceBook) -> None:
    """Counted in the steps of SQLite's machine, in thousands, so that no clock decides."""
    steps = []
    for size in (100, 1_000):
        world.add(sqlite_engine, "ada", 10**9, key=f"fund-{size}")
        for number in range(size):
            world.charge(sqlite_engine, HAIKU, key=f"run-{size}-{number}")
        daily_totals.catch_up(sqlite_engine)
        _, since = invariants.audit(sqlite_engine, book.plans)
        assert since is not None
        for number in range(10):
            world.charge(sqlite_engine, HAIKU, key=f"new-{size}-{number}", now=world.NOW + timedelta(days=1))
        counted: list[int] = []

        def count(connection: object, *_: object, counted: list[int] = counted) -> None:
            connection.set_progress_handler(lambda: counted.append(1), 100)  # type: ignore[attr-defined]

        sqlite_engine.dispose()
        event.listen(sqlite_engine, "connect", count)
        assert _wrong(sqlite_engine, book, since) == []
        event.remove(sqlite_engine, "connect", count)
        sqlite_engine.dispose()
        steps.append(len(counted))
    assert steps[1] < 1.3 * steps[0]


def _wrong(engine: Engine, book: PriceBook, since: Since) -> list[str]:
    return [str(finding) for finding in invariants.audit(engine, book.plans, since)[0] if not finding.ok]


def _do(engine: Engine, statement: str) -> None:
    database.write(engine, lambda connection: connection.execute(text(statement)))


def _record(engine: Engine, findings: list[Finding], leaves: Since | None) -> None:
    database.write(engine, lambda connection: audit_log.record(connection, findings, now=MUCH_LATER, leaves=leaves))


def _last_clean(engine: Engine) -> Since | None:
    with database.read(engine) as connection:
        return audit_log.last_clean(connection)


def test_what_an_audit_does_not_cover_is_counted_by_number_and_not_by_date(engine: Engine, book: PriceBook) -> None:
    def since() -> int:
        with database.read(engine) as connection:
            return audit_log.entries_since(connection, audit_log.last_run(connection), most=3)

    _record(engine, *invariants.audit(engine, book.plans))  # of an empty ledger
    for number, newly in enumerate((1, 2, 3, 3)):
        world.add(engine, "ada", 5, key=f"k{number}", now=MUCH_LATER - timedelta(days=9))
        assert since() == newly
    daily_totals.catch_up(engine)
    _record(engine, *invariants.audit(engine, book.plans))
    assert since() == 0
    world.add(engine, "ada", 5, key="late", now=MUCH_LATER - timedelta(days=12))
    assert since() == 1
