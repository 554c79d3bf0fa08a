"""However many tell the same news at once, and wherever a process dies: a purchase is granted and taken back once."""

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core.audit import invariants
from credits_core.pricing.quote import PriceBook
from credits_core.store.kinds import Happened
from tests.support import paying, racers, world
from tests.support.killing import Killed
from tests.support.paying import buy, event, parts, tell
from tests.support.plain_sql import contradictions, rows, scalar

EVERY_CALL = 12


def test_the_same_news_told_twenty_times_at_once_are_kept_once(engine: Engine, book: PriceBook) -> None:
    buy(engine)
    news = [event(Happened.PAID), event(Happened.REFUNDED, 40, about="r", at=1)]
    told = racers.at_once([lambda one=one: tell(engine, one).is_new for one in news * 10])  # type: ignore[misc]
    assert Counter(told) == {True: 2, False: 18}
    assert parts(engine) == (600, 0, 0)
    assert scalar(engine, "SELECT COUNT(*) FROM purchase_receipts") == 1
    assert [str(found) for found in invariants.check(engine, book.plans) if not found.ok] == []


def test_receipts_of_purchases_that_are_paid_at_once_have_no_gap(engine: Engine) -> None:
    for number in range(12):
        buy(engine, f"u{number}", key=f"buy-{number}")
    paid = [event(Happened.PAID, purchase_id=number + 1) for number in range(12)]
    racers.at_once([lambda one=one: tell(engine, one) for one in paid])  # type: ignore[misc]
    assert rows(engine, "SELECT id FROM purchase_receipts ORDER BY id") == [(number + 1,) for number in range(12)]


_TELL = """
import os, sys
from credits_core.store import database
from credits_core.store.kinds import Happened
from tests.support import paying
engine = database.create_engine_for(sys.argv[1])
kind = Happened(sys.argv[3])
told = paying.tell(engine, paying.event(kind, about=sys.argv[3], purchase_id=int(sys.argv[2]), at=1))
print(told.is_new, flush=True)
os._exit(0)
"""


@pytest.mark.long
def test_a_process_killed_at_any_system_call_of_a_grant_or_a_refund_leaves_it_whole_or_not_there(
    engine: Engine, book: PriceBook, full: bool, tmp_path: Path
) -> None:
    killed = Killed(_TELL, tmp_path)
    url = engine.url.render_as_string(hide_password=False)

    def run(kind: Happened, purchase_id: int, *, at: int | None = None) -> bool:
        return bool(killed.run(url, str(purchase_id), kind.value, at=at).strip())

    unfinished = 0
    for kind in (Happened.PAID, Happened.REFUNDED):
        before = [event(Happened.PAID, about="paid")] if kind is Happened.REFUNDED else []
        whole = _bought(engine, f"{kind}-whole", before)
        assert run(kind, whole)
        calls = killed.calls
        assert len(calls) > 4
        for place in range(0, len(calls), 1 if full else EVERY_CALL):
            purchase_id = _bought(engine, f"{kind}-{place}", before)
            said = run(kind, purchase_id, at=place)
            # Waits for what the server may still be committing.
            world.add(engine, f"{kind}-{place}", 1, key=f"after-{kind}-{place}")
            is_there = any(one.kind is kind for one in paying.stored(engine, purchase_id).told)
            unfinished += not is_there
            assert is_there or not said
            assert contradictions(engine) == []
            # The same news again are taken in, or were.
            again = tell(engine, event(kind, about=kind.value, purchase_id=purchase_id, at=1))
            assert again.is_new == (not is_there)
            assert parts(engine, f"{kind}-{place}") == ((1_001, 0, 0) if kind is Happened.PAID else (1, 0, 0))
    assert unfinished > 0
    assert [str(found) for found in invariants.check(engine, book.plans) if not found.ok] == []


def _bought(engine: Engine, user_id: str, before: list[paying.GatewayEvent]) -> int:
    purchase_id = buy(engine, user_id, key=f"buy-{user_id}").id
    for one in before:
        tell(engine, paying.of(one, purchase_id))
    return purchase_id
