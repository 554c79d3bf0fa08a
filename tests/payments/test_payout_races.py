"""However many carry out payouts at once, and wherever a process dies: a payout is made once, or not at all."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.ledger import payout_news
from credits_core.ledger.refusals import InsufficientCredits
from credits_core.ledger.requests import UnlockRequest
from credits_core.payments import paying
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from credits_core.values.time_zones import UTC_ZONE
from tests.support import racers, world
from tests.support.actors import TESTER
from tests.support.killing import Killed
from tests.support.paying_out import LATER, approve, carry_out, earn, has, pay_to, propose
from tests.support.plain_sql import contradictions, scalar

EVERY_CALL = 15


def test_payouts_that_many_carry_out_at_once_are_made_once(engine: Engine, book: PriceBook) -> None:
    _approved(engine)
    with database.read(engine) as connection:
        (due,) = paying.to_set_aside(connection, limit=9)

    def set_aside() -> bool:
        return database.write(engine, lambda one: paying.set_aside(one, due, zone=UTC_ZONE, now=LATER, actor=TESTER))

    assert racers.at_once([set_aside] * 12) == [True] * 12
    assert has(engine) == (0, 1_600_000, 0)
    answered = {"payout_id": 1, "reference": "tr_1", "failed_because": "", "now": LATER, "actor": TESTER}
    racers.at_once([lambda: database.write(engine, partial(payout_news.answer, **answered))] * 12)
    assert has(engine) == (0, 0, 1_600_000)
    assert scalar(engine, "SELECT count(*) FROM payout_reports") == 1
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def test_a_creator_who_spends_while_the_payout_is_set_aside_never_has_it_twice(engine: Engine, book: PriceBook) -> None:
    """Of the run and the payout one is refused, whichever comes first."""
    _approved(engine)
    request = UnlockRequest("ben", "flow-of-cara", "cara", 1_000_000)

    def spend() -> bool:
        try:
            world.unlock(engine, request, key="spend", now=LATER)
        except InsufficientCredits:
            return False
        return True

    spent, done = racers.at_once([spend, lambda: carry_out(engine)])  # type: ignore[list-item]
    paid = "1 payout paid" in str(done)
    assert paid != spent
    assert has(engine) == ((0, 0, 1_600_000) if paid else (600_000, 0, 0))
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


_CARRY_OUT = """
import os, sys
from credits_core.store import database
from tests.support.paying_out import carry_out
print(carry_out(database.create_engine_for(sys.argv[1])), flush=True)
os._exit(0)
"""


@pytest.mark.long
def test_a_process_killed_at_any_system_call_of_a_payout_leaves_it_to_the_next_one(
    engine: Engine, book: PriceBook, full: bool, tmp_path: Path
) -> None:
    killed = Killed(_CARRY_OUT, tmp_path)
    url = engine.url.render_as_string(hide_password=False)

    def run(*, at: int | None = None) -> bool:
        return "1 payout paid" in killed.run(url, at=at)

    _approved(engine, "whole", 1)
    assert run()
    calls = killed.calls
    assert len(calls) > 4
    unfinished, cycle = 0, 1
    for place in range(0, len(calls), 1 if full else EVERY_CALL):
        cycle += 1
        creator = f"creator-{place}"
        _approved(engine, creator, cycle)
        said = run(at=place)
        # Waits for what the server may still be committing.
        world.add(engine, "witness", 1, key=f"after-{place}", now=LATER)
        on_the_way_or_gone = has(engine, creator)[:2] != (1_600_000, 0)
        unfinished += not said
        assert on_the_way_or_gone or not said
        assert contradictions(engine) == []
        carry_out(engine)
        assert has(engine, creator) == (0, 0, 1_600_000 * cycle)
    assert unfinished > 0
    assert [str(one) for one in invariants.check(engine, book.plans) if not one.ok] == []


def _approved(engine: Engine, creator: str = "ben", cycle: int = 1) -> None:
    earn(engine, 2_000_000, creator=creator, key=f"unlock-{creator}")
    pay_to(engine, creator, f"acct_{creator}")
    assert propose(engine) == cycle
    approve(engine, cycle)
