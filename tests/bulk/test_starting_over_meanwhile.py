"""Who else uses a demo while it is started over: what they see, and what they keep."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core import startup
from credits_core.bulk.refusals import NotADemo
from credits_core.ledger import actions
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import demo, demo_watchers, plain_sql, racers, world
from tests.support.actors import TESTER, named
from tests.support.plain_sql import rows, scalar
from tests.support.plans import SPECIFICATION

pytestmark = pytest.mark.as_owner

NOW = demo.NOW
DEARER = replace(SPECIFICATION, id="dearer", creator_share_bps=5_000)
RUN = demo_watchers.RUN


@pytest.fixture
def begun(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database that began as the demo world."""
    monkeypatch.setattr(startup, "load_demo_world", demo.small)
    demo.begin(engine)
    return engine


@pytest.mark.long
def test_another_process_sees_the_old_demo_or_the_new_one_and_its_charges_go_on(begun: Engine) -> None:
    built, users = rows(begun, "SELECT COUNT(*), (SELECT COUNT(*) FROM user_credits) FROM journal_entries")[0]
    assert isinstance(built, int)
    url = begun.url.render_as_string(hide_password=False)
    context = racers.processes()
    stop, watching, charging = context.Event(), context.Event(), context.Event()
    watcher, seen_states = racers.start(demo_watchers.watch, url, watching, stop)
    charger, charges = racers.start(demo_watchers.charge_on, url, charging, stop)
    assert watching.wait(120)
    assert charging.wait(120)
    for _ in range(4):
        world.save_draft(begun, DEARER)
        _wait_for_more_entries(begun)
        demo.start_over(begun)
        _wait_for_more_entries(begun)
    stop.set()
    seen, charged = seen_states.recv(), charges.recv()
    watcher.join(60)
    charger.join(60)

    assert {state[1:] for state in seen} == {(users, 2, 1, 0, 0), (users, 1, 1, 0, 0)}
    assert min(state[0] for state in seen) >= built
    # A charge is in an old demo or in the new one, where the numbers go on from its last entry.
    anew = [place for place in range(1, len(charged)) if charged[place][0] < charged[place - 1][0]]
    assert [charged[place][0] for place in anew] == [built + 1] * 4
    in_new = charged[anew[-1] :]
    assert (
        rows(begun, "SELECT id, idempotency_key FROM journal_entries WHERE actor = 'dashboard' ORDER BY id") == in_new
    )
    assert plain_sql.contradictions(begun) == []


def _wait_for_more_entries(engine: Engine) -> None:
    last = scalar(engine, "SELECT MAX(id) FROM journal_entries")
    while scalar(engine, "SELECT MAX(id) FROM journal_entries") == last:
        time.sleep(0.01)


def test_who_reads_meanwhile_keeps_the_demo_that_they_began_with(begun: Engine) -> None:
    demo.charge(begun, RUN, "dashboard:1")
    with database.read(begun) as connection:
        (users,) = connection.execute(text("SELECT COUNT(*) FROM user_credits")).one()
        demo.start_over(begun)
        seen = demo_watchers.state(connection)
    assert seen[:2] == (int(str(scalar(begun, "SELECT COUNT(*) FROM journal_entries"))) + 1, users)


def test_it_waits_for_charges_that_have_looked_up_their_price(begun: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_POSTGRES_ATTEMPTS", 1)  # so that a deadlock is a failure and not a second attempt
    as_new = demo.but_for_the_record(begun)
    world.put_in_force(begun, DEARER, now=NOW)
    priced, started_over, may_charge = Event(), Event(), Event()

    def charging(connection: Connection) -> None:
        book = demo.books().at(connection)
        priced.set()
        assert may_charge.wait(120)
        actions.charge_prompt(connection, RUN, book=book, key="dashboard:1", now=NOW, actor=named("dashboard"))

    def starting_over_() -> None:
        demo.start_over(begun)
        started_over.set()

    with ThreadPoolExecutor(2) as threads:
        charge = threads.submit(database.write, begun, charging)
        assert priced.wait(120)
        start = threads.submit(starting_over_)
        assert not started_over.wait(0.5)
        may_charge.set()
        charge.result(120)
        start.result(120)
    assert demo.but_for_the_record(begun) == as_new


def test_what_comes_from_outside_at_the_last_moment_is_kept(begun: Engine) -> None:
    given, may_commit = Event(), Event()

    def giving(connection: Connection) -> None:
        actions.add_credits(
            connection, "zoe", 5, source=CreditSource.PURCHASE, key="caller:shop:1", now=NOW, actor=named("api/shop")
        )
        given.set()
        assert may_commit.wait(120)

    with ThreadPoolExecutor(2) as threads:
        gift = threads.submit(database.write, begun, giving)
        assert given.wait(120)
        start = threads.submit(demo.start_over, begun)
        wait([start], 0.5)
        may_commit.set()
        gift.result(120)
        with pytest.raises(NotADemo):
            start.result(120)
    assert plain_sql.balance(begun, "zoe") == 5


def test_a_price_book_that_was_kept_is_not_taken_for_the_new_one_of_the_same_number(begun: Engine) -> None:
    kept = demo.books()

    def total(connection: Connection) -> int:
        book = kept.at(connection)
        return actions.quote_prompt(RUN, book, now=NOW).total_credits

    world.put_in_force(begun, replace(SPECIFICATION, id="free", tiers=(replace(SPECIFICATION.tiers[2]),)))
    assert database.write(begun, total) == 250 + 500
    demo.start_over(begun)
    world.put_in_force(
        begun, replace(SPECIFICATION, id="half", tiers=(replace(SPECIFICATION.tiers[1], below_credits=None),))
    )
    assert scalar(begun, "SELECT MAX(id) FROM plan_activations") == 2
    assert database.write(begun, total) == 250 + 25


def test_who_rolls_up_while_the_demo_is_started_over_does_not_count_beyond_its_end(
    begun: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        demo.charge(begun, RUN, f"dashboard:{number}")
    write = database.write

    def and_start_over(engine: Engine, action: object) -> object:
        monkeypatch.setattr(database, "write", write)
        found = write(engine, action)  # type: ignore[arg-type]
        write(engine, lambda connection: startup.start_demo_over(connection, demo.books(), now=NOW, actor=TESTER))
        return found

    monkeypatch.setattr(database, "write", and_start_over)
    daily_totals.catch_up(begun)
    assert scalar(begun, "SELECT entry_id FROM rollup_watermark") == 0
    daily_totals.catch_up(begun)
    demo.charge(begun, RUN, "dashboard:after")
    daily_totals.catch_up(begun)
    assert scalar(begun, "SELECT SUM(transaction_count) FROM daily_totals") == scalar(
        begun, "SELECT COUNT(*) FROM credit_transactions"
    )
