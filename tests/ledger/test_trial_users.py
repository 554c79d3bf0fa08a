"""Whoever may try things out moves the credits of test users and of nobody else, and a refusal leaves no trace."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.errors import CreditsError
from credits_core.ledger import actions, opening
from credits_core.ledger.refusals import UnknownEntry
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.ledger.trial_users import are_test_users
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import MAY, Actor, May, PersonRole, Role, key_holder, person
from tests.support import world
from tests.support.plain_sql import balance, refused, rows
from tests.support.world import NOW

BOOK = world.price_book()
Act = Callable[[Connection, Actor, str], object]


def _tester(prefix: str = "") -> Actor:
    return person("tess@example.org", frozenset({PersonRole.TESTER}), test_prefix=prefix)


VIEWER = person("vic@example.org", frozenset({PersonRole.VIEWER}))
FINANCE = person("fin@example.org", frozenset({PersonRole.FINANCE}))


def _run(connection: Connection, actor: Actor, user_id: str) -> object:
    request = ChargeRequest(user_id, "summarise", "claude-3-haiku", "ben", 1_001)
    return actions.charge_prompt(connection, request, book=BOOK, key="run", now=NOW, actor=actor)


def _add(connection: Connection, actor: Actor, user_id: str) -> object:
    return actions.add_credits(
        connection, user_id, 5, source=CreditSource.GRANT, reason="A gift", key="add", now=NOW, actor=actor
    )


def _unlock(connection: Connection, actor: Actor, user_id: str) -> object:
    request = UnlockRequest(user_id, "report", "ben", 1_001)
    return actions.unlock_flow(connection, request, book=BOOK, key="unlock", now=NOW, actor=actor)


def _refund(connection: Connection, actor: Actor, user_id: str) -> object:
    (entry_id,) = connection.execute(
        text("SELECT id FROM journal_entries WHERE idempotency_key = :key"), {"key": f"fund-{user_id}"}
    ).one()
    return actions.refund(connection, entry_id, reason="Empty", book=BOOK, key="back", now=NOW, actor=actor)


ACTS = pytest.mark.parametrize("act", [_run, _add, _unlock, _refund])


@pytest.fixture(autouse=True)
def funded(engine: Engine) -> None:
    """Two users with credits, of whom one is a test user."""
    for user_id in ("ada", "testy"):
        world.add(engine, user_id, 10_000, key=f"fund-{user_id}")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO trial_users (user_id, since_us, actor) VALUES ('testy', 0, 'tester')"))


@ACTS
def test_a_tester_moves_the_credits_of_a_test_user(engine: Engine, act: Act) -> None:
    database.write(engine, lambda connection: act(connection, _tester(), "testy"))
    assert rows(engine, "SELECT actor FROM journal_entries WHERE id = 3") == [("dashboard/tess@example.org",)]


@ACTS
def test_a_tester_does_not_move_the_credits_of_anybody_else(engine: Engine, act: Act) -> None:
    with refused(engine, NotAllowed) as told:
        database.write(engine, lambda connection: act(connection, _tester(), "ada"))
    assert "dashboard/tess@example.org may not" in str(told.value)


@ACTS
def test_a_viewer_moves_nobody_s_credits(engine: Engine, act: Act) -> None:
    for user_id in ("ada", "testy"):
        with refused(engine, NotAllowed):
            database.write(engine, lambda connection, user_id=user_id: act(connection, VIEWER, user_id))  # type: ignore[misc]


@ACTS
def test_a_prefix_makes_test_users_of_all_whose_ids_begin_with_it(engine: Engine, act: Act) -> None:
    with refused(engine, NotAllowed):
        database.write(engine, lambda connection: act(connection, _tester("x-"), "ada"))
    database.write(engine, lambda connection: act(connection, _tester("ad"), "ada"))


def test_a_prefix_lets_a_tester_open_the_account_of_a_test_user(engine: Engine) -> None:
    with refused(engine, NotAllowed):
        database.write(engine, lambda connection: _add(connection, _tester(), "qa-1"))
    database.write(engine, lambda connection: _add(connection, _tester("qa-"), "qa-1"))
    assert balance(engine, "qa-1") == 5


def test_finance_adds_and_refunds_for_anybody_and_charges_test_users_alone(engine: Engine) -> None:
    database.write(engine, lambda connection: _add(connection, FINANCE, "ada"))
    database.write(engine, lambda connection: _refund(connection, FINANCE, "ada"))
    with refused(engine, NotAllowed):
        database.write(engine, lambda connection: _run(connection, FINANCE, "ada"))


def test_in_a_batch_each_charge_is_refused_or_carried_out_for_its_own_actor(engine: Engine) -> None:
    def charge(user_id: str, actor: Actor) -> Charge:
        return Charge(ChargeRequest(user_id, "p", "claude-3-haiku"), f"{actor.recorded}-{user_id}", NOW, actor)

    shop = key_holder("shop", Role.SERVICE)
    charges = [charge(user_id, actor) for actor in (shop, _tester(), VIEWER) for user_id in ("ada", "testy")]
    outcomes = database.write(engine, lambda connection: actions.charge_prompts(connection, charges, book=BOOK))
    assert [isinstance(outcome, NotAllowed) for outcome in outcomes] == [False, False, True, False, True, True]
    assert rows(engine, "SELECT actor FROM journal_entries WHERE id > 2 ORDER BY id") == [
        ("api/shop",),
        ("api/shop",),
        ("dashboard/tess@example.org",),
    ]


def test_a_tester_cannot_learn_a_receipt_by_the_key_of_somebody_else(engine: Engine) -> None:
    shop = key_holder("shop", Role.SERVICE)
    database.write(engine, lambda connection: _run(connection, shop, "ada"))
    with refused(engine, NotAllowed):
        database.write(engine, lambda connection: _run(connection, _tester(), "ada"))


def test_a_tester_who_refunds_an_entry_that_is_not_there_is_told_so(engine: Engine) -> None:
    with refused(engine, UnknownEntry):
        database.write(
            engine,
            lambda connection: actions.refund(
                connection, 99, reason="Empty", book=BOOK, key="back", now=NOW, actor=_tester()
            ),
        )


@pytest.mark.parametrize("role", list(PersonRole))
def test_only_who_may_move_credits_imports_opening_balances(engine: Engine, role: PersonRole) -> None:
    actor = person("one@example.org", frozenset({role}))

    def bring_in(connection: Connection) -> dict[str, object]:
        return dict(opening.import_opening_balances(connection, {"testy": 5}, now=NOW, actor=actor))

    if May.MOVE_CREDITS in MAY[role]:
        assert not isinstance(database.write(engine, bring_in)["testy"], CreditsError)
    else:
        with refused(engine, NotAllowed):
            database.write(engine, bring_in)


@pytest.mark.as_owner
def test_nothing_is_asked_of_the_database_for_an_actor_who_may_charge_everybody(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE trial_users"))
    database.write(engine, lambda connection: _run(connection, key_holder("shop", Role.SERVICE), "ada"))


def test_no_user_at_all_is_no_reason_to_refuse(engine: Engine) -> None:
    with database.read(engine) as connection:
        assert are_test_users(connection, [], "")
