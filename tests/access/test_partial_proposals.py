"""A second person and refunds in parts: the limit is on all that is refunded of an entry; parts can be proposed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine

from credits_core.access import proposals
from credits_core.access.proposals import State
from credits_core.access.proposed import RefundEntry, title
from credits_core.ledger import actions
from credits_core.ledger.receipts import Receipt
from credits_core.store import database
from credits_core.values.refusals import NeedsApproval, NotAllowed
from credits_core.values.roles import Actor, PersonRole, person
from tests.support import world
from tests.support.plain_sql import balance, refused, rows
from tests.support.world import LATER, NOW

FIRST = replace(person("first@example.org", frozenset({PersonRole.FINANCE})), alone_up_to_credits=1_000)
SECOND = replace(person("second@example.org", frozenset({PersonRole.FINANCE})), alone_up_to_credits=1_000)
TESTER = person("tester@example.org", frozenset({PersonRole.TESTER}))


@pytest.fixture
def run(engine: Engine) -> int:
    """A run of 1,251 credits of ada's, who then has none."""
    world.add(engine, "ada", 1_251, key="fund")
    return world.charge(engine, world.HAIKU_WITH_FEE, key="run").entry_id


def _refund(engine: Engine, entry_id: int, credits: int | None, key: str, actor: Actor = FIRST) -> Receipt:
    def action(connection: Connection) -> Receipt:
        return actions.refund(
            connection,
            entry_id,
            reason="Empty",
            amount_credits=credits,
            book=world.price_book(),
            key=key,
            now=LATER,
            actor=actor,
        )

    return database.write(engine, action)


def test_many_small_parts_are_no_way_round_the_limit(engine: Engine, run: int) -> None:
    _refund(engine, run, 600, "part-1")
    with refused(engine, NeedsApproval) as caught:
        _refund(engine, run, 401, "part-2")
    assert "1,001" in str(caught.value)
    _refund(engine, run, 400, "part-3")
    for credits in (1, None):
        with refused(engine, NeedsApproval):
            _refund(engine, run, credits, f"more-{credits}")
    assert balance(engine, "ada") == 1_000


def test_a_part_that_another_approves_is_refunded_and_the_rest_stays(engine: Engine, run: int) -> None:
    change = RefundEntry(run, amount_credits=500)
    assert title(change) == f"Refund 500 credits ($0.0005) of entry {run}"
    asked = database.write(
        engine, lambda connection: proposals.propose(connection, change, reason="Half", actor=FIRST, now=NOW)
    )
    assert asked.effect == ("ada gets back 500 credits ($0.0005): ben gives back 319, PromptFlow bears 181.",)
    done = database.write(
        engine,
        lambda connection: proposals.approve(
            connection, asked.number, book_at=lambda _: world.price_book(), actor=SECOND, now=LATER
        ),
    )
    assert done.state is State.APPROVED
    assert rows(engine, "SELECT id, original_id, refunded_credits FROM partial_refunds") == [(done.entry_id, run, 500)]
    with database.read(engine) as connection:
        assert proposals.proposal(connection, asked.number).change == change


def test_a_part_that_no_longer_fits_is_withdrawn(engine: Engine, run: int) -> None:
    asked = database.write(
        engine,
        lambda connection: proposals.propose(
            connection, RefundEntry(run, amount_credits=800), reason="Most", actor=FIRST, now=NOW
        ),
    )
    _refund(engine, run, 600, "part")
    done = database.write(
        engine,
        lambda connection: proposals.approve(
            connection, asked.number, book_at=lambda _: world.price_book(), actor=SECOND, now=NOW + timedelta(minutes=1)
        ),
    )
    assert (done.state, done.entry_id, balance(engine, "ada")) == (State.WITHDRAWN, None, 600)


def test_who_may_only_try_things_out_refunds_no_part_of_somebody_elses_run(engine: Engine, run: int) -> None:
    with refused(engine, NotAllowed):
        _refund(engine, run, 1, "part", actor=TESTER)
