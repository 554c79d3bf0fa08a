"""Who may do what: a table written by hand, walked through every action of the core, which must all stand in it."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

import credits_core
from credits_core import settings, startup
from credits_core.access import exports, keys, people, proposals
from credits_core.access import trial_users as trial_user_actions
from credits_core.audit import seals
from credits_core.bulk import first_start
from credits_core.errors import CreditsError
from credits_core.ledger import actions, expiring, holds, opening, writer
from credits_core.ledger.requests import Charge, ChargeRequest, UnlockRequest
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.prices import lists, offers
from credits_core.reports import saved_views
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.refusals import NeedsApproval, NotAllowed
from credits_core.values.roles import Actor, PersonRole, Role, Way, key_holder, operator, person
from tests.support import demo as demo_world
from tests.support import (
    walked_actions,
    walked_backups,
    walked_demo,
    walked_limits,
    walked_payouts,
    walked_purchases,
    walked_webhooks,
    world,
)
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row
from tests.support.world import NOW

ACTORS = {
    "viewer": person("v@example.org", frozenset({PersonRole.VIEWER})),
    "tester": person("t@example.org", frozenset({PersonRole.TESTER})),
    "pricing": person("p@example.org", frozenset({PersonRole.PRICING})),
    "finance": person("f@example.org", frozenset({PersonRole.FINANCE})),
    "admin": person("a@example.org", frozenset({PersonRole.ADMIN})),
    "user key": key_holder("own", Role.USER),
    "service key": key_holder("shop", Role.SERVICE),
    "admin key": key_holder("office", Role.ADMIN),
    "operator": operator(Way.CLI, "maria"),
    "nobody": Actor("nobody", frozenset()),
}
BOOK = world.price_book()
REAL = "ada"
TRIAL = "testy"
NEW_KEY = "pfk_" + "n" * 43
CORRECTIONS = settings.PRICE_CORRECTIONS_FILE


class _Undone(Exception):
    """Rolls an action back that was allowed, so that the next one finds the database as it was."""


def _run(user_id: str) -> ChargeRequest:
    return ChargeRequest(user_id, "summarise", "claude-3-haiku")


def _charge(connection: Connection, actor: Actor, user_id: str) -> object:
    return actions.charge_prompt(connection, _run(user_id), book=BOOK, key="walk", now=NOW, actor=actor)


def _charges(connection: Connection, actor: Actor, user_id: str) -> object:
    (outcome,) = actions.charge_prompts(connection, [Charge(_run(user_id), "walk", NOW, actor)], book=BOOK)
    if isinstance(outcome, CreditsError):
        raise outcome
    return outcome


def _add(connection: Connection, actor: Actor, user_id: str) -> object:
    return actions.add_credits(
        connection, user_id, 5, source=CreditSource.GRANT, reason="A gift", key="walk", now=NOW, actor=actor
    )


def _post(connection: Connection, actor: Actor, user_id: str) -> object:
    posting = writer.begin(connection, [user_id], ["walk"])
    return actions.post_credits(
        posting, user_id, 5, source=CreditSource.GRANT, reason="A gift", key="walk", now=NOW, actor=actor
    )


def _unlock(connection: Connection, actor: Actor, user_id: str, creator_id: str = "ben") -> object:
    request = UnlockRequest(user_id, "report", creator_id, 1_001)
    return actions.unlock_flow(connection, request, book=BOOK, key="walk", now=NOW, actor=actor)


def _funded_by(connection: Connection, user_id: str) -> int:
    found = text("SELECT id FROM journal_entries WHERE idempotency_key = :key")
    return int(connection.execute(found, {"key": f"fund-{user_id}"}).scalar_one())


def _refund(connection: Connection, actor: Actor, user_id: str) -> object:
    entry_id = _funded_by(connection, user_id)
    return actions.refund(connection, entry_id, reason="Empty", book=BOOK, key="walk", now=NOW, actor=actor)


def _draft(connection: Connection) -> plan_records.PlanRecord:
    return plan_records.plans(connection)["plan-2"]


def _of(user_id: str, act: Callable[[Connection, Actor, str], object]) -> Callable[[Connection, Actor], object]:
    return lambda connection, actor: act(connection, actor, user_id)


EVERYBODY = "viewer, tester, pricing, finance, admin, user key, service key, admin key, operator"
CHARGE = "service key, admin key, operator"
CHARGE_TRIAL = "tester, finance, admin, service key, admin key, operator"
MOVE = "finance, admin, admin key, operator"
MOVE_TRIAL = "tester, finance, admin, admin key, operator"
PLANS = "pricing, admin, operator"
MANAGE = "admin, operator"
APPROVE_MONEY = "finance, admin, operator"
EXPORT = "finance, admin, service key, admin key, operator"

# By the action's room, module and name, and where that matters, whose credits move: who may do it.
TABLE: dict[str, tuple[str, Callable[[Connection, Actor], object]]] = {
    "ledger.actions.charge_prompt": (CHARGE, _of(REAL, _charge)),
    "ledger.actions.charge_prompt of a test user": (CHARGE_TRIAL, _of(TRIAL, _charge)),
    "ledger.actions.charge_prompts": (CHARGE, _of(REAL, _charges)),
    "ledger.actions.charge_prompts of a test user": (CHARGE_TRIAL, _of(TRIAL, _charges)),
    "ledger.actions.add_credits": (MOVE, _of(REAL, _add)),
    "ledger.actions.add_credits of a test user": (MOVE_TRIAL, _of(TRIAL, _add)),
    "ledger.actions.add_credits of a new user": (MOVE, _of("newcomer", _add)),
    "ledger.actions.post_credits": (MOVE, _of(REAL, _post)),
    "ledger.actions.post_credits of a test user": (MOVE_TRIAL, _of(TRIAL, _post)),
    "ledger.actions.unlock_flow": (CHARGE, _of(REAL, _unlock)),
    "ledger.actions.unlock_flow of a test user": (CHARGE_TRIAL, _of(TRIAL, _unlock)),
    "ledger.holds.authorise": (CHARGE, _of(REAL, walked_actions.holding)),
    "ledger.holds.authorise of a test user": (CHARGE_TRIAL, _of(TRIAL, walked_actions.holding)),
    "ledger.holds.capture": (CHARGE, _of(REAL, walked_actions.capturing)),
    "ledger.holds.capture of a test user": (CHARGE_TRIAL, _of(TRIAL, walked_actions.capturing)),
    "ledger.holds.release": (CHARGE, _of(REAL, walked_actions.releasing)),
    "ledger.holds.release of a test user": (CHARGE_TRIAL, _of(TRIAL, walked_actions.releasing)),
    "ledger.holds.expire_overdue": (CHARGE, lambda c, actor: holds.expire_overdue(c, now=NOW, actor=actor)),
    "ledger.actions.unlock_flow of a test user, by another creator": (
        CHARGE,
        lambda c, actor: _unlock(c, actor, TRIAL, REAL),
    ),
    "ledger.expiring.expire_lots": (CHARGE, lambda c, actor: expiring.expire_lots(c, now=NOW, actor=actor)),
    "ledger.actions.refund": (MOVE, _of(REAL, _refund)),
    "ledger.actions.refund of a test user": (MOVE_TRIAL, _of(TRIAL, _refund)),
    "ledger.opening.import_opening_balances": (
        MOVE,
        lambda c, actor: opening.import_opening_balances(c, {TRIAL: 5}, now=NOW, actor=actor),
    ),
    "bulk.batch.charge_piece": (CHARGE, _of(REAL, walked_actions.batch_of_two)),
    "bulk.batch.charge_piece of a test user": (CHARGE_TRIAL, _of(TRIAL, walked_actions.batch_of_two)),
    "bulk.batch_refund.refund_piece": (MOVE, _of(REAL, walked_actions.batch_back)),
    "bulk.batch_refund.refund_piece of a test user": (MOVE_TRIAL, _of(TRIAL, walked_actions.batch_back)),
    "bulk.first_start.choose_clean": (MANAGE, lambda c, actor: first_start.choose_clean(c, now=NOW, actor=actor)),
    "plans.actions.save_draft": (
        PLANS,
        lambda c, actor: plan_actions.save_draft(c, _draft(c).plan, seen=_draft(c), now=NOW, actor=actor),
    ),
    "plans.actions.discard_draft": (
        PLANS,
        lambda c, actor: plan_actions.discard_draft(c, _draft(c), now=NOW, actor=actor),
    ),
    "plans.actions.activate": (
        PLANS,
        lambda c, actor: plan_actions.activate(c, _draft(c), reason="Autumn", now=NOW, actor=actor),
    ),
    "prices.lists.save": (
        PLANS,
        lambda c, actor: lists.save(c, world.PRICE_LIST, source="a file", now=NOW, actor=actor),
    ),
    "prices.lists.activate": (PLANS, lambda c, actor: lists.activate(c, 1, reason="Back", now=NOW, actor=actor)),
    "prices.offers.make_live": (
        PLANS,
        lambda c, actor: offers.make_live(c, 1, expected_live=2, reason="Back", now=NOW, actor=actor),
    ),
    "prices.offers.offer": (
        PLANS,
        lambda c, actor: offers.offer(
            c, "text-embedding-3-small", corrections=CORRECTIONS, reason="Asked for", now=NOW, actor=actor
        ),
    ),
    "prices.offers.withdraw": (PLANS, lambda c, actor: offers.withdraw(c, "gpt-4", reason="Old", now=NOW, actor=actor)),
    "access.keys.create_key": (
        MANAGE,
        lambda c, actor: keys.create_key(c, "new", key=NEW_KEY, role=Role.SERVICE, now=NOW, actor=actor),
    ),
    "access.keys.rotate_key": (MANAGE, lambda c, actor: keys.rotate_key(c, "shop", key=NEW_KEY, now=NOW, actor=actor)),
    "access.keys.revoke_key": (MANAGE, lambda c, actor: keys.revoke_key(c, "shop", now=NOW, actor=actor)),
    "access.people.add": (
        MANAGE,
        lambda c, actor: people.add(c, "new@example.org", [PersonRole.VIEWER], now=NOW, actor=actor),
    ),
    "access.people.change_roles": (
        MANAGE,
        lambda c, actor: people.change_roles(c, "known@example.org", [PersonRole.TESTER], now=NOW, actor=actor),
    ),
    "access.people.remove": (MANAGE, lambda c, actor: people.remove(c, "known@example.org", now=NOW, actor=actor)),
    "access.proposals.propose": (PLANS, walked_actions.propose(walked_actions.PLAN_LIVE)),
    "access.proposals.propose of credits": (MOVE, walked_actions.propose(walked_actions.GRANT)),
    "access.proposals.approve": (PLANS, walked_actions.approve(walked_actions.PLAN_LIVE)),
    "access.proposals.approve of credits": (APPROVE_MONEY, walked_actions.approve(walked_actions.GRANT)),
    "access.proposals.decline": (PLANS, walked_actions.decline(walked_actions.PLAN_LIVE)),
    "access.proposals.decline of credits": (APPROVE_MONEY, walked_actions.decline(walked_actions.GRANT)),
    "access.proposals.withdraw_of": (
        MANAGE,
        lambda c, actor: proposals.withdraw_of(c, "known@example.org", now=NOW, actor=actor),
    ),
    "access.trial_users.add": (MANAGE, lambda c, actor: trial_user_actions.add(c, REAL, now=NOW, actor=actor)),
    "access.trial_users.remove": (MANAGE, lambda c, actor: trial_user_actions.remove(c, TRIAL, now=NOW, actor=actor)),
    "access.exports.note": (EXPORT, lambda c, actor: exports.note(c, "a.csv", detail={}, now=NOW, actor=actor)),
    "operations.watch_findings.look_at": (APPROVE_MONEY, walked_actions.look_at),
    **walked_purchases.TABLE,
    **walked_payouts.TABLE,
    **walked_limits.TABLE,
    **walked_webhooks.TABLE,
    "reports.saved_views.save": (
        EVERYBODY,
        lambda c, actor: saved_views.save(c, "overview", "Mine", {}, now=NOW, actor=actor),
    ),
    "reports.saved_views.rename": (EVERYBODY, lambda c, actor: saved_views.rename(c, 1, "Ours", actor=actor)),
    "reports.saved_views.remove": (EVERYBODY, lambda c, actor: saved_views.remove(c, 1, actor=actor)),
}
# Actions that make units of work of their own; whoever may repeat them.
IN_PIECES: dict[str, tuple[str, Callable[[Engine, Actor, Path], object]]] = {
    "bulk.opening_balances.import_legacy": (MOVE, walked_actions.legacy),
    "bulk.opening_balances.importing": (MOVE, walked_actions.importing),
    "bulk.replay.replay": (CHARGE, walked_actions.replaying(REAL)),
    "bulk.replay.replay of a test user": (CHARGE_TRIAL, walked_actions.replaying(TRIAL)),
    "operations.running.run": (MANAGE, walked_backups.run_job),
    **walked_purchases.OF_THEIR_OWN_UNITS,
    "operations.running.running": (MANAGE, walked_backups.run_job_in_steps),
}
NO_ACTIONS = {
    "access.proposals.may_decide": "says what the screen may offer",
    "access.proposals.is_own": "says what the screen may offer",
    "access.proposals.waiting_for": "counts what waits",
    "ledger.hold_rows.end_entry": "makes an entry in memory; whoever posts it has asked",
    "access.proposals.waiting": "lists what waits",
    "ledger.requests.new_entry": "makes an entry in memory; whoever posts it has asked",
    "ledger.trial_users.require_test_users": "is the question itself",
    "ledger.trial_users.require_may_charge": "is the question itself",
    "ledger.opening.require_one_may_import": "is the question itself",
}


@pytest.fixture
def walked(engine: Engine) -> Engine:
    """A ledger with a user and a test user, with a batch and a purchase each; a draft, a price list, a key, a view."""
    startup.migrate(engine)
    for user_id in (REAL, TRIAL):
        world.add(engine, user_id, 10_000, key=f"fund-{user_id}")
        world.charge(engine, _run(user_id), key=f"batch-{user_id}:1")
        world.add(engine, user_id, 300, key=f"enough-to-refund-{user_id}")
    world.add(engine, "ben", 1, key="fund-ben")
    world.save_draft(engine, world.dearer_book().plan)
    world.make_prices_live(engine, world.PRICE_LIST)

    def prepare(connection: Connection) -> None:
        people.add(connection, "known@example.org", [PersonRole.VIEWER], now=NOW, actor=TESTER)
        for user_id in (TRIAL, "ben"):
            trial_user_actions.add(connection, user_id, now=NOW, actor=TESTER)
        saved_views.save(connection, "overview", "Theirs", {}, now=NOW, actor=TESTER)
        keys.create_key(connection, "shop", key="pfk_" + "k" * 43, role=Role.SERVICE, now=NOW, actor=TESTER)
        walked_purchases.prepare(connection, REAL, TRIAL)
        walked_webhooks.prepare(connection)
        walked_limits.prepare(connection)

    database.write(engine, prepare)
    walked_purchases.tell(engine)
    return engine


def _names(may: str) -> set[str]:
    return {name.strip() for name in may.split(",")}


def _require_as_told(engine: Engine, may: str, act: Callable[[Connection, Actor], object]) -> None:
    before, found = every_row(engine), set()

    def tried(connection: Connection, actor: Actor) -> None:
        act(connection, actor)
        raise _Undone

    for name, actor in ACTORS.items():
        try:
            database.write(engine, lambda connection, actor=actor: tried(connection, actor))  # type: ignore[misc]
        except _Undone:
            found.add(name)
        except NeedsApproval:  # a role that may, together with a second person
            found.add(name)
            assert every_row(engine) == before
        except NotAllowed:
            assert every_row(engine) == before, "a refusal leaves no trace"
    assert found == _names(may)
    assert every_row(engine) == before


@pytest.mark.parametrize("action", TABLE)
def test_an_action_is_for_whom_the_table_names_and_for_nobody_else(walked: Engine, action: str) -> None:
    _require_as_told(walked, *TABLE[action])


@pytest.mark.parametrize("action", IN_PIECES)
def test_an_action_in_pieces_is_for_whom_the_table_names(walked: Engine, action: str, tmp_path: Path) -> None:
    may, act = IN_PIECES[action]
    before = every_row(walked)
    for name, actor in ACTORS.items():
        if name not in _names(may):
            with pytest.raises(NotAllowed):
                act(walked, actor, tmp_path)
            assert every_row(walked) == before, name
    for name, actor in ACTORS.items():
        if name in _names(may):
            act(walked, actor, tmp_path)
    assert every_row(walked) != before


@pytest.mark.parametrize("action", walked_backups.ALL)
def test_only_who_manages_the_product_handles_backups(walked: Engine, action: str, tmp_path: Path) -> None:
    act = walked_backups.ALL[action]
    seals.catch_up(walked, now=NOW)
    before = every_row(walked)
    for name, actor in ACTORS.items():
        if name in _names(MANAGE):
            act(walked, actor, tmp_path)
        else:
            with pytest.raises(NotAllowed):
                act(walked, actor, tmp_path)
    assert every_row(walked) == before


@pytest.mark.parametrize("action", walked_demo.TABLE)
def test_only_who_manages_the_database_builds_the_demo_and_starts_it_over(
    engine: Engine, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "load_demo_world", demo_world.small)
    startup.migrate(engine)
    _require_as_told(engine, *walked_demo.TABLE[action])


def _takes_an_actor(function: object) -> bool:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return any(one.annotation in (Actor, "Actor") for one in parameters)


def test_every_action_stands_in_the_table() -> None:
    found = set()
    for module in pkgutil.walk_packages(credits_core.__path__, "credits_core."):
        if ".migrations" in module.name or module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            is_own = function.__module__ == module.name and not name.startswith("_")
            if is_own and _takes_an_actor(function):
                found.add(f"{module.name.removeprefix('credits_core.')}.{name}")
    in_table = {action.partition(" of ")[0] for action in (*TABLE, *IN_PIECES, *walked_backups.ALL, *walked_demo.TABLE)}
    assert found - NO_ACTIONS.keys() == in_table - {"ledger.actions.charge_prompts"}
    assert NO_ACTIONS.keys() <= found


def test_nobody_in_the_table_is_unknown() -> None:
    for may, _ in (*TABLE.values(), *IN_PIECES.values(), *walked_demo.TABLE.values()):
        assert _names(may) <= ACTORS.keys()


def test_whoever_has_several_roles_may_do_what_any_of_them_may(walked: Engine) -> None:
    both = person("b@example.org", frozenset({PersonRole.PRICING, PersonRole.TESTER}))
    database.write(walked, lambda connection: _add(connection, both, TRIAL))
    database.write(
        walked, lambda connection: plan_actions.discard_draft(connection, _draft(connection), now=NOW, actor=both)
    )
    with pytest.raises(NotAllowed):
        database.write(walked, lambda connection: keys.revoke_key(connection, "shop", now=NOW, actor=both))


def test_a_key_that_a_person_may_not_replace_stays_as_it_was(walked: Engine) -> None:
    before = every_row(walked)
    with pytest.raises(NotAllowed) as told:
        database.write(
            walked,
            lambda connection: keys.rotate_key(
                connection, "shop", key=NEW_KEY, overlap=timedelta(), now=NOW, actor=ACTORS["finance"]
            ),
        )
    assert str(told.value) == (
        "dashboard/f@example.org may not manage people, roles, API keys and settings, so nothing was changed."
        " Ask somebody with the role admin."
    )
    assert every_row(walked) == before
