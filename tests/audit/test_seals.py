"""Sealing what is new: everything once, in order, by one process at a time, and without a false alarm."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe

import pytest
from sqlalchemy import Engine, event, text

from credits_core.audit import invariants, seal_check, seal_workers, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import Finding
from credits_core.audit.seal_check import Checked
from credits_core.audit.seal_rows import Reader
from credits_core.pricing.quote import PriceBook
from credits_core.store import clearing, database
from credits_core.values.progress import finish
from tests.support import busy_ledger, damage, racers, world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row, rows, scalar
from tests.support.world import HAIKU, LATER, NOW

pytestmark = pytest.mark.as_owner


def _seal(engine: Engine) -> int:
    return seals.catch_up(engine, now=LATER)


def _check(engine: Engine) -> Checked:
    with database.read(engine) as connection:
        return finish(seal_check.check(connection))


@pytest.fixture
def in_fives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "MOST_IN_A_SEAL", 5)


# --- what is sealed -------------------------------------------------------------------------------------------------


def test_everything_that_is_there_is_sealed_by_the_first_who_seals(engine: Engine, in_fives: None) -> None:
    """The first price plan, too, which a migration made live."""
    busy_ledger.three_days(engine)
    damage.administered(engine)
    entries = int(str(scalar(engine, "SELECT count(*) FROM journal_entries")))
    with database.read(engine) as connection:
        assert seals.newest(connection) is None
        assert seals.unsealed(connection) == seals.Unsealed(entries, 13)
    assert _seal(engine) == (entries + 4) // 5
    covered = rows(engine, "SELECT number, entry_count, record_count, last_entry_id FROM seals ORDER BY number")
    assert [row[:3] for row in covered[:2]] == [(1, 5, 5), (2, 5, 5)]
    assert covered[-1][3] == entries
    checked = _check(engine)
    assert (checked.entries, checked.records, checked.violations) == (entries, 13, ())
    with database.read(engine) as connection:
        assert seals.unsealed(connection) == seals.Unsealed(0, 0)


def test_nothing_new_makes_no_seal(engine: Engine) -> None:
    assert _seal(engine) == 1  # the first price plan
    before = every_row(engine)
    assert _seal(engine) == 0
    assert every_row(engine) == before


def test_new_entries_and_records_are_sealed_after_the_old_ones(engine: Engine) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    assert _seal(engine) == 1
    world.charge(engine, HAIKU, key="run")
    database.write(
        engine, lambda connection: audit_log.record(connection, [Finding("nothing is wrong", 1, ())], now=NOW)
    )
    assert _seal(engine) == 1
    (_, second) = rows(engine, "SELECT entry_count, record_count, records_up_to FROM seals ORDER BY number")
    assert second[:2] == (1, 1)
    assert json.loads(str(second[2])) == {"audit_runs": 1, "plan_activations": 1}
    assert _check(engine).violations == ()


def test_a_seal_covers_a_thousand_entries_at_most(sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 10**9, key="fund")
    with sqlite_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO journal_entries (type, idempotency_key, request_hash, actor, created_at_us)"
                " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
                " SELECT 'grant', 'made-' || i, '', '', 0 FROM n"
            )
        )
    assert _seal(sqlite_engine) == 3
    assert rows(sqlite_engine, "SELECT entry_count FROM seals ORDER BY number") == [(1_000,), (1_000,), (501,)]
    with sqlite_engine.begin() as connection:  # what the fixture checks afterwards
        connection.execute(text("DROP TRIGGER journal_entries_no_delete"))
        connection.execute(text("DELETE FROM journal_entries WHERE id > 1"))


def test_somebody_who_does_not_wait_seals_a_part(engine: Engine, in_fives: None) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(19):
        world.charge(engine, HAIKU, key=f"run-{number}")
    assert seals.catch_up(engine, now=LATER, most_seals=3) == 3
    assert seals.catch_up(engine, now=LATER, most_seals=3) == 1
    assert _check(engine).entries == 20


def test_a_refund_of_a_sealed_unlock_and_a_key_that_ends_are_no_false_alarm(engine: Engine, book: PriceBook) -> None:
    """What may change of a sealed row is not in its seal: the refund and the activity say it."""
    ids = busy_ledger.three_days(engine)
    damage.administered(engine)
    _seal(engine)
    world.refund(engine, ids["run by cara"], key="late-refund")
    with engine.begin() as connection:
        connection.execute(text("UPDATE api_keys SET revoked_at_us = 5, expires_at_us = 5 WHERE id = 1"))
    assert _check(engine).violations == ()
    _seal(engine)
    assert _check(engine).violations == ()


def test_a_gap_in_the_numbers_is_no_false_alarm_and_nothing_can_be_put_into_it(postgres_engine: Engine) -> None:
    world.add(postgres_engine, "ada", 50_000, key="fund")
    with postgres_engine.begin() as connection:
        connection.execute(text("SELECT nextval(pg_get_serial_sequence('journal_entries', 'id'))"))
    last = world.charge(postgres_engine, HAIKU, key="run").entry_id
    assert last == 3
    _seal(postgres_engine)
    assert _check(postgres_engine).violations == ()
    with postgres_engine.begin() as connection:
        for number in (2, -7):
            connection.execute(
                text(
                    "INSERT INTO journal_entries (id, type, idempotency_key, request_hash, actor, created_at_us)"
                    f" VALUES ({number}, 'grant', 'forged{number}', '', '', 0)"
                )
            )
    assert _check(postgres_engine).violations == (
        "entry -7 is not what seal 1 sealed",
        "entry 2 is not what seal 1 sealed",
    )
    with postgres_engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM journal_entries WHERE id IN (2, -7)"))


def test_a_part_without_its_entry_is_told(postgres_engine: Engine) -> None:
    world.add(postgres_engine, "ada", 50_000, key="fund")
    _seal(postgres_engine)
    part = "INSERT INTO credit_transactions VALUES (-5, 0, 'platform:grants', 'grant', -7, NULL, 0)"
    damage.behind_its_back(postgres_engine, part)
    assert _check(postgres_engine).violations == ("entry -5 is not what seal 1 sealed",)
    damage.behind_its_back(postgres_engine, "DELETE FROM credit_transactions WHERE entry_id = -5")


def test_each_new_seal_is_a_line_in_the_log(engine: Engine, api_log: pytest.LogCaptureFixture) -> None:
    api_log.set_level(logging.INFO, logger="promptflow.ledger")
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    lines = [record.__dict__ for record in api_log.records if record.message == "sealed"]
    hash_ = scalar(engine, "SELECT hash FROM seals")
    assert {(line["seal"], line["entries"], line["hash"]) for line in lines} == {(1, 1, hash_)}


def test_a_ledger_that_was_emptied_is_sealed_anew(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    database.write(engine, clearing.clear)
    assert rows(engine, "SELECT number FROM seals") == []
    world.add(engine, "ben", 50_000, key="fund")
    _seal(engine)
    assert _check(engine).violations == ()


def test_processes_on_every_core_seal_and_find_the_same(engine: Engine, in_fives: None) -> None:
    busy_ledger.three_days(engine)
    with seal_workers.on_every_core(engine) as hashing:
        made = seals.catch_up(engine, now=LATER, hashing=hashing)
        assert made == 3
        assert _check(engine).violations == ()
        with database.read(engine) as connection:
            assert finish(seal_check.check(connection, hashing=hashing)) == _check(engine)
        damage.behind_its_back(engine, "UPDATE journal_entries SET actor = 'mallory' WHERE id = 7")
        with database.read(engine) as connection:
            found = finish(seal_check.check(connection, hashing=hashing))
    assert found == _check(engine)
    assert found.violations == ("entry 7 is not what seal 2 sealed",)


# --- several at once ------------------------------------------------------------------------------------------------


def test_many_who_seal_at_once_make_one_chain(engine: Engine, in_fives: None) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(24):
        world.charge(engine, HAIKU, key=f"run-{number}")
    made = racers.at_once([lambda: _seal(engine)] * 6)
    assert sum(made) == 5
    assert _check(engine) == Checked(5, 25, 1)


def test_who_seals_while_another_one_does_leaves_it_to_that_one(engine: Engine) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    with database.alone(engine, "seals", seals._LOCK) as is_alone:
        assert is_alone
        assert _seal(engine) == 0
    assert _seal(engine) == 1


def test_seals_made_on_an_old_end_of_the_chain_are_thrown_away(engine: Engine, in_fives: None) -> None:
    """Should two seal at once all the same, or a demo be started over meanwhile."""
    world.add(engine, "ada", 50_000, key="fund")
    _seal(engine)
    world.charge(engine, HAIKU, key="run")
    with database.read(engine) as connection:
        last = seals.newest(connection)
        bounds = seals._settled(engine)
        assert bounds is not None
        reader = Reader(connection)
        entries = reader.each(seals._next_ranges(reader, last, bounds, 9))
        made = seals._make(connection, last, bounds, None, entries=entries, now=LATER, most=9, one_at_least=False)
    assert len(made) == 1
    assert _seal(engine) == 1
    assert not database.write(engine, lambda connection: seals._append(connection, after=last, made=made))
    database.write(engine, clearing.clear)
    assert not database.write(engine, lambda connection: seals._append(connection, after=None, made=made))
    assert rows(engine, "SELECT number FROM seals") == []


def seal_until_stopped(answers: Pipe, start: "threading.Barrier", url: str, rounds: int) -> None:
    """Seal again and again, in a process of its own, and send how many seals there were."""
    seals.MOST_IN_A_SEAL = 5
    engine = database.create_engine_for(url)
    with engine.connect():
        start.wait(300)
    made = sum(_seal(engine) for _ in range(rounds))
    engine.dispose()
    answers.send(made)
    answers.close()


def test_two_processes_seal_beside_two_that_charge_without_a_false_alarm(engine: Engine, book: PriceBook) -> None:
    """Entries that become visible out of order on PostgreSQL are not left out."""
    world.add(engine, "ada", 1_000_000, key="fund")
    url = engine.url.render_as_string(hide_password=False)
    start = racers.processes().Barrier(4)
    started = [racers.start(racers.charge_many, start, url, name, 60) for name in "ab"]
    started += [racers.start(seal_until_stopped, start, url, 40) for _ in range(2)]
    during = [_check(engine).violations for _ in range(5)]
    outcomes = [answers.recv() for _, answers in started]
    for process, _ in started:
        process.join()
    assert outcomes[:2] == [0, 0]
    assert during == [()] * 5
    _seal(engine)
    checked = _check(engine)
    assert (checked.entries, checked.violations) == (121, ())
    assert scalar(engine, "SELECT count(DISTINCT number) FROM seals") == scalar(engine, "SELECT max(number) FROM seals")


def test_an_entry_that_is_not_committed_yet_is_waited_for(postgres_engine: Engine) -> None:
    """Its number is lower than that of an entry which is there already."""
    world.add(postgres_engine, "ada", 50_000, key="fund")
    world.add(postgres_engine, "ben", 50_000, key="fund-2")
    begun, go_on = threading.Event(), threading.Event()

    def charge_slowly() -> None:
        def charge(connection: object) -> None:
            world.actions.charge_prompt(  # type: ignore[attr-defined]
                connection, HAIKU, book=world.price_book(), key="slow", now=NOW, actor=TESTER
            )
            begun.set()
            go_on.wait(60)

        database.write(postgres_engine, charge)  # type: ignore[arg-type]

    charging = threading.Thread(target=charge_slowly)
    charging.start()
    assert begun.wait(60)
    later = world.charge(postgres_engine, world.run_by("ben"), key="quick").entry_id
    made: list[int] = []
    sealing = threading.Thread(target=lambda: made.append(_seal(postgres_engine)))
    sealing.start()
    sealing.join(0.3)
    assert made == []
    go_on.set()
    charging.join()
    sealing.join()
    assert made == [1]
    assert scalar(postgres_engine, "SELECT last_entry_id FROM seals") == later
    assert scalar(postgres_engine, "SELECT entry_count FROM seals") == 4
    assert _check(postgres_engine).violations == ()


def test_a_record_that_is_not_committed_yet_is_waited_for(postgres_engine: Engine) -> None:
    insert = "INSERT INTO audit_runs (invariants, broken_invariants, finished_at_us) VALUES (1, 0, 0)"
    with postgres_engine.connect() as slow:
        slow.execute(text(insert))
        with postgres_engine.begin() as quick:
            quick.execute(text(insert))
        made: list[int] = []
        sealing = threading.Thread(target=lambda: made.append(_seal(postgres_engine)))
        sealing.start()
        sealing.join(0.3)
        assert made == []
        slow.commit()
    sealing.join()
    assert made == [1]
    assert scalar(postgres_engine, "SELECT record_count FROM seals") == 3
    assert _check(postgres_engine).violations == ()


def seal_until_killed(answers: Pipe, url: str) -> None:
    """Seal, until the process is killed before it commits its second unit of work. Never returns."""
    seals.MOST_IN_A_SEAL, seals._SEALS_IN_A_UNIT = 2, 2
    engine = database.create_engine_for(url)
    units: list[int] = []

    def wait_in_the_second(*_: object) -> None:
        units.append(1)
        if len(units) == 2:
            answers.send("in the middle")
            threading.Event().wait()

    append = seals._append

    def slowly(*arguments: object, **named: object) -> bool:
        done = append(*arguments, **named)  # type: ignore[arg-type]
        wait_in_the_second()
        return done

    seals._append = slowly
    _seal(engine)


def test_a_sealer_that_is_killed_leaves_a_whole_chain_and_the_next_one_goes_on(engine: Engine) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(9):
        world.charge(engine, HAIKU, key=f"run-{number}")
    process, answers = racers.start(seal_until_killed, engine.url.render_as_string(hide_password=False))
    assert answers.recv() == "in the middle"
    process.kill()
    process.join()
    assert rows(engine, "SELECT count(*) FROM seals") == [(2,)]
    assert _check(engine).violations == ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seals, "MOST_IN_A_SEAL", 2)
        for _ in range(100):  # PostgreSQL notices a killed client a moment later
            if _seal(engine):
                break
            threading.Event().wait(0.1)
    assert _check(engine) == Checked(5, 10, 1)


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_who_only_wants_the_head_does_not_read_the_leaves(engine: Engine, statements: list[str]) -> None:
    world.add(engine, "ada", 500, key="fund")
    _seal(engine)
    statements.clear()
    with database.read(engine) as connection:
        seals.newest(connection)
        seals.numbered(connection, 1)
    assert len(statements) == 2
    assert not any("leaves" in statement for statement in statements)


def test_since_an_earlier_audit_only_new_seals_are_checked(engine: Engine, book: PriceBook, in_fives: None) -> None:
    world.add(engine, "ada", 50_000, key="fund")
    for number in range(9):
        world.charge(engine, HAIKU, key=f"run-{number}")
    _seal(engine)
    _, since = invariants.audit(engine, book.plans)
    assert since is not None
    for number in range(3):
        world.charge(engine, HAIKU, key=f"new-{number}", now=NOW + timedelta(days=1))
    _seal(engine)
    with database.read(engine) as connection:
        checked = finish(seal_check.check(connection, since))
        assert (checked.seals, checked.entries, checked.violations) == (1, 3, ())
