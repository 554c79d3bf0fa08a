"""People who may sign in at the dashboard, and their roles: add, change, remove and list.

A person is an e-mail address in lower case. The row stays when somebody is removed, so that a domain that is let in
does not let that person in again. Each change asks what its actor may do and is noted beside it. The first admin is
added at the command line.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, text, update

from credits_core.access import proposals
from credits_core.access.refusals import LastAdmin, PersonKnown, UnknownPerson
from credits_core.errors import InvalidRequest
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import Person, SignInSession
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.fields import cut_repr
from credits_core.values.roles import Actor, May, PersonRole

_PEOPLE_LOCK = 7_206_151_036
MAX_EMAIL = 110
"""Longest address, so that `dashboard/` and the address together are a valid id."""
_EMAIL = re.compile(r"[a-z0-9_][a-z0-9._+|-]*@[a-z0-9-]+(\.[a-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """What is stored about a person. `seen_at` is when they last used the dashboard, to the minute; None for never.

    `unknown_roles` stand in the row and give nothing, because this version does not know them. Somebody whom only their
    domain lets in has been there `since` their first sign-in, and nobody added them.
    """

    email: str
    roles: frozenset[PersonRole]
    since: datetime
    added_by: str | None
    seen_at: datetime | None = None
    unknown_roles: tuple[str, ...] = ()


def folded_email(given: str) -> str:
    """The address as it is stored: in lower case, without blanks at its ends.

    Raises:
        InvalidRequest: it is no address of at most 110 letters, digits and `. _ + | -` with one @.

    >>> folded_email(" Ada@Example.org ")
    'ada@example.org'
    """
    email = given.strip()
    email = email.lower() if email.isascii() else email  # a letter of another alphabet is never folded into one of ours
    if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise InvalidRequest(
            "email",
            f"must be an address such as ada@example.org: at most {MAX_EMAIL} letters, digits and . _ + | - with one "
            f"@, not {cut_repr(given)}",
        )
    return email


def domain_of(email: str) -> str:
    """What stands behind the @.

    >>> domain_of("ada@example.org")
    'example.org'
    """
    return email.rpartition("@")[2]


def roles_text(roles: Iterable[PersonRole]) -> str:
    """The roles as they are stored: in the order of the table of roles.

    >>> roles_text({PersonRole.ADMIN, PersonRole.TESTER})
    'tester,admin'
    """
    return ",".join(role.value for role in PersonRole if role in set(roles))


def add(connection: Connection, email: str, roles: Iterable[PersonRole], *, actor: Actor, now: datetime) -> None:
    """Let a person sign in with these roles. Somebody who was removed begins anew.

    Raises:
        InvalidRequest: the address is none, or there is no role.
        NotAllowed: the actor may not manage people.
        PersonKnown: the person may sign in already.
    """
    actor.require(May.MANAGE)
    folded, stored = folded_email(email), _stored(roles)
    _wait_for_others(connection)
    before = _row(connection, folded)
    if before is not None and before.removed_at_us is None:
        raise PersonKnown(folded)
    begun = {"roles": stored, "since_us": to_microseconds(now), "added_by": actor.recorded}
    if before is None:
        connection.execute(insert(Person).values(email=folded, **begun))
    else:
        connection.execute(update(Person).where(Person.email == folded).values(removed_at_us=None, **begun))
    _note(connection, Change.PERSON_ADDED, folded, actor, now, roles=stored)


def change_roles(
    connection: Connection, email: str, roles: Iterable[PersonRole], *, actor: Actor, now: datetime
) -> None:
    """Give a person these roles instead of the present ones. The same roles change nothing and are not noted.

    Raises:
        InvalidRequest: the address is none, or there is no role.
        LastAdmin: nobody else is an admin.
        NotAllowed: the actor may not manage people.
        UnknownPerson: nobody with this address may sign in by a role of their own.
    """
    actor.require(May.MANAGE)
    stored = _stored(roles)
    _wait_for_others(connection)
    before = _present(connection, email)
    if before.roles == stored:
        return
    if PersonRole.ADMIN not in _roles(stored):
        _require_another_admin(connection, before)
    connection.execute(update(Person).where(Person.email == before.email).values(roles=stored))
    _note(connection, Change.ROLES_CHANGED, before.email, actor, now, before=before.roles, roles=stored)


def remove(
    connection: Connection, email: str, *, actor: Actor, now: datetime, domains: frozenset[str] = frozenset()
) -> None:
    """Let a person in no more, also where the domain is let in; end their sessions and withdraw what they proposed.

    Whoever has an address of one of `domains` needs no role to be removed.

    Raises:
        InvalidRequest: the address is none.
        LastAdmin: nobody else is an admin.
        NotAllowed: the actor may not manage people.
        UnknownPerson: nobody with this address may sign in.
    """
    actor.require(May.MANAGE)
    _wait_for_others(connection)
    folded, moment_us = folded_email(email), to_microseconds(now)
    if _row(connection, folded) is None and domain_of(folded) in domains:
        roles = roles_text({PersonRole.VIEWER})
        begun = {"roles": roles, "since_us": moment_us, "added_by": actor.recorded}
        connection.execute(insert(Person).values(email=folded, removed_at_us=moment_us, **begun))
    else:
        before = _present(connection, folded)
        _require_another_admin(connection, before)
        roles = before.roles
        connection.execute(update(Person).where(Person.email == folded).values(removed_at_us=moment_us))
    connection.execute(
        update(SignInSession)
        .where(SignInSession.email == folded, SignInSession.ended_at_us.is_(None))
        .values(ended_at_us=moment_us)
    )
    _note(connection, Change.PERSON_REMOVED, folded, actor, now, roles=roles)
    proposals.withdraw_of(connection, folded, actor=actor, now=now)


def list_people(connection: Connection, *, domains: frozenset[str] = frozenset()) -> list[PersonRecord]:
    """Everybody who may sign in, by address: who has a role, and who came because one of these domains is let in."""
    listed = [_record(row) for row in connection.execute(_everybody())]
    if domains:
        listed += [one for one in map(_guest, connection.execute(_guests())) if domain_of(one.email) in domains]
    return sorted(listed, key=attrgetter("email"))


def admins(connection: Connection) -> list[str]:
    """The addresses of those who manage people, in order."""
    return [one.email for one in list_people(connection) if PersonRole.ADMIN in one.roles]


def roles_of(email: str, stored: str | None, *, is_removed: bool, domains: frozenset[str]) -> frozenset[PersonRole]:
    """The roles that an address signs in with: those that are stored, or viewer where the whole domain is let in.

    Whoever was removed has none, whatever the domain. A stored role that this version does not know gives nothing.

    >>> roles_of("ada@example.org", None, is_removed=False, domains=frozenset({"example.org"}))
    frozenset({<PersonRole.VIEWER: 'viewer'>})
    """
    if is_removed:
        return frozenset()
    if stored is not None:
        return _roles(stored)
    return frozenset({PersonRole.VIEWER} if domain_of(email) in domains else ())


def _roles(stored: str) -> frozenset[PersonRole]:
    return frozenset(role for role in PersonRole if role in stored.split(","))


def _stored(roles: Iterable[PersonRole]) -> str:
    stored = roles_text(roles)
    if not stored:
        raise InvalidRequest("roles", "must name at least one role; to let the person in no more, remove the person")
    return stored


def _wait_for_others(connection: Connection) -> None:
    # Two admins who remove each other at the same moment follow each other. On SQLite there is one writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_PEOPLE_LOCK})"))


def _row(connection: Connection, email: str) -> Any:
    return connection.execute(select(Person.__table__).where(Person.email == email)).one_or_none()


def _present(connection: Connection, email: str) -> Any:
    folded = folded_email(email)
    row = _row(connection, folded)
    if row is None or row.removed_at_us is not None:
        raise UnknownPerson(folded)
    return row


def _require_another_admin(connection: Connection, person: Any) -> None:
    if PersonRole.ADMIN in _roles(person.roles) and admins(connection) == [person.email]:
        raise LastAdmin(person.email)


def _note(connection: Connection, change: Change, email: str, actor: Actor, now: datetime, **detail: str) -> None:
    activity.note(connection, change, email, actor=actor.recorded, now=now, detail=detail)


def _everybody() -> Select[Any]:
    seen = (
        select(func.max(SignInSession.seen_at_us))
        .where(SignInSession.email == Person.email)
        .correlate(Person.__table__)
    )
    return select(Person.__table__, seen.scalar_subquery().label("seen_at_us")).where(Person.removed_at_us.is_(None))


def _record(row: Any) -> PersonRecord:
    return PersonRecord(
        row.email,
        _roles(row.roles),
        from_microseconds(row.since_us),
        row.added_by,
        seen_at=None if row.seen_at_us is None else from_microseconds(row.seen_at_us),
        unknown_roles=tuple(name for name in row.roles.split(",") if name not in list(PersonRole)),
    )


def _guests() -> Select[str, int, int]:
    return (
        select(
            SignInSession.email,
            func.min(SignInSession.started_at_us).label("since_us"),
            func.max(SignInSession.seen_at_us).label("seen_at_us"),
        )
        .where(SignInSession.email.not_in(select(Person.email)))
        .group_by(SignInSession.email)
    )


def _guest(row: Any) -> PersonRecord:
    roles = frozenset({PersonRole.VIEWER})
    since, seen_at = from_microseconds(row.since_us), from_microseconds(row.seen_at_us)
    return PersonRecord(row.email, roles, since, None, seen_at=seen_at)
