"""Sessions of people who have signed in: 12 hours, or one hour without use, whatever the browser's cookie says.

Streamlit's cookie lasts 30 days and cannot be called back. So each sign-in has a row here, whose id is a hash of what
the provider said of it. A session that has ended stays so: the same cookie finds the same row, and a cookie without a
row begins a session only within the hour after its sign-in.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from credits_core.access import people
from credits_core.access.refusals import NotSignedIn
from credits_core.errors import InvalidRequest
from credits_core.store import activity
from credits_core.store.activity import Change
from credits_core.store.tables import Person, SignInSession
from credits_core.values.days import from_microseconds, to_microseconds
from credits_core.values.roles import PersonRole, person

LONGEST = timedelta(hours=12)
"""How long a session lasts from the sign-in on."""
LONGEST_IDLE = timedelta(hours=1)
"""How long a session lasts without use."""
KEPT = timedelta(days=30)
"""How long at least a session is kept after it began."""
SEEN_EVERY = timedelta(minutes=1)
"""How often at most it is written down that a session is in use."""
_IDENTIFYING = ("iss", "aud", "sub", "iat", "auth_time", "nonce", "sid", "jti")
_MICROSOFT_TENANT = re.compile(r"https://login\.microsoftonline\.com/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/v2\.0")
_PRIVATE_ACCOUNTS = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"


class State(StrEnum):
    """What became of a sign-in."""

    NEW = "new"
    OPEN = "open"
    ENDED = "ended"
    TOO_OLD = "too old"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the provider said of one sign-in: who, and when. `id` is the session's."""

    id: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """A sign-in as it stands now: what became of its session, the roles, and whether to note that it is in use."""

    state: State
    roles: frozenset[PersonRole]
    is_to_be_noted: bool

    @property
    def is_let_in(self) -> bool:
        """Whether the person may use the dashboard: the session is not over, and there is a role."""
        return self.state in (State.NEW, State.OPEN) and bool(self.roles)


def signed_in(claims: Mapping[str, object], *, client_id: object) -> SignedIn:
    """Who has signed in, by the claims of the ID token, whose signature, issuer and nonce were checked when it came.

    `client_id` is what the provider calls this dashboard; a token for another application does not do.

    Raises:
        NotSignedIn: the claims do not say who and when, or are for another application, or the provider has not
            verified the e-mail address.
    """
    issuer, subject, issued_at, email = (claims.get(name) for name in ("iss", "sub", "iat", "email"))
    if not isinstance(issuer, str) or not isinstance(subject, str) or type(issued_at) is not int:
        raise NotSignedIn("The provider did not say who signed in and when.")
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise NotSignedIn("The provider's answer was for another application.")
    if not isinstance(email, str):
        raise NotSignedIn("The provider gave no e-mail address. It must send the claim email.")
    if not _is_verified(claims, issuer):
        raise NotSignedIn(
            f"The provider has not verified the address {email[: people.MAX_EMAIL]}. Verify it there first."
        )
    try:
        folded = people.folded_email(email)
        at = from_microseconds(issued_at * 1_000_000)
    except (InvalidRequest, OverflowError):
        raise NotSignedIn("The provider gave an address or a time that cannot be used.") from None
    identifying = json.dumps([claims.get(name) for name in _IDENTIFYING], default=str)
    return SignedIn(hashlib.sha256(identifying.encode()).hexdigest(), folded, at)


def look(connection: Connection, who: SignedIn, *, domains: frozenset[str], now: datetime) -> Visit:
    """How the sign-in stands now: one read by two primary keys. Changes nothing."""
    row = connection.execute(_LOOK, {"session_id": who.id, "email": who.email}).one()
    roles = people.roles_of(who.email, row.roles, is_removed=row.removed_at_us is not None, domains=domains)
    is_new = row.started_at_us is None
    started = min(who.at, now) if is_new else from_microseconds(row.started_at_us)
    seen = started if is_new else from_microseconds(row.seen_at_us)
    if row.ended_at_us is not None:
        state = State.ENDED
    elif started + LONGEST <= now:
        state = State.TOO_OLD
    elif seen + LONGEST_IDLE <= now:
        state = State.IDLE
    else:
        state = State.NEW if is_new else State.OPEN
    return Visit(state, roles, is_to_be_noted=is_new or seen + SEEN_EVERY <= now)


def note_use(connection: Connection, who: SignedIn, *, domains: frozenset[str], now: datetime) -> Visit:
    """Begin the session of a new sign-in, or write down that an open one is in use; return how it stands.

    Whoever is not let in leaves no row.
    """
    visit = look(connection, who, domains=domains, now=now)
    if not visit.is_let_in or not visit.is_to_be_noted:
        return visit
    if visit.state is State.NEW:
        if _insert(connection, who, now=now, ended_at_us=None):
            activity.note(connection, Change.SIGNED_IN, who.email, actor=_actor(who), now=now)
        return look(connection, who, domains=domains, now=now)
    connection.execute(
        update(SignInSession)
        .where(SignInSession.id == who.id, SignInSession.ended_at_us.is_(None))
        .values(seen_at_us=to_microseconds(now))
    )
    return visit


def end(connection: Connection, who: SignedIn, *, now: datetime) -> None:
    """End the session for good, also one that never began. Ending it twice changes nothing."""
    ended = to_microseconds(now)
    if _insert(connection, who, now=now, ended_at_us=ended):
        return
    found = connection.execute(
        update(SignInSession)
        .where(SignInSession.id == who.id, SignInSession.ended_at_us.is_(None))
        .values(ended_at_us=ended)
        .returning(SignInSession.id)
    )
    if found.scalar() is not None:
        activity.note(connection, Change.SIGNED_OUT, who.email, actor=_actor(who), now=now)


def delete_old(connection: Connection, *, now: datetime) -> int:
    """Delete the sessions that began more than 30 days ago, and return how many there were.

    Each address keeps its newest one, which says when the person was last seen. A sign-in of that time is too old to
    begin a session again.
    """
    later = aliased(SignInSession)
    is_there_a_later_one = select(later.id).where(
        later.email == SignInSession.email, later.started_at_us > SignInSession.started_at_us
    )
    old = SignInSession.started_at_us < to_microseconds(now - KEPT)
    return connection.execute(delete(SignInSession).where(old, is_there_a_later_one.exists())).rowcount


def end_all(connection: Connection, *, now: datetime) -> int:
    """End every open session, and return how many there were: after a restore, one may have been ended since."""
    ended = update(SignInSession).where(SignInSession.ended_at_us.is_(None)).values(ended_at_us=to_microseconds(now))
    return connection.execute(ended).rowcount


def _insert(connection: Connection, who: SignedIn, *, now: datetime, ended_at_us: int | None) -> bool:
    insert_ = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    inserted = connection.execute(
        insert_(SignInSession)
        .values(
            id=who.id,
            email=who.email,
            started_at_us=to_microseconds(min(who.at, now)),
            seen_at_us=to_microseconds(now),
            ended_at_us=ended_at_us,
        )
        .on_conflict_do_nothing()
        .returning(SignInSession.id)
    )
    return inserted.scalar() is not None


def _is_verified(claims: Mapping[str, object], issuer: str) -> bool:
    """Whether the provider vouches for the address.

    Microsoft does not say so, but an organisation of its own gives its people their addresses. For private accounts
    and for tokens of just any organisation it does not hold.
    """
    said = claims.get("email_verified")
    if said is None:
        return _MICROSOFT_TENANT.fullmatch(issuer) is not None and issuer != _PRIVATE_ACCOUNTS
    return said is True or said == "true"


def _actor(who: SignedIn) -> str:
    return person(who.email, frozenset()).recorded


_ONE = select(literal(1).label("one")).subquery()
_LOOK: Any = select(
    SignInSession.started_at_us,
    SignInSession.seen_at_us,
    SignInSession.ended_at_us,
    Person.roles,
    Person.removed_at_us,
).select_from(
    _ONE.outerjoin(SignInSession, SignInSession.id == bindparam("session_id")).outerjoin(
        Person, Person.email == bindparam("email")
    )
)
