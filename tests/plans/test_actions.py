"""Price plans in the database: drafts, the journal of activations, and what the next charge is priced with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.audit import invariants
from credits_core.audit.plans import activations_are_sealed
from credits_core.errors import DataFileInvalid, InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans import actions as plan_actions
from credits_core.plans import records as plan_records
from credits_core.plans.book import PriceBooks
from credits_core.plans.records import PlanStatus
from credits_core.plans.refusals import DraftChanged, PlanActivated, PlanInForce
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.store import database
from credits_core.store.kinds import TransactionType
from tests.support import plain_sql, racers, world
from tests.support.actors import TESTER
from tests.support.plans import SPECIFICATION
from tests.support.world import HAIKU, HAIKU_WITH_FEE, LATER, NOW

CAPPED = replace(SPECIFICATION, id="promptflow-v2", cap_down=True)
DEAR = replace(world.dearer_book().plan, id="dear")  # 50 % markup: 250 inference cost 375
FLOOR = replace(SPECIFICATION, id="floor", minimum_platform_income_credits=300)


def activate(engine: Engine, plan_id: str, *, revision: int = 1, reason: str = "Cure", now: datetime = LATER) -> None:
    def action(connection: Connection) -> None:
        seen = world.plan_as_seen(connection, replace(CAPPED, id=plan_id), revision)
        plan_actions.activate(connection, seen, reason=reason, now=now, actor=TESTER)

    database.write(engine, action)


def discard(engine: Engine, plan_id: str, *, revision: int = 1) -> None:
    def action(connection: Connection) -> None:
        seen = world.plan_as_seen(connection, replace(CAPPED, id=plan_id), revision)
        plan_actions.discard_draft(connection, seen, now=LATER, actor=TESTER)

    database.write(engine, action)


def statuses(engine: Engine) -> dict[str, tuple[str, int]]:
    with database.read(engine) as connection:
        return {id_: (record.status.value, record.revision) for id_, record in plan_records.plans(connection).items()}


def charge_as_an_edge_does(engine: Engine, books: PriceBooks, request: ChargeRequest, key: str) -> int:
    """What the user paid for a run that is priced with the plan that is live in its unit of work."""

    def action(connection: Connection) -> int:
        book = books.at(connection)
        receipt = actions.charge_prompt(connection, request, book=book, key=key, now=NOW, actor=TESTER)
        return -receipt.transactions[0].amount_credits

    return database.write(engine, action)


def wrong(engine: Engine) -> list[str]:
    with database.read(engine) as connection:
        plans = PriceBooks(world.price_book().models).at(connection).plans
    return [str(finding) for finding in invariants.check(engine, plans) if not finding.ok]


# --- a new database -------------------------------------------------------------------------------------------------


def test_a_new_database_has_the_specifications_plan_in_force_from_the_start(engine: Engine) -> None:
    with database.read(engine) as connection:
        (record,) = plan_records.plans(connection).values()
        (activation,) = plan_records.activations(connection)
        book = PriceBooks(world.price_book().models).at(connection)
    assert (record.plan, record.status, record.revision) == (SPECIFICATION, PlanStatus.IN_FORCE, 1)
    assert (activation.number, activation.plan_id, activation.actor) == (1, "promptflow-v1", "migration")
    assert activation.activated_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert (book.plan, book.plans) == (SPECIFICATION, {"promptflow-v1": SPECIFICATION})
    assert wrong(engine) == []


# --- drafts ---------------------------------------------------------------------------------------------------------


def test_a_draft_is_saved_edited_and_discarded(engine: Engine) -> None:
    assert world.save_draft(engine, CAPPED).revision == 1
    kept = world.save_draft(engine, replace(CAPPED, creator_share_bps=7_500), revision=1, now=LATER)
    with database.read(engine) as connection:
        draft = plan_records.plans(connection)["promptflow-v2"]
    assert (draft.plan.creator_share_bps, draft.revision, draft.actor, draft.saved_at) == (7_500, 2, "tester", LATER)
    assert draft == kept
    assert statuses(engine) == {"promptflow-v1": ("in force", 1), "promptflow-v2": ("draft", 2)}
    discard(engine, "promptflow-v2", revision=2)
    assert statuses(engine) == {"promptflow-v1": ("in force", 1)}
    assert wrong(engine) == []


def test_a_revision_that_somebody_saw_never_comes_again(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    seen = world.save_draft(engine, replace(CAPPED, creator_share_bps=7_500), revision=1)
    discard(engine, "promptflow-v2", revision=2)
    # Somebody else begins anew with the same id, and saves as often, at the same time.
    revisions = [world.save_draft(engine, replace(CAPPED, creator_share_bps=1)).revision]
    revisions.append(world.save_draft(engine, replace(CAPPED, creator_share_bps=2), revision=3).revision)
    assert (seen.revision, revisions) == (2, [3, 4])
    before = plain_sql.every_row(engine)
    with pytest.raises(DraftChanged, match="saved by somebody else meanwhile"):
        activate(engine, "promptflow-v2", revision=2)
    assert plain_sql.every_row(engine) == before
    discard(engine, "promptflow-v2", revision=4)
    with pytest.raises(DraftChanged, match="was discarded meanwhile"):
        activate(engine, "promptflow-v2", revision=4)
    with pytest.raises(DraftChanged, match="was discarded meanwhile"):
        discard(engine, "promptflow-v2", revision=4)
    assert world.save_draft(engine, CAPPED).revision == 5
    activate(engine, "promptflow-v2", revision=5)
    assert statuses(engine)["promptflow-v2"] == ("in force", 5)
    assert wrong(engine) == []


@pytest.mark.parametrize(
    ("revision", "found", "said"),
    [
        (0, 1, "There is already a price plan 'promptflow-v2'. Choose another id."),
        (
            2,
            1,
            "The draft 'promptflow-v2' was saved by somebody else meanwhile, so nothing was changed. "
            "Open it again to see the new version.",
        ),
        (1, 0, "The draft 'promptflow-v2' was discarded meanwhile. To keep your version, save it under another id."),
    ],
)
def test_nobody_saves_over_what_somebody_else_did(engine: Engine, revision: int, found: int, said: str) -> None:
    if found:
        world.save_draft(engine, CAPPED)
    before = statuses(engine)
    with pytest.raises(DraftChanged) as caught:
        world.save_draft(engine, replace(CAPPED, creator_share_bps=1), revision=revision)
    assert str(caught.value) == said
    assert statuses(engine) == before


def test_a_plan_that_no_file_could_say_is_not_kept(engine: Engine) -> None:
    before = plain_sql.every_row(engine)
    with pytest.raises(InvalidRequest, match="creator_share_bps must be a whole number from 0 to 10,000"):
        world.save_draft(engine, replace(CAPPED, creator_share_bps=99_999))
    assert plain_sql.every_row(engine) == before


def test_a_draft_that_is_not_there_cannot_be_discarded(engine: Engine) -> None:
    with pytest.raises(DraftChanged, match="was discarded meanwhile"):
        discard(engine, "promptflow-v2")


def test_a_draft_that_was_saved_meanwhile_is_not_discarded(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    world.save_draft(engine, replace(CAPPED, creator_share_bps=1), revision=1)
    with pytest.raises(DraftChanged, match="saved by somebody else meanwhile"):
        discard(engine, "promptflow-v2")
    assert statuses(engine)["promptflow-v2"] == ("draft", 2)


def test_a_draft_that_was_made_anew_under_its_id_is_not_the_one_that_was_seen(engine: Engine) -> None:
    seen = world.save_draft(engine, CAPPED)
    discard(engine, "promptflow-v2")
    world.save_draft(engine, replace(CAPPED, creator_share_bps=1), now=LATER)
    before = plain_sql.every_row(engine)
    attempts: list[Callable[[Connection], object]] = [
        lambda connection: plan_actions.activate(connection, seen, reason="Cure", now=LATER, actor=TESTER),
        lambda connection: plan_actions.save_draft(connection, CAPPED, seen=seen, now=LATER, actor=TESTER),
        lambda connection: plan_actions.discard_draft(connection, seen, now=LATER, actor=TESTER),
    ]
    for attempt in attempts:
        with pytest.raises(DraftChanged, match="saved by somebody else meanwhile"):
            database.write(engine, attempt)
    assert plain_sql.every_row(engine) == before


@pytest.mark.parametrize("plan_id", ["promptflow-v1", "promptflow-v2"])
def test_a_plan_that_was_activated_is_neither_changed_nor_discarded(engine: Engine, plan_id: str) -> None:
    world.save_draft(engine, CAPPED)
    activate(engine, "promptflow-v2")
    before = plain_sql.every_row(engine)
    changed = replace(CAPPED, id=plan_id, creator_share_bps=1)
    attempts: list[Callable[[], object]] = [
        lambda: world.save_draft(engine, changed, revision=1),
        lambda: world.save_draft(engine, changed, revision=0),
        lambda: discard(engine, plan_id),
    ]
    for attempt in attempts:
        with pytest.raises(
            PlanActivated, match=f"The price plan '{plan_id}' was made live, so it can never be changed"
        ):
            attempt()
    assert plain_sql.every_row(engine) == before


# --- activation -----------------------------------------------------------------------------------------------------


def test_an_activation_is_journaled_and_the_next_charge_is_priced_with_it(engine: Engine) -> None:
    books = PriceBooks(world.price_book().models)
    world.add(engine, "ada", 10_000, key="fund")
    world.save_draft(engine, DEAR)
    assert charge_as_an_edge_does(engine, books, HAIKU, "before") == 300  # 250 + 20 %
    activate(engine, "dear", reason="  Costs have risen ")
    assert charge_as_an_edge_does(engine, books, HAIKU, "after") == 375  # 250 + 50 %
    activate(engine, "promptflow-v1", reason="Users complained")
    assert charge_as_an_edge_does(engine, books, HAIKU, "again") == 300

    assert plain_sql.rows(engine, "SELECT plan_id, total_credits FROM prompt_runs ORDER BY entry_id") == [
        ("promptflow-v1", 300),
        ("dear", 375),
        ("promptflow-v1", 300),
    ]
    with database.read(engine) as connection:
        journal = [
            (line.number, line.plan_id, line.reason, line.actor) for line in plan_records.activations(connection)
        ]
        assert plan_records.activations(connection)[0].activated_at == LATER
    assert journal == [
        (3, "promptflow-v1", "Users complained", "tester"),
        (2, "dear", "Costs have risen", "tester"),
        (1, "promptflow-v1", "The specification's plan", "migration"),
    ]
    assert statuses(engine) == {"promptflow-v1": ("in force", 1), "dear": ("retired", 1)}
    assert wrong(engine) == []


def test_a_retry_across_an_activation_replays_the_first_receipt(engine: Engine) -> None:
    books = PriceBooks(world.price_book().models)
    world.add(engine, "ada", 10_000, key="fund")
    world.save_draft(engine, DEAR)
    assert charge_as_an_edge_does(engine, books, HAIKU, "run") == 300
    activate(engine, "dear")
    assert charge_as_an_edge_does(engine, books, HAIKU, "run") == 300
    assert plain_sql.balance(engine, "ada") == 9_700


def test_another_process_prices_with_the_activated_plan_too(engine: Engine) -> None:
    books = PriceBooks(world.price_book().models)
    with database.read(engine) as connection:
        assert books.at(connection).plan.id == "promptflow-v1"
        assert books.at(connection) is books.at(connection)
    world.save_draft(engine, CAPPED)
    with database.read(engine) as connection:
        assert books.at(connection).plans.keys() == {"promptflow-v1"}  # a draft prices nothing
    activate(engine, "promptflow-v2")
    with database.read(engine) as connection:
        book = books.at(connection)
    assert (book.plan, list(book.plans)) == (CAPPED, ["promptflow-v1", "promptflow-v2"])


@pytest.mark.parametrize(
    ("plan_id", "revision", "reason", "refusal"),
    [
        ("promptflow-v2", 1, " ", InvalidRequest),
        ("promptflow-v2", 1, "x" * 501, InvalidRequest),
        ("promptflow-v2", 2, "Cure", DraftChanged),
        ("promptflow-v3", 1, "Cure", DraftChanged),
        ("promptflow-v1", 1, "Cure", PlanInForce),
    ],
)
def test_a_refused_activation_leaves_everything_as_it_is(
    engine: Engine, plan_id: str, revision: int, reason: str, refusal: type[Exception]
) -> None:
    world.save_draft(engine, CAPPED)
    before = plain_sql.every_row(engine)
    with pytest.raises(refusal):
        activate(engine, plan_id, revision=revision, reason=reason)
    assert plain_sql.every_row(engine) == before


def test_activations_at_once_are_numbered_one_after_the_other(engine: Engine) -> None:
    ids = [f"plan-{number}" for number in range(6)]
    for plan_id in ids:
        world.save_draft(engine, replace(CAPPED, id=plan_id))
    racers.at_once([partial(activate, engine, plan_id) for plan_id in ids])
    with database.read(engine) as connection:
        journal = plan_records.activations(connection)
    assert [line.number for line in journal] == [7, 6, 5, 4, 3, 2, 1]
    assert {line.plan_id for line in journal} == {"promptflow-v1", *ids}
    assert wrong(engine) == []


def test_of_saves_at_once_one_wins(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)

    def try_to_save(share_bps: int) -> bool:
        try:
            world.save_draft(engine, replace(CAPPED, creator_share_bps=share_bps), revision=1)
        except DraftChanged:
            return False
        return True

    outcomes = racers.at_once([partial(try_to_save, share_bps) for share_bps in range(8)])
    assert sorted(outcomes) == [False] * 7 + [True]
    assert statuses(engine)["promptflow-v2"] == ("draft", 2)


# --- plans that the ledger could not charge with before -------------------------------------------------------------


def test_a_minimum_for_the_platform_is_charged_refunded_and_audited(engine: Engine) -> None:
    # 1,001 fee: 800 creator, 201 platform, 99 short of 300. So 250 + 1,001 + 99 = 1,350.
    books = PriceBooks(world.price_book().models)
    world.add(engine, "ada", 10_000, key="fund")
    world.save_draft(engine, FLOOR)
    activate(engine, "floor")
    assert charge_as_an_edge_does(engine, books, HAIKU_WITH_FEE, "run") == 1_350
    moved = plain_sql.rows(
        engine, "SELECT account_id, type, amount_credits FROM credit_transactions WHERE entry_id = 2 ORDER BY position"
    )
    assert moved == [
        ("ada", TransactionType.PROMPT_RUN, -1_350),
        ("ben", TransactionType.CREATOR_PAYMENT, 800),
        ("platform:revenue", TransactionType.PLATFORM_REVENUE, 300),
        ("platform:inference", TransactionType.INFERENCE_COST, 250),
    ]
    assert wrong(engine) == []
    with database.read(engine) as connection:
        book = books.at(connection)
    world.refund(engine, 2, key="refund", book=book)
    assert plain_sql.balance(engine, "ada") == 10_000
    assert wrong(engine) == []


# --- damage ---------------------------------------------------------------------------------------------------------


def _damaged(engine: Engine, *statements: str) -> list[str]:
    """What the audit finds after the statements, with the triggers out of force meanwhile; undone again."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            for trigger in ("price_plans_no_update", "plan_activations_no_update", "plan_activations_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount == 1
        finding = activations_are_sealed(connection, {})
        connection.rollback()
    return list(finding.violations)


@pytest.mark.as_owner
def test_a_change_of_the_journal_or_of_an_activated_plan_is_found(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    activate(engine, "promptflow-v2")
    toml = price_plan_toml(replace(CAPPED, creator_share_bps=8_001)).replace("'", "''")
    changed = "activation {}, of {}, or its plan was changed since".format
    assert _damaged(engine, f"UPDATE price_plans SET toml = '{toml}' WHERE id = 'promptflow-v2'") == [
        changed(2, "promptflow-v2")
    ]
    assert _damaged(engine, "UPDATE plan_activations SET actor = 'ben' WHERE id = 1") == [changed(1, "promptflow-v1")]
    assert _damaged(engine, "UPDATE plan_activations SET seal = 'x' WHERE id = 1") == [
        changed(1, "promptflow-v1"),
        changed(2, "promptflow-v2"),
    ]
    assert _damaged(engine, "UPDATE plan_activations SET id = 3 WHERE id = 2") == [
        "activation 2 is missing before activation 3",
        "the last activation of plan promptflow-v2 is 2, but the journal has 3",
    ]
    activate(engine, "promptflow-v1")
    assert _damaged(engine, "UPDATE plan_activations SET id = 9 WHERE id = 2") == [
        "activation 2 is missing before activation 3",  # and the seal of what comes after it is not judged
        "the last activation of plan promptflow-v2 is 2, but the journal has 9",
    ]


@pytest.mark.as_owner
def test_an_activation_that_is_missing_at_the_end_of_the_journal_is_found(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    activate(engine, "promptflow-v2")
    assert _damaged(engine, "DELETE FROM plan_activations WHERE id = 2") == [
        "the last activation of plan promptflow-v2 is 2, but the journal has none"
    ]
    activate(engine, "promptflow-v1")  # which was live before, too
    assert _damaged(engine, "DELETE FROM plan_activations WHERE id = 3") == [
        "the last activation of plan promptflow-v1 is 3, but the journal has 1"
    ]
    assert _damaged(engine, "UPDATE price_plans SET last_activation_id = NULL WHERE id = 'promptflow-v2'") == [
        "the last activation of plan promptflow-v2 is none, but the journal has 2"
    ]
    assert _damaged(engine, "UPDATE price_plans SET discarded_at_us = 0 WHERE id = 'promptflow-v2'") == [
        "plan promptflow-v2 was made live and is discarded"
    ]


@pytest.mark.as_owner
def test_the_place_of_an_activation_that_is_missing_at_the_end_stays_empty(engine: Engine) -> None:
    world.save_draft(engine, CAPPED)
    activate(engine, "promptflow-v2")
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER plan_activations_no_delete")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("DELETE FROM plan_activations WHERE id = 2")
    activate(engine, "promptflow-v2")  # by people who do not know that it was live
    with database.read(engine) as connection:
        assert activations_are_sealed(connection, {}).violations == ("activation 2 is missing before activation 3",)


@pytest.mark.parametrize(
    ("toml", "said"), [("id = 1", "id must be"), (price_plan_toml(CAPPED), "holds another plan, 'promptflow-v2'")]
)
def test_a_stored_plan_that_cannot_be_read_is_refused_by_name(engine: Engine, toml: str, said: str) -> None:
    with engine.begin() as connection:
        insert = "INSERT INTO price_plans VALUES ('broken', :toml, 1, 'ada', 0, NULL, NULL)"
        connection.execute(text(insert), {"toml": toml})
    with database.read(engine) as connection, pytest.raises(DataFileInvalid, match="stored price plan broken") as e:
        plan_records.plans(connection)
    assert said in str(e.value)
