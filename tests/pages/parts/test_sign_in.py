"""Who the screens take somebody for, and what they show to those who are not let in."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.access import people
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from pages.parts import resources, visitor
from tests.support.live_dashboard import PATHS
from tests.support.page_driver import as_read, button_labels, captions, click, open_page
from tests.support.plain_sql import rows
from tests.support.signed_in import add, signed_in

SCREENS = ["explore/overview.py", "explore/history.py", "build/api_console.py", "people/people.py", "guide/guide.py"]
ADA, BEN = "ada@example.org", "ben@example.org"


def ask() -> None:
    """A screen that says who acts and how many things they may do."""
    import streamlit as st

    from pages.parts import who

    if st.button("Ask"):
        st.session_state.asked = True
    acting = who.actor()
    st.code(f"{acting.recorded} {len(acting.may)} {acting.is_person}")


def who_acts(page: AppTest) -> str:
    page.run()
    assert not page.exception
    said: str = page.code[0].value
    return said


def remove(engine: Engine, email: str) -> None:
    root, now = operator(Way.CLI), datetime.now(UTC)
    database.write(engine, lambda connection: people.remove(connection, email, actor=root, now=now))


def test_without_sign_in_the_operator_of_this_machine_acts_and_the_sidebar_says_so(ledger: Engine) -> None:
    assert who_acts(AppTest.from_function(ask)) == "dashboard 14 False"
    page = open_page("explore/overview.py")
    assert "Local operator" in captions(page)
    assert rows(ledger, "SELECT id FROM sign_in_sessions") == []


def test_a_person_acts_under_their_address_with_the_roles_of_now(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    add(ledger, BEN, PersonRole.TESTER)
    with signed_in("Ben@Example.org"):
        assert who_acts(AppTest.from_function(ask)) == "dashboard/ben@example.org 2 True"
        page = open_page("explore/history.py")
    assert BEN in [as_read(one.value) for one in page.main.markdown]
    assert "tester" in [one.value for one in page.main.caption]
    assert "Sign out" in button_labels(page)


def test_whoever_is_removed_may_do_nothing_once_the_last_look_is_too_old(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(visitor.time, "monotonic", lambda: clock[0])
    add(ledger, ADA, PersonRole.ADMIN)
    add(ledger, BEN, PersonRole.ADMIN)
    with signed_in(BEN):
        page = AppTest.from_function(ask)
        assert who_acts(page) == "dashboard/ben@example.org 13 True"
        remove(ledger, BEN)
        clock[0] += 20
        assert who_acts(page) == "dashboard/ben@example.org 13 True"
        clock[0] += 1
        assert who_acts(page) == "dashboard 0 True"


@pytest.mark.parametrize("file", SCREENS)
def test_nobody_sees_anything_of_a_screen_before_signing_in(ledger: Engine, file: str) -> None:
    with signed_in(None):
        page = open_page(file)
    assert [title.value for title in page.title] == ["Sign in to PromptFlow credits"]
    assert button_labels(page) == ["Sign in"]
    assert (len(page.dataframe), len(page.metric), len(page.sidebar.markdown)) == (0, 0, 0)


def test_a_stranger_sees_whom_to_ask_and_is_no_row(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    add(ledger, BEN, PersonRole.VIEWER)
    with signed_in("eve@example.org"):
        said = as_read(" ".join(one.value for one in open_page("explore/history.py").markdown))
    assert "eve@example.org" in said
    assert ADA in said
    assert BEN not in said
    with signed_in("eve@elsewhere.example"):
        said = as_read(" ".join(one.value for one in open_page("explore/history.py").markdown))
    assert ADA not in said
    assert "an admin of this dashboard" in said
    assert rows(ledger, "SELECT id FROM sign_in_sessions") == []


def test_a_domain_that_is_let_in_makes_viewers(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_SIGN_IN_DOMAINS", "example.org")
    with signed_in("eve@example.org"):
        assert who_acts(AppTest.from_function(ask)) == "dashboard/eve@example.org 1 True"
    with signed_in("eve@elsewhere.example"):
        assert who_acts(AppTest.from_function(ask)) == "dashboard 0 True"


def test_an_address_that_is_not_verified_is_told_so(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA, email_verified=False):
        page = open_page("explore/history.py")
    assert "has not verified" in page.error[0].value
    assert button_labels(page) == ["Sign out"]


def test_signing_out_ends_the_session_for_this_cookie(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA, nonce="one"):
        click(open_page("explore/history.py"), "Sign out")
        assert rows(ledger, "SELECT ended_at_us > 0 FROM sign_in_sessions") == [(1,)]
        page = open_page("explore/history.py")
        assert "You signed out" in page.info[0].value
        assert button_labels(page) == ["Sign in again"]
    with signed_in(ADA, nonce="two"):
        assert "Sign out" in button_labels(open_page("explore/history.py"))


def test_a_part_that_draws_itself_anew_reads_nothing_for_somebody_who_is_out(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "is_part_of_a_screen", lambda: True)
    with resources.reading():
        pass

    def stop() -> None:
        raise InterruptedError

    monkeypatch.setattr(visitor.st, "rerun", stop)
    with signed_in(None), pytest.raises(InterruptedError), resources.reading():
        pytest.fail("nothing may be read")


def test_a_part_that_draws_itself_anew_is_no_use_of_the_session(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA):
        open_page("explore/history.py")
        with ledger.begin() as connection:
            connection.exec_driver_sql("UPDATE sign_in_sessions SET seen_at_us = seen_at_us - 120000000")
        before = rows(ledger, "SELECT seen_at_us FROM sign_in_sessions")
        monkeypatch.setattr(visitor, "is_part_of_a_screen", lambda: True)
        assert who_acts(AppTest.from_function(ask)) == "dashboard/ada@example.org 13 True"
        assert rows(ledger, "SELECT seen_at_us FROM sign_in_sessions") == before
        monkeypatch.undo()


@pytest.mark.parametrize("file", SCREENS)
def test_where_sign_in_was_waived_every_screen_says_so(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("CREDITS_SIGN_IN", "none-at-my-own-risk")
    page = open_page(file)
    assert "Nobody signs in here" in page.warning[0].value
    assert "Local operator" not in captions(page)


def test_the_screens_of_this_test_are_screens() -> None:
    assert {f"/{file.rpartition('/')[2].removesuffix('.py').replace('_', '-')}" for file in SCREENS[1:]} <= set(PATHS)
