"""Proposals when somebody else does something at the same moment, leaves, or runs another version."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine

from credits_core.access import people, proposals
from credits_core.access.proposals import ProposalRecord, State
from credits_core.access.proposed import AddCredits, MakePlanLive, ProposedChange, RefundEntry
from credits_core.access.refusals import AlreadyProposed, ProposalClosed, UnknownProposalKind
from credits_core.errors import InvalidRequest
from credits_core.store import database
from credits_core.store.kinds import CreditSource
from credits_core.values.roles import Actor, PersonRole, Way, operator, person
from tests.support import racers, world
from tests.support.plain_sql import balance, refused, rows, scalar
from tests.support.plans import SPECIFICATION
from tests.support.world import NOW

BOTH = frozenset({PersonRole.FINANCE, PersonRole.PRICING})
FIRST, SECOND = person("first@example.org", BOTH), person("second@example.org", BOTH)
ROOT = operator(Way.CLI)
GRANT = AddCredits("ada", 20_000_000, CreditSource.GRANT)


def propose(engine: Engine, change: ProposedChange, actor: Actor = FIRST, *, earlier: timedelta = timedelta()) -> int:
    return database.write(
        engine,
        lambda connection: (
            proposals.propose(connection, change, reason="Because", actor=actor, now=NOW - earlier).number
        ),
    )


def approve(engine: Engine, number: int, actor: Actor = SECOND) -> ProposalRecord:
    return database.write(
        engine,
        lambda connection: proposals.approve(
            connection, number, book_at=lambda _: world.price_book(), actor=actor, now=NOW
        ),
    )


# --- the same twice ---------------------------------------------------------------------------------------------------


def test_of_those_who_propose_the_same_at_once_one_does(engine: Engine) -> None:
    def try_it(actor: Actor) -> str:
        try:
            return str(propose(engine, GRANT, actor))
        except AlreadyProposed as refusal:
            return refusal.code

    outcomes = racers.at_once([lambda actor=actor: try_it(actor) for actor in (FIRST, SECOND) * 4])  # type: ignore[misc]
    assert sorted(outcomes) == ["1", *["already_proposed"] * 7]
    assert scalar(engine, "SELECT COUNT(*) FROM proposals") == 1


@pytest.mark.parametrize(
    "again", [replace(GRANT, distinct=True), RefundEntry(1, provider_refunded=True)], ids=["distinct", "provider"]
)
def test_the_same_in_another_manner_is_the_same(engine: Engine, again: ProposedChange) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    if isinstance(again, RefundEntry):
        entry_id = world.charge(engine, world.HAIKU, key="run").entry_id
        first, again = RefundEntry(entry_id), RefundEntry(entry_id, provider_refunded=True)
    else:
        first = GRANT
    propose(engine, first)
    with refused(engine, AlreadyProposed):
        propose(engine, again, SECOND)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GRANT, amount_credits=-5),
        replace(GRANT, amount_credits=0),
        replace(GRANT, amount_credits=2**60),
        replace(GRANT, user_id="a" * 5_000),
        replace(GRANT, user_id=""),
    ],
    ids=["minus", "nothing", "too much", "a long id", "no id"],
)
def test_credits_that_nobody_could_add_are_not_proposed(engine: Engine, wrong: AddCredits) -> None:
    world.add(engine, "ada", 1, key="fund")
    with refused(engine, InvalidRequest):
        propose(engine, wrong)


# --- somebody leaves --------------------------------------------------------------------------------------------------


def test_what_somebody_proposed_is_withdrawn_when_they_are_removed(engine: Engine) -> None:
    for email in ("first@example.org", "second@example.org"):
        database.write(
            engine,
            lambda connection, email=email: people.add(connection, email, BOTH, actor=ROOT, now=NOW),  # type: ignore[misc]
        )
    expired = propose(engine, replace(GRANT, amount_credits=30_000_000), earlier=timedelta(days=8))
    theirs, others = propose(engine, GRANT), propose(engine, replace(GRANT, amount_credits=20_000_001), SECOND)
    database.write(engine, lambda connection: people.remove(connection, "First@example.org", actor=ROOT, now=NOW))
    assert rows(engine, "SELECT id, state, decided_by, decision_reason FROM proposals ORDER BY id") == [
        (expired, "open", None, None),
        (theirs, "withdrawn", "cli", "first@example.org can no longer sign in."),
        (others, "open", None, None),
    ]
    with refused(engine, ProposalClosed):
        approve(engine, theirs)
    assert rows(engine, "SELECT kind, subject, actor FROM activity ORDER BY id DESC LIMIT 2") == [
        ("withdrawn", str(theirs), "cli"),
        ("person_removed", "first@example.org", "cli"),
    ]


# --- another version --------------------------------------------------------------------------------------------------


def of_another_version(engine: Engine, kind: str, request: str) -> int:
    def insert(connection: Connection) -> int:
        found = connection.exec_driver_sql(
            "INSERT INTO proposals (kind, subject, request, effect, based_on, reason, proposed_by, proposed_at_us,"
            f" expires_at_us, state) VALUES ('{kind}', 'ada', '{request}', '[]', 'x', 'Why', 'dashboard/new',"
            f" {world.NOW_US}, {world.NOW_US + 1_000_000}, 'open') RETURNING id"
        )
        return int(found.scalar_one())

    return database.write(engine, insert)


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("pay_out", "{}"),
        ("add_credits", '{"user_id": "ada", "amount_credits": 5, "source": "grant", "lot": 1}'),
        ("add_credits", '{"user_id": "ada", "amount_credits": 5, "source": "gift"}'),
        ("refund", "[]"),
        ("refund", "no JSON"),
    ],
)
def test_one_that_this_version_does_not_know_is_listed_and_cannot_be_decided(
    engine: Engine, kind: str, request_: str
) -> None:
    known, unknown = propose(engine, GRANT), of_another_version(engine, kind, request_)
    with database.read(engine) as connection:
        listed = proposals.proposals(connection, is_open=True, now=NOW)
        assert [one.number for one in listed] == [unknown, known]
        assert (proposals.is_known(listed[0]), proposals.may_decide(listed[0], ROOT)) == (False, False)
    with refused(engine, UnknownProposalKind):
        approve(engine, unknown)
    with refused(engine, UnknownProposalKind):
        database.write(
            engine, lambda connection: proposals.decline(connection, unknown, reason="r", actor=SECOND, now=NOW)
        )
    assert database.write(engine, lambda connection: proposals.close_stale(connection, now=NOW)) == 0
    assert approve(engine, known).state is State.APPROVED
    assert balance(engine, "ada") == 20_000_000
    propose(engine, GRANT)


# --- between the look and the doing -----------------------------------------------------------------------------------


def test_nobody_makes_another_plan_live_between_the_look_and_the_doing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dearer = replace(SPECIFICATION, id="dearer", creator_share_bps=5_000)
    world.save_draft(engine, dearer)
    number = propose(engine, MakePlanLive("dearer", 1))
    looked, made_live, look = threading.Event(), threading.Event(), proposals._has_changed

    def look_and_wait(connection: Connection, found: ProposalRecord) -> str | None:
        changed = look(connection, found)
        looked.set()
        made_live.wait(1)  # in vain: the other one waits for this unit of work
        return changed

    def make_another_live() -> None:
        looked.wait(30)
        world.put_in_force(engine, replace(SPECIFICATION, id="other"))
        made_live.set()

    monkeypatch.setattr(proposals, "_has_changed", look_and_wait)
    racers.at_once([lambda: approve(engine, number) and None, make_another_live])
    assert rows(engine, "SELECT plan_id FROM plan_activations ORDER BY id") == [
        ("promptflow-v1",),
        ("dearer",),
        ("other",),
    ]
    assert scalar(engine, "SELECT state FROM proposals") == "approved"


# --- many -------------------------------------------------------------------------------------------------------------


def test_all_that_wait_are_counted_however_many(engine: Engine) -> None:
    numbers = [propose(engine, replace(GRANT, amount_credits=20_000_000 + one)) for one in range(55)]
    own = propose(engine, replace(GRANT, amount_credits=5), SECOND)
    with database.read(engine) as connection:
        assert proposals.waiting(connection, SECOND, now=NOW) == (numbers[::-1], [own])
        assert proposals.waiting_for(connection, SECOND, now=NOW) == 55
