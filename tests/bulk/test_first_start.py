"""How a database began, and what happens when two people choose at once."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import startup
from credits_core.access import keys
from credits_core.bulk import first_start
from credits_core.bulk.first_start import Beginning
from credits_core.bulk.opening_balances import import_legacy
from credits_core.ledger.trial_users import are_test_users
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, Role, person
from tests.support import api_world, demo, demo_watchers, racers, world
from tests.support.actors import TESTER, named
from tests.support.plain_sql import refused, rows, scalar

pytestmark = pytest.mark.as_owner

NOW = demo.NOW


@pytest.fixture
def migrated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An empty database with the first plan and prices."""
    monkeypatch.setattr(startup, "load_demo_world", demo.small)
    startup.migrate(engine)
    return engine


def beginning(engine: Engine) -> Beginning:
    with database.read(engine) as connection:
        return first_start.beginning(connection)


def choose_clean(engine: Engine, actor: str = "dashboard") -> None:
    database.write(engine, lambda connection: first_start.choose_clean(connection, now=NOW, actor=named(actor)))


def build_demo(engine: Engine) -> bool:
    books = demo.books()
    return database.write(engine, lambda connection: startup.build_demo(connection, books, now=NOW, actor=TESTER))


def test_an_empty_database_is_undecided_also_with_a_key_and_a_draft(migrated: Engine) -> None:
    world.save_draft(migrated, world.price_book().plan)
    database.write(
        migrated,
        lambda connection: keys.create_key(
            connection, "shop", key=keys.new_key(), role=Role.SERVICE, now=NOW, actor=TESTER
        ),
    )
    assert beginning(migrated) is Beginning.UNDECIDED


def test_a_clean_start_is_remembered_and_chosen_once(migrated: Engine) -> None:
    choose_clean(migrated)
    choose_clean(migrated, "somebody else")
    assert beginning(migrated) is Beginning.CLEAN
    assert rows(migrated, "SELECT id, actor FROM clean_start") == [(1, "dashboard")]


def test_whoever_started_clean_can_still_look_at_the_demo(migrated: Engine) -> None:
    choose_clean(migrated)
    assert build_demo(migrated) is True
    assert beginning(migrated) is Beginning.DEMO


def test_the_first_credits_of_ones_own_make_it_ones_own(migrated: Engine) -> None:
    choose_clean(migrated)
    world.add(migrated, "ada", 100, key="dashboard:1")
    assert beginning(migrated) is Beginning.OWN


def test_an_empty_account_is_ones_own_and_keeps_the_demo_out(migrated: Engine, tmp_path: Path) -> None:
    (tmp_path / "legacy.csv").write_text("user_id,credits\nzoe,0\n", encoding="utf-8")
    import_legacy(migrated, tmp_path / "legacy.csv", now=NOW, actor=named("cli"))
    assert beginning(migrated) is Beginning.OWN
    assert build_demo(migrated) is False
    assert scalar(migrated, "SELECT COUNT(*) FROM journal_entries") == 0


def test_a_demo_stays_one_when_things_are_tried_and_when_it_is_started_over(migrated: Engine) -> None:
    assert build_demo(migrated) is True
    demo.charge(migrated, demo_watchers.RUN, "dashboard:1")
    assert beginning(migrated) is Beginning.DEMO
    demo.start_over(migrated)
    assert beginning(migrated) is Beginning.DEMO


def test_of_two_who_want_the_demo_at_once_one_builds_it_and_the_other_finds_it(migrated: Engine) -> None:
    assert sorted(racers.at_once([lambda: build_demo(migrated)] * 2)) == [False, True]
    grants = "SELECT COUNT(*), COUNT(DISTINCT idempotency_key) FROM journal_entries WHERE type = 'grant'"
    people = len(demo.small().people)
    assert rows(migrated, grants) == [(people, people)]


@pytest.mark.long
def test_of_two_processes_that_want_the_demo_at_once_one_builds_it(migrated: Engine) -> None:
    url, start_line = migrated.url.render_as_string(hide_password=False), racers.processes().Barrier(2)
    started = [racers.start(demo_watchers.build_at_once, start_line, url) for _ in range(2)]
    built = sorted(answers.recv() for _, answers in started)
    for process, _ in started:
        process.join(60)
    assert built == [False, True]
    assert scalar(migrated, "SELECT COUNT(*) FROM journal_entries") == scalar(
        migrated, "SELECT MAX(id) FROM journal_entries"
    )
    assert beginning(migrated) is Beginning.DEMO


def test_of_two_who_start_clean_at_once_nobody_fails(migrated: Engine) -> None:
    racers.at_once([lambda: choose_clean(migrated)] * 4)
    assert beginning(migrated) is Beginning.CLEAN


@pytest.mark.parametrize(
    ("given", "begun"), [("", Beginning.UNDECIDED), ("0", Beginning.UNDECIDED), ("1", Beginning.DEMO)]
)
def test_the_api_answers_from_an_undecided_database_and_builds_only_what_it_is_told_to(
    migrated: Engine, monkeypatch: pytest.MonkeyPatch, given: str, begun: Beginning
) -> None:
    monkeypatch.setenv("CREDITS_DEMO", given)
    with api_world.client_of(migrated.url.render_as_string(hide_password=False)) as client:
        assert client.get("/api/ready").status_code == 200
    assert beginning(migrated) is begun


def test_everybody_is_a_test_user_in_a_database_that_began_as_the_demo(migrated: Engine) -> None:
    with database.read(migrated) as connection:
        assert not are_test_users(connection, ["ada"], "")
    build_demo(migrated)
    with database.read(migrated) as connection:
        assert are_test_users(connection, ["ada", "nobody-yet"], "")


def test_only_who_may_manage_the_database_chooses_how_it_begins(migrated: Engine) -> None:
    pricing = person("pat@example.org", frozenset({PersonRole.PRICING, PersonRole.FINANCE}))
    books = demo.books()
    for choice in (
        lambda connection: first_start.choose_clean(connection, now=NOW, actor=pricing),
        lambda connection: startup.build_demo(connection, books, now=NOW, actor=pricing),
        lambda connection: startup.start_demo_over(connection, books, now=NOW, actor=pricing),
    ):
        with refused(migrated, NotAllowed):
            database.write(migrated, choice)
