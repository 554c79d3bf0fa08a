"""The screen People: who sees what, and that each change is asked about, made and noted."""

import pytest
from sqlalchemy import Engine

from credits_core.values.roles import MAY, May, PersonRole
from pages.people import tables
from tests.support.page_driver import as_read, button_labels, click, click_in_row, open_page, run, table
from tests.support.plain_sql import rows
from tests.support.signed_in import add, signed_in

ADA, BEN = "ada@example.org", "ben@example.org"


def people(engine: Engine) -> list[tuple[object, ...]]:
    return rows(engine, "SELECT email, roles, removed_at_us IS NULL FROM people ORDER BY email")


def test_an_admin_adds_changes_and_removes_a_person(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA):
        page = open_page("people/people.py")
        page.text_input(key="person_email").set_value(" Ben@Example.org ")
        click(page, "Add person")
        assert people(ledger) == [(ADA, "admin", 1), (BEN, "viewer", 1)]
        assert [row["Person"] for row in table(page)] == [ADA, BEN]
        assert page.text_input(key="person_email").value == ""

        click_in_row(page, 1, "Change roles", column="Change")
        page.multiselect(key="person_new_roles").set_value([PersonRole.TESTER, PersonRole.PRICING])
        click(page, "Save roles")
        assert people(ledger) == [(ADA, "admin", 1), (BEN, "tester,pricing", 1)]
        assert list(table(page)[1]["Roles"]) == ["Tester", "Pricing"]

        click_in_row(page, 1, "Remove", column="Remove")
        assert people(ledger)[1] == (BEN, "tester,pricing", 1)  # it asks first
        click(page, "Remove")
        assert people(ledger) == [(ADA, "admin", 1), (BEN, "tester,pricing", 0)]
        assert [row["Person"] for row in table(page)] == [ADA]
    noted = rows(ledger, "SELECT kind, actor FROM activity WHERE subject = 'ben@example.org' ORDER BY id")
    by_ada = "dashboard/ada@example.org"
    assert noted == [("person_added", by_ada), ("roles_changed", by_ada), ("person_removed", by_ada)]


def test_the_last_admin_is_told_why_they_stay(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA):
        page = click_in_row(open_page("people/people.py"), 0, "Remove", column="Remove")
        click(page, "Remove")
        assert "is the only admin" in page.error[0].proto.title + page.error[0].value
    assert people(ledger) == [(ADA, "admin", 1)]


def test_what_is_no_address_is_refused_beside_the_form(ledger: Engine) -> None:
    page = open_page("people/people.py")
    page.text_input(key="person_email").set_value("ben")
    click(page, "Add person")
    assert people(ledger) == []
    assert page.text_input(key="person_email").value == "ben"
    assert len(page.error) == 1


def test_what_was_done_before_does_not_stand_above_an_error(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA):
        page = open_page("people/people.py")
        page.text_input(key="person_email").set_value(BEN)
        page = click(page, "Add person")
        assert "Put this away" in [button.help for button in page.button]
        page.text_input(key="person_email").set_value(BEN)
        page = click(page, "Add person")
    assert as_read(page.error[0].proto.title) == f"{BEN} may sign in already. Change the roles instead."
    assert "Put this away" not in [button.help for button in page.button]


def test_who_added_somebody_is_listed_by_their_address(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    with signed_in(ADA):
        page = open_page("people/people.py")
        page.text_input(key="person_email").set_value(BEN)
        page = click(page, "Add person")
    assert [row["Added by"] for row in table(page)][1] == ADA


def test_others_see_the_list_and_whom_to_ask_but_no_buttons(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    for role in (PersonRole.VIEWER, PersonRole.TESTER, PersonRole.PRICING, PersonRole.FINANCE):
        email = f"{role.value}@example.org"
        add(ledger, email, role)
        with signed_in(email):
            page = open_page("people/people.py")
        assert ADA in as_read(page.info[0].value)
        assert "Add person" not in button_labels(page)
        assert set(table(page)[0]) == {"Person", "Roles", "Last seen (UTC)", "Since (UTC)", "Added by"}


def test_the_list_says_when_somebody_was_last_seen(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    add(ledger, BEN, PersonRole.VIEWER)
    with signed_in(ADA):
        seen = [row["Last seen (UTC)"] is not None for row in table(run(open_page("people/people.py")))]
    assert seen == [True, False]


def test_without_sign_in_the_screen_says_that_it_is_off(ledger: Engine) -> None:
    page = open_page("people/people.py")
    assert page.info[0].proto.title == "Sign-in is off" or "Sign-in is off" in str(page.info[0].proto)
    assert "Add person" in button_labels(page)


def test_everything_that_some_role_may_do_is_in_the_table_of_roles() -> None:
    assert set(tables._IN_WORDS) == frozenset[May]().union(*MAY.values())


def test_whom_a_domain_let_in_is_listed_given_a_role_and_removed(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_SIGN_IN_DOMAINS", "example.org")
    add(ledger, ADA, PersonRole.ADMIN)
    for guest in (BEN, "cleo@example.org"):
        with signed_in(guest):
            open_page("people/people.py")
    with signed_in(ADA):
        page = open_page("people/people.py")
        assert [(row["Person"], row["Added by"]) for row in table(page)[1:]] == [
            (BEN, "their domain"),
            ("cleo@example.org", "their domain"),
        ]
        click_in_row(page, 1, "Change roles", column="Change")
        page.multiselect(key="person_new_roles").set_value([PersonRole.TESTER])
        click(page, "Save roles")
        click_in_row(page, 2, "Remove", column="Remove")
        click(page, "Remove")
        assert [row["Person"] for row in table(page)] == [ADA, BEN]
    assert people(ledger) == [(ADA, "admin", 1), (BEN, "tester", 1), ("cleo@example.org", "viewer", 0)]


def test_without_an_admin_the_screen_names_the_command(ledger: Engine) -> None:
    add(ledger, BEN, PersonRole.VIEWER)
    with signed_in(BEN):
        assert "Ask whoever runs `python -m credits_core people add`" in open_page("people/people.py").info[0].value


def test_a_role_that_is_not_known_is_told_below_the_list(ledger: Engine) -> None:
    add(ledger, ADA, PersonRole.ADMIN)
    add(ledger, BEN, PersonRole.VIEWER)
    with ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE people SET roles = 'auditor' WHERE email = 'ben@example.org'")
    with signed_in(ADA):
        (told,) = open_page("people/people.py").warning
    assert told.proto.title == "Roles that this version does not know"
    assert "auditor" in told.value
