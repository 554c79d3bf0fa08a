"""People and their roles: who may change them, what is noted, and that somebody always can."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from credits_core.access import people, sessions
from credits_core.access.people import PersonRecord
from credits_core.access.refusals import LastAdmin, PersonKnown, UnknownPerson
from credits_core.access.sessions import SignedIn
from credits_core.audit.changes import changes_are_on_record
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import Actor, PersonRole, Way, operator, person
from tests.support.plain_sql import refused, rows
from tests.support.world import LATER, NOW

ADA, BEN = "ada@example.org", "ben@example.org"
VIEWER, TESTER, PRICING, FINANCE, ADMIN = PersonRole
ROOT = operator(Way.CLI)


def add(engine: Engine, email: str, *roles: PersonRole, actor: Actor = ROOT) -> None:
    database.write(engine, lambda connection: people.add(connection, email, roles, actor=actor, now=NOW))


def change(engine: Engine, email: str, *roles: PersonRole, actor: Actor = ROOT) -> None:
    database.write(engine, lambda connection: people.change_roles(connection, email, roles, actor=actor, now=LATER))


def remove(engine: Engine, email: str, actor: Actor = ROOT) -> None:
    database.write(engine, lambda connection: people.remove(connection, email, actor=actor, now=LATER))


def listed(engine: Engine) -> list[PersonRecord]:
    with database.read(engine) as connection:
        return people.list_people(connection)


def test_a_person_is_one_in_any_case_of_the_letters(engine: Engine) -> None:
    add(engine, " Ada@Example.ORG ", ADMIN, VIEWER)
    ada = PersonRecord(ADA, frozenset({VIEWER, ADMIN}), NOW, "cli")
    assert listed(engine) == [ada]
    assert rows(engine, "SELECT email, roles, added_by, removed_at_us FROM people") == [
        (ADA, "viewer,admin", "cli", None)
    ]
    with refused(engine, PersonKnown):
        add(engine, "ADA@example.org", VIEWER)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@b@example.org",
        "a da@example.org",
        "ada,ben@example.org",
        "dashboard/ada@example.org",
        "adä@example.org",
        "ada@example.org\n\nbcc",
        "\N{KELVIN SIGN}im@example.org",
        "a" * 99 + "@example.org",
    ],
)
def test_what_is_no_address_is_refused(engine: Engine, email: str) -> None:
    with refused(engine, InvalidRequest):
        add(engine, email, VIEWER)


def test_the_longest_address_with_its_way_is_an_id(engine: Engine) -> None:
    longest = "a" * 98 + "@example.org"
    add(engine, longest, ADMIN)
    add(engine, BEN, VIEWER, actor=person(longest, frozenset({ADMIN})))
    assert rows(engine, "SELECT added_by FROM people WHERE email = :ben", ben=BEN) == [(f"dashboard/{longest}",)]


@pytest.mark.parametrize("role", [VIEWER, TESTER, PRICING, FINANCE])
def test_only_an_admin_changes_people(engine: Engine, role: PersonRole) -> None:
    add(engine, ADA, ADMIN)
    add(engine, BEN, role)
    ben = person(BEN, frozenset({role}))
    with refused(engine, NotAllowed):
        add(engine, "cy@example.org", VIEWER, actor=ben)
    with refused(engine, NotAllowed):
        change(engine, BEN, ADMIN, actor=ben)
    with refused(engine, NotAllowed):
        remove(engine, ADA, ben)


def test_each_change_is_noted_with_who_and_what(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    ada = person(ADA, frozenset({ADMIN}))
    add(engine, BEN, VIEWER, actor=ada)
    change(engine, BEN, PRICING, TESTER, actor=ada)
    change(engine, BEN, TESTER, PRICING, actor=ada)  # the same
    remove(engine, BEN, ada)
    noted = rows(engine, "SELECT kind, subject, actor, detail FROM activity ORDER BY id")
    assert [(kind, subject, actor, json.loads(str(detail))) for kind, subject, actor, detail in noted] == [
        ("person_added", ADA, "cli", {"roles": "admin"}),
        ("person_added", BEN, "dashboard/ada@example.org", {"roles": "viewer"}),
        ("roles_changed", BEN, "dashboard/ada@example.org", {"before": "viewer", "roles": "tester,pricing"}),
        ("person_removed", BEN, "dashboard/ada@example.org", {"roles": "tester,pricing"}),
    ]


def test_somebody_who_was_removed_is_unknown_and_may_be_added_anew(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    add(engine, BEN, FINANCE)
    remove(engine, BEN)
    assert [one.email for one in listed(engine)] == [ADA]
    for again in (lambda: remove(engine, BEN), lambda: change(engine, BEN, VIEWER)):
        with refused(engine, UnknownPerson):
            again()
    add(engine, BEN, VIEWER, actor=person(ADA, frozenset({ADMIN})))
    assert listed(engine)[1] == PersonRecord(BEN, frozenset({VIEWER}), NOW, "dashboard/ada@example.org")


def test_a_person_needs_a_role(engine: Engine) -> None:
    with refused(engine, InvalidRequest):
        add(engine, ADA)
    add(engine, ADA, ADMIN)
    with refused(engine, InvalidRequest):
        change(engine, ADA)


def test_the_last_admin_stays(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    add(engine, BEN, FINANCE)
    for last in (lambda: remove(engine, ADA), lambda: change(engine, ADA, VIEWER, FINANCE)):
        with refused(engine, LastAdmin):
            last()
    change(engine, ADA, ADMIN, FINANCE)
    change(engine, BEN, ADMIN)
    remove(engine, ADA)
    with refused(engine, LastAdmin):
        remove(engine, BEN)


def test_two_admins_who_remove_each_other_at_the_same_moment_leave_one(engine: Engine) -> None:
    for _ in range(8):
        for email in (ADA, BEN):
            if email not in [one.email for one in listed(engine)]:
                add(engine, email, ADMIN)
        start = threading.Barrier(2)

        def remove_other(mine: str, other: str, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                remove(engine, other, person(mine, frozenset({ADMIN})))
            except LastAdmin:
                return False
            return True

        with ThreadPoolExecutor(2) as both:
            assert sorted(both.map(remove_other, (ADA, BEN), (BEN, ADA))) == [False, True]
        assert len(listed(engine)) == 1


DOMAINS = frozenset({"example.org"})


@pytest.mark.parametrize(
    ("email", "stored", "is_removed", "roles"),
    [
        (ADA, "tester,admin", False, {TESTER, ADMIN}),
        (ADA, None, False, {VIEWER}),
        (ADA, "admin", True, set()),
        ("ada@sub.example.org", None, False, set()),
        ("ada@badexample.org", None, False, set()),
        ("example.org@other.org", None, False, set()),
        ("cy@other.org", "pricing", False, {PRICING}),
    ],
)
def test_a_domain_lets_in_viewers_but_nobody_who_was_removed(
    email: str, stored: str | None, *, is_removed: bool, roles: set[PersonRole]
) -> None:
    assert people.roles_of(email, stored, is_removed=is_removed, domains=DOMAINS) == roles


def test_the_list_says_when_somebody_was_last_seen(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    seen_us = 1_772_366_400_000_000
    insert = "INSERT INTO sign_in_sessions (id, email, started_at_us, seen_at_us) VALUES"
    with engine.begin() as connection:
        for number, moment_us in enumerate((seen_us, seen_us - 5, seen_us + 60_000_000)):
            connection.exec_driver_sql(f"{insert} ('{number}', '{ADA}', 1, {moment_us})")
    assert [one.seen_at for one in listed(engine)] == [NOW + timedelta(minutes=1)]
    add(engine, BEN, ADMIN)
    remove(engine, ADA)
    assert rows(engine, "SELECT count(*) FROM sign_in_sessions WHERE ended_at_us IS NULL") == [(0,)]


# --- whom a domain lets in --------------------------------------------------------------------------------------------


GUEST, STRANGER = "guest@example.org", "stranger@elsewhere.org"
DOMAINS = frozenset({"example.org"})


def came(engine: Engine, email: str, *, minutes: int = 0) -> SignedIn:
    who = SignedIn(f"{email}:{minutes}".ljust(64, "0"), email, NOW)
    at, domains = NOW + timedelta(minutes=minutes), DOMAINS | {"elsewhere.org"}
    database.write(engine, lambda connection: sessions.note_use(connection, who, domains=domains, now=at))
    return who


def test_whoever_came_by_a_domain_is_listed_among_the_others(engine: Engine) -> None:
    add(engine, BEN, TESTER)
    for email in (GUEST, STRANGER, BEN):
        came(engine, email)
    came(engine, GUEST, minutes=5)
    with database.read(engine) as connection:
        found = people.list_people(connection, domains=DOMAINS)
        assert [one.email for one in people.list_people(connection)] == [BEN]
    guest = PersonRecord(GUEST, frozenset({VIEWER}), NOW, None, seen_at=NOW + timedelta(minutes=5))
    assert [one.email for one in found] == [BEN, GUEST]
    assert found[1] == guest


def test_whoever_came_by_a_domain_is_removed_and_does_not_come_back(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    who, ada = came(engine, GUEST), person(ADA, frozenset({ADMIN}))
    given = " Guest@example.org"
    with refused(engine, UnknownPerson):
        remove(engine, GUEST)
    with refused(engine, UnknownPerson):
        database.write(
            engine, lambda connection: people.remove(connection, STRANGER, actor=ada, now=LATER, domains=DOMAINS)
        )
    database.write(
        engine,
        lambda connection: people.remove(connection, given, actor=ada, now=LATER, domains=DOMAINS),
    )
    with database.read(engine) as connection:
        assert not sessions.look(connection, who, domains=DOMAINS, now=NOW).is_let_in
        anew = replace(who, id="n" * 64)
        assert not sessions.look(connection, anew, domains=DOMAINS, now=NOW).is_let_in
        assert [one.email for one in people.list_people(connection, domains=DOMAINS)] == [ADA]
    noted = rows(engine, "SELECT kind, subject, actor FROM activity ORDER BY id DESC LIMIT 1")
    assert noted == [("person_removed", GUEST, "dashboard/ada@example.org")]
    with refused(engine, UnknownPerson):
        database.write(
            engine, lambda connection: people.remove(connection, GUEST, actor=ada, now=LATER, domains=DOMAINS)
        )
    add(engine, GUEST, TESTER)
    assert [one.email for one in listed(engine)] == [ADA, GUEST]


# --- roles of another version -----------------------------------------------------------------------------------------


def test_a_role_that_this_version_does_not_know_gives_nothing_and_is_told(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    add(engine, BEN, VIEWER)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE people SET roles = 'viewer,auditor' WHERE email = 'ben@example.org'")
    assert [(one.roles, one.unknown_roles) for one in listed(engine)] == [
        (frozenset({ADMIN}), ()),
        (frozenset({VIEWER}), ("auditor",)),
    ]
    with database.read(engine) as connection:
        assert people.admins(connection) == [ADA]
        assert sessions.look(connection, SignedIn("s" * 64, BEN, NOW), domains=frozenset(), now=NOW).roles == {VIEWER}
    change(engine, BEN, VIEWER, ADMIN)
    remove(engine, ADA)
    assert [one.unknown_roles for one in listed(engine)] == [()]


def test_who_was_let_in_by_a_domain_and_removed_is_as_the_record_says(engine: Engine) -> None:
    add(engine, ADA, ADMIN)
    domains = frozenset({people.domain_of(BEN)})
    database.write(engine, lambda connection: people.remove(connection, BEN, actor=ROOT, now=LATER, domains=domains))
    with database.read(engine) as connection:
        assert changes_are_on_record(connection, {}).violations == ()
