"""Who may sign in, test users, the ends of keys and what was decided cannot be changed behind the record of changes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.access import keys, people, proposals, trial_users
from credits_core.access.proposed import AddCredits, RefundEntry
from credits_core.audit import changes
from credits_core.pricing.quote import PriceBook
from credits_core.store import clearing, database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import PersonRole, Role, Way, operator, person
from tests.support import busy_ledger, damage, world
from tests.support.damage import MUCH_LATER, Ledger

pytestmark = pytest.mark.as_owner

ADMIN = operator(Way.CLI)
ANN = person("ann@example.org", frozenset({PersonRole.FINANCE}))
BOB = person("bob@example.org", frozenset({PersonRole.FINANCE}))
HOUR = timedelta(hours=1)


def history(engine: Engine) -> None:
    """Everything that may happen to people, test users, keys and proposals, an hour apart."""

    def write(connection: Connection) -> None:
        now = MUCH_LATER
        for email in ("ann@example.org", "bob@example.org", "gone@example.org", "back@example.org"):
            people.add(connection, email, [PersonRole.FINANCE, PersonRole.ADMIN], now=now, actor=ADMIN)
        people.change_roles(connection, "bob@example.org", [PersonRole.FINANCE], now=now + HOUR, actor=ADMIN)
        for email in ("gone@example.org", "back@example.org"):
            people.remove(connection, email, now=now + 2 * HOUR, actor=ADMIN)
        people.add(connection, "back@example.org", [PersonRole.VIEWER], now=now + 3 * HOUR, actor=ADMIN)
        for user_id in ("ada", "ben"):
            trial_users.add(connection, user_id, now=now, actor=ADMIN)
        trial_users.remove(connection, "ben", now=now + HOUR, actor=ADMIN)
        for name in ("kept", "revoked", "swapped", "swapped-and-revoked"):  # 1 to 4
            until = now + 900 * HOUR + timedelta(seconds=30)
            keys.create_key(
                connection, name, key=keys.new_key(), role=Role.SERVICE, expires_at=until, now=now, actor=ADMIN
            )
        for name in ("swapped", "swapped-and-revoked"):  # 5 and 6
            keys.rotate_key(connection, name, key=keys.new_key(), now=now + HOUR, actor=ADMIN)
        for name in ("revoked", "swapped-and-revoked"):
            keys.revoke_key(connection, name, now=now + 2 * HOUR, actor=ADMIN)
        for amount in range(1, 6):
            change = AddCredits("ada", 20_000_000 + amount, CreditSource.GRANT)
            proposals.propose(connection, change, reason="Goodwill", now=now, actor=ANN)
        for number in (1, 2):
            proposals.approve(connection, number, book_at=lambda _: world.price_book(), now=now + HOUR, actor=BOB)
        proposals.decline(connection, 3, reason="No", now=now + HOUR, actor=BOB)
        proposals.decline(connection, 4, reason="A mistake", now=now + HOUR, actor=ANN)

    database.write(engine, write)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """One ledger for all the damage, because none of it stays. It is not sealed, so that nothing else tells."""
    with damage.four_days(request, tmp_path_factory.mktemp("changes"), book) as ledger:
        history(ledger.engine)
        yield ledger


def test_what_was_done_by_the_product_is_as_recorded(ledger: Ledger) -> None:
    assert ledger.after() == {}


FORGED = (
    "INSERT INTO proposals (id, kind, subject, request, effect, based_on, reason, proposed_by, proposed_at_us,"
    " expires_at_us, state, decided_by, decided_at_us, entry_id) VALUES (9, 'add_credits', 'eve', '{}', '{}', '', 'x',"
    " 'dashboard/ann@example.org', 1, 2, 'approved', 'dashboard/bob@example.org', 1, <late grant>)"
)
DAMAGE = {
    "a person gets a role": (
        "UPDATE people SET roles = 'admin' WHERE email = 'ann@example.org'",
        "ann@example.org has roles admin, but the record says finance,admin",
    ),
    "a person keeps an earlier role": (
        "UPDATE people SET roles = 'finance,admin' WHERE email = 'bob@example.org'",
        "bob@example.org has roles finance,admin, but the record says finance",
    ),
    "a person is let in": (
        "INSERT INTO people (email, roles, since_us, added_by) VALUES ('eve@example.org', 'admin', 1, 'cli')",
        "eve@example.org is not on record",
    ),
    "somebody who was removed is let in": (
        "UPDATE people SET removed_at_us = NULL WHERE email = 'gone@example.org'",
        "gone@example.org has removed_at_us None, but the record says",
    ),
    "a person is removed": (
        "UPDATE people SET removed_at_us = 5 WHERE email = 'back@example.org'",
        "back@example.org has removed_at_us 5, but the record says None",
    ),
    "a person was never there": (
        "DELETE FROM people WHERE email = 'ann@example.org'",
        "ann@example.org is on record and gone",
    ),
    "a user is a test user": (
        "INSERT INTO trial_users (user_id, since_us, actor) VALUES ('ben', 1, 'cli')",
        "the test user ben is not on record",
    ),
    "a user is no test user": ("DELETE FROM trial_users", "the test user ada is on record and gone"),
    "another made a test user": (
        "UPDATE trial_users SET actor = 'cli/eve'",
        "the test user ada has actor cli/eve, but the record says",
    ),
    "a revoked key is given back": (
        "UPDATE api_keys SET revoked_at_us = NULL WHERE id = 2",
        "the API key 2 was replaced or revoked on record, and is not",
    ),
    "a key that was revoked with the one that took its place is given back": (
        "UPDATE api_keys SET revoked_at_us = NULL WHERE id = 4",
        "the API key 4 was replaced or revoked on record, and is not",
    ),
    "a key is revoked": (
        "UPDATE api_keys SET revoked_at_us = 7 WHERE id = 1",
        "API key 1 (kept) has revoked_at_us 7, which is not on record",
    ),
    "a replaced key is not replaced": (
        "UPDATE api_keys SET replaced_at_us = NULL, revoked_at_us = 7 WHERE id = 3",
        "API key 3 (swapped) has revoked_at_us 7, which is not on record",
    ),
    "a key lasts longer": (
        "UPDATE api_keys SET expires_at_us = expires_at_us + 60000000 WHERE id = 1",
        "API key 1 (kept) has expires_at_us",
    ),
    "a key lasts for ever": (
        "UPDATE api_keys SET expires_at_us = NULL WHERE id = 5",
        "API key 5 (swapped) has expires_at_us None, but the record says",
    ),
    "a replaced key goes on working": (
        "UPDATE api_keys SET expires_at_us = expires_at_us + 2592000000000 WHERE id = 3",
        "API key 3 (swapped) has expires_at_us",
    ),
    "a key may do more": (
        "UPDATE api_keys SET role = 'admin' WHERE id = 1",
        "API key 1 (kept) has role admin, but the record says service",
    ),
    "a key is made": (
        "INSERT INTO api_keys (id, name, role, key_hash, beginning, created_at_us, has_numbered_requests)"
        " VALUES (99, 'mine', 'admin', 'x', 'pfk_', 1, FALSE)",
        "API key 99 (mine) is not on record",
    ),
    "a proposal is forged as approved": (FORGED, "proposal 9 is not on record"),
    "an open proposal is approved": (
        "UPDATE proposals SET state = 'approved', decided_by = 'dashboard/bob@example.org', decided_at_us = 1,"
        " entry_id = <late grant> WHERE id = 5",
        "proposal 5 has state approved, but the record says open",
    ),
    "a declined proposal is open": (
        "UPDATE proposals SET state = 'open', decided_by = NULL, decided_at_us = NULL WHERE id = 3",
        "proposal 3 has state open, but the record says declined",
    ),
    "another approved": (
        "UPDATE proposals SET decided_by = 'dashboard/eve@example.org' WHERE id = 1",
        "proposal 1 has decided_by dashboard/eve@example.org, but the record says dashboard/bob@example.org",
    ),
    "another proposed": (
        "UPDATE proposals SET proposed_by = 'dashboard/eve@example.org' WHERE id = 1",
        "proposal 1 has proposed_by dashboard/eve@example.org, but the record says dashboard/ann@example.org",
    ),
    "a decision has another reason": (
        "UPDATE proposals SET decision_reason = 'x' WHERE id = 4",
        "proposal 4 has decision_reason x, but the record says A mistake",
    ),
    "an approval names another entry": (
        "UPDATE proposals SET entry_id = <late grant> WHERE id = 1",
        "proposal 1 has entry_id",
    ),
    "a proposal was never made": ("DELETE FROM proposals WHERE id = 5", "proposal 5 is on record and gone"),
    "a record cannot be read": (
        "UPDATE activity SET detail = '[1]' WHERE subject = 'ann@example.org'",
        "the detail of record ",
    ),
    "a record is nonsense": (
        "UPDATE activity SET detail = 'x' WHERE subject = 'ann@example.org'",
        "the detail of record ",
    ),
}


@pytest.mark.parametrize("done", DAMAGE)
def test_what_was_changed_without_a_record_is_told(ledger: Ledger, done: str) -> None:
    statement, said = DAMAGE[done]
    found = ledger.after(statement)
    assert list(found) == ["changes_are_on_record"]
    assert any(sentence.startswith(said) for sentence in found["changes_are_on_record"].violations)


def test_an_approval_that_is_wrong_on_record_too_does_not_name_its_own_entry(ledger: Ledger) -> None:
    """Even where somebody changed the record as well, which seals tell."""
    found = ledger.after(
        "UPDATE proposals SET entry_id = <late grant> WHERE id = 1",
        "UPDATE activity SET detail = replace(detail, '\"entry\"\\: ' || (SELECT id FROM journal_entries"
        " WHERE idempotency_key = 'proposal:1'), '\"entry\"\\: <late grant>')"
        " WHERE kind = 'approved' AND subject = '1'",
    )
    (said,) = found["changes_are_on_record"].violations
    assert said == ledger.sql("proposal 1 was approved, but entry <late grant> is not the one that it posted")


def test_a_refund_that_was_approved_and_one_that_expired_are_as_recorded(engine: Engine, book: PriceBook) -> None:
    ids = busy_ledger.three_days(engine)

    def write(connection: Connection) -> None:
        for entry in ("run", "run by cara"):
            change = RefundEntry(ids[entry])
            proposals.propose(connection, change, reason="Broken", now=MUCH_LATER, actor=ANN)
        proposals.approve(connection, 1, book_at=lambda _: book, now=MUCH_LATER, actor=BOB)
        proposals.close_stale(connection, now=MUCH_LATER + 200 * HOUR)

    database.write(engine, write)
    assert _violations(engine) == ()


def test_keys_that_are_older_than_the_record_of_changes_are_no_false_alarm(engine: Engine) -> None:
    """A ledger of an earlier version has keys of which nobody recorded when they were made and revoked."""
    old = (
        "INSERT INTO api_keys (name, role, key_hash, beginning, created_at_us, revoked_at_us, has_numbered_requests)"
        " VALUES ('old', 'service', 'x', 'pfk_', 1, 2, FALSE)"
    )
    damage.behind_its_back(engine, old)
    assert _violations(engine) == ()
    database.write(
        engine,
        lambda connection: keys.create_key(
            connection, "new", key=keys.new_key(), role=Role.SERVICE, now=MUCH_LATER, actor=ADMIN
        ),
    )
    assert _violations(engine) == ()
    damage.behind_its_back(engine, old.replace("'x'", "'y'").replace("'old'", "'mine'"))
    assert _violations(engine) == (
        "API key 3 (mine) is not on record",
        "API key 3 (mine) has revoked_at_us 2, which is not on record",
    )
    damage.behind_its_back(engine, "DELETE FROM api_keys WHERE id = 3")


def test_the_record_of_people_stays_as_people_do_when_a_demo_is_started_over(engine: Engine) -> None:
    busy_ledger.three_days(engine)
    history(engine)
    database.write(engine, clearing.clear)
    assert _violations(engine) == ()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM people")).scalar_one() == 4
        assert connection.execute(text("SELECT DISTINCT kind FROM activity ORDER BY kind")).scalars().all() == [
            "person_added",
            "person_removed",
            "roles_changed",
        ]
    database.write(
        engine,
        lambda connection: people.add(
            connection, "new@example.org", [PersonRole.VIEWER], now=MUCH_LATER + HOUR, actor=ADMIN
        ),
    )
    assert _violations(engine) == ()


def _violations(engine: Engine) -> tuple[str, ...]:
    with database.read(engine) as connection:
        return changes.changes_are_on_record(connection, {}).violations
