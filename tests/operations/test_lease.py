"""Leases: one holder at a time, and whoever has lost one does nothing more."""

import time
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from credits_core.operations import lease
from credits_core.operations.lease import Held, Lease
from credits_core.operations.refusals import LeaseLost
from credits_core.store import database
from tests.support import world
from tests.support.plain_sql import rows, scalar


def take(engine: Engine, holder: str, *, seconds: int = 40) -> Lease | None:
    return database.write(engine, lambda c: lease.take(c, "leader", holder, seconds=seconds))


def taken(engine: Engine, holder: str) -> Lease:
    found = take(engine, holder)
    assert found is not None
    return found


def let_it_pass(engine: Engine) -> None:
    database.write(engine, lambda c: c.execute(text("UPDATE job_leases SET until_us = 1")))


def test_a_lease_has_one_holder_until_its_end_has_passed(engine: Engine) -> None:
    assert take(engine, "a:1") == Lease("leader", "a:1", 1)
    assert take(engine, "b:2") is None
    assert take(engine, "a:1") is None
    let_it_pass(engine)
    assert take(engine, "b:2") == Lease("leader", "b:2", 2)
    assert take(engine, "a:1") is None


@pytest.mark.parametrize(("seconds_ahead", "is_running"), [(3_590, True), (3_610, False), (10**9, False)])
def test_a_lease_that_a_clock_of_the_future_gave_is_free(engine: Engine, seconds_ahead: int, is_running: bool) -> None:
    taken(engine, "a:1")
    until_us = (int(time.time()) + seconds_ahead) * 1_000_000
    database.write(engine, lambda c: c.execute(text(f"UPDATE job_leases SET until_us = {until_us}")))
    with database.read(engine) as connection:
        assert lease.held(connection) == {"leader": Held("a:1", is_running)}
    assert (take(engine, "b:2") is None) == is_running


def test_a_lease_lasts_as_many_seconds_as_were_asked_for(engine: Engine) -> None:
    now_us = time.time_ns() // 1_000
    taken(engine, "a:1")
    assert 38_000_000 < scalar(engine, "SELECT until_us FROM job_leases") - now_us < 50_000_000  # type: ignore[operator]


def test_renewing_keeps_a_lease_and_never_brings_one_back(engine: Engine) -> None:
    own = taken(engine, "a:1")
    assert database.write(engine, lambda c: lease.renew(c, own, seconds=60))
    let_it_pass(engine)
    assert not database.write(engine, lambda c: lease.renew(c, own, seconds=60))
    taken(engine, "b:2")
    assert not database.write(engine, lambda c: lease.renew(c, own, seconds=60))
    assert rows(engine, "SELECT holder, epoch FROM job_leases") == [("b:2", 2)]


def test_a_lease_that_was_given_back_is_free_at_once_and_that_of_another_stays(engine: Engine) -> None:
    own = taken(engine, "a:1")
    database.write(engine, lambda c: lease.release(c, own))
    other = taken(engine, "b:2")
    database.write(engine, lambda c: lease.release(c, own))
    with database.read(engine) as connection:
        assert lease.held(connection) == {"leader": Held("b:2", is_running=True)}
        lease.require(connection, other)


@pytest.mark.parametrize("another_has_it", [False, True])
def test_who_has_lost_the_lease_neither_reads_nor_writes(engine: Engine, another_has_it: bool) -> None:
    own = taken(engine, "a:1")
    fenced = lease.fenced(engine, own)
    assert database.write(fenced, lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1
    let_it_pass(engine)
    if another_has_it:
        taken(engine, "b:2")

    def never(_: Connection) -> None:
        raise AssertionError("began to write")

    with pytest.raises(LeaseLost, match="Another process may be at leader now"):
        database.write(fenced, never)
    with pytest.raises(LeaseLost), database.read(fenced) as connection:
        connection.execute(text("SELECT 1"))


def test_two_readers_of_one_snapshot_are_let_in_as_long_as_the_lease_holds(engine: Engine) -> None:
    fenced = lease.fenced(engine, taken(engine, "a:1"))
    with database.read_twice(fenced) as (one, other):
        assert one.execute(text("SELECT 1")).scalar_one() == other.execute(text("SELECT 1")).scalar_one()
    let_it_pass(engine)
    with pytest.raises(LeaseLost), database.read_twice(fenced):
        pass


def test_who_is_stopped_right_after_the_first_look_commits_nothing(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fenced = lease.fenced(sqlite_engine, taken(sqlite_engine, "a:1"))
    looked: list[int] = []

    def stopped_after_it(connection: Connection, own: Lease) -> None:
        look(connection, own)
        looked.append(1)
        if len(looked) == 1:
            with closing(database.sqlite_driver().connect(str(sqlite_engine.url.database))) as other, other:
                other.execute("UPDATE job_leases SET holder = 'b:2', epoch = 2")

    look = lease.require
    monkeypatch.setattr(lease, "require", stopped_after_it)
    with pytest.raises(LeaseLost):
        world.add(fenced, "ada", 5, key="too-late")
    assert rows(sqlite_engine, "SELECT holder FROM job_leases") == [("b:2",)]
    assert rows(sqlite_engine, "SELECT id FROM journal_entries") == []
    world.add(sqlite_engine, "ada", 5, key="others-go-on")


def test_a_refused_unit_of_work_leaves_nobody_waiting(engine: Engine) -> None:
    fenced = lease.fenced(engine, taken(engine, "a:1"))
    let_it_pass(engine)
    for _ in range(12):  # more than the pool has connections
        with pytest.raises(LeaseLost):
            database.write(fenced, lambda c: None)
    world.add(engine, "ada", 5, key="after")
    with database.opened(engine.url.render_as_string(hide_password=False)) as other:
        world.add(other, "ada", 5, key="elsewhere")


def test_nobody_takes_the_lease_from_within_a_unit_of_work(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_LONGEST_WAIT", "SET LOCAL lock_timeout = '200ms'")
    own = taken(postgres_engine, "a:1")
    writer = lease.fenced(postgres_engine, own).execution_options(credits_writer=True)
    with writer.begin(), postgres_engine.connect() as connection:  # an update of the row would wait, too
        connection.execute(text("SET lock_timeout = '200ms'"))
        with pytest.raises(OperationalError):
            connection.execute(text("UPDATE job_leases SET until_us = 1"))
    let_it_pass(postgres_engine)
    assert take(postgres_engine, "b:2") is not None


def test_who_stands_still_in_a_unit_of_work_is_cut_off(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_LONGEST_STANDSTILL", "SET LOCAL idle_in_transaction_session_timeout = '300ms'")
    own = database.write(postgres_engine, lambda c: lease.take(c, "leader", "a:1", seconds=1))
    assert own is not None
    writer = lease.fenced(postgres_engine, own).execution_options(credits_writer=True)
    with pytest.raises((psycopg.Error, DBAPIError)), writer.begin() as connection:  # noqa: PT012
        time.sleep(1.2)
        assert take(postgres_engine, "b:2") == Lease("leader", "b:2", 2)
        connection.execute(text("SELECT 1"))
