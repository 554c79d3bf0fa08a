"""The record of changes that are no movement of credits: what leaves a line in it, and how it is listed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.access import exports, keys
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.prices import lists
from credits_core.reports import changes
from credits_core.reports.changes import ChangeFilter, ListedChange
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, Role, person
from tests.support import world
from tests.support.actors import named
from tests.support.plain_sql import refused, rows
from tests.support.world import LATER, NOW

ADA = named("dashboard/ada@example.org")
KEY = "pfk_" + "k" * 43


def do(engine: Engine, act: Callable[[Connection], object]) -> None:
    database.write(engine, act)


def listed(engine: Engine, **wanted: object) -> list[ListedChange]:
    with database.read(engine) as connection:
        return changes.changes(connection, ChangeFilter(**wanted))  # type: ignore[arg-type]


def test_a_key_is_on_record_when_it_is_made_replaced_and_revoked_but_no_part_of_it_is(engine: Engine) -> None:
    new = "pfk_" + "n" * 43
    do(engine, lambda c: keys.create_key(c, "shop", key=KEY, role=Role.SERVICE, now=NOW, actor=ADA))
    do(engine, lambda c: keys.rotate_key(c, "shop", key=new, overlap=timedelta(), now=LATER, actor=ADA))
    do(engine, lambda c: keys.revoke_key(c, "shop", now=LATER, actor=ADA))
    found = listed(engine)
    assert [(one.kind, one.subject, one.actor, one.happened_at) for one in found] == [
        (Change.KEY_REVOKED, "shop", ADA.recorded, LATER),
        (Change.KEY_REPLACED, "shop", ADA.recorded, LATER),
        (Change.KEY_MADE, "shop", ADA.recorded, NOW),
    ]
    assert found[-1].detail == {"key": 1, "role": "service", "user": None, "until": None}
    assert "kkkk" not in str(rows(engine, "SELECT * FROM activity"))
    assert "nnnn" not in str(rows(engine, "SELECT * FROM activity"))


def test_a_plan_is_on_record_when_it_is_saved_discarded_and_made_live(engine: Engine) -> None:
    plan = world.price_book().plan
    do(engine, lambda c: plan_actions.save_draft(c, plan, seen=None, now=NOW, actor=ADA))
    do(engine, lambda c: plan_actions.discard_draft(c, plan_records.plans(c)[plan.id], now=NOW, actor=ADA))
    do(engine, lambda c: plan_actions.save_draft(c, plan, seen=None, now=NOW, actor=ADA))
    do(
        engine,
        lambda c: plan_actions.activate(c, plan_records.plans(c)[plan.id], reason="Autumn", now=LATER, actor=ADA),
    )
    assert [(one.kind, one.subject, dict(one.detail)) for one in listed(engine)] == [
        (Change.PLAN_MADE_LIVE, "plan-1", {"in_place_of": "promptflow-v1", "reason": "Autumn"}),
        (Change.PLAN_SAVED, "plan-1", {"revision": 2}),
        (Change.PLAN_DISCARDED, "plan-1", {"revision": 1}),
        (Change.PLAN_SAVED, "plan-1", {"revision": 1}),
    ]


def test_a_price_list_is_on_record_when_somebody_saves_it_and_makes_it_live(engine: Engine) -> None:
    do(engine, lambda c: lists.begin_with(c, world.PRICE_LIST))
    assert listed(engine) == []  # the prices that a version brings are nobody's change
    do(engine, lambda c: lists.save(c, world.PRICE_LIST, source="prices.toml", now=NOW, actor=ADA))
    do(engine, lambda c: lists.activate(c, 2, reason="Dearer", now=LATER, actor=ADA))
    assert [(one.kind, one.subject, dict(one.detail)) for one in listed(engine)] == [
        (Change.PRICES_MADE_LIVE, "2", {"in_place_of": 1, "reason": "Dearer", "source": "prices.toml"}),
        (Change.PRICES_SAVED, "2", {"source": "prices.toml"}),
    ]


def test_a_file_with_people_s_ids_is_on_record_and_only_for_who_may_have_it(engine: Engine) -> None:
    finance = person("fin@example.org", frozenset({PersonRole.FINANCE}))
    do(engine, lambda c: exports.note(c, "history.csv", detail={"days": "all"}, now=NOW, actor=finance))
    (one,) = listed(engine)
    assert (one.kind, one.subject, dict(one.detail)) == (Change.EXPORTED, "history.csv", {"days": "all"})
    for role in (PersonRole.VIEWER, PersonRole.TESTER, PersonRole.PRICING):
        actor = person("one@example.org", frozenset({role}))
        with refused(engine, NotAllowed):
            do(engine, lambda c, actor=actor: exports.note(c, "history.csv", detail={}, now=NOW, actor=actor))  # type: ignore[misc]


@pytest.fixture
def recorded(engine: Engine) -> Engine:
    """Six changes of three kinds, by two people."""

    def note(connection: Connection) -> None:
        for number in range(6):
            kind = (Change.KEY_MADE, Change.PLAN_SAVED, Change.EXPORTED)[number % 3]
            activity.note(connection, kind, f"subject-{number}", actor=("ada", "ben")[number % 2], now=NOW)

    do(engine, note)
    return engine


def test_changes_are_listed_newest_first_a_page_at_a_time(recorded: Engine) -> None:
    with database.read(recorded) as connection:
        first = changes.changes(connection, ChangeFilter(), limit=4)
        second = changes.changes(connection, ChangeFilter(), before=first[-1].number, limit=4)
    assert [one.number for one in first + second] == [6, 5, 4, 3, 2, 1]


def test_changes_are_found_by_kind_by_who_did_it_and_by_what_was_changed(recorded: Engine) -> None:
    assert [one.number for one in listed(recorded, kind=Change.EXPORTED)] == [6, 3]
    assert [one.number for one in listed(recorded, actor="ben")] == [6, 4, 2]
    assert [one.number for one in listed(recorded, subject="subject-3")] == [4]
    assert listed(recorded, kind=Change.EXPORTED, actor="ada", subject="subject-5") == []


def test_a_kind_that_a_later_version_wrote_is_listed_by_its_name(recorded: Engine) -> None:
    with recorded.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO activity (kind, subject, detail, actor, happened_at_us)"
                " VALUES ('moon_landed', 'x', '{}', 'ada', 0)"
            )
        )
    assert listed(recorded)[0].kind == "moon_landed"


def test_the_people_to_choose_from_are_those_of_the_newest_changes(recorded: Engine) -> None:
    with database.read(recorded) as connection:
        assert changes.newest_actors(connection) == ["ada", "ben"]
        assert changes.newest_actors(connection, of_newest=1) == ["ben"]
