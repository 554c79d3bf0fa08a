"""Who is made a test user, by whom, and what that leaves on record."""

import pytest
from sqlalchemy import Engine

from credits_core.access import trial_users
from credits_core.access.trial_users import TrialUserRecord
from credits_core.errors import InvalidRequest
from credits_core.ledger.refusals import UnknownUser
from credits_core.ledger.trial_users import are_test_users
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, person
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import refused, rows
from tests.support.world import LATER, NOW

RECORD = "SELECT kind, subject, actor FROM activity ORDER BY id"


@pytest.fixture(autouse=True)
def funded(engine: Engine) -> None:
    for user_id in ("ada", "ben"):
        world.add(engine, user_id, 10, key=user_id)


def add(engine: Engine, user_id: str) -> bool:
    return database.write(engine, lambda connection: trial_users.add(connection, user_id, now=NOW, actor=TESTER))


def remove(engine: Engine, user_id: str) -> bool:
    return database.write(engine, lambda connection: trial_users.remove(connection, user_id, now=LATER, actor=TESTER))


def test_a_user_is_a_test_user_from_when_one_is_made_one_until_one_is_not(engine: Engine) -> None:
    assert add(engine, "ada")
    with database.read(engine) as connection:
        assert trial_users.listed(connection) == [TrialUserRecord("ada", NOW, "tester")]
        assert trial_users.named(connection, "ben") is None
        assert are_test_users(connection, ["ada"], "")
        assert not are_test_users(connection, ["ada", "ben"], "")
    assert remove(engine, "ada")
    with database.read(engine) as connection:
        assert trial_users.listed(connection) == []
        assert not are_test_users(connection, ["ada"], "")
    assert rows(engine, RECORD) == [("test_user_added", "ada", "tester"), ("test_user_removed", "ada", "tester")]


def test_what_is_so_already_is_not_put_on_record_again(engine: Engine) -> None:
    assert [add(engine, "ada"), add(engine, "ada"), remove(engine, "ben")] == [True, False, False]
    assert rows(engine, RECORD) == [("test_user_added", "ada", "tester")]


def test_a_user_without_an_account_cannot_be_made_one(engine: Engine) -> None:
    with refused(engine, UnknownUser):
        add(engine, "nobody")
    with refused(engine, InvalidRequest):
        add(engine, "platform:revenue")


@pytest.mark.parametrize("role", [role for role in PersonRole if role is not PersonRole.ADMIN])
def test_only_who_manages_people_makes_test_users(engine: Engine, role: PersonRole) -> None:
    actor = person("one@example.org", frozenset({role}))
    for change in (trial_users.add, trial_users.remove):
        with refused(engine, NotAllowed):
            database.write(engine, lambda connection, change=change: change(connection, "ada", now=NOW, actor=actor))  # type: ignore[misc]
