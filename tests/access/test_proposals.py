"""Four eyes: what one person proposes and another approves, and what becomes of it when time or the ledger moves on."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from credits_core.access import proposals
from credits_core.access.proposals import ProposalRecord, State
from credits_core.access.proposed import AddCredits, MakePlanLive, MakePricesLive, ProposedChange, RefundEntry
from credits_core.access.refusals import AlreadyProposed, OwnProposal, ProposalClosed, UnknownProposal
from credits_core.errors import InvalidRequest
from credits_core.ledger import actions
from credits_core.ledger.refusals import AlreadyRefunded, BalanceTooLarge
from credits_core.plans import actions as plan_actions
from credits_core.plans import records
from credits_core.plans.refusals import UnknownPlan
from credits_core.prices import lists
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.refusals import NeedsApproval, NotAllowed
from credits_core.values.roles import Actor, PersonRole, Way, operator, person
from tests.support import racers, world
from tests.support.plain_sql import balance, every_row, rows, scalar
from tests.support.plans import SPECIFICATION
from tests.support.world import LATER, NOW

FIRST = person("first@example.org", frozenset({PersonRole.FINANCE, PersonRole.PRICING}))
SECOND = person("second@example.org", frozenset({PersonRole.FINANCE, PersonRole.PRICING}))
FINANCE = person("finance@example.org", frozenset({PersonRole.FINANCE}))
PRICING = person("pricing@example.org", frozenset({PersonRole.PRICING}))
VIEWER = person("viewer@example.org", frozenset({PersonRole.VIEWER}))
GRANT = AddCredits("ada", 20_000_000, CreditSource.GRANT)
DEARER = replace(SPECIFICATION, id="dearer", creator_share_bps=5_000)


def propose(engine: Engine, change: ProposedChange, *, actor: Actor = FIRST, reason: str = "Because") -> ProposalRecord:
    return database.write(
        engine, lambda connection: proposals.propose(connection, change, reason=reason, actor=actor, now=NOW)
    )


def approve(engine: Engine, number: int, *, actor: Actor = SECOND, later: timedelta = timedelta()) -> ProposalRecord:
    return database.write(
        engine,
        lambda connection: proposals.approve(
            connection, number, book_at=lambda _: world.price_book(), actor=actor, now=NOW + later
        ),
    )


def decline(engine: Engine, number: int, *, actor: Actor = SECOND, later: timedelta = timedelta()) -> ProposalRecord:
    return database.write(
        engine,
        lambda connection: proposals.decline(connection, number, reason="Too much", actor=actor, now=NOW + later),
    )


def live_plan(engine: Engine) -> str:
    with database.read(engine) as connection:
        return next(iter(records.plans(connection)))


def activity(engine: Engine) -> list[tuple[object, ...]]:
    return rows(engine, "SELECT kind, subject, actor FROM activity ORDER BY id")


# --- what is approved ------------------------------------------------------------------------------------------------


def test_credits_that_another_approves_are_added_once_and_say_who(engine: Engine) -> None:
    world.add(engine, "ada", 1_000, key="fund")
    asked = propose(engine, GRANT)
    assert asked.effect == (
        "Grant of 20,000,000 credits ($20.00).",
        "ada has 1,000 credits ($0.001), then 20,001,000 credits ($20.001).",
    )
    assert balance(engine, "ada") == 1_000
    done = approve(engine, asked.number)
    assert (done.state, done.proposed_by, done.decided_by) == (State.APPROVED, FIRST.recorded, SECOND.recorded)
    assert balance(engine, "ada") == 20_001_000
    assert rows(engine, "SELECT id, type, idempotency_key, actor, description FROM journal_entries WHERE id > 1") == [
        (done.entry_id, "grant", f"proposal:{asked.number}", "dashboard/second@example.org", "Because")
    ]
    assert activity(engine) == [
        ("proposed", "1", "dashboard/first@example.org"),
        ("approved", "1", "dashboard/second@example.org"),
    ]


def test_an_entry_leads_to_the_proposal_that_posted_it_and_no_other_entry_does(engine: Engine) -> None:
    other = world.add(engine, "ada", 1_000, key="other")
    posted = approve(engine, propose(engine, GRANT).number)
    assert posted.entry_id is not None
    key = f"proposal:{posted.number}"
    with database.read(engine) as connection:
        assert proposals.that_posted(connection, posted.entry_id, key) == posted
        for entry_id, another in (
            (other.entry_id, key),
            (other.entry_id, "other"),
            (posted.entry_id, "proposal:99"),
            (posted.entry_id, "proposal:"),
            (posted.entry_id, "proposal:²"),
            (posted.entry_id, f"proposal:{'9' * 40}"),
            (posted.entry_id, f"api/shop:{key}"),
        ):
            assert proposals.that_posted(connection, entry_id, another) is None


def test_a_plan_that_another_approves_is_live(engine: Engine) -> None:
    world.save_draft(engine, DEARER)
    asked = propose(engine, MakePlanLive("dearer", 1))
    assert asked.effect == ("dearer in place of promptflow-v1.", "creator_share_bps: 8000 -> 5000")
    assert live_plan(engine) == "promptflow-v1"
    assert approve(engine, asked.number, actor=PRICING).entry_id is None
    assert live_plan(engine) == "dearer"
    assert rows(engine, "SELECT actor, reason FROM plan_activations WHERE id = 2") == [
        ("dashboard/pricing@example.org", "Because")
    ]


def test_prices_that_another_approves_are_live(engine: Engine) -> None:
    first = world.make_prices_live(engine, world.PRICE_LIST)
    with_researcher = world.USAGE_PRICES.replace("run_price_credits = 30000", "run_price_credits = 31000")
    second = database.write(
        engine,
        lambda connection: lists.save(connection, with_researcher, source="s", now=NOW, actor=operator(Way.CLI)),
    )
    asked = propose(engine, MakePricesLive(second))
    title, changed, added = asked.effect
    assert title == f"Price list {second} in place of {first}."
    assert changed == "~ gpt-4: 30,000 credits per run -> 31,000 credits per run"
    assert added.startswith("+ openai/gpt-5: ")
    approve(engine, asked.number)
    with database.read(engine) as connection:
        assert lists.live_list(connection) == second


def test_a_refund_that_another_approves_says_before_who_bears_it(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    charged = world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    asked = propose(engine, RefundEntry(charged.entry_id))
    assert asked.effect == ("ada gets back 1,251 credits ($0.001251): ben gives back 800, PromptFlow bears 451.",)
    done = approve(engine, asked.number)
    assert rows(engine, f"SELECT refunds_entry_id FROM journal_entries WHERE id = {done.entry_id}") == [
        (charged.entry_id,)
    ]
    assert balance(engine, "ada") == 10_000


def test_two_who_approve_at_once_carry_it_out_once(engine: Engine) -> None:
    asked = propose(engine, GRANT)

    def try_it(actor: Actor) -> str:
        try:
            return approve(engine, asked.number, actor=actor).state
        except ProposalClosed as refusal:
            return refusal.code

    outcomes = racers.at_once([lambda: try_it(SECOND), lambda: try_it(FINANCE), lambda: try_it(SECOND)])
    assert sorted(outcomes) == ["approved", "proposal_closed", "proposal_closed"]
    assert balance(engine, "ada") == 20_000_000


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [Way.DASHBOARD, Way.CLI])
def test_nobody_approves_their_own_whichever_way_they_come(engine: Engine, way: Way) -> None:
    asked = propose(engine, GRANT)
    same = replace(FIRST, recorded=f"{way}/first@example.org")
    before = every_row(engine)
    with pytest.raises(OwnProposal, match="Another person must approve it"):
        approve(engine, asked.number, actor=same)
    assert every_row(engine) == before


@pytest.mark.parametrize(
    ("change", "proposes", "approves"),
    [(GRANT, PRICING, PRICING), (GRANT, VIEWER, VIEWER), (MakePlanLive("dearer", 1), FINANCE, FINANCE)],
)
def test_who_has_not_the_role_neither_proposes_nor_approves(
    engine: Engine, change: ProposedChange, proposes: Actor, approves: Actor
) -> None:
    world.save_draft(engine, DEARER)
    with pytest.raises(NotAllowed):
        propose(engine, change, actor=proposes)
    asked = propose(engine, change)
    with pytest.raises(NotAllowed):
        approve(engine, asked.number, actor=approves)
    with pytest.raises(NotAllowed):
        decline(engine, asked.number, actor=approves)


@pytest.mark.parametrize(("amount_credits", "alone"), [(10_000_000, True), (10_000_001, False)])
def test_one_person_moves_only_so_much_alone(engine: Engine, amount_credits: int, alone: bool) -> None:
    def give(connection: Connection) -> None:
        actions.add_credits(
            connection,
            "ada",
            amount_credits,
            source=CreditSource.GRANT,
            reason="r",
            key="k",
            now=NOW,
            actor=FIRST,
        )

    if alone:
        database.write(engine, give)
        return
    with pytest.raises(NeedsApproval, match="more than 10,000,000 credits, and this moves 10,000,001"):
        database.write(engine, give)
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == 0


def test_one_person_neither_refunds_much_nor_makes_a_plan_or_prices_live_alone(engine: Engine) -> None:
    large = world.add(engine, "ada", 10_000_001, key="fund")
    draft = world.save_draft(engine, DEARER)
    number = world.make_prices_live(engine, world.PRICE_LIST)
    before = every_row(engine)
    book = world.price_book()
    with pytest.raises(NeedsApproval):
        database.write(
            engine,
            lambda connection: actions.refund(
                connection, large.entry_id, reason="r", book=book, key="k", now=NOW, actor=FIRST
            ),
        )
    with pytest.raises(NeedsApproval):
        database.write(
            engine, lambda connection: plan_actions.activate(connection, draft, reason="r", now=NOW, actor=FIRST)
        )
    with pytest.raises(NeedsApproval):
        database.write(engine, lambda connection: lists.activate(connection, number, reason="r", now=NOW, actor=FIRST))
    assert every_row(engine) == before


def test_the_operator_of_the_machine_needs_nobody(engine: Engine) -> None:
    large = world.add(engine, "ada", 20_000_000, key="fund")
    world.refund(engine, large.entry_id, key="back")
    world.put_in_force(engine, DEARER)
    assert (balance(engine, "ada"), live_plan(engine)) == (0, "dearer")


# --- what closes a proposal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "state"),
    [(timedelta(days=7) - timedelta(microseconds=1), State.APPROVED), (timedelta(days=7), State.EXPIRED)],
)
def test_after_seven_days_a_proposal_has_expired(engine: Engine, later: timedelta, state: State) -> None:
    asked = propose(engine, GRANT)
    assert asked.state_at(NOW + later) is (State.OPEN if state is State.APPROVED else State.EXPIRED)
    assert approve(engine, asked.number, later=later).state is state
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == (1 if state is State.APPROVED else 0)
    with pytest.raises(ProposalClosed, match=f"is {state}"):
        approve(engine, asked.number)


def test_one_that_has_expired_is_listed_with_those_that_are_closed(engine: Engine) -> None:
    asked = propose(engine, GRANT)
    with database.read(engine) as connection:
        for now, is_open, state in (
            (NOW + timedelta(days=7) - timedelta(microseconds=1), True, State.OPEN),
            (NOW + timedelta(days=7), False, State.EXPIRED),
        ):
            listed = proposals.proposals(connection, is_open=is_open, now=now)
            assert [(one.number, one.state) for one in listed] == [(asked.number, state)]
            assert proposals.proposals(connection, is_open=not is_open, now=now) == []


def test_a_plan_is_withdrawn_when_another_is_live_meanwhile(engine: Engine) -> None:
    world.save_draft(engine, DEARER)
    asked = propose(engine, MakePlanLive("dearer", 1))
    world.put_in_force(engine, replace(SPECIFICATION, id="other"))
    closed = approve(engine, asked.number)
    assert (closed.state, closed.decision_reason) == (State.WITHDRAWN, "What it was based on has changed.")
    assert (closed.decided_by, live_plan(engine)) == (None, "other")


def test_a_plan_is_withdrawn_when_its_draft_was_saved_again(engine: Engine) -> None:
    world.save_draft(engine, DEARER)
    asked = propose(engine, MakePlanLive("dearer", 1))
    world.save_draft(engine, replace(DEARER, creator_share_bps=4_000), revision=1)
    assert approve(engine, asked.number).state is State.WITHDRAWN
    assert live_plan(engine) == "promptflow-v1"


def test_a_refund_is_withdrawn_when_the_creator_has_spent_the_share(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    charged = world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    asked = propose(engine, RefundEntry(charged.entry_id))
    world.charge(engine, world.run_by("ben"), key="spend")  # 300 of ben's 800
    assert approve(engine, asked.number).state is State.WITHDRAWN
    assert balance(engine, "ada") == 8_749


def test_a_refund_is_withdrawn_when_the_entry_was_refunded(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    charged = world.charge(engine, world.HAIKU, key="run")
    asked = propose(engine, RefundEntry(charged.entry_id))
    world.refund(engine, charged.entry_id, key="first")
    closed = approve(engine, asked.number)
    assert closed.state is State.WITHDRAWN
    assert closed.decision_reason is not None
    assert "refunded" in closed.decision_reason


def test_stale_proposals_are_closed_and_the_others_stay(engine: Engine) -> None:
    world.save_draft(engine, DEARER)
    plan = propose(engine, MakePlanLive("dearer", 1))
    world.put_in_force(engine, replace(SPECIFICATION, id="other"))
    grant = propose(engine, GRANT)
    assert database.write(engine, lambda connection: proposals.close_stale(connection, now=LATER)) == 1
    with database.read(engine) as connection:
        assert [one.number for one in proposals.proposals(connection, is_open=True, now=NOW)] == [grant.number]
        assert [one.state for one in proposals.proposals(connection, is_open=False, now=NOW)] == [State.WITHDRAWN]
        assert proposals.proposal(connection, plan.number).decided_by is None


def test_a_change_that_the_ledger_refuses_leaves_the_proposal_open(engine: Engine) -> None:
    world.add(engine, "ada", 1, key="fund")
    asked = propose(engine, AddCredits("ada", world.LARGEST_CREDITS, CreditSource.GRANT))
    before = every_row(engine)
    with pytest.raises(BalanceTooLarge):
        approve(engine, asked.number)
    assert every_row(engine) == before


def test_a_change_that_is_refused_at_once_is_not_proposed(engine: Engine) -> None:
    charged = world.add(engine, "ada", 300, key="fund")
    world.refund(engine, charged.entry_id, key="back")
    with pytest.raises(AlreadyRefunded):
        propose(engine, RefundEntry(charged.entry_id))
    with pytest.raises(UnknownPlan):
        propose(engine, MakePlanLive("nothing", 1))
    with pytest.raises(InvalidRequest):
        propose(engine, GRANT, reason=" ")
    assert scalar(engine, "SELECT COUNT(*) FROM proposals") == 0


def test_the_very_same_is_not_proposed_twice(engine: Engine) -> None:
    asked = propose(engine, GRANT)
    with pytest.raises(AlreadyProposed, match=f"see proposal {asked.number}"):
        propose(engine, GRANT, actor=FINANCE)
    propose(engine, replace(GRANT, amount_credits=20_000_001))
    decline(engine, asked.number)
    propose(engine, GRANT, actor=FINANCE)


def test_another_declines_and_whoever_made_it_withdraws(engine: Engine) -> None:
    declined, withdrawn = propose(engine, GRANT), propose(engine, replace(GRANT, user_id="ben"))
    assert decline(engine, declined.number).state is State.DECLINED
    assert decline(engine, withdrawn.number, actor=FIRST).state is State.WITHDRAWN
    for number in (declined.number, withdrawn.number):
        with pytest.raises(ProposalClosed):
            approve(engine, number)
    with pytest.raises(UnknownProposal):
        approve(engine, 99)
    assert scalar(engine, "SELECT COUNT(*) FROM journal_entries") == 0


def test_who_can_approve_is_told_how_many_wait(engine: Engine) -> None:
    world.save_draft(engine, DEARER)
    propose(engine, MakePlanLive("dearer", 1))
    propose(engine, GRANT)
    with database.read(engine) as connection:
        waiting = {one: proposals.waiting_for(connection, one, now=NOW) for one in (FIRST, SECOND, FINANCE, VIEWER)}
        assert list(waiting.values()) == [0, 2, 1, 0]
        assert proposals.waiting_for(connection, SECOND, now=NOW + timedelta(days=7)) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM proposals",
        "UPDATE proposals SET reason = 'x'",
        "UPDATE proposals SET request = '{}'",
        "UPDATE proposals SET state = 'approved', decided_by = proposed_by, decided_at_us = 1",
        "UPDATE proposals SET state = 'approved', decided_at_us = 1",
        "UPDATE proposals SET decided_by = 'x'",
    ],
)
def test_the_database_keeps_proposals_as_they_were(engine: Engine, damage: str) -> None:
    propose(engine, GRANT)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.exec_driver_sql(damage)
    approve(engine, 1)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.exec_driver_sql("UPDATE proposals SET state = 'declined', entry_id = NULL")
