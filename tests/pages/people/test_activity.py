"""The screen Activity: what was changed in plain words, its filters, its pages, and where its links lead."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from streamlit.testing.v1 import AppTest

from credits_core.access import keys
from credits_core.store import activity, database
from credits_core.store.activity import Change
from credits_core.values.roles import Role
from pages.people import change_words
from tests.support.actors import named
from tests.support.page_driver import as_read, captions, choose, click, dashboard, links, open_page, small_dashboard
from tests.support.world import NOW

FILE = "people/activity.py"
ADA = named("dashboard/ada@example.org")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with small_dashboard(tmp_path) as engine:
        yield engine


def said(page: AppTest) -> list[str]:
    return [one.value for one in page.main.markdown]


def lines(page: AppTest) -> int:
    return sum(one.startswith("Made") for one in said(page))


def test_who_changed_what_stands_there_in_plain_words_with_a_link(ledger: Engine) -> None:
    database.write(
        ledger,
        lambda connection: keys.create_key(
            connection, "shop", key="pfk_" + "k" * 43, role=Role.SERVICE, now=NOW, actor=ADA
        ),
    )
    page = choose(open_page(FILE), kind=Change.KEY_MADE)
    assert r"Made the API key **shop** (service)" in said(page)
    assert "ada@example.org" in map(as_read, said(page))
    assert "2026-03-01 12:00 UTC" in captions(page)
    assert links(page)["Open"][0] == "api-console"
    assert "kkkk" not in str(said(page)) + captions(page)


def test_the_reason_of_an_activation_stands_below_it(ledger: Engine) -> None:
    page = open_page(FILE)  # the test's world has made its own plan and prices live
    assert r"Made the plan **plan\-1** live in place of promptflow\-v1" in said(page)
    assert "Reason: " in captions(page)


def test_changes_are_found_by_kind_person_and_what_was_changed(ledger: Engine) -> None:
    def note(connection: Connection) -> None:
        for number in range(3):
            kind = (Change.KEY_MADE, Change.TEST_USER_ADDED, Change.TEST_USER_ADDED)[number]
            activity.note(connection, kind, f"one-{number}", actor=("ada", "ben", "ada")[number], now=NOW)

    database.write(ledger, note)
    assert lines(choose(open_page(FILE), kind=Change.TEST_USER_ADDED)) == 2
    assert lines(choose(open_page(FILE), kind=Change.TEST_USER_ADDED, by="ada")) == 1
    assert said(choose(open_page(FILE), subject="one-1"))[1:] == [r"Made **one\-1** a test user", "ben"]
    page = choose(open_page(FILE), by="nobody", subject="one-1")
    assert [one.proto.title or one.value for one in page.info]
    assert lines(click(page, "Clear the filters")) > 3


def test_a_long_record_is_read_a_page_at_a_time(ledger: Engine) -> None:
    def note(connection: Connection) -> None:
        for number in range(60):
            activity.note(connection, Change.TEST_USER_ADDED, f"user-{number}", actor="ada", now=NOW)

    database.write(ledger, note)
    page = choose(open_page(FILE), by="ada")
    assert r"Made **user\-59** a test user" in said(page)
    assert lines(page) == 25
    page = click(page, "Next")
    assert r"Made **user\-34** a test user" in said(page)
    page = click(page, "Next")
    assert lines(page) == 10


def test_an_empty_record_says_what_would_stand_there(tmp_path: Path) -> None:
    with dashboard(tmp_path, demo=False):
        page = open_page(FILE)
    assert lines(page) == 0
    assert [one.value for one in page.info] == [
        "Save a price plan or make an API key, and it stands here with who did it."
    ]


def test_a_proposal_says_how_many_credits_it_is_about_and_an_older_record_does_without(ledger: Engine) -> None:
    new = {"change": "add credits", "of": "ben", "amount_credits": 20_000_000, "reason": "A prize"}
    old = {"change": "add credits", "of": "ben", "reason": "A prize"}

    def note(connection: Connection) -> None:
        activity.note(connection, Change.PROPOSED, "1", actor="dashboard/ada@example.org", now=NOW, detail=old)
        activity.note(connection, Change.PROPOSED, "2", actor="dashboard/ada@example.org", now=NOW, detail=new)
        activity.note(connection, Change.WITHDRAWN, "2", actor="proposals", now=NOW, detail=new)

    database.write(ledger, note)
    shown = [as_read(one) for one in said(open_page(FILE))]
    assert "Made proposal **1**: add credits (ben)" in shown
    assert "Made proposal **2**: add 20,000,000 credits ($20.00) to ben" in shown
    place = shown.index("Proposal **2** was withdrawn: add 20,000,000 credits ($20.00) to ben")
    assert shown[place + 1] == "nobody"


def test_roles_are_listed_with_spaces(ledger: Engine) -> None:
    detail = {"before": "viewer", "roles": "viewer,finance"}
    database.write(
        ledger,
        lambda connection: activity.note(connection, Change.ROLES_CHANGED, "ben", actor="ada", now=NOW, detail=detail),
    )
    assert "Before: viewer · Roles: viewer, finance" in captions(open_page(FILE))


def test_people_are_chosen_by_their_address_and_by_what_is_on_record(ledger: Engine) -> None:
    database.write(
        ledger,
        lambda connection: activity.note(connection, Change.TEST_USER_ADDED, "ben", actor=ADA.recorded, now=NOW),
    )
    assert "ada@example.org" in open_page(FILE).selectbox(key="by").options
    for by in ("ada@example.org", "dashboard/ada@example.org"):
        assert lines(open_page(FILE, by=by)) == 1


@pytest.mark.parametrize("kind", list(Change))
def test_every_kind_of_change_has_words_of_its_own(kind: Change) -> None:
    assert kind in change_words._SAID


def test_what_somebody_typed_is_shown_as_it_is(ledger: Engine) -> None:
    detail = {"reason": "[click](http://evil.example) **now**", "in_place_of": "a*b*"}
    database.write(
        ledger,
        lambda connection: activity.note(
            connection, Change.PLAN_MADE_LIVE, "x_y_z", actor="ada", now=NOW, detail=detail
        ),
    )
    page = open_page(FILE, by="ada")
    assert r"Made the plan **x\_y\_z** live in place of a\*b\*" in said(page)
    assert r"Reason: \[click\]\(http:color[\:]//evil\.example\) \*\*now\*\*" in captions(page)
