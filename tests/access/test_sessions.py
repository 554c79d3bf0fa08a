"""Sessions of people who signed in: when they end, that they stay so, and whom a provider vouches for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from credits_core.access import people, sessions
from credits_core.access.refusals import NotSignedIn
from credits_core.access.sessions import SignedIn, State, Visit
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from tests.support.plain_sql import rows
from tests.support.world import NOW

ISSUER = "https://sign-in.example.org/realms/staff"
AT = int(NOW.timestamp())
CLAIMS: Mapping[str, object] = {
    "iss": ISSUER,
    "aud": "credits",
    "sub": "248289761001",
    "iat": AT,
    "nonce": "n-0S6_WzA2Mj",
    "email": "Ada@Example.org",
    "email_verified": True,
}
ADA = sessions.signed_in(CLAIMS, client_id="credits")
ROOT = operator(Way.CLI)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TENANT = "https://login.microsoftonline.com/7ec10a9d-1b2c-4d3e-8f90-a1b2c3d4e5f6/v2.0"


@pytest.fixture(autouse=True)
def _ada(request: pytest.FixtureRequest) -> None:
    if "engine" in request.fixturenames:
        add(request.getfixturevalue("engine"), "ada@example.org", PersonRole.ADMIN)


def add(engine: Engine, email: str, role: PersonRole) -> None:
    database.write(engine, lambda connection: people.add(connection, email, [role], actor=ROOT, now=NOW))


def look(engine: Engine, at: datetime, who: SignedIn = ADA, *domains: str) -> Visit:
    with database.read(engine) as connection:
        return sessions.look(connection, who, domains=frozenset(domains), now=at)


def use(engine: Engine, at: datetime, who: SignedIn = ADA) -> Visit:
    return database.write(engine, lambda connection: sessions.note_use(connection, who, domains=frozenset(), now=at))


def end(engine: Engine, at: datetime) -> None:
    database.write(engine, lambda connection: sessions.end(connection, ADA, now=at))


def kept(engine: Engine) -> list[tuple[object, ...]]:
    started = "SELECT started_at_us - :at, seen_at_us - :at, ended_at_us - :at FROM sign_in_sessions"
    return rows(engine, started, at=AT * 1_000_000)


def test_a_session_begins_with_its_first_use_and_is_noted_once(engine: Engine) -> None:
    admin = frozenset({PersonRole.ADMIN})
    assert look(engine, NOW + SECOND) == Visit(State.NEW, admin, is_to_be_noted=True)
    assert kept(engine) == []
    assert use(engine, NOW + SECOND) == Visit(State.OPEN, admin, is_to_be_noted=False)
    assert use(engine, NOW + 2 * SECOND).state is State.OPEN
    assert kept(engine) == [(0, 1_000_000, None)]
    changes = "SELECT kind, subject, actor FROM activity WHERE kind <> 'person_added'"
    assert rows(engine, changes) == [("signed_in", "ada@example.org", "dashboard/ada@example.org")]


def test_use_is_written_at_most_once_a_minute(engine: Engine) -> None:
    use(engine, NOW)
    for seconds in (1, 59, 60, 61, 119, 120):
        use(engine, NOW + seconds * SECOND)
        assert kept(engine)[0][1] == seconds // 60 * 60_000_000


def test_a_session_ends_an_hour_after_its_last_use(engine: Engine) -> None:
    use(engine, NOW)
    use(engine, NOW + 59 * MINUTE)
    ends = NOW + 59 * MINUTE + HOUR
    assert look(engine, ends - SECOND).state is State.OPEN
    assert look(engine, ends).state is State.IDLE
    assert use(engine, ends).state is State.IDLE
    assert look(engine, ends).state is State.IDLE  # the use did not bring it back


def test_a_session_ends_12_hours_after_its_sign_in_however_busy(engine: Engine) -> None:
    for half_hours in range(24):
        assert use(engine, NOW + half_hours * 30 * MINUTE).is_let_in
    assert use(engine, NOW + 12 * HOUR - SECOND).is_let_in
    ended = use(engine, NOW + 12 * HOUR)
    assert (ended.state, ended.is_let_in) == (State.TOO_OLD, False)


def test_the_12_hours_count_from_the_sign_in_and_not_from_the_first_visit(engine: Engine) -> None:
    use(engine, NOW + 59 * MINUTE)
    for half_hours in range(2, 24):
        use(engine, NOW + half_hours * 30 * MINUTE)
    assert look(engine, NOW + 12 * HOUR).state is State.TOO_OLD


def test_a_cookie_without_a_row_begins_a_session_only_within_the_hour(engine: Engine) -> None:
    assert look(engine, NOW + HOUR - SECOND).state is State.NEW
    assert use(engine, NOW + HOUR).state is State.IDLE
    assert look(engine, NOW + 29 * 24 * HOUR).state is State.TOO_OLD
    assert kept(engine) == []


def test_whoever_signed_out_stays_out_with_the_same_cookie_and_comes_in_with_another(engine: Engine) -> None:
    use(engine, NOW)
    end(engine, NOW + SECOND)
    end(engine, NOW + 2 * SECOND)
    assert use(engine, NOW + 3 * SECOND).state is State.ENDED
    assert kept(engine) == [(0, 0, 1_000_000)]
    again = sessions.signed_in({**CLAIMS, "nonce": "another"}, client_id="credits")
    assert use(engine, NOW + 3 * SECOND, again).is_let_in
    noted = "SELECT kind FROM activity WHERE kind <> 'person_added' ORDER BY id"
    assert rows(engine, noted) == [("signed_in",), ("signed_out",), ("signed_in",)]


def test_a_session_that_never_began_can_be_ended(engine: Engine) -> None:
    end(engine, NOW)
    assert use(engine, NOW + SECOND).state is State.ENDED


def test_a_removed_person_is_out_and_the_old_session_stays_ended_when_they_come_back(engine: Engine) -> None:
    add(engine, "ben@example.org", PersonRole.ADMIN)
    use(engine, NOW)
    database.write(engine, lambda connection: people.remove(connection, ADA.email, actor=ROOT, now=NOW + SECOND))
    assert not look(engine, NOW + SECOND, ADA, "example.org").is_let_in
    add(engine, ADA.email, PersonRole.VIEWER)
    assert look(engine, NOW + SECOND).state is State.ENDED


def test_a_stranger_leaves_no_row_and_a_domain_lets_in_viewers(engine: Engine) -> None:
    eve = sessions.signed_in({**CLAIMS, "sub": "7", "email": "eve@example.org"}, client_id="credits")
    assert use(engine, NOW, eve) == Visit(State.NEW, frozenset(), is_to_be_noted=True)
    assert kept(engine) == []
    assert look(engine, NOW, eve, "example.com").roles == frozenset()
    assert look(engine, NOW, eve, "example.org").roles == {PersonRole.VIEWER}


def test_roles_are_those_of_now(engine: Engine) -> None:
    use(engine, NOW)
    roles = [PersonRole.ADMIN, PersonRole.FINANCE]
    database.write(engine, lambda connection: people.change_roles(connection, ADA.email, roles, actor=ROOT, now=NOW))
    assert look(engine, NOW).roles == {PersonRole.ADMIN, PersonRole.FINANCE}


def test_a_clock_of_the_provider_that_is_ahead_gives_no_longer_session(engine: Engine) -> None:
    early = sessions.signed_in({**CLAIMS, "iat": AT + 10**6}, client_id="credits")
    use(engine, NOW, early)
    for half_hours in range(1, 24):
        use(engine, NOW + half_hours * 30 * MINUTE, early)
    assert look(engine, NOW + 12 * HOUR, early).state is State.TOO_OLD


def test_who_signed_in_is_read_from_the_claims() -> None:
    assert (ADA.email, ADA.at, len(ADA.id)) == ("ada@example.org", datetime(2026, 3, 1, 12, tzinfo=UTC), 64)


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://other.example.org"},
        {"aud": ["credits", "another"]},
        {"sub": "7"},
        {"iat": AT + 1},
        {"nonce": "other"},
        {"sid": "1"},
        {"auth_time": AT},
        {"jti": "1"},
    ],
)
def test_each_sign_in_has_a_session_of_its_own(other: Mapping[str, object]) -> None:
    assert sessions.signed_in({**CLAIMS, **other}, client_id="credits").id != ADA.id


def test_what_does_not_say_who_signed_in_does_not_change_the_session() -> None:
    assert (
        sessions.signed_in({**CLAIMS, "name": "Ada", "tokens": {"id": "x"}, "exp": AT + 60}, client_id="credits").id
        == ADA.id
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": None}, "did not say who"),
        ({"sub": 7}, "did not say who"),
        ({"iat": None}, "did not say who"),
        ({"iat": True}, "did not say who"),
        ({"iat": 10**20}, "cannot be used"),
        ({"aud": "another"}, "another application"),
        ({"aud": ["another"]}, "another application"),
        ({"aud": None}, "another application"),
        ({"email": None}, "no e-mail"),
        ({"email": ["ada@example.org"]}, "no e-mail"),
        ({"email": "ada"}, "cannot be used"),
        ({"email": "ad\N{CYRILLIC SMALL LETTER A}@example.org"}, "cannot be used"),
        ({"email_verified": False}, "has not verified"),
        ({"email_verified": "false"}, "has not verified"),
        ({"email_verified": 1}, "has not verified"),
        ({"email_verified": None}, "has not verified"),
        ({"email_verified": False, "iss": TENANT}, "has not verified"),
        (
            {
                "email_verified": None,
                "iss": "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            },
            "has not verified",
        ),
        ({"email_verified": None, "iss": f"https://evil.example/{TENANT}"}, "has not verified"),
    ],
)
def test_claims_that_do_not_do_are_refused(changed: Mapping[str, object], said: str) -> None:
    with pytest.raises(NotSignedIn, match=said):
        sessions.signed_in({**CLAIMS, **changed}, client_id="credits")


@pytest.mark.parametrize("changed", [{"email_verified": "true"}, {"email_verified": None, "iss": TENANT}])
def test_a_word_for_true_does_and_so_does_an_organisation_at_microsoft(changed: Mapping[str, object]) -> None:
    assert sessions.signed_in({**CLAIMS, **changed}, client_id="credits").email == "ada@example.org"
