"""Whoever may try things out moves the credits of test users and of nobody else, and a refusal leaves no trace."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.errors import CreditsError
from credits_core.ledger import actions, opening
from credits_core.ledger.receipts import Unlock
from credits_core.ledger.refusals import UnknownEntry
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.ledger.trial_users import are_test_users
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.refusals import NeedsApproval, NotAllowed
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
    """Two users with credits, of whom one is a test user, as the creator ben is."""
    for user_id in ("ada", "testy"):
        world.add(engine, user_id, 10_000, key=f"fund-{user_id}")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO trial_users (user_id, since_us, actor) VALUES ('testy', 0, 'tester')"))
        connection.execute(
            text("INSERT INTO user_credits (user_id, balance_credits, created_at_us) VALUES ('ben', 0, 0)")
        )
        connection.execute(text("INSERT INTO trial_users (user_id, since_us, actor) VALUES ('ben', 0, 'tester')"))


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


# --- whom a tester pays, and how much at once -------------------------------------------------------------------------


def _pay_by_run(connection: Connection, actor: Actor, creator_id: str, fee_credits: int) -> object:
    request = ChargeRequest("testy", "summarise", "claude-3-haiku", creator_id, fee_credits)
    return actions.charge_prompt(connection, request, book=BOOK, key="run", now=NOW, actor=actor)


def _pay_by_unlock(connection: Connection, actor: Actor, creator_id: str, fee_credits: int) -> object:
    request = UnlockRequest("testy", "report", creator_id, fee_credits)
    return actions.unlock_flow(connection, request, book=BOOK, key="unlock", now=NOW, actor=actor)


PAYS = pytest.mark.parametrize("pay", [_pay_by_run, _pay_by_unlock])
Pay = Callable[[Connection, Actor, str, int], object]


@PAYS
@pytest.mark.parametrize("creator_id", ["ada", "tess", "nobody-yet"])
@pytest.mark.parametrize("actor", [_tester(), FINANCE], ids=["tester", "finance"])
def test_a_person_pays_no_creator_who_is_not_a_test_user(
    engine: Engine, pay: Pay, creator_id: str, actor: Actor
) -> None:
    with refused(engine, NotAllowed) as told:
        database.write(engine, lambda connection: pay(connection, actor, creator_id, 5))
    assert "may not pay a creator who is not a test user, so nothing was changed" in str(told.value)


@PAYS
def test_a_tester_pays_a_creator_whose_id_begins_as_those_of_test_users(engine: Engine, pay: Pay) -> None:
    database.write(engine, lambda connection: pay(connection, _tester("qa-"), "qa-creator", 5))
    assert balance(engine, "qa-creator") == 4


@PAYS
def test_a_key_that_charges_everybody_pays_every_creator(engine: Engine, pay: Pay) -> None:
    database.write(engine, lambda connection: pay(connection, key_holder("shop", Role.SERVICE), "ada", 5))
    assert balance(engine, "ada") == 10_004


@PAYS
@pytest.mark.parametrize(("more_credits", "is_moved"), [(0, True), (1, False)])
def test_no_person_charges_more_at_once_than_one_may_move(
    engine: Engine, pay: Pay, more_credits: int, is_moved: bool
) -> None:
    world.add(engine, "testy", 20_000_000, key="much")
    fee_credits = 10_000_000 - (250 if pay is _pay_by_run else 0) + more_credits
    if is_moved:
        database.write(engine, lambda connection: pay(connection, _tester(), "ben", fee_credits))
        assert balance(engine, "testy") == 10_010_000
        return
    with refused(engine, NeedsApproval) as told:
        database.write(engine, lambda connection: pay(connection, _tester(), "ben", fee_credits))
    assert "more than 10,000,000 credits, and this moves 10,000,001" in str(told.value)
    assert "Propose" not in str(told.value)


def test_what_a_person_repeats_is_answered_though_it_could_not_be_moved_any_more(engine: Engine) -> None:
    database.write(engine, lambda connection: _pay_by_unlock(connection, _tester(), "ben", 5))
    strict = replace(_tester(), alone_up_to_credits=0)
    again = database.write(engine, lambda connection: _pay_by_unlock(connection, strict, "ben", 5))
    assert isinstance(again, Unlock)
    assert again.replayed
